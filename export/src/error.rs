//! What can go wrong, each as one sentence: what was found, what was expected, what to do.

use std::path::PathBuf;

/// Any failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A graph can't be built: a name twice, or a tensor whose size is not its shape's.
    #[error("node {node}: {message}")]
    Graph {
        /// The node or tensor.
        node: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no run to export.
    #[error("no run in {}: {message}", folder.display())]
    NoRun {
        /// The folder of runs.
        folder: PathBuf,
        /// What to do.
        message: &'static str,
    },
    /// The checkpoint that was asked for can't be one.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The path as given.
        path: PathBuf,
        /// What was found, what was expected and what to do.
        message: String,
    },
    /// The path of the output can't be one.
    #[error("output {}: {message}", path.display())]
    Output {
        /// The path as given.
        path: PathBuf,
        /// What was found and what to do.
        message: String,
    },
    /// The figures for a file to carry are not of what is exported.
    #[error(
        "quality {}: {found}; expected what `evaluate --json` says of this checkpoint, as in `evaluate \
         runs/mnist --json > quality.json`",
        path.display()
    )]
    Quality {
        /// The path as given.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The form that was asked for doesn't fit the network.
    #[error("{message}")]
    Form {
        /// What was asked for, and what there is.
        message: String,
    },
    /// ONNX Runtime can't run a graph.
    #[error("ONNX Runtime {version} can't {verb} the exported graph: {reason}")]
    Session {
        /// Version of the library.
        version: String,
        /// `load` or `run`.
        verb: &'static str,
        /// Its own words.
        reason: String,
    },
    /// An engine makes something else of the file than Candle of the network, or ONNX Runtime of the file
    /// that it was made from.
    #[error(
        "{compared} differ by {largest:.2e} (mean {mean:.2e}) on {file}, more than {tolerance}; {remedy}"
    )]
    Differs {
        /// Its name and version, and what it was compared with.
        compared: String,
        /// What was run.
        file: String,
        /// Largest difference.
        largest: f64,
        /// Mean difference.
        mean: f64,
        /// What is allowed, in words.
        tolerance: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The description of a network says something else than the network's own `forward`.
    #[error("the description differs from `forward` first at {step}: {found}")]
    Description {
        /// The first step that differs.
        step: String,
        /// What was found there, and what `forward` has.
        found: String,
    },
    /// The path of a model leads nowhere, to a folder, or to something else than a file.
    #[error("model {}: {found}; expected an ONNX file", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What was found in place of a file.
        found: String,
    },
    /// A file's bytes are no ONNX model.
    #[error("model {} is not an ONNX model: {found}", path.display())]
    NotOnnx {
        /// The path as given.
        path: PathBuf,
        /// The first thing that is wrong with it.
        found: String,
    },
    /// A file that can't be made into another form.
    #[error(
        "--from {}: {found}; expected a generator in single precision that `cargo export` wrote",
        path.display()
    )]
    NotExported {
        /// The path as given.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Another program's file that can't become a generator of edgegan's as asked.
    #[error("model {} can't be adopted: {message}", path.display())]
    Adopt {
        /// The path as given.
        path: PathBuf,
        /// What was found, and what to do.
        message: String,
    },
    /// Two models that don't take or give the same things.
    #[error("{} and {} can't be compared: {found}", a.display(), b.display())]
    Incomparable {
        /// One file.
        a: PathBuf,
        /// The other.
        b: PathBuf,
        /// What is different.
        found: String,
    },
    /// ONNX Runtime can't load or run a model that isn't ours.
    #[error("ONNX Runtime {version} can't {verb} model {}: {reason}", path.display())]
    Runtime {
        /// The model's file.
        path: PathBuf,
        /// Version of the library.
        version: String,
        /// What it was asked to do.
        verb: &'static str,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// A model repository can't be written as asked.
    #[error("{0}")]
    Repository(String),
    /// A result can't be written.
    #[error(transparent)]
    Write(#[from] contract::files::Error),
    /// A network, its weights or their file.
    #[error(transparent)]
    Model(#[from] models::Error),
    /// ONNX Runtime, or the file that it was given.
    #[error(transparent)]
    Infer(#[from] infer::Error),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        Error::Model(error.into())
    }
}

impl Error {
    /// Whether the request itself can't be served (a wrong checkpoint, library or output path), as
    /// opposed to a failure of the machine or of this program. The program exits with status 2 for
    /// the former and 1 for the latter.
    pub fn is_bad_request(&self) -> bool {
        match self {
            Error::NoRun { .. }
            | Error::Checkpoint { .. }
            | Error::Output { .. }
            | Error::Quality { .. }
            | Error::Form { .. }
            | Error::Description { .. }
            | Error::Unreadable { .. }
            | Error::NotOnnx { .. }
            | Error::NotExported { .. }
            | Error::Adopt { .. }
            | Error::Incomparable { .. }
            | Error::Runtime { .. }
            | Error::Repository(_) => true,
            Error::Graph { .. } | Error::Session { .. } | Error::Differs { .. } | Error::Write(_) => false,
            Error::Model(error) => match error {
                models::Error::Checkpoint { .. }
                | models::Error::Damaged { .. }
                | models::Error::Parameter { .. }
                | models::Error::Shape { .. }
                | models::Error::Input { .. } => true,
                models::Error::Io { .. } | models::Error::Write(_) | models::Error::Candle(_) => false,
            },
            Error::Infer(error) => error.is_bad_request(),
        }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
