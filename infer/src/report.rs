//! What was done, as text and as JSON.

use std::fmt;

use infer::{Generator, ModelSource, Placement, contract::Comparison};
use serde::Serialize;

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
    #[serde(flatten)]
    pub source: Source<'a>,
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
    pub runtime: Loaded<'a>,
    pub device: String,
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
        let runtime = generator.runtime();
        Self {
            model: Model {
                name: source.name(),
                architecture: &contract.architecture,
                dataset: &contract.dataset,
                classes: &contract.classes,
            },
            runtime: Loaded {
                library: runtime.library().display().to_string(),
                version: runtime.version(),
                execution_providers: generator.placements(),
            },
            device: generator.device().to_string(),
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
            ([class], count) => format!("{noun} {class}, {count} times"),
            (classes, _) => {
                let plural = if *noun == "digit" { "digits" } else { "classes" };
                format!("{plural} {}", list(noun, classes))
            }
        };
        writeln!(f, "{what}, seed {seed}: {file} ({width} × {height})")?;
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
        let Loaded { library, version, execution_providers } = &self.runtime;
        writeln!(f, "ONNX Runtime {version}: {library}")?;
        let providers: Vec<_> = (execution_providers.iter())
            .map(|placement| format!("{} ({} nodes)", placement.provider, placement.nodes))
            .collect();
        match providers.as_slice() {
            [] => writeln!(f, "device: {}", self.device)?,
            providers => writeln!(f, "device: {}, {}", self.device, providers.join(" and "))?,
        }
        (self.notes.iter()).try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// Classes in one line; names may have blanks.
pub fn list(noun: &str, classes: &[String]) -> String {
    classes.join(if noun == "digit" { " " } else { ", " })
}
