//! Why data can't be learned from, each with what to do about it.

use std::path::PathBuf;

use contract::dataset::{PixelCount, idx};
use thiserror::Error;

use super::mnist::MnistError;
use super::pictures::KINDS;
use super::size::Size;

/// What can be wrong with the data that `--data` names.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// Something about MNIST, or about IDX files named like its.
    #[error(transparent)]
    Mnist(#[from] MnistError),

    /// An IDX file is malformed.
    #[error(transparent)]
    Idx(#[from] idx::Error),

    /// Pixels given in memory do not make up whole pictures.
    #[error(transparent)]
    Pixels(#[from] PixelCount),

    /// Pictures and labels, or two sets, do not belong together; a sentence.
    #[error("{0}")]
    Mismatch(String),

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

    /// A picture has more pixels than any network here can draw.
    #[error(
        "the picture {} has {size} pixels, more than the networks can learn; have all pictures \
         resized with --size, such as --size {}",
        path.display(), size.suggestion()
    )]
    Large {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: Size,
    },

    /// Two pictures differ in size.
    #[error(
        "the pictures differ in size: {} is {first_size} but {} is {second_size}; have all of them \
         resized with --size, such as --size {}",
        first.display(), second.display(), first_size.suggestion()
    )]
    Sizes {
        /// The first picture.
        first: PathBuf,
        /// Its size.
        first_size: Size,
        /// The first one after it that differs.
        second: PathBuf,
        /// Its size.
        second_size: Size,
    },
}

impl DataError {
    pub(super) fn at(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::At { path: path.into(), message: message.into() }
    }
}
