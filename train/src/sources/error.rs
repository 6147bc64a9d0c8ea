//! Why data can't be learned from, each with what to do about it.

use std::path::PathBuf;

use contract::dataset;
use thiserror::Error;

/// The kinds of pictures that are read.
pub(super) const KINDS: &str = "PNG, JPEG, WebP or BMP";

/// What can be wrong with the data that `--data` names.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// An IDX file is malformed, or pixels do not make up whole pictures.
    #[error(transparent)]
    Malformed(#[from] dataset::Error),

    /// Pictures are missing or too large, are not what they are called, or do not belong to labels or other
    /// pictures; a sentence.
    #[error("{0}")]
    Unusable(String),

    /// A folder can't be read or holds something else than was expected; or a file is wrong that says which
    /// pictures there are, or what their classes are called: `labels.csv`, `classes.txt`, EMNIST's mapping.
    #[error("{}: {message}", path.display())]
    At {
        /// The folder or file.
        path: PathBuf,
        /// What was found, in which line, and what to do.
        message: String,
    },

    /// A picture can't be decoded.
    #[error("{} can't be read as a {KINDS} picture ({message}); mend it or take it out", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The decoder's words.
        message: String,
    },
}

impl DataError {
    pub(super) fn at(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::At { path: path.into(), message: message.into() }
    }
}
