//! Which data to learn from: MNIST, or what a folder holds.

use std::fs;
use std::path::{Path, PathBuf};

use contract::dataset::Manifest;
use contract::picture::Framing;
use contract::{run, shown};

use super::error::DataError;
use super::layout::{Layout, Loaded, OnProgress};
use super::size::Size;
use super::split::Split;
use super::{emnist, mnist, packed, pictures, plain};

/// All layouts, in the order in which they are looked for.
const LAYOUTS: &[&dyn Layout] = &[
    &mnist::Mnist,
    &emnist::Emnist,
    &packed::PARQUET,
    &packed::WEBDATASET,
    &packed::STYLEGAN,
    &plain::NPZ,
    &plain::JSONL,
    &plain::RAW,
    &pictures::Pictures,
];

/// What a folder may hold.
const EXPECTED: &str = "expected IDX files named like MNIST's or EMNIST's, a folder for each class with PNG, \
                        JPEG, WebP or BMP pictures, pictures and a labels.csv, Parquet or \
                        WebDataset's tar files, or the name of a file .npz, .jsonl, .raw or .zip";
/// How many folders below the one that was named data are looked for: torchvision's are in
/// `EMNIST/raw/gzip`.
const DEEPEST: usize = 3;

/// Where to take pictures from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// A folder or a file in any of the layouts, or an EMNIST set in a folder: `folder/emnist-letters`. None:
    /// MNIST in `data/mnist`, downloaded if need be.
    pub path: Option<PathBuf>,
    /// The one mirror to download MNIST from. None: the public ones, in turn.
    pub mirror: Option<String>,
    /// What all pictures are resized to. None: their own size, which must be one.
    pub size: Option<Size>,
    /// How they come to it.
    pub framing: Framing,
}

/// Loads a part of the data, which have labels.
///
/// `progress` is called as it goes on.
///
/// # Errors
/// [`DataError`] says what is wrong and what to do.
pub fn load(source: &Source, split: Split, progress: OnProgress<'_>) -> Result<Loaded, DataError> {
    let loaded = load_any(source, split, progress)?;
    match &source.path {
        Some(path) if !loaded.data.has_labels() => Err(DataError::at(
            path,
            "its pictures have no labels; give some that have, or train without labels (--unlabelled) from a \
             folder of picture files, as `infer dataset --format folder` writes it",
        )),
        _ => Ok(loaded),
    }
}

/// As [`load`], also of data without labels.
///
/// # Errors
/// As [`load`], but for labels that are missing.
pub fn load_any(source: &Source, split: Split, progress: OnProgress<'_>) -> Result<Loaded, DataError> {
    let Loaded { data, mut notes } = match &source.path {
        None => mnist::fetched(source.mirror.as_deref(), split, progress)?,
        Some(path) => given(path, split, (source.size, source.framing), progress)?,
    };
    for (label, class) in data.class_names().iter().enumerate() {
        if !data.labels().iter().any(|&other| usize::from(other) == label) {
            notes.push(format!("no picture is of the class {class}, so it will not be learned"));
        }
    }
    let data = match source.size {
        Some(size) => data.resized(size, source.framing.crop)?,
        None => data,
    };
    Ok(Loaded { data, notes })
}

/// Whether something is at a path that names data.
pub fn is_there(path: &Path) -> bool {
    path.exists() || LAYOUTS.iter().any(|layout| layout.is_at(path))
}

/// Whether data with labels are at a path.
pub fn has_labels(path: &Path) -> bool {
    !run::is_run(path) && LAYOUTS.iter().any(|layout| layout.is_at(path))
}

/// Whether data with labels are at a path, and have a test part. MNIST, which no path stands for, has one.
pub fn has_test(path: Option<&Path>) -> bool {
    path.is_none_or(|path| {
        LAYOUTS.iter().find(|layout| layout.is_at(path)).is_some_and(|layout| layout.has_test(path))
    })
}

/// Refuses a data set of strings, as its manifest tells.
///
/// # Errors
/// One sentence.
pub fn refuse_strings(path: &Path) -> Result<(), DataError> {
    match Manifest::beside(path).is_some_and(|manifest| manifest.strings.is_some()) {
        true => Err(DataError::at(
            path,
            "it holds strings of several characters, and a network here learns one class for each image; write \
             single ones, with `infer dataset` without --strings",
        )),
        false => Ok(()),
    }
}

/// What a path of the user's holds.
fn given(
    path: &Path,
    split: Split,
    (size, framing): (Option<Size>, Framing),
    progress: OnProgress<'_>,
) -> Result<Loaded, DataError> {
    let is_run = run::is_run(path);
    refuse_strings(path)?;
    if let Some(layout) = LAYOUTS.iter().find(|layout| !is_run && layout.is_at(path)) {
        return layout.load(path, split, size, framing, progress);
    }
    let message = match fs::read_dir(path).map(Iterator::count) {
        _ if is_run => format!("this is a run of `train` and no data; {EXPECTED}"),
        Err(_) if path.is_file() => {
            "this is a file; name its folder, or a file .npz, .jsonl, .raw, .zip, .parquet or .tar"
                .to_string()
        }
        Err(error) => format!("can't be read: {error}; {EXPECTED}"),
        Ok(0) => format!("the folder is empty; {EXPECTED}"),
        Ok(_) => match (file_within(path), pictures::loose(path)) {
            (Some(file), _) => {
                format!("this folder is no data set, but {} in it is one; name that file", shown(&file))
            }
            (None, 0) => format!("has no data that are known here; {EXPECTED}"),
            (None, loose) => format!(
                "has no data that are known here, but pictures without labels ({loose}): put them into a folder \
                 for each class, list them in a labels.csv, or train without labels (--unlabelled)"
            ),
        },
    };
    Err(DataError::at(path, message))
}

