//! What was done, as text and as JSON.

use std::fmt;

use contract::{Comparison, dataset::manifest::Verification, printable, visible};
use infer::cli::Source;
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
    /// Where the characters are, if they were joined to strings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strings: Vec<Text>,
    /// Null if nothing was to be verified.
    pub verified: Option<Verified>,
    #[serde(flatten)]
    pub source: Source,
}

/// A string, and column, row, width and height of each of its characters in the picture.
#[derive(Debug, Serialize)]
pub struct Text {
    pub text: String,
    pub boxes: Vec<[usize; 4]>,
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
pub struct SelfTest {
    pub passed: bool,
    pub images: usize,
    pub comparison: Comparison,
    #[serde(flatten)]
    pub source: Source,
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { noun, seed, width, height, .. } = self;
        // Names of classes are untrusted text.
        let (file, list) = (printable(&self.file), |classes| printable(&list(noun, classes)).into_owned());
        let what = match (self.classes, self.count) {
            ([], 1) => "1 picture".into(),
            ([], count) => format!("{count} pictures"),
            ([class], 1) => format!("{noun} {}", visible(class)),
            // A strip, or several.
            ([number], _)
                if number.chars().count() == self.columns && self.rows * self.columns == self.count =>
            {
                match self.rows {
                    1 => printable(number).into_owned(),
                    rows => format!("{}, {rows} times", printable(number)),
                }
            }
            ([class], count) => format!("{noun} {}, {count} times", visible(class)),
            (classes, _) => {
                let plural = if *noun == "digit" { "digits" } else { "classes" };
                format!("{plural} {}", list(classes))
            }
        };
        writeln!(f, "{what}, seed {seed}: {file} ({width} × {height})")?;
        if let Some(Verified { verification, confidences }) = &self.verified {
            writeln!(f, "{}", verification.of(confidences.len() as u64))?;
        }
        self.source.fmt(f)
    }
}

impl fmt::Display for SelfTest {
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

/// Classes in one line; names may have blanks.
pub fn list(noun: &str, classes: &[String]) -> String {
    let classes: Vec<_> = classes.iter().map(|class| visible(class)).collect();
    classes.join(if noun == "digit" { " " } else { ", " })
}
