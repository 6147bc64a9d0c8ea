//! Pictures that lie encoded in files with their labels: Parquet as Hugging Face's `datasets` keeps it,
//! WebDataset's tar files, StyleGAN's archives.
//!
//! ```text
//! digits/                                   digits/              digits.zip
//!   data/train-00000-of-00006.parquet         train-000000.tar
//!   data/test-00000-of-00001.parquet          test-000000.tar
//! ```
//!
//! A folder's files are its test part if their names begin so, and else its training part; one that is named by
//! itself is all there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contract::dataset::{
    packed::{Encoded, Packed as Read},
    parquet, stylegan, webdataset,
};
use contract::picture::Framing;
use contract::shown;

use super::error::DataError;
use super::labelled::LabelledImages;
use super::layout::{Layout, Loaded, OnProgress, Progress};
use super::pictures::{self, decode};
use super::size::Size;
use super::{Split, classes, name};

/// Parquet files with a picture and a label in each row.
pub(super) static PARQUET: Packed = Packed { ending: "parquet", in_folders: true, read: parquet::read };
/// Tar files as WebDataset reads them.
pub(super) static WEBDATASET: Packed =
    Packed { ending: webdataset::EXTENSION, in_folders: true, read: webdataset::read };
/// A ZIP archive of pictures, and `dataset.json`.
pub(super) static STYLEGAN: Packed = Packed { ending: "zip", in_folders: false, read: stylegan::read };

/// Files of one kind, in one of which is a data set or a part of one.
pub(super) struct Packed {
    ending: &'static str,
    /// Whether a folder of them is a data set.
    in_folders: bool,
    read: fn(&Path) -> Result<Read, String>,
}

/// A picture and where it comes from.
struct Picture {
    /// Its name in its file, as if that were a folder.
    path: PathBuf,
    bytes: Vec<u8>,
}

impl decode::Content for Picture {
    fn path(&self) -> &Path {
        &self.path
    }

    fn bytes(&self) -> Option<&[u8]> {
        Some(&self.bytes)
    }
}

impl Layout for Packed {
    fn is_at(&self, path: &Path) -> bool {
        !self.files(path).is_empty()
    }

    fn is_sought_below(&self) -> bool {
        true
    }

    fn has_test(&self, path: &Path) -> bool {
        self.parts(path).test.is_some()
    }

    fn load(
        &self,
        path: &Path,
        split: Split,
        size: Option<Size>,
        framing: Framing,
        progress: OnProgress<'_>,
    ) -> Result<Loaded, DataError> {
        let Parts { train, test, others } = self.parts(path);
        if test.is_none() && split == Split::Test || train.is_empty() && split != Split::Test {
            let lacks = if split == Split::Test { "test" } else { "training" };
            return Err(DataError::at(path, without(lacks)));
        }
        let test = test.unwrap_or_default();
        let (mut found, mut known, mut all) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let mut labels = Vec::new();
        // The classes are those of both parts, so that they are the same whichever is used.
        for (file, part) in
            train.iter().map(|file| (file, Split::Train)).chain(test.iter().map(|file| (file, Split::Test)))
        {
            let (pictures, read) = (self.read)(file).map_err(|message| DataError::at(file, message))?;
            for (label, name) in read.classes {
                if let Some(other) = known.insert(label, name.clone()).filter(|other| *other != name) {
                    let message = format!("calls the class {label} {name:?}, and another file {other:?}");
                    return Err(DataError::at(file, message));
                }
            }
            all.extend(&read.labels);
            if split == Split::All || split == part {
                if !found.is_empty() && !pictures.is_empty() && labels.is_empty() != read.labels.is_empty() {
                    return Err(DataError::at(
                        file,
                        "has labels and another file has none, or the other way round",
                    ));
                }
                labels.extend(read.labels);
                found.extend(
                    pictures
                        .into_iter()
                        .map(|Encoded { name, bytes }| Picture { path: file.join(name), bytes }),
                );
            }
        }
        let images = decode::read(&found, (size, framing), &mut |done, total| {
            progress(Progress::Decode { done, total })
        })?;
        let data = named(images, labels, (&all, known), path)?;
        Ok(Loaded { data, notes: others })
    }
}

/// What is said of data without a part that is asked for.
fn without(part: &str) -> String {
    match part {
        "test" => "has no test part, as no file's name begins with test; leave out --split".to_owned(),
        _ => "has a test part and no other, as all files' names begin with test; choose it with --split test"
            .to_owned(),
    }
}

/// The files of a path, part by part.
struct Parts {
    train: Vec<PathBuf>,
    test: Option<Vec<PathBuf>>,
    /// A sentence about those of neither part.
    others: Vec<String>,
}

