//! What can go wrong, each as one sentence: what was found, what was expected, what to do.

use std::path::PathBuf;

use crate::Engine;

/// The oldest ONNX Runtime that serves, as `(major, minor)`. `ort`'s `api-17` feature asks for it.
pub const OLDEST_RUNTIME: (u32, u32) = (1, 17);

/// How to get ONNX Runtime, in the words of every message that needs it.
const GET_RUNTIME: &str = "run `make setup` in the checkout, or `pip install onnxruntime`; without pip's \
     packages, `pip download --no-deps onnxruntime`, unzip the wheel and put its \
     onnxruntime/capi/libonnxruntime.so.* beside the program; or name the file with --runtime or ORT_DYLIB_PATH";

/// Any failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model's path leads nowhere, to a folder, or to something unreadable.
    #[error("model {path}: {found}; expected an ONNX file written by `cargo export`")]
    ModelUnreadable {
        /// The path as given.
        path: String,
        /// What is there instead of a file.
        found: String,
    },
    /// The model's bytes are not an ONNX model.
    #[error("model {model} is not an ONNX model: {found}; expected a file written by `cargo export`")]
    NotOnnx {
        /// The model's path or name.
        model: String,
        /// The first thing that is wrong with it.
        found: String,
    },
    /// An ONNX model without the metadata that says how to sample it, or with metadata that can't
    /// be read.
    #[error(
        "model {model} is no edgegan generator: {found}; write one with `cargo export`, or make one of another \
         program's generator with `cargo export adopt FILE --out gen.onnx`"
    )]
    NotAGenerator {
        /// The model's path or name.
        model: String,
        /// What is missing or wrong.
        found: String,
    },
    /// The graph's inputs or outputs are not the contract's.
    #[error(
        "model {model} has {found}, but an edgegan generator has {expected}; \
         write one with `cargo export`"
    )]
    OtherInterface {
        /// The model's path or name.
        model: String,
        /// The graph's own inputs and outputs.
        found: String,
        /// The contract's.
        expected: String,
    },
    /// What should be a judge is an ONNX model of something else.
    #[error(
        "judge {judge} is no edgegan judge: {found}; write one with \
         `cargo export --checkpoint judge.safetensors --out judge.onnx`"
    )]
    NotAJudge {
        /// The judge's path or name.
        judge: String,
        /// What is missing or wrong.
        found: String,
    },
    /// A judge whose pictures are not the generator's.
    #[error(
        "judge {judge} reads {reads}, but model {model} draws {draws}; name a judge of such pictures \
         with --judge, trained with `evaluate train-judge`"
    )]
    OtherJudge {
        /// The judge's path or name.
        judge: String,
        /// What the judge reads.
        reads: String,
        /// The model's path or name.
        model: String,
        /// What the model draws.
        draws: String,
    },
    /// A generator of pictures without labels, which leaves a judge nothing to compare with.
    #[error("model {0} draws pictures without a class, so there is no label to verify; leave --verify out")]
    NothingToVerify(String),
    /// An image that is not its label in any of the draws.
    #[error(
        "image {index} of seed {seed} is not read as {class} with a confidence of {threshold} or more by \
         judge {judge} in {draws} draws; lower the threshold of --verify, or name another --seed or --judge"
    )]
    NotVerified {
        /// Index of the image.
        index: u64,
        /// Its seed.
        seed: u64,
        /// The class that it should show.
        class: String,
        /// The least confidence.
        threshold: f64,
        /// The judge's path or name.
        judge: String,
        /// How many times it was drawn.
        draws: u32,
    },
    /// The engine refused the model.
    #[error(
        "{engine} can't load model {model}: {reason}; write it again with `cargo export`, or name a \
         newer ONNX Runtime with --runtime"
    )]
    ModelRefused {
        /// The model's path or name.
        model: String,
        /// The engine and its version.
        engine: String,
        /// The engine's words.
        reason: String,
    },
    /// A class that the model doesn't know.
    #[error("{asked} is not a class of model {model}: it draws {classes}{}", meant(.nearest))]
    UnknownClass {
        /// What was asked for.
        asked: String,
        /// The model's path or name.
        model: String,
        /// The classes it has.
        classes: String,
        /// The one that may be meant.
        nearest: Option<String>,
    },
    /// Labels or latents of the wrong shape for the model.
    #[error("{0}")]
    BadInput(String),
    /// No library was found in any of the places, and the embedded engine wasn't allowed.
    #[error("no ONNX Runtime found: looked {looked}{broken}; {GET_RUNTIME}")]
    RuntimeNotFound {
        /// The places, as one list.
        looked: String,
        /// Libraries that were there and couldn't serve, or empty.
        broken: String,
    },
    /// The library that was asked for can't serve.
    #[error(
        "{asked}: {path} {refusal}; name another library there, or nothing, so that infer looks for one itself; \
         to get one, {GET_RUNTIME}"
    )]
    RuntimeRefused {
        /// Who asked for it: `--runtime` or `ORT_DYLIB_PATH`.
        asked: &'static str,
        /// The library's path.
        path: PathBuf,
        /// Why it can't serve.
        refusal: Refusal,
    },
    /// A process can load one ONNX Runtime; another one is loaded already.
    #[error("ONNX Runtime {loaded} is loaded already, so {asked} can't be: a process loads one")]
    RuntimeLoadedAlready {
        /// The loaded library.
        loaded: PathBuf,
        /// The one that was asked for.
        asked: PathBuf,
    },
    /// The library loaded, but its environment couldn't be set up.
    #[error("ONNX Runtime {path} can't start: {reason}")]
    RuntimeBroken {
        /// The library's path.
        path: PathBuf,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// The device that was asked for is not there.
    #[error(
        "--device {device} is not available: {reason}; use --device cpu, or install the GPU build \
         of ONNX Runtime (`pip install onnxruntime-gpu`) with its CUDA libraries and name its \
         libonnxruntime.so with --runtime; `infer doctor` says what this machine lacks"
    )]
    DeviceUnavailable {
        /// The device as written on the command line.
        device: String,
        /// ONNX Runtime's words, or ours.
        reason: String,
    },
    /// The engine that was asked for can't serve the request.
    #[error("--engine {engine} can't be used: {reason}")]
    EngineUnavailable {
        /// The engine as written on the command line.
        engine: Engine,
        /// Why, and what to do.
        reason: String,
    },
    /// An unknown device name.
    #[error("{0:?} is not a device: expected auto, cpu, cuda, cuda:<number>, tensorrt or tensorrt:<number>")]
    UnknownDevice(String),
    /// An unknown engine name.
    #[error("{0:?} is not an engine: expected auto, onnxruntime or rten")]
    UnknownEngine(String),
    /// Running the model failed.
    #[error("running model {model} failed: {reason}")]
    RunFailed {
        /// The model's path or name.
        model: String,
        /// The engine's words, or ours.
        reason: String,
    },
    /// The path for the picture can't be one.
    #[error("output {path}: {found}")]
    BadOutput {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it and what to do.
        found: String,
    },
    /// Writing the picture failed.
    #[error("output {path} can't be written ({reason}); name another place with --out")]
    WriteFailed {
        /// The path as given.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |nearest| format!("; did you mean {nearest}?"))
}

