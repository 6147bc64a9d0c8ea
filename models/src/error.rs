use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with a network, its weights or their file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A layer was given a shape that it doesn't take.
    #[error("layer {layer}: {message}")]
    Shape {
        /// The layer's name in its network.
        layer: String,
        /// What was found and what was expected.
        message: String,
    },
    /// The input or the labels don't fit the network.
    #[error("network {network}: {message}")]
    Input {
        /// The network's name.
        network: String,
        /// What was found and what was expected.
        message: String,
    },
    /// A set of weights lacks a tensor, or has one of another shape.
    #[error("parameter {name}: {message}")]
    Parameter {
        /// The parameter's name, `<layer>.<parameter>`.
        name: String,
        /// What was found and what was expected.
        message: String,
    },
    /// A checkpoint can't be used.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected and what to do.
        message: String,
    },
    /// A checkpoint is not what was written.
    #[error("checkpoint {}: {message}; use another checkpoint or train again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        message: String,
    },
    /// A file can't be read or written.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// "read", "write", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] contract::files::Error),
    /// Candle's own error.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// Of a file that can't be read, as a function for `map_err`.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action: "read", path: path.to_path_buf(), source }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
