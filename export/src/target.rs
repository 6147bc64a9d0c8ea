//! One word for the form of a file that suits a place.

use serde::Serialize;

use crate::form::{Form, Int8Layers, Precision};

/// Where a file is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The GPU of an NVIDIA Jetson
    Jetson,
    /// The processor of any machine, with ONNX Runtime
    Cpu,
    /// A browser, with rten in WebAssembly
    Browser,
    /// NVIDIA Triton Inference Server, on a GPU
    Triton,
}

impl Target {
    /// The form that is best there.
    pub fn form(self) -> Form {
        let (precision, int8_layers) = match self {
            Target::Cpu => (Precision::Int8, Int8Layers::All),
            Target::Browser => (Precision::Int8, Int8Layers::Linear),
            Target::Jetson => (Precision::Fp16, Int8Layers::All),
            Target::Triton => (Precision::Fp32, Int8Layers::All),
        };
        Form { precision, int8_layers, ..Form::default() }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Target::Jetson => "jetson",
            Target::Cpu => "cpu",
            Target::Browser => "browser",
            Target::Triton => "triton",
        }
    }

    /// Why that form, in a few words.
    pub fn reason(self) -> &'static str {
        match self {
            Target::Jetson => "half the memory to read, and tensor cores; not measured on a Jetson yet",
            Target::Cpu => "the fastest in ONNX Runtime, for one image and for many, and the smallest",
            Target::Browser => "8 bits in linear layers alone: the fastest in rten, and small to load",
            Target::Triton => "what CUDA runs whole, and ran on an H100",
        }
    }
}