impl Error {
    /// Whether the request itself can't be served (a wrong value, model, library, device or output
    /// path) as opposed to a failure of the machine. Programs exit with status 2 for the former and
    /// 1 for the latter.
    pub fn is_bad_request(&self) -> bool {
        match self {
            Self::ModelUnreadable { .. }
            | Self::NotOnnx { .. }
            | Self::NotAGenerator { .. }
            | Self::OtherInterface { .. }
            | Self::NotAJudge { .. }
            | Self::OtherJudge { .. }
            | Self::NothingToVerify(_)
            | Self::ModelRefused { .. }
            | Self::UnknownClass { .. }
            | Self::BadInput(_)
            | Self::RuntimeNotFound { .. }
            | Self::RuntimeRefused { .. }
            | Self::RuntimeLoadedAlready { .. }
            | Self::DeviceUnavailable { .. }
            | Self::EngineUnavailable { .. }
            | Self::UnknownDevice(_)
            | Self::UnknownEngine(_)
            | Self::BadOutput { .. } => true,
            Self::NotVerified { .. }
            | Self::RuntimeBroken { .. }
            | Self::RunFailed { .. }
            | Self::WriteFailed { .. } => false,
        }
    }
}

/// Why a library can't serve as ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// The path is a folder.
    #[error("is a folder; expected the library file itself")]
    Folder,
    /// The system's loader refused it.
    #[error("is not a library this machine can load ({0})")]
    NotALibrary(String),
    /// A library for another processor.
    #[error("is a library for {0}, and this machine is {this}", this = std::env::consts::ARCH)]
    OtherMachine(&'static str),
    /// A library, but not ONNX Runtime.
    #[error("is a library but not ONNX Runtime: it has no usable OrtGetApiBase")]
    NotOnnxRuntime,
    /// An ONNX Runtime older than [`OLDEST_RUNTIME`].
    #[error(
        "is ONNX Runtime {0}, which is too old; expected {major}.{minor} or later",
        major = OLDEST_RUNTIME.0,
        minor = OLDEST_RUNTIME.1
    )]
    TooOld(String),
}
