//! What was done, as text and as JSON.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use infer::{Generator, ModelSource, Placement, Skipped, contract::Comparison};
use serde::Serialize;

use crate::verification::Verification;

/// A drawn picture.
#[derive(Debug, Serialize)]
pub struct Drawing<'a> {
    /// What a class is called: digit or class.
    #[serde(skip)]
    pub noun: &'static str,
    pub file: String,
    pub classes: &'a [String],
    pub count: usize,
    pub seed: u64,
    pub rows: usize,
    pub columns: usize,
    pub width: usize,
    pub height: usize,
    /// Null if nothing was to be verified.
    pub verified: Option<Verified>,
    #[serde(flatten)]
    pub source: Source<'a>,
}

/// What a judge says of a picture's images.
#[derive(Debug, Serialize)]
pub struct Verified {
    #[serde(flatten)]
    pub verification: Verification,
    /// In each image's label, in the picture's order.
    pub confidences: Vec<f64>,
}

/// A replayed golden case.
#[derive(Debug, Serialize)]
pub struct SelfTest<'a> {
    pub passed: bool,
    pub images: usize,
    pub comparison: Comparison,
    #[serde(flatten)]
    pub source: Source<'a>,
}

/// Which model ran, and on what.
#[derive(Debug, Serialize)]
pub struct Source<'a> {
    pub model: Model<'a>,
    pub engine: String,
    /// The loaded ONNX Runtime, if that is the engine.
    pub runtime: Option<Loaded<'a>>,
    pub device: String,
    pub skipped: &'a [Skipped],
    pub notes: &'a [String],
}

/// The model.
#[derive(Debug, Serialize)]
pub struct Model<'a> {
    pub name: String,
    pub architecture: &'a str,
    pub dataset: &'a str,
    pub classes: &'a [String],
}

/// The loaded ONNX Runtime.
#[derive(Debug, Serialize)]
pub struct Loaded<'a> {
    pub library: String,
    pub version: &'a str,
    pub execution_providers: &'a [Placement],
}

impl<'a> Source<'a> {
    pub fn new(source: &ModelSource<'_>, generator: &'a Generator) -> Self {
        let contract = generator.contract();
        Self {
            model: Model {
                name: source.name(),
                architecture: &contract.architecture,
                dataset: &contract.dataset,
                classes: &contract.classes,
            },
            engine: generator.engine_name(),
            runtime: generator.runtime().map(|runtime| Loaded {
                library: runtime.library().display().to_string(),
                version: runtime.version(),
                execution_providers: generator.placements(),
            }),
            device: generator.device().to_string(),
            skipped: generator.skipped(),
            notes: generator.notes(),
        }
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { noun, file, seed, width, height, .. } = self;
        let what = match (self.classes, self.count) {
            ([], 1) => "1 picture".into(),
            ([], count) => format!("{count} pictures"),
            ([class], 1) => format!("{noun} {class}"),
            // A strip, or several.
            ([number], _)
                if number.chars().count() == self.columns && self.rows * self.columns == self.count =>
            {
                match self.rows {
                    1 => number.clone(),
                    rows => format!("{number}, {rows} times"),
                }
            }
            ([class], count) => format!("{noun} {class}, {count} times"),
            (classes, _) => {
                let plural = if *noun == "digit" { "digits" } else { "classes" };
                format!("{plural} {}", list(noun, classes))
            }
        };
        writeln!(f, "{what}, seed {seed}: {file} ({width} × {height})")?;
        if let Some(Verified { verification, confidences }) = &self.verified {
            writeln!(f, "{}", verification.of(confidences.len() as u64))?;
        }
        self.source.fmt(f)
    }
}

impl fmt::Display for SelfTest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { pixels, differing, largest, tolerance } = self.comparison;
        let verdict = if self.passed { "passed" } else { "failed" };
        write!(f, "self-test {verdict}: {} images, ", self.images)?;
        match differing {
            0 => writeln!(f, "all {pixels} pixels as promised")?,
            _ => writeln!(
                f,
                "{differing} of {pixels} pixels differ, by at most {largest} of 255 levels \
                 (allowed: {tolerance})"
            )?,
        }
        self.source.fmt(f)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Model { name, architecture, dataset, .. } = &self.model;
        writeln!(f, "model: {name} ({architecture}, {dataset})")?;
        let (place, placements) = match &self.runtime {
            Some(runtime) => (format!(": {}", runtime.library), runtime.execution_providers),
            None => (", part of infer".into(), [].as_slice()),
        };
        writeln!(f, "{}{place}", self.engine)?;
        let providers: Vec<_> =
            (placements.iter()).map(|at| format!("{} ({} nodes)", at.provider, at.nodes)).collect();
        match providers.as_slice() {
            [] => writeln!(f, "device: {}", self.device)?,
            providers => writeln!(f, "device: {}, {}", self.device, providers.join(" and "))?,
        }
        for Skipped { step, reason, .. } in self.skipped.iter().filter(|skipped| !skipped.broken) {
            writeln!(f, "skipped {step}: {reason}")?;
        }
        (self.notes.iter()).try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// Writes to standard output. A reader of a pipe that has seen enough is no failure.
pub fn print(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Classes in one line; names may have blanks.
pub fn list(noun: &str, classes: &[String]) -> String {
    classes.join(if noun == "digit" { " " } else { ", " })
}
