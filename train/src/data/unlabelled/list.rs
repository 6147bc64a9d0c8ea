//! Which files of a folder are pictures.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use crate::data::error::DataError;
use crate::data::pictures::{is_named_so, visible};

/// What such a folder may hold.
const EXPECTED: &str = "expected PNG, JPEG, WebP or BMP pictures, in any sub-folders";

/// A file that is a picture, or called one.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// None where there is nothing: a link to a file that is gone.
    pub(super) metadata: Option<Metadata>,
}

/// All pictures in a folder and its sub-folders, each folder's in the natural order of names.
///
/// # Errors
/// [`DataError::Folder`] if a folder can't be read, or there is no picture.
pub(super) fn pictures(folder: &Path) -> Result<Vec<File>, DataError> {
    if folder.is_file() {
        return Err(DataError::folder(folder, "this is a file; name the folder that it lies in"));
    }
    let mut walk = Walk::default();
    walk.folder(folder)?;
    match (walk.pictures.is_empty(), walk.others) {
        (false, _) => Ok(walk.pictures),
        (true, 0) => Err(DataError::folder(folder, format!("the folder is empty; {EXPECTED}"))),
        (true, others) => {
            let message = format!("there are no pictures in it, only other files ({others}); {EXPECTED}");
            Err(DataError::folder(folder, message))
        }
    }
}

#[derive(Default)]
struct Walk {
    /// Where it has been. A folder is walked once, however many links lead to it: they may form loops.
    folders: HashSet<PathBuf>,
    pictures: Vec<File>,
    /// Files that are none.
    others: usize,
}

impl Walk {
    fn folder(&mut self, folder: &Path) -> Result<(), DataError> {
        if !self.folders.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())) {
            return Ok(());
        }
        for (_, path) in visible(folder)? {
            let metadata = fs::metadata(&path).ok();
            if metadata.as_ref().is_some_and(Metadata::is_dir) {
                self.folder(&path)?;
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
