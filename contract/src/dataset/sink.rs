//! What every format's writer does.

use std::io;

use super::{Batch, Error, Tail};

/// A data set that is being written.
pub trait Sink {
    /// Appends images.
    ///
    /// # Errors
    ///
    /// The system's.
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()>;

    /// Brings what was appended to the disk, so that it can be read, and resumed from; all of it, unless
    /// [`safe_up_to`](Self::safe_up_to) says otherwise.
    ///
    /// # Errors
    ///
    /// The system's.
    fn checkpoint(&mut self) -> io::Result<Tail>;

    /// Index of the first image that the last checkpoint did not make safe, where it is not the next one.
    fn safe_up_to(&self) -> Option<u64> {
        None
    }

    /// Makes the data set of these images whole, after a checkpoint; whoever appends more opens it again.
    /// Returns where it ends if it is complete.
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
