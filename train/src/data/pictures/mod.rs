//! Pictures of one's own: PNG and JPEG files in a folder per class, or listed in a table.
//!
//! ```text
//! flowers/            flowers/              flowers/
//!   daisy/1.png         labels.csv            train/   either of the two
//!   daisy/2.jpg         any/where/1.png       test/    likewise
//!   rose/1.png          2.jpg                 classes.txt
//! ```
//!
//! Classes stand in the natural order of their names, or in that of `classes.txt`.

mod class_folders;
pub(super) mod decode;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::classes::{self, CLASSES_FILE};
use super::error::DataError;
use super::labelled::LabelledImages;
use super::natural::natural_order;
use super::size::Size;
use super::{Split, name};

/// A picture's file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    class: String,
}

/// The pictures of a folder, and what in it is none.
#[derive(Debug, Default)]
struct Listing {
    entries: Vec<Entry>,
    /// Files and folders that are not used.
    skipped: Vec<PathBuf>,
}

/// Whether a folder has pictures in one of the layouts.
pub(super) fn are_in(folder: &Path) -> bool {
    table::path(folder).is_file() || has_folders(folder)
}

/// Reads a part of a folder's pictures, resized if a size is given. Also returns what a user should
/// know: that files were left out.
///
/// `progress` is called with how many pictures are decoded, and of how many.
///
/// # Errors
/// If a file or the layout is wrong, or the pictures differ in size; the message says what to do.
pub(super) fn load(
    folder: &Path,
    split: Split,
    size: Option<Size>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(LabelledImages, Vec<String>), DataError> {
    let mut notes = Vec::new();
    let [train, test] = ["train", "test"].map(|part| folder.join(part));
    let whole = table::path(folder).is_file() || !are_in(&train);
    let parts = match whole {
        true => vec![(folder.to_owned(), true)],
        false => {
            let wanted = [(&train, split != Split::Test), (&test, split != Split::Train)];
            wanted.into_iter().map(|(part, wanted)| (part.clone(), wanted)).collect()
        }
    };
    if split == Split::Test && (whole || !are_in(&test)) {
        let message = "has no test part; leave out --split, or put the test pictures into a folder test \
                       beside a folder train";
        return Err(DataError::folder(folder, message));
    }
    if split == Split::All && !whole && !are_in(&test) {
        let message = "has a train part but no test part; leave out --split all, or put the test pictures \
                       into a folder test";
        return Err(DataError::folder(folder, message));
    }

    // The classes are those of all parts, so that they are the same whichever is used.
    let (mut entries, mut names) = (Vec::new(), BTreeSet::new());
    for (part, wanted) in parts.into_iter().filter(|(part, _)| are_in(part)) {
        let listing = list(&part)?;
        names.extend(listing.entries.iter().map(|entry| entry.class.clone()));
        if wanted {
            notes.extend(note(&part, &listing.skipped));
            entries.extend(listing.entries);
        }
    }
    if !whole {
        let known = |name: &str| match name {
            "test" => are_in(&test),
            _ => name == "train" || name == CLASSES_FILE,
        };
        let other = visible(folder)?.into_iter().filter(|(name, _)| !known(name));
        notes.extend(note(folder, &other.map(|(_, path)| path).collect::<Vec<_>>()));
    }
    let names = classes::ordered(names, folder)?;
    let label = |entry: &Entry| names.iter().position(|name| *name == entry.class).unwrap_or_default() as u8;
    let labels = entries.iter().map(label).collect();
    let paths: Vec<_> = entries.into_iter().map(|entry| entry.path).collect();
    let images = decode::read(&paths, size, progress)?;
    let set = LabelledImages::with_class_names(images, labels, names, name::of_folder(folder))?;
    Ok((set, notes))
}

fn list(folder: &Path) -> Result<Listing, DataError> {
    match table::path(folder).is_file() {
        true => table::list(folder),
        false => class_folders::list(folder),
    }
}

/// What a folder shows, in natural order: hidden files, and what systems put into folders by
/// themselves, are nobody's pictures.
pub(super) fn visible(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let unreadable = |error: std::io::Error| DataError::folder(folder, format!("can't be read: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !["Thumbs.db", "desktop.ini", "__MACOSX"].contains(&name.as_str()) {
            found.push((name, entry.path()));
        }
    }
    // Names that aren't UTF-8 may read the same.
    found.sort_by(|(a, left), (b, right)| natural_order(a, b).then_with(|| left.cmp(right)));
    Ok(found)
}

fn has_folders(folder: &Path) -> bool {
    visible(folder).is_ok_and(|found| found.iter().any(|(_, path)| path.is_dir()))
}

/// Whether a file's name is a picture's, read here or not.
pub(super) fn is_named_so(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    class_folders::READ.contains(&extension.as_str()) || class_folders::UNREAD.contains(&extension.as_str())
}

/// One sentence about files that were left out, if there are any.
fn note(folder: &Path, skipped: &[PathBuf]) -> Option<String> {
    (!skipped.is_empty()).then(|| {
        let skipped = few(folder, skipped);
        format!("not used in {}, being no pictures of a class: {skipped}", folder.display())
    })
}

/// The first few of many files in a folder.
pub(super) fn few(folder: &Path, files: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let inside = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let mut shown: Vec<_> = files.iter().take(SHOWN).map(inside).collect();
    if files.len() > SHOWN {
        shown.push(format!("and {} more", files.len() - SHOWN));
    }
    shown.join(", ")
}