impl Packed {
    /// The files that a path stands for.
    fn files(&self, path: &Path) -> Vec<PathBuf> {
        let is_one =
            |path: &Path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(self.ending));
        if !self.in_folders || !path.is_dir() {
            return Some(path.to_owned()).filter(|path| is_one(path) && path.is_file()).into_iter().collect();
        }
        let inside = |folder: &Path| -> Vec<PathBuf> {
            let found = pictures::visible(folder).unwrap_or_default().into_iter().map(|(_, path)| path);
            found.filter(|path| is_one(path) && path.is_file()).collect()
        };
        let data = inside(&path.join(parquet::FOLDER));
        // Beside folders of pictures such a file is no data set, but something that was kept.
        if data.is_empty() && !pictures::are_in(path) { inside(path) } else { data }
    }

    fn parts(&self, path: &Path) -> Parts {
        let files = self.files(path);
        if !path.is_dir() {
            return Parts { train: files, test: None, others: Vec::new() };
        }
        let begins = |path: &Path, with: &[&str]| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            with.iter().any(|with| name.starts_with(with))
        };
        let (test, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| begins(file, &["test"]));
        let (others, train): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|file| begins(file, &["val", "dev", "eval"]));
        let others = (!others.is_empty()).then(|| {
            let names = pictures::few(path, &others);
            format!("not used in {}, being for validation: {names}", shown(path))
        });
        Parts {
            train,
            test: Some(test).filter(|test| !test.is_empty()),
            others: others.into_iter().collect(),
        }
    }
}

/// Pictures with their labels under the classes' names: those of a `classes.txt`, else those that are known,
/// else the numbers. `all` are the labels of both parts.
///
/// # Errors
/// If a name is no class's, or two classes have one.
pub(super) fn named(
    images: contract::dataset::Images,
    labels: Vec<u8>,
    (all, known): (&BTreeSet<u8>, BTreeMap<u8, String>),
    path: &Path,
) -> Result<LabelledImages, DataError> {
    let called = match path.is_dir() {
        true => name::of_folder(path),
        false => name::of_folder(&path.with_extension("")),
    };
    if labels.is_empty() {
        return Ok(LabelledImages::unlabelled(images, called));
    }
    let mapping = (!known.is_empty()).then(|| {
        let numbers = all.iter().map(|&label| (label, label.to_string()));
        numbers.chain(known).collect::<BTreeMap<_, _>>()
    });
    let classes = classes::numbered(all, mapping, path)?;
    let mut seen = BTreeSet::new();
    for (label, name) in &classes {
        if let Some(fault) = classes::fault(name) {
            return Err(DataError::at(path, format!("the name of class {label}, the class name {fault}")));
        }
        if !seen.insert(name) {
            return Err(DataError::at(
                path,
                format!("two classes are called {name:?}, of which one is {label}"),
            ));
        }
    }
    let place = |label: &u8| classes.iter().position(|(number, _)| number == label).unwrap_or_default() as u8;
    let labels = labels.iter().map(place).collect();
    LabelledImages::with_class_names(
        images,
        labels,
        classes.into_iter().map(|(_, name)| name).collect(),
        called,
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_s_part_is_in_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["train-000000.tar", "train-000001.tar", "test-000000.tar", "validation.tar", "notes.txt"]
        {
            fs::write(path(name), "").unwrap();
        }
        let Parts { train, test, others } = WEBDATASET.parts(folder.path());
        assert_eq!(train, ["train-000000.tar", "train-000001.tar"].map(path));
        assert_eq!(test.unwrap(), [path("test-000000.tar")]);
        assert!(others[0].ends_with(": validation.tar"), "{others:?}");
        assert!(WEBDATASET.has_test(folder.path()) && !WEBDATASET.has_test(&path("test-000000.tar")));
        assert!(!PARQUET.is_at(folder.path()) && !STYLEGAN.is_at(folder.path()));
        // Kept beside folders of pictures they are no data set.
        fs::create_dir(path("ant")).unwrap();
        assert!(!WEBDATASET.is_at(folder.path()) && WEBDATASET.is_at(&path("validation.tar")));
        fs::create_dir(path("data")).unwrap();
        fs::write(path("data/1.PARQUET"), "").unwrap();
        assert!(PARQUET.is_at(folder.path()));
    }

    #[test]
    fn labels_become_classes_by_what_is_known_of_them() {
        let images = contract::dataset::Images::new(1, 1, vec![0; 3]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let all = BTreeSet::from([2, 5, 7]);
        let with = |known: &[(u8, &str)]| {
            let known = known.iter().map(|(label, name)| (*label, (*name).to_owned())).collect();
            named(images.clone(), vec![7, 2, 7], (&all, known), folder.path())
        };
        let data = with(&[]).unwrap();
        assert_eq!((data.labels(), data.class_names().join(" ")), (&[2, 0, 2][..], "2 5 7".into()));
        let data = with(&[(0, "ant"), (2, "bee"), (7, "cow")]).unwrap();
        assert_eq!((data.labels(), data.class_names().join(" ")), (&[3, 1, 3][..], "ant bee 5 cow".into()));
        for (known, part) in [((2, "7"), "two classes are called \"7\""), ((2, "a\n"), "the name of class 2")]
        {
            let error = with(&[known]).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let none = named(images.clone(), Vec::new(), (&BTreeSet::new(), BTreeMap::new()), folder.path());
        assert!(!none.unwrap().has_labels());
    }
}
