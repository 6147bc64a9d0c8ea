//! What every format's writer does, and what it leaves behind to go on from.

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize};

use super::{Batch, Record};

/// What a manifest calls the only file of a format.
pub(super) const FILE: &str = "file";

/// Where to go on after the images that are complete, and how to tell that they are still there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Length of the file that grows with the images: the only one, or the table of labels.
    pub offset: u64,
    /// CRC-32 of the pixels, where the format has one.
    pub crc32: u32,
    /// What is safe of each file; of PNG files, of all together. Older versions had none.
    #[serde(default)]
    pub files: BTreeMap<String, Record>,
}

impl Tail {
    pub(super) fn of(offset: u64, files: impl IntoIterator<Item = (&'static str, Option<Record>)>) -> Self {
        let mut tail = Self { offset, ..Self::default() };
        tail.add(files.into_iter().map(|(name, record)| (name.into(), record)));
        tail
    }

    pub(super) fn add(&mut self, files: impl IntoIterator<Item = (String, Option<Record>)>) {
        self.files.extend(files.into_iter().filter_map(|(name, record)| Some((name, record?))));
    }
}

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

/// A data set that is being written.
pub trait Sink {
    /// Appends images.
    ///
    /// # Errors
    ///
    /// The system's.
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()>;

    /// Brings what was appended to the disk, so that it can be read, and gone on from.
    ///
    /// # Errors
    ///
    /// The system's.
    fn checkpoint(&mut self) -> io::Result<Tail>;

    /// Makes the data set of these images whole, after a checkpoint and before anything else is
    /// appended by opening it anew. Gives where it ends if it is complete.
    ///
    /// # Errors
    ///
    /// The system's.
    fn finish(&mut self) -> io::Result<Tail> {
        self.checkpoint()
    }
}

/// A data set that was opened to be written, or why it can't be.
pub type Opened = Result<Box<dyn Sink + Send>, Error>;
