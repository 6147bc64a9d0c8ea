//! What runs a model: ONNX Runtime, or rten, which is part of the program.

mod ladder;
#[cfg(feature = "onnxruntime")]
pub(crate) mod onnx_runtime;
mod options;
#[cfg(feature = "rten")]
mod rten;
mod weights;

#[cfg(not(any(feature = "onnxruntime", feature = "rten")))]
compile_error!("infer runs models in an engine: build it with the feature `onnxruntime`, `rten` or both");

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::{Device, Error, ModelSource};
use weights::{Split, Weight};

pub(crate) use ladder::choose;
pub(crate) use options::BATCH;
pub use options::Options;
#[cfg(feature = "rten")]
pub use rten::Session as RtenSession;

/// From this many images on, what an engine does with the weights when it loads them (copying, and
/// rearranging them for its matrix products) is worth the time. Below, they are used as they lie in
/// the model's bytes. Measured with ONNX Runtime 1.32 on two x86-64 cores: loading takes 100 ms
/// more, each image 0.3 ms less.
pub const LOADING_WEIGHTS_PAYS: usize = 320;

/// The engine that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// ONNX Runtime where it is found, else rten.
    #[default]
    Auto,
    /// ONNX Runtime, loaded from the machine's library, or an error.
    OnnxRuntime,
    /// rten (<https://github.com/robertknight/rten>), in pure Rust and part of the program, or an
    /// error if it was built without the feature `rten`. It runs on the CPU only.
    Rten,
}

impl Engine {
    /// Whether it may be the machine's library, which `--runtime` names.
    pub fn takes_library(self) -> bool {
        match self {
            Self::Auto | Self::OnnxRuntime => true,
            Self::Rten => false,
        }
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "onnxruntime" => Ok(Self::OnnxRuntime),
            "rten" => Ok(Self::Rten),
            _ => Err(Error::UnknownEngine(text.into())),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::OnnxRuntime => "onnxruntime",
            Self::Rten => "rten",
        })
    }
}

/// How many of the graph's nodes an execution provider runs, as the engine itself reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// The engine's name for it, such as `CPUExecutionProvider`.
    pub provider: String,
    /// Number of nodes, after the engine's optimisations.
    pub nodes: usize,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, nodes } = self;
        write!(f, "{provider} ({nodes} {})", if *nodes == 1 { "node" } else { "nodes" })
    }
}

/// A network that an engine has loaded.
pub(crate) trait Network: Send {
    /// Runs it once on all its inputs and lends one of its outputs, shape and values, to `read`.
    ///
    /// # Errors
    ///
    /// The engine's words, or those of `read`.
    fn run(&mut self, inputs: &[Input<'_>], output: &str, read: &mut Reader<'_>) -> Result<(), String>;
}

/// A network on the engine and device that were chosen for it.
pub(crate) struct Chosen {
    pub network: Box<dyn Network>,
    pub engine: Engine,
    /// The engine's name and version, such as `ONNX Runtime 1.32.0`.
    pub engine_name: String,
    #[cfg(feature = "onnxruntime")]
    pub runtime: Option<&'static crate::Runtime>,
    pub device: Device,
    pub placements: Vec<Placement>,
    pub skipped: Vec<Skipped>,
}

/// A step of the ladder that `auto` passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Engine or device, in words.
    pub step: &'static str,
    /// Why it was passed over.
    pub reason: String,
    /// Whether it looks as if it should have served: something is there that doesn't work.
    pub broken: bool,
}

/// What looks at an output: its shape and its values.
pub(crate) type Reader<'a> = dyn FnMut(&[i64], &[f32]) -> Result<(), String> + 'a;

/// What one of a graph's inputs gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its shape.
    pub shape: Cow<'a, [usize]>,
    /// Its numbers.
    pub values: Values<'a>,
}

/// The numbers of a tensor, in the order of its shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<'a> {
    /// Single precision.
    Float32(Cow<'a, [f32]>),
    /// Double precision.
    Float64(Cow<'a, [f64]>),
    /// Whole numbers of 64 bits, such as indices of classes.
    Int64(Cow<'a, [i64]>),
    /// Whole numbers of 32 bits.
    Int32(Cow<'a, [i32]>),
    /// Bytes, such as pixels.
    Uint8(Cow<'a, [u8]>),
    /// Truth values.
    Bool(Cow<'a, [bool]>),
}

/// A model's bytes without its large weights, which each run lends to the engine from where they
/// lie.
struct Lent {
    bytes: Cow<'static, [u8]>,
    weights: Vec<Weight>,
}

impl Lent {
    /// The model to load, and its weights; `None` if none can be lent.
    fn split(source: &ModelSource<'_>) -> Option<(Vec<u8>, Self)> {
        let bytes = source.bytes().ok()?;
        let Split { model, weights } = weights::split(&bytes)?;
        Some((model, Self { bytes, weights }))
    }

    /// No weights: the engine holds them all.
    fn none() -> Self {
        Self { bytes: Cow::Borrowed(&[]), weights: Vec::new() }
    }

    /// Name, shape and values of each weight.
    fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        (self.weights.iter())
            .map(|weight| (weight.name.as_str(), weight.dims.as_slice(), weight.values(&self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        for engine in [Engine::Auto, Engine::OnnxRuntime, Engine::Rten] {
            assert_eq!(engine.to_string().parse::<Engine>().ok(), Some(engine));
        }
        let refused = "ort".parse::<Engine>().err().map(|error| error.to_string());
        assert!(refused.is_some_and(|refused| refused.contains("\"ort\" is not an engine")));
    }
}
