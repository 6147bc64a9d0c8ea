//! Figures that `evaluate --json` measured of a checkpoint's drawings, for the file to carry.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::trained::{Trained, Weights};
use crate::{Error, Result};

/// The part of `evaluate`'s report that goes into the file.
#[derive(Debug, Deserialize)]
struct Report {
    checkpoint: Option<Checkpoint>,
    judge_sha256: String,
    classes: Vec<String>,
    /// None where the images have no labels.
    agreement: Option<Agreement>,
    frechet: Estimate,
    manifold: Manifold,
    gan_train: Option<Estimate>,
}

/// Whose drawings were measured.
#[derive(Debug, Deserialize)]
struct Checkpoint {
    sha256: String,
    weights: String,
}

#[derive(Debug, Deserialize)]
struct Agreement {
    overall: Estimate,
    classes: Vec<Option<Estimate>>,
}

#[derive(Debug, Deserialize)]
struct Manifold {
    precision: Estimate,
    recall: Estimate,
    density: Estimate,
    coverage: Estimate,
}

/// A figure with its 95 % interval and the images that it rests on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Estimate {
    value: f64,
    low: f64,
    high: f64,
    n: usize,
}

/// The figures in `path`, which must be of this generator's drawings.
///
/// # Errors
/// [`Error::Quality`], if there is no such report, or it is another generator's.
pub fn read(path: &Path, trained: &Trained) -> Result<Map<String, Value>> {
    let wrong = |found: String| Error::Quality { path: path.to_path_buf(), found };
    let bytes = contract::files::read(path).map_err(|error| wrong(format!("can't be read ({error})")))?;
    let report: Report =
        serde_json::from_slice(&bytes).map_err(|error| wrong(format!("is no such report ({error})")))?;
    let Some(Checkpoint { sha256, weights }) = &report.checkpoint else {
        return Err(wrong("is of images or of an ONNX file".to_string()));
    };
    if *sha256 != trained.sha256 {
        return Err(wrong(format!(
            "is of a checkpoint with SHA-256 {sha256}, this one's is {}",
            trained.sha256
        )));
    }
    let ours = trained.weights.map(Weights::group).unwrap_or(trained.kind);
    if weights != ours {
        return Err(wrong(format!("is of the {weights} weights, and the {ours} ones are exported")));
    }
    Ok(report.figures())
}

impl Report {
    fn figures(self) -> Map<String, Value> {
        let Manifold { precision, recall, density, coverage } = self.manifold;
        let figures = [
            ("agreement", self.agreement.as_ref().map(|agreement| agreement.overall)),
            ("frechet", Some(self.frechet)),
            ("precision", Some(precision)),
            ("recall", Some(recall)),
            ("density", Some(density)),
            ("coverage", Some(coverage)),
            ("gan_train", self.gan_train),
        ];
        let figures =
            figures.into_iter().filter_map(|(name, figure)| Some((name.to_string(), json!(figure?))));
        let mut figures: Map<String, Value> = figures.collect();
        if let Some(Agreement { classes, .. }) = self.agreement {
            let classes = self.classes.into_iter().zip(classes);
            let classes = classes.filter_map(|(name, class)| Some((name, json!(class?))));
            figures.insert("agreement_of_classes".to_string(), Value::Object(classes.collect()));
        }
        figures.insert("judge_sha256".to_string(), Value::String(self.judge_sha256));
        figures
    }
}
