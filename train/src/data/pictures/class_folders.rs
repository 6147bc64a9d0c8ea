//! A folder with one sub-folder per class, which holds its pictures.

use std::path::Path;

use super::{Entry, Listing, visible};
use crate::data::classes::{self, CLASSES_FILE};
use crate::data::error::DataError;

/// What is read.
pub(super) const READ: [&str; 3] = ["png", "jpg", "jpeg"];

/// Pictures that aren't read. They were meant to be learned from, so they are errors; other files are
/// left out.
pub(super) const UNREAD: [&str; 13] =
    ["gif", "webp", "bmp", "tif", "tiff", "avif", "heic", "heif", "jxl", "jp2", "ppm", "pgm", "svg"];

/// The pictures of every class, class by class, each in the natural order of names.
///
/// # Errors
/// [`DataError::Folder`] if a class has a name that is none, has no pictures, or has some of a kind that
/// isn't read.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    for (name, path) in visible(folder)? {
        if !path.is_dir() {
            if name != CLASSES_FILE {
                listing.skipped.push(path);
            }
            continue;
        }
        let class = match path.file_name().and_then(|name| name.to_str()) {
            Some(class) => class.to_string(),
            None => return Err(DataError::folder(path, "its name is not UTF-8 text; rename it")),
        };
        if let Some(fault) = classes::fault(&class) {
            return Err(DataError::folder(path, format!("the class name {fault}; rename the folder")));
        }
        let before = listing.entries.len();
        for (_, path) in visible(&path)? {
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
            if path.is_dir() {
                listing.skipped.push(path);
            } else if READ.contains(&extension.as_str()) {
                listing.entries.push(Entry { path, class: class.clone() });
            } else if UNREAD.contains(&extension.as_str()) {
                let message = format!(
                    "is a .{extension} picture, but only PNG and JPEG are read; convert it or take it out"
                );
                return Err(DataError::folder(path, message));
            } else {
                listing.skipped.push(path);
            }
        }
        if listing.entries.len() == before {
            let message = "a class's folder without a PNG or JPEG picture; put some there, or delete it";
            return Err(DataError::folder(path, message));
        }
    }
    Ok(listing)
}
