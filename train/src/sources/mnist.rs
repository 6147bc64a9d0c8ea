//! MNIST, which arrives by itself: from a local folder, else from a public mirror.

mod download;
mod files;
#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contract::dataset::{Format, Manifest};
use contract::picture::Framing;

use self::files::{Files, MNIST, MnistFile};
use super::error::DataError;
use super::labelled::LabelledImages;
use super::layout::{Download, Layout, Loaded, OnProgress, Progress};
use super::size::Size;
use super::split::Split;
use super::{classes, idx_folder, name};

/// Digits.
const CLASSES: u8 = 10;

/// Where MNIST lives when no folder is given; `make setup` and the download put it there.
pub const DEFAULT_FOLDER: &str = "data/mnist";

/// Public mirrors: a file's address is the mirror's, the file's name and `.gz`.
const MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

/// Loads a part of MNIST from [`DEFAULT_FOLDER`]. What is missing there is downloaded first: from `mirror`, or
/// from the public ones in turn.
///
/// `progress` is called as a download goes on.
///
/// # Errors
/// [`DataError`] says what is wrong and what to do. A failed download leaves no file behind.
pub(super) fn fetched(
    mirror: Option<&str>,
    split: Split,
    progress: OnProgress<'_>,
) -> Result<Loaded, DataError> {
    let mirrors = mirror.map_or(MIRRORS.to_vec(), |mirror| vec![mirror]);
    let progress = &mut |download: Download<'_>| progress(Progress::Download(download));
    let data = load_fetched(Path::new(DEFAULT_FOLDER), &MNIST, split, &mirrors, progress)?;
    Ok(Loaded { data, notes: Vec::new() })
}

/// A folder with files of MNIST's names and form: MNIST or another dataset in its shape, such as
/// Fashion-MNIST. The set is called `mnist` if its files are the genuine ones, else after its folder. Nothing
/// is downloaded into it.
pub(super) struct Mnist;

impl Layout for Mnist {
    fn is_at(&self, folder: &Path) -> bool {
        MNIST.of(Split::All).iter().any(|file| idx_folder::find(folder, file.name).is_some())
    }

    fn is_sought_below(&self) -> bool {
        true
    }

    fn has_test(&self, folder: &Path) -> bool {
        MNIST.of(Split::Test).iter().any(|file| idx_folder::find(folder, file.name).is_some())
    }

    fn load(
        &self,
        folder: &Path,
        split: Split,
        _: Option<Size>,
        _: Framing,
        _: OnProgress<'_>,
    ) -> Result<Loaded, DataError> {
        Ok(Loaded { data: load_given(folder, &MNIST, split)?, notes: Vec::new() })
    }
}

/// From a folder of the user's, whatever pictures it holds, of whatever classes.
fn load_given(folder: &Path, files: &Files, split: Split) -> Result<LabelledImages, DataError> {
    let (set, wrong) = read(folder, files, split)?;
    let (name, numbers) = match wrong {
        None => ("mnist".to_owned(), (0..CLASSES).collect()),
        Some(_) => {
            let numbers = idx_folder::numbers(folder, [files.train[1].name, files.test[1].name])?;
            (name::of_folder(folder), numbers)
        }
    };
    let classes = classes::numbered(&numbers, named_beside(folder, &numbers), folder)?;
    Ok(set.relabelled(classes)?.renamed(name))
}

/// The classes' names, if `infer` wrote the files: IDX has no place for them, its manifest has.
fn named_beside(folder: &Path, numbers: &BTreeSet<u8>) -> Option<BTreeMap<u8, String>> {
    let format: Format = "idx".parse().ok()?;
    let manifest = Manifest::read(&Manifest::path(format, folder)).ok().flatten()?;
    let names: BTreeMap<u8, String> = (0..=u8::MAX).zip(manifest.classes).collect();
    numbers.iter().all(|number| names.contains_key(number)).then_some(names)
}

/// From the default folder, which holds MNIST itself; what is missing there is downloaded first.
fn load_fetched(
    folder: &Path,
    files: &Files,
    split: Split,
    mirrors: &[&str],
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<LabelledImages, DataError> {
    let mut missing = files.of(split);
    missing.retain(|file| idx_folder::find(folder, file.name).is_none());
    download::fetch(folder, missing, mirrors, progress)?;
    match read(folder, files, split)? {
        (set, None) => {
            let digits = (0..CLASSES).map(|digit| (digit, digit.to_string())).collect();
            Ok(set.relabelled(digits)?.renamed("mnist"))
        }
        (_, Some(wrong)) => Err(DataError::Unusable(wrong)),
    }
}

/// Reads a part, and says in a sentence which file of it, if any, isn't MNIST's own.
fn read(folder: &Path, files: &Files, split: Split) -> Result<(LabelledImages, Option<String>), DataError> {
    let mut first_wrong = None;
    let set = split.read([&files.train, &files.test], |half| {
        let (set, wrong) = read_half(folder, half)?;
        first_wrong = first_wrong.take().or(wrong);
        Ok(set)
    })?;
    Ok((set, first_wrong))
}

/// Reads an images file and its labels file.
fn read_half(folder: &Path, half: &[MnistFile; 2]) -> Result<(LabelledImages, Option<String>), DataError> {
    let find = |file: MnistFile| {
        idx_folder::find(folder, file.name).ok_or_else(|| {
            let is_colour = idx_folder::is_colour(folder, [MNIST.train[0].name, MNIST.test[0].name]);
            let name = if is_colour { idx_folder::in_colour(file.name) } else { file.name.to_owned() };
            let advice = if is_colour { "" } else { ", or leave out --data to have MNIST fetched" };
            let (folder, missing) = (folder.display(), idx_folder::missing(&name));
            DataError::Unusable(format!("{folder} {missing}{advice}"))
        })
    };
    let paths = [find(half[0])?, find(half[1])?];
    let set = idx_folder::read_half(&paths)?;
    let wrong = half
        .iter()
        .zip(paths)
        .zip(set.file_digests())
        .find(|((file, _), found)| found != file.sha256)
        .map(|((file, path), found)| {
            let MnistFile { name, sha256, .. } = file;
            let path = path.display();
            format!(
                "{path} is not the genuine {name}: its uncompressed SHA-256 is {found}, not {sha256}; move it away \
                 to have it fetched again, or give your own data with --data"
            )
        });
    Ok((set, wrong))
}
