//! What was exported, and how it was checked.

use std::fmt;
use std::path::{Path, PathBuf};

use contract::{printable, shown, thousands};
use serde::Serialize;

use crate::cost::Costs;
use crate::deconv::Timing;
use crate::form::Precision;
use crate::passes::int8::LEAST;
use crate::proof::Difference;
use crate::prove::CANDLE;
use crate::target::Target;
use crate::trained::Weights;

/// What was exported, and how it was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Whether it was written, or only checked.
    pub written: bool,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Nodes of the graph that was written.
    pub nodes: Option<usize>,
    /// Numbers that its initializers hold.
    pub parameters: Option<usize>,
    /// Version of ONNX's operator set.
    pub opset: Option<i64>,
    /// Version of the file format.
    pub ir_version: Option<i64>,
    /// The checkpoint, if it was made from one.
    pub checkpoint: Option<PathBuf>,
    /// The file that it was made from, if it was one.
    pub from: Option<PathBuf>,
    /// Which network.
    pub network: &'static str,
    /// Which of its weights, where there is a choice.
    pub weights: Option<Weights>,
    /// The network's name.
    pub architecture: String,
    /// What it was trained on.
    pub dataset: String,
    /// Passes over the training set.
    pub epochs: f64,
    /// Iterations of training.
    pub iterations: u64,
    /// How numbers are stored and computed with.
    pub precision: Precision,
    /// Whether 8 bits were asked for, which small networks have no use for.
    #[serde(skip)]
    pub asked_int8: bool,
    /// Transposed convolutions that became convolutions.
    #[serde(rename = "turned")]
    pub converted: Vec<String>,
    /// What was measured to choose them.
    pub timings: Vec<Timing>,
    /// What 8 bits cost, if there are any.
    pub costs: Option<Costs>,
    /// The target that the form is of, if one was named.
    pub target: Option<Target>,
    /// The ONNX Runtime library of the proof.
    pub library: PathBuf,
    /// The model's folder in a model repository of Triton, if one was written.
    pub repository: Option<PathBuf>,
    /// Each engine, in each way that it loads the file, against Candle.
    pub comparisons: Vec<Comparison>,
}

/// An engine against Candle.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Its name and version.
    pub engine: String,
    /// How far they are apart.
    pub difference: Difference,
    /// The sizes of the batches that it ran.
    pub batches: Vec<usize>,
}

impl Report {
    fn source(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.from.as_deref())
    }
}

/// A line for each engine: how near it is to the reference, in the worse of the ways in which it loads the file.
pub(crate) fn agreements(
    f: &mut fmt::Formatter<'_>,
    comparisons: &[Comparison],
    reference: &str,
) -> fmt::Result {
    let mut said: Vec<&str> = Vec::new();
    for Comparison { engine, .. } in comparisons {
        if said.contains(&engine.as_str()) {
            continue;
        }
        said.push(engine);
        let of_engine = comparisons.iter().filter(|comparison| comparison.engine == *engine);
        let worst = of_engine.max_by(|a, b| a.difference.largest.total_cmp(&b.difference.largest));
        if let Some(Comparison { difference, batches, .. }) = worst {
            let Difference { largest, mean, levels, values } = difference;
            write!(f, "{engine} and {reference} agree within {largest:.1e} (mean {mean:.1e}")?;
            if let Some(levels) = levels {
                write!(f, ", {levels} of 255 levels")?;
            }
            let batches: Vec<_> = batches.iter().map(usize::to_string).collect();
            writeln!(f, ") on {values} numbers, in batches of {}", batches.join(", "))?;
        }
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { architecture, dataset, epochs, iterations, .. } = self;
        let weights = match self.weights {
            Some(Weights::Average) => ", averaged weights",
            Some(Weights::Raw) => ", raw weights",
            None => "",
        };
        writeln!(
            f,
            "{}: {} of {} on {}{weights} after {epochs:.1} epochs ({iterations} iterations)",
            self.source().map(shown).unwrap_or_default(),
            self.network,
            printable(architecture),
            printable(dataset),
        )?;
        for timing in &self.timings {
            let chosen = if timing.converted == self.converted { ": taken" } else { "" };
            writeln!(f, "  {timing}{chosen}")?;
        }
        if let Some(target) = self.target {
            let (name, reason, opset) = (target.name(), target.reason(), self.opset.unwrap_or_default());
            writeln!(f, "for {name}: {}, opset {opset}: {reason}", self.precision.name())?;
        }
        if let Some(Costs { images, agreement, layers, all }) = &self.costs {
            write!(f, "of {} images", thousands(*images as u64))?;
            match agreement {
                Some(agreement) => {
                    writeln!(f, ", {:.1} % read as their label in single precision:", 100. * agreement)?;
                }
                None => writeln!(f, ", beside single precision:")?,
            }
            for cost in layers.iter().chain([all]) {
                writeln!(f, "  {cost}")?;
            }
        }
        let reference = match &self.from {
            Some(file) => shown(file),
            None => CANDLE.to_string(),
        };
        agreements(f, &self.comparisons, &reference)?;
        let megabytes = self.bytes as f64 / 1e6;
        if self.asked_int8 && self.precision != Precision::Int8 {
            writeln!(
                f,
                "no layer has {} products or more, so none has 8 bits: the numbers are stored in half precision",
                thousands(LEAST as u64)
            )?;
        }
        write!(f, "{}: {megabytes:.1} MB", shown(&self.file))?;
        if let (Some(nodes), Some(opset), Some(ir)) = (self.nodes, self.opset, self.ir_version) {
            write!(f, ", {}, {nodes} nodes, opset {opset}, IR {ir}", self.precision.name())?;
        }
        if let Some(folder) = &self.repository {
            write!(f, "\n{}: for NVIDIA Triton Inference Server", shown(folder))?;
        }
        if !self.written {
            write!(f, ", checked, nothing written")?;
        }
        Ok(())
    }
}
