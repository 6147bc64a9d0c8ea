//! What a layout of data is, and what loading one yields.

use std::path::Path;

use contract::picture::Framing;

use super::error::DataError;
use super::labelled::LabelledImages;
use super::size::Size;
use super::split::Split;

/// A layout of data with labels.
pub(super) trait Layout: Sync {
    /// Whether a path holds such data, as far as names tell.
    fn is_at(&self, path: &Path) -> bool;

    /// Whether such data are looked for in folders below one that has no data itself.
    fn is_sought_below(&self) -> bool {
        false
    }

    /// Whether such data have a test part.
    fn has_test(&self, path: &Path) -> bool;

    /// Loads a part of the data. Pictures of files of their own are framed and, if a size is given, resized;
    /// others may be.
    ///
    /// # Errors
    /// [`DataError`] says what is wrong and what to do.
    fn load(
        &self,
        path: &Path,
        split: Split,
        size: Option<Size>,
        framing: Framing,
        progress: OnProgress<'_>,
    ) -> Result<Loaded, DataError>;
}

/// How far loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A file of MNIST arrives.
    Download(Download<'a>),
    /// Pictures are decoded.
    Decode {
        /// How many are done.
        done: usize,
        /// In all.
        total: usize,
    },
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes received so far, counted uncompressed.
    pub received: u64,
    /// Bytes the whole file takes.
    pub total: u64,
}

/// Is called as loading goes on.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress<'_>);

/// Data, and what a user should know about them.
#[derive(Debug)]
pub struct Loaded {
    /// The pictures and their labels.
    pub data: LabelledImages,
    /// A sentence about each thing that may not be meant: files left out, classes without pictures.
    pub notes: Vec<String>,
}
