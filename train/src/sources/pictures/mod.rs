//! The user's own pictures: PNG, JPEG, WebP and BMP files in a folder per class, or listed in a table.
//!
//! ```text
//! flowers/            flowers/              flowers/
//!   daisy/1.png         labels.csv            train/   either of the two
//!   daisy/2.jpg         any/where/1.png       test/    likewise
//!   rose/1.png          2.jpg                 classes.txt
//! ```
//!
//! Classes stand in the natural order of their names, or in that of `classes.txt`.

mod aside;
mod class_folders;
pub(super) mod decode;
mod table;
#[cfg(test)]
mod tests;
pub(super) mod walk;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contract::picture::Framing;
use contract::shown;

use self::aside::Aside;
use super::classes::{self, CLASSES_FILE};
use super::error::DataError;
use super::labelled::LabelledImages;
use super::layout::{Layout, Loaded, OnProgress, Progress};
use super::natural::natural_order;
use super::size::Size;
use super::{Split, name};

/// A picture's file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    class: String,
}

/// The pictures of a folder, and notes about everything else in it.
#[derive(Debug, Default)]
struct Listing {
    entries: Vec<Entry>,
    /// A sentence about each kind of file that is not used.
    notes: Vec<String>,
}

/// A folder for each class, or a table.
pub(super) struct Pictures;

impl Layout for Pictures {
    fn is_at(&self, folder: &Path) -> bool {
        are_in(folder)
    }

    fn has_test(&self, folder: &Path) -> bool {
        !is_whole(folder) && are_in(&folder.join("test"))
    }

    fn load(
        &self,
        folder: &Path,
        split: Split,
        size: Option<Size>,
        framing: Framing,
        progress: OnProgress<'_>,
    ) -> Result<Loaded, DataError> {
        load(folder, split, (size, framing), &mut |done, total| progress(Progress::Decode { done, total }))
    }
}

/// Whether a folder has pictures in one of the layouts.
pub(super) fn are_in(folder: &Path) -> bool {
    table::is_in(folder) || has_folders(folder)
}

/// Whether a folder's pictures are in one part, rather than in `train` and perhaps `test`.
fn is_whole(folder: &Path) -> bool {
    table::is_in(folder) || !are_in(&folder.join("train"))
}

/// Reads a part of a folder's pictures, framed and, if a size is given, resized. Also returns what a user should
/// know: that files were left out.
///
/// `progress` is called with how many pictures are decoded, and of how many.
///
/// # Errors
/// If a file or the layout is wrong, or the pictures differ in size; the message says what to do.
fn load(
    folder: &Path,
    split: Split,
    fit: (Option<Size>, Framing),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Loaded, DataError> {
    let mut notes = Vec::new();
    let [train, test] = ["train", "test"].map(|part| folder.join(part));
    let whole = is_whole(folder);
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
        return Err(DataError::at(folder, format!("{message}{}", misnamed(folder))));
    }
    if split == Split::All && !whole && !are_in(&test) {
        let message = "has a train part but no test part; leave out --split all, or put the test pictures \
                       into a folder test";
        return Err(DataError::at(folder, format!("{message}{}", misnamed(folder))));
    }

    // The classes are those of all parts, so that they are the same whichever is used.
    let (mut entries, mut names) = (Vec::new(), BTreeSet::new());
    for (part, wanted) in parts.into_iter().filter(|(part, _)| are_in(part)) {
        let listing = list(&part)?;
        names.extend(listing.entries.iter().map(|entry| entry.class.clone()));
        if wanted {
            notes.extend(listing.notes);
            entries.extend(listing.entries);
        }
    }
    if !whole {
        let known = |name: &str| match name {
            "test" => are_in(&test),
            _ => name == "train" || name == CLASSES_FILE,
        };
        let mut aside = Aside::default();
        let other = visible(folder)?.into_iter().filter(|(name, _)| !known(name)).map(|(_, path)| path);
        let other: Vec<_> = other.filter(|path| !aside.takes(path)).collect();
        notes.extend(aside.notes(folder));
        notes.extend(note(folder, &other));
    }
    notes.extend(alike(&names));
    let names = classes::ordered(names, folder)?;
    let label = |entry: &Entry| names.iter().position(|name| *name == entry.class).unwrap_or_default() as u8;
    let labels = entries.iter().map(label).collect();
    let paths: Vec<_> = entries.into_iter().map(|entry| entry.path).collect();
    let images = decode::read(&paths, fit, progress)?;
    let data = LabelledImages::with_class_names(images, labels, names, name::of_folder(folder))?;
    Ok(Loaded { data, notes })
}

