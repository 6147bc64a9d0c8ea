//! Halves of a dataset as pairs of IDX files in a folder, under their usual names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::idx::{IdxError, read_labels};
use super::labelled::LabelledImages;

/// Labels are any byte until the classes are known.
const ANY_LABEL: usize = 256;

/// The other spelling of a name, with a dot: `train-images.idx3-ubyte`.
pub(super) fn dotted(name: &str) -> String {
    name.replace("-idx", ".idx")
}

/// The file in a folder, under any of its names, plain or compressed.
pub(super) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = dotted(name);
    [name.to_owned(), format!("{name}.gz"), format!("{dotted}.gz"), dotted]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads an images file and its labels file.
///
/// # Errors
/// If one of them is malformed, or they don't belong together.
pub(super) fn read_half([images, labels]: &[PathBuf; 2]) -> Result<LabelledImages, IdxError> {
    LabelledImages::read(images, labels, ANY_LABEL, images.display().to_string())
}

/// The numbers that stand for classes: all labels in those of the two labels files that are there, so
/// that both halves agree on the classes, whichever is used.
///
/// # Errors
/// If a labels file is malformed.
pub(super) fn numbers(folder: &Path, labels: [&str; 2]) -> Result<BTreeSet<u8>, IdxError> {
    let mut numbers = BTreeSet::new();
    for path in labels.iter().filter_map(|name| find(folder, name)) {
        numbers.extend(read_labels(&path)?);
    }
    Ok(numbers)
}
