//! All pictures in a folder and its sub-folders.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use super::aside::Aside;
use super::{is_named_so, visible};
use crate::sources::error::DataError;

/// A file that is a picture, or called one.
pub(in crate::sources) struct File {
    pub(in crate::sources) path: PathBuf,
    /// None where there is nothing: a link to a file that is gone.
    pub(in crate::sources) metadata: Option<Metadata>,
}

/// What a walk through folders met, each folder's in the natural order of names.
#[derive(Default)]
pub(in crate::sources) struct Walk {
    /// Where it has been. A folder is walked once, however many links lead to it: they may form loops.
    folders: HashSet<PathBuf>,
    pub(in crate::sources) pictures: Vec<File>,
    /// How many files are not pictures.
    pub(in crate::sources) others: usize,
    pub(in crate::sources) aside: Aside,
}

impl Walk {
    /// Walks through a folder.
    ///
    /// # Errors
    /// [`DataError::At`] if a folder can't be read.
    pub(in crate::sources) fn through(folder: &Path) -> Result<Self, DataError> {
        let mut walk = Self::default();
        walk.folder(folder)?;
        Ok(walk)
    }

    fn folder(&mut self, folder: &Path) -> Result<(), DataError> {
        if !self.folders.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())) {
            return Ok(());
        }
        for (_, path) in visible(folder)? {
            let metadata = fs::metadata(&path).ok();
            if metadata.as_ref().is_some_and(Metadata::is_dir) {
                if !self.aside.takes(&path) {
                    self.folder(&path)?;
                }
            } else if is_named_so(&path)
                || metadata.as_ref().is_some_and(Metadata::is_file) && starts_so(&path)
            {
                self.pictures.push(File { path, metadata });
            } else {
                self.others += 1;
            }
        }
        Ok(())
    }
}

/// Whether a file starts as pictures do that are read here.
fn starts_so(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok()
        && match image::guess_format(&start) {
            Ok(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => true,
            // Many a text starts with "BM", too, but not with four zeros after the file's length.
            Ok(ImageFormat::Bmp) => start.get(6..10) == Some(&[0; 4]),
            _ => false,
        }
}