/// A file in a folder that is a data set by itself.
fn file_within(folder: &Path) -> Option<PathBuf> {
    let found = pictures::visible(folder).unwrap_or_default().into_iter().map(|(_, path)| path);
    found.filter(|path| path.is_file()).find(|path| LAYOUTS.iter().any(|layout| layout.is_at(path)))
}

/// A folder with IDX files or other data of several files, in this one or below.
pub(super) fn data_within(folder: &Path) -> Option<PathBuf> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..=DEEPEST {
        let entries = level.iter().flat_map(|folder| pictures::visible(folder).unwrap_or_default());
        let entries: Vec<_> = entries.collect();
        let has_data =
            |folder: &PathBuf| LAYOUTS.iter().any(|layout| layout.is_sought_below() && layout.is_at(folder));
        if let Some(found) = level.into_iter().find(has_data) {
            return Some(found);
        }
        level = entries.into_iter().map(|(_, path)| path).filter(|path| path.is_dir()).collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Source, load};
    use crate::sources::{DataError, Loaded, Progress, Size, Split};

    /// Three pictures of 2×3 pixels with labels 2, 0 and 1, under names that start like this.
    fn write_idx(folder: &Path, prefix: &str) {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let images = [words(&[2051, 3, 2, 3]), (0..18).collect()].concat();
        fs::write(folder.join(format!("{prefix}train-images-idx3-ubyte")), images).unwrap();
        let labels = [words(&[2049, 3]), vec![2, 0, 1]].concat();
        fs::write(folder.join(format!("{prefix}train-labels-idx1-ubyte")), labels).unwrap();
    }

    fn given(path: PathBuf, size: Option<Size>) -> Result<Loaded, DataError> {
        load(&Source { path: Some(path), size, ..Source::default() }, Split::Train, &mut |_| {})
    }

    #[test]
    fn idx_files_of_three_named_classes() {
        let folder = tempfile::tempdir().unwrap();
        write_idx(folder.path(), "");
        let Loaded { data, notes } = given(folder.path().to_owned(), None).unwrap();
        assert_eq!((data.class_names().join(" "), data.labels()), ("0 1 2".into(), &[2, 0, 1][..]));
        let unnamed = data.digest();

        fs::write(folder.path().join("classes.txt"), "bag\nshirt\nankle boot\n").unwrap();
        let Loaded { data, notes: no_more } = given(folder.path().to_owned(), None).unwrap();
        assert_eq!((data.class_names()[2].as_str(), data.labels()), ("ankle boot", &[2, 0, 1][..]));
        assert_eq!([notes, no_more], [const { Vec::<String>::new() }; 2]);
        assert_ne!(data.digest(), unnamed);
    }

    #[test]
    fn a_class_without_pictures_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        write_idx(folder.path(), "emnist-tiny-");
        let mapping = "0 48\n1 49\n2 50\n3 51\n";
        fs::write(folder.path().join("emnist-tiny-mapping.txt"), mapping).unwrap();
        for path in [folder.path().to_owned(), folder.path().join("emnist-tiny")] {
            let Loaded { data, notes } = given(path, None).unwrap();
            assert_eq!((data.name(), data.classes(), data.images().height()), ("emnist-tiny", 4, 3));
            assert_eq!(notes, ["no picture is of the class 3, so it will not be learned"]);
        }
    }

    #[test]
    fn a_size_is_given_to_all_kinds_of_data() {
        let folder = tempfile::tempdir().unwrap();
        write_idx(folder.path(), "");
        let data = given(folder.path().to_owned(), Some(Size { width: 5, height: 7 })).unwrap().data;
        assert_eq!((data.images().height(), data.images().width(), data.len()), (7, 5, 3));
    }

    #[test]
    fn loose_pictures_and_runs_are_called_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        image::GrayImage::new(3, 2).save(folder.path().join("1.png")).unwrap();
        fs::create_dir(folder.path().join("lost+found")).unwrap();
        let error = || given(folder.path().to_owned(), None).unwrap_err().to_string();
        assert!(
            error().contains("pictures without labels (1)") && error().contains("--unlabelled"),
            "{}",
            error()
        );
        fs::write(folder.path().join(".edgegan-run"), "").unwrap();
        assert!(error().contains("this is a run of `train` and no data"), "{}", error());
    }

    #[test]
    fn decoding_says_how_far_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ant")).unwrap();
        image::GrayImage::new(3, 2).save(folder.path().join("ant/1.png")).unwrap();
        let source = Source { path: Some(folder.path().to_owned()), ..Source::default() };
        let mut seen = Vec::new();
        let mut progress = |progress: Progress<'_>| match progress {
            Progress::Decode { done, total } => seen.push((done, total)),
            Progress::Download(file) => panic!("{file:?} was fetched"),
        };
        // A single class can be learned, too.
        assert_eq!(load(&source, Split::All, &mut progress).unwrap().data.class_names(), ["ant"]);
        assert_eq!(seen, [(1, 1)]);
    }
}
