//! Halves of a dataset as pairs of IDX files in a folder, under their usual names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use contract::dataset::idx::{self, read_labels};

use super::error::DataError;
use super::labelled::LabelledImages;

/// Labels are any byte until the classes are known.
const ANY_LABEL: usize = 256;

/// What is said of a folder that lacks a file under all of its names.
pub(super) fn missing(name: &str) -> String {
    let dotted = dotted(name);
    format!("has no {name} (nor {name}.gz, {dotted} or {dotted}.gz); put it there")
}

/// The other spelling of a name, with a dot: `train-images.idx3-ubyte`.
fn dotted(name: &str) -> String {
    name.replace("-idx", ".idx")
}

/// The name of the same pictures in colour: `train-images-idx4-ubyte`. Labels' names stay.
pub(super) fn in_colour(name: &str) -> String {
    name.replace("images-idx3", "images-idx4")
}

/// The file in a folder, under any of its names, plain or compressed, grey or in colour.
pub(super) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let spellings = |name: String| {
        let dotted = dotted(&name);
        [name.clone(), format!("{name}.gz"), format!("{dotted}.gz"), dotted]
    };
    [name.to_owned(), in_colour(name)]
        .into_iter()
        .flat_map(spellings)
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Whether a folder's images of these names are in colour.
pub(super) fn is_colour(folder: &Path, images: [&str; 2]) -> bool {
    images.iter().filter_map(|name| find(folder, name)).any(|path| idx::is_colour(&path))
}

/// Reads an images file and its labels file.
///
/// # Errors
/// If one of them is malformed, or they don't belong together.
pub(super) fn read_half([images, labels]: &[PathBuf; 2]) -> Result<LabelledImages, DataError> {
    LabelledImages::read(images, labels, ANY_LABEL, images.display().to_string())
}

/// The numbers that stand for classes: all labels in those of the two labels files that are there, so
/// that both halves agree on the classes, whichever is used.
///
/// # Errors
/// If a labels file is malformed.
pub(super) fn numbers(folder: &Path, labels: [&str; 2]) -> Result<BTreeSet<u8>, DataError> {
    let mut numbers = BTreeSet::new();
    for path in labels.iter().filter_map(|name| find(folder, name)) {
        numbers.extend(read_labels(&path)?);
    }
    Ok(numbers)
}
