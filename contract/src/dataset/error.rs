//! Why a data set can't be read or written.

use std::io;

/// Why a data set can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is asked for can't be, or what is there isn't what it should be; a sentence.
    #[error("{0}")]
    Refused(String),
    /// The system's.
    #[error(transparent)]
    Io(#[from] io::Error),
}
