//! In which form a network is written: which passes go over its graph, and how numbers are stored.

use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor as Numbers;
use contract::PixelRange;
use models::{Network, Parameters};
use serde::{Deserialize, Serialize};

use crate::deconv::{self, Timing};
use crate::lower::{Names, lower};
use crate::onnx::{Graph, OPSET};
use crate::passes::int8::Ranges;
use crate::passes::interface::{bytes, fixed_batch};
use crate::passes::{dead, half, in_place, int8, padding, simplify};
use crate::{Error, Result};
use infer::Runtime;

/// The form of a file.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Form {
    /// Which passes go over the graph
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub optimize: Optimize,
    /// What becomes of transposed convolutions; without it, those of 16 outputs or more become
    /// convolutions, but none with --optimize none
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    pub deconv: Option<Deconv>,
    /// How numbers are stored and computed with
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub precision: Precision,
    /// Which layers --precision int8 computes in 8 bits
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub int8_layers: Int8Layers,
    /// Fix the batch to N images, for runtimes that want it known
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536)))]
    pub batch: Option<u64>,
    /// Pixels as uint8, scaled, rounded and limited in the graph, in place of float32
    #[cfg_attr(feature = "cli", arg(long))]
    pub uint8: bool,
    /// Version of ONNX's operator set, 13 to 22; ONNX Runtime 1.17 has them up to 20
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = OPSET, value_parser = clap::value_parser!(i64).range(13..=22)))]
    pub opset: i64,
}

impl Default for Form {
    fn default() -> Form {
        Form {
            optimize: Optimize::Full,
            deconv: None,
            precision: Precision::Fp32,
            int8_layers: Int8Layers::All,
            batch: None,
            uint8: false,
            opset: OPSET,
        }
    }
}

/// Which passes go over a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Optimize {
    /// None: the graph reads like the network, layer by layer
    None,
    /// Those that make fewer steps of it: batch norms into weights, labels into tables; and
    /// large linear layers as products that are quick to load
    #[default]
    Full,
}

/// What becomes of transposed convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Deconv {
    /// They stay
    Transpose,
    /// Each becomes convolutions, one a phase of the picture, and a DepthToSpace
    Subpixel,
    /// For each of them what is faster in ONNX Runtime here and now
    Auto,
}

/// How numbers are stored and computed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision
    #[default]
    Fp32,
    /// Half precision, with float32 inputs and outputs; for GPUs
    Fp16,
    /// Large linear layers and convolutions in 8 bits, the other numbers stored in half precision; for CPUs
    Int8,
}

/// Which layers are computed in 8 bits, of those that are large enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Int8Layers {
    /// Linear layers and convolutions; for ONNX Runtime
    #[default]
    All,
    /// Linear layers; for rten, which computes the convolutions in single precision all the same
    Linear,
}

impl Precision {
    /// Its name on the command line and in the file.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Fp16 => "fp16",
            Precision::Int8 => "int8",
        }
    }
}

/// What a form needs to know of a network.
pub struct Subject<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its weights.
    pub parameters: &'a Parameters,
    /// Names of the graph's inputs and output.
    pub names: Names<'a>,
    /// Black and white, if it makes pictures.
    pub pixel_range: Option<PixelRange>,
    /// What its layers are likely to see, by the names of inputs: for their 8-bit ranges.
    pub typical: HashMap<String, Numbers>,
}

/// A graph in its form, and what was found on the way.
pub struct Formed {
    /// The graph.
    pub graph: Graph,
    /// What [`Deconv::Auto`] measured.
    pub timings: Vec<Timing>,
    /// Transposed convolutions that became convolutions.
    pub converted: Vec<String>,
    /// How its numbers are stored: in half precision where 8 bits were asked for and no layer is large
    /// enough.
    pub precision: Precision,
    /// What is computed in 8 bits, if that was asked for and a layer is large enough.
    pub eight_bit: Option<EightBit>,
}

