//! A folder with one sub-folder per class, which holds its pictures.

use std::path::{Path, PathBuf};

use contract::shown;

use super::aside::Aside;
use super::{Entry, Listing, extension, few, has_folders, note, visible};
use crate::sources::classes::{self, CLASSES_FILE};
use crate::sources::error::{DataError, KINDS};
use crate::sources::source;

/// What is read.
pub(super) const READ: [&str; 7] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp"];

/// Pictures that aren't read. They were meant to be learned from, so they are errors; other files are
/// left out.
pub(super) const UNREAD: [&str; 11] =
    ["gif", "tif", "tiff", "avif", "heic", "heif", "jxl", "jp2", "ppm", "pgm", "svg"];

/// What the parts of data are called elsewhere, and here.
const PARTS: [(&str, &str); 8] = [
    ("train", "train"),
    ("training", "train"),
    ("test", "test"),
    ("testing", "test"),
    ("val", "test"),
    ("valid", "test"),
    ("validation", "test"),
    ("eval", "test"),
];

/// The pictures of every class, class by class, each in the natural order of names.
///
/// # Errors
/// [`DataError::At`] if a class has an unusable name, has no pictures, or has some of a kind that
/// isn't read.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let (mut entries, mut skipped, mut aside) = (Vec::new(), Vec::new(), Aside::default());
    for (name, path) in visible(folder)? {
        if !path.is_dir() {
            if name != CLASSES_FILE {
                skipped.push(path);
            }
            continue;
        }
        if aside.takes(&path) {
            continue;
        }
        let class = match path.file_name().and_then(|name| name.to_str()) {
            Some(class) => class.to_string(),
            None => return Err(DataError::at(path, "its name is not UTF-8 text; rename it")),
        };
        if let Some(fault) = classes::fault(&class) {
            return Err(DataError::at(path, format!("the class name {fault}; rename the folder")));
        }
        let (before, runs) = (entries.len(), aside.runs());
        for (_, path) in visible(&path)? {
            let extension = extension(&path);
            if path.is_dir() {
                if !aside.takes(&path) {
                    skipped.push(path);
                }
            } else if READ.contains(&extension.as_str()) {
                entries.push(Entry { path, class: class.clone() });
            } else if UNREAD.contains(&extension.as_str()) {
                let message = format!(
                    "is a .{extension} picture, but only {} are read; convert it or take it out",
                    KINDS.replace(" or ", " and ")
                );
                return Err(DataError::at(path, message));
            } else {
                skipped.push(path);
            }
        }
        // A folder with runs and no picture is not a class.
        if entries.len() == before && aside.runs() == runs {
            return Err(without_pictures(folder, path));
        }
    }
    let mut notes = aside.notes(folder);
    notes.extend(note(folder, &skipped));
    Ok(Listing { entries, notes })
}

/// The parts of data in a folder that are not called as they are here, as their names are and should be.
pub(super) fn misnamed_parts(folder: &Path) -> Vec<(String, &'static str)> {
    let found = visible(folder).unwrap_or_default().into_iter().filter(|(_, path)| has_folders(path));
    let part = |name: &str| PARTS.iter().find(|(part, _)| part.eq_ignore_ascii_case(name));
    let parts = found.filter_map(|(name, _)| part(&name).map(|(_, proper)| (name, *proper)));
    parts.filter(|(name, proper)| name != proper).collect()
}

/// What a sub-folder without a picture most likely is, and what to do.
fn without_pictures(folder: &Path, class: PathBuf) -> DataError {
    if let Some(data) = source::data_within(folder) {
        let message =
            format!("it holds no pictures, but a data set lies in {}; name that folder", shown(&data));
        return DataError::at(folder, message);
    }
    if let Some((name, proper)) = misnamed_parts(folder).first() {
        let message = format!(
            "its folder {name} is no class but a part of the data by its name; the parts are called train \
             and test, so rename it to {proper}"
        );
        return DataError::at(folder, message);
    }
    let inside = visible(&class).unwrap_or_default().into_iter().filter(|(_, path)| path.is_dir());
    let inside: Vec<_> = inside.map(|(_, path)| path).collect();
    let advice = match inside.is_empty() {
        true => "put the class's pictures there, or move the folder to another place".to_string(),
        false => format!(
            "its folders ({}) may be classes themselves: then name {}, or else put their pictures there",
            few(&class, &inside),
            shown(&class)
        ),
    };
    DataError::at(class, format!("a class's folder without a {KINDS} picture; {advice}"))
}