fn list(folder: &Path) -> Result<Listing, DataError> {
    match table::is_in(folder) {
        true => table::list(folder),
        false => class_folders::list(folder),
    }
}

/// What a folder shows, in natural order: hidden files, and those that systems put into folders by
/// themselves, are not pictures to learn from.
pub(super) fn visible(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let unreadable = |error: std::io::Error| DataError::at(folder, format!("can't be read: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let is_hidden = name.starts_with('.') || ["Thumbs.db", "desktop.ini"].contains(&name.as_str());
        // What has an owner is not hidden, but put aside, so that it is said.
        if !is_hidden || aside::owner(&path).is_some() {
            found.push((name, path));
        }
    }
    // Names that aren't UTF-8 may read the same.
    found.sort_by(|(a, left), (b, right)| natural_order(a, b).then_with(|| left.cmp(right)));
    Ok(found)
}

/// Whether a folder has folders that may hold data.
fn has_folders(folder: &Path) -> bool {
    let holds = |path: &Path| path.is_dir() && !Aside::default().takes(path);
    visible(folder).is_ok_and(|found| found.iter().any(|(_, path)| holds(path)))
}

/// How many files in the folder itself have a picture's name.
pub(super) fn loose(folder: &Path) -> usize {
    let found = visible(folder).unwrap_or_default().into_iter();
    found.filter(|(_, path)| is_named_so(path) && path.is_file()).count()
}

/// Whether a file's name is a picture's, read here or not.
fn is_named_so(path: &Path) -> bool {
    let extension = extension(path);
    class_folders::READ.contains(&extension.as_str()) || class_folders::UNREAD.contains(&extension.as_str())
}

/// A file's extension in small letters.
fn extension(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase()
}

/// What is added where a part is looked for: another that may be meant.
fn misnamed(folder: &Path) -> String {
    match class_folders::misnamed_parts(folder).iter().find(|(_, proper)| *proper == "test") {
        Some((name, proper)) => format!(" (if {name} is that part, rename it to {proper})"),
        None => String::new(),
    }
}

/// A sentence about classes whose names are one name to the eye, or one number: spreadsheets write 1 as
/// 1.0 or 01.
fn alike(names: &BTreeSet<String>) -> Option<String> {
    let mut seen: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let key = match name.parse::<f64>() {
            Ok(number) => number.to_string(),
            // Letters of two sizes may well be two classes.
            Err(_) if name.chars().count() == 1 => name.clone(),
            Err(_) => name.to_lowercase(),
        };
        seen.entry(key).or_default().push(name);
    }
    let groups: Vec<_> =
        seen.into_values().filter(|group| group.len() > 1).map(|group| group.join(", ")).collect();
    (!groups.is_empty()).then(|| {
        format!(
            "these classes look alike but are told apart: {}; give what is one class one name",
            groups.join("; ")
        )
    })
}

/// One sentence about files that were left out, if there are any.
fn note(folder: &Path, skipped: &[PathBuf]) -> Option<String> {
    (!skipped.is_empty()).then(|| {
        let skipped = few(folder, skipped);
        format!("not used in {}, being no pictures of a class: {skipped}", shown(folder))
    })
}

/// The first few of many files in a folder.
pub(super) fn few(folder: &Path, files: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let inside = |path: &PathBuf| shown(path.strip_prefix(folder).unwrap_or(path));
    let mut shown: Vec<_> = files.iter().take(SHOWN).map(inside).collect();
    if files.len() > SHOWN {
        shown.push(format!("and {} more", files.len() - SHOWN));
    }
    shown.join(", ")
}