/// What is computed in 8 bits.
pub struct EightBit {
    /// The graph before.
    pub float: Graph,
    /// What its values are when it draws.
    pub ranges: Ranges,
    /// The names of its layers that did.
    pub layers: Vec<String>,
}

impl Form {
    /// The graph of a network in this form. `runtime` is the library that times what is faster, if that
    /// is to be found out; without it, it is looked for as `infer` does.
    ///
    /// # Errors
    /// [`Error::Graph`] if the weights don't fit the precision, [`Error::Form`] for pixels of a
    /// network that makes none, [`Error::Infer`] if there is no ONNX Runtime to time with, or it can't run a graph.
    pub fn graph(&self, subject: &Subject<'_>, runtime: Option<&Path>) -> Result<Formed> {
        let graph = lower(subject.network, subject.parameters, &subject.names)?;
        self.of_graph(graph, subject.pixel_range, &subject.typical, runtime)
    }

    /// The same of a graph, such as one that was read from a file: with its pixels' range if it makes pictures,
    /// and what it is likely to see. What the passes did already stays done.
    ///
    /// # Errors
    /// As [`graph`](Form::graph).
    pub fn of_graph(
        &self,
        mut graph: Graph,
        pixel_range: Option<PixelRange>,
        typical: &HashMap<String, Numbers>,
        runtime: Option<&Path>,
    ) -> Result<Formed> {
        if self.optimize == Optimize::Full || self.precision == Precision::Int8 {
            graph = in_place::linear(&graph)?;
        }
        if self.optimize == Optimize::Full {
            graph = simplify(graph)?;
        }
        let (mut timings, mut converted) = (Vec::new(), Vec::new());
        let mut eight_bit = None;
        match (self.deconv, self.optimize) {
            (Some(Deconv::Transpose), _) | (None, Optimize::None) => {}
            (Some(Deconv::Subpixel), _) => (graph, converted) = deconv::all(&graph)?,
            (Some(Deconv::Auto), _) => {
                (graph, converted, timings) = deconv::fastest(graph, Runtime::load(runtime)?)?;
            }
            (None, Optimize::Full) => {
                (graph, converted) = deconv::wide(&graph)?;
                graph = padding::symmetric(&graph)?;
            }
        }
        graph = match self.precision {
            Precision::Fp32 if self.optimize == Optimize::Full => {
                in_place::products(&graph, in_place::LEAST)?
            }
            Precision::Fp32 => graph,
            Precision::Fp16 => half::compute(&graph)?,
            Precision::Int8 => {
                let all = self.int8_layers == Int8Layers::All;
                if all && (self.deconv, self.optimize) == (None, Optimize::Full) {
                    let more;
                    (graph, more) = int8::convolutions(&graph)?;
                    converted.extend(more);
                }
                let layers: Vec<_> = int8::layers(&graph)
                    .into_iter()
                    .filter(|layer| all || layer.is_linear)
                    .map(|layer| layer.name)
                    .collect();
                if layers.is_empty() {
                    half::store(&graph)?
                } else {
                    let ranges = Ranges::observe(&graph, typical.clone())?;
                    let quantised = half::store(&int8::quantise(&graph, &ranges, &layers)?)?;
                    eight_bit = Some(EightBit { float: graph, ranges, layers });
                    quantised
                }
            }
        };
        let precision = match self.precision {
            Precision::Int8 if eight_bit.is_none() => Precision::Fp16,
            asked => asked,
        };
        if self.uint8 {
            let range = pixel_range.ok_or_else(|| Error::Form {
                message: format!("--uint8 is for pictures, which {} doesn't make", graph.name()),
            })?;
            graph = bytes(&graph, range)?;
        }
        if let Some(n) = self.batch {
            graph = fixed_batch(&graph, n as usize)?;
        }
        Ok(Formed { graph: dead::remove(&graph)?, timings, converted, precision, eight_bit })
    }
}
