//! What can be wrong with IDX files, each with what to do about it.

use std::{io, path::PathBuf};

use super::Kind;
use crate::dataset::PixelCount;

/// What can be wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The gzip stream is cut off, altered, or followed by something else.
    #[error("{} is a damaged gzip file ({source}); fetch it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The file ends within its header.
    #[error(
        "{} ends after {found} bytes, within the {expected}-byte header of an IDX {kind} file; \
         fetch it again",
        path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// Its length, in bytes.
        found: usize,
        /// The header's length, in bytes.
        expected: usize,
    },

    /// The file starts with another magic number.
    #[error(
        "{} starts with the magic number {found}, but an IDX {kind} file starts with {expected}; \
         check that this is the {kind} file",
        path.display()
    )]
    Magic {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// The number found.
        found: u32,
        /// The number expected.
        expected: u32,
    },

    /// The header says that there is nothing in the file.
    #[error("{} holds no {kind}: its header says {shape}; a file with at least one is needed", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: Kind,
        /// The sizes in the header.
        shape: String,
    },

    /// The file is shorter or longer than its header promises.
    #[error(
        "{} holds {found} bytes after its header, but {shape} take {expected}; \
         it is cut off or not whole, so fetch it again",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// The sizes in the header.
        shape: String,
        /// Bytes after the header: a number, "at least" or "at most" one.
        found: String,
        /// Bytes the header promises.
        expected: u128,
    },

    /// Pictures have neither one channel nor three.
    #[error("{} holds pictures of {found} channels; 1 (grey) or 3 (red, green, blue) were expected", path.display())]
    Channels {
        /// The file.
        path: PathBuf,
        /// Channels of a picture.
        found: u32,
    },

    /// Its header gives sizes of no picture.
    #[error(transparent)]
    Pixels(#[from] PixelCount),
}
