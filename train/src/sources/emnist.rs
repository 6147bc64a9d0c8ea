//! EMNIST: handwritten letters and digits, in IDX files of its own names.
//!
//! Cohen, Afshar, Tapson and van Schaik 2017 (arXiv 1702.05373). It comes in six sets: balanced,
//! byclass, bymerge, digits, letters and mnist. A set's files are
//! `emnist-<set>-{train,test}-{images-idx3,labels-idx1}-ubyte`, and `emnist-<set>-mapping.txt`, which
//! gives each label the ASCII codes of its characters. The pictures are stored column by column.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contract::files::folder_of;
use contract::picture::Framing;

use super::Split;
use super::classes::{self, read_text};
use super::error::DataError;
use super::idx_folder;
use super::labelled::LabelledImages;
use super::layout::{Layout, Loaded, OnProgress};
use super::size::Size;

const PREFIX: &str = "emnist-";

/// A folder with a set, or a set that is named in a folder with several.
pub(super) struct Emnist;

impl Layout for Emnist {
    fn is_at(&self, path: &Path) -> bool {
        match path.is_dir() {
            true => !sets_in(path).is_empty(),
            false => named_set(path).is_some(),
        }
    }

    fn is_sought_below(&self) -> bool {
        true
    }

    fn has_test(&self, path: &Path) -> bool {
        place(path).is_ok_and(|(folder, set)| {
            let kinds = ["images-idx3", "labels-idx1"];
            kinds.iter().any(|kind| idx_folder::find(&folder, &file(&set, "test", kind)).is_some())
        })
    }

    fn load(
        &self,
        path: &Path,
        split: Split,
        _: Option<Size>,
        _: Framing,
        _: OnProgress<'_>,
    ) -> Result<Loaded, DataError> {
        let (folder, set) = place(path)?;
        Ok(Loaded { data: load(&folder, &set, split)?, notes: Vec::new() })
    }
}

/// The folder and the set that a path names.
///
/// # Errors
/// If the folder has several sets.
fn place(path: &Path) -> Result<(PathBuf, String), DataError> {
    match named_set(path).filter(|_| !path.is_dir()) {
        Some(named) => Ok(named),
        None => Ok((path.to_owned(), only_set(path)?)),
    }
}

/// The name of a set's file.
fn file(set: &str, half: &str, kind: &str) -> String {
    format!("{PREFIX}{set}-{half}-{kind}-ubyte")
}

/// The sets in a folder.
fn sets_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    sets(&entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>())
}

/// The one set of a folder.
///
/// # Errors
/// If there are several.
fn only_set(folder: &Path) -> Result<String, DataError> {
    let sets = Vec::from_iter(sets_in(folder));
    match sets.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(DataError::at(
            folder,
            format!(
                "holds several sets of EMNIST ({}); name one of them, such as --data {}",
                sets.join(", "),
                folder.join(format!("{PREFIX}{}", sets.first().map_or("…", String::as_str))).display()
            ),
        )),
    }
}

/// The sets of which a folder has a file with pictures or labels.
fn sets(names: &[String]) -> BTreeSet<String> {
    let of_set = |name: &String| {
        let name = name.strip_prefix(PREFIX)?;
        ["-train-images", "-train-labels", "-test-images", "-test-labels"]
            .iter()
            .find_map(|part| Some(name.split_once(part)?.0.to_string()))
    };
    names.iter().filter_map(of_set).collect()
}

/// The folder and the set that a path such as `gzip/emnist-letters` names.
fn named_set(path: &Path) -> Option<(PathBuf, String)> {
    let set = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let folder = folder_of(path);
    folder.is_dir().then(|| (folder.to_owned(), set.to_string()))
}

/// Reads a set, its pictures turned upright.
///
/// # Errors
/// If a file is missing or malformed, or a label is not in the mapping.
fn load(folder: &Path, set: &str, split: Split) -> Result<LabelledImages, DataError> {
    let read = |half: &str| -> Result<LabelledImages, DataError> {
        let path = |kind: &str| {
            let name = file(set, half, kind);
            idx_folder::find(folder, &name).ok_or_else(|| DataError::at(folder, idx_folder::missing(&name)))
        };
        idx_folder::read_half(&[path("images-idx3")?, path("labels-idx1")?])
    };
    let halves = ["train", "test"];
    let data = split.read(halves, read)?;
    let [train, test] = halves.map(|half| file(set, half, "labels-idx1"));
    let numbers = idx_folder::numbers(folder, [&train, &test])?;
    let mapping = mapping(&folder.join(format!("{PREFIX}{set}-mapping.txt")), &numbers)?;
    let classes = classes::numbered(&numbers, mapping, folder)?;
    Ok(data.relabelled(classes)?.transposed().renamed(format!("{PREFIX}{set}")))
}

/// The character of each label, if there is a mapping. Where a label has an upper and a lower case, it
/// is the upper one, which comes first.
fn mapping(path: &Path, numbers: &BTreeSet<u8>) -> Result<Option<BTreeMap<u8, String>>, DataError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = read_text(path)?;
    let mut names: BTreeMap<u8, String> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |message: String| Err(DataError::at(path, format!("line {number}: {message}")));
        let mut fields = line.split_whitespace();
        let label = fields.next().and_then(|label| label.parse::<u8>().ok());
        let code = fields.next().and_then(|code| code.parse::<u8>().ok()).filter(u8::is_ascii_graphic);
        let (Some(label), Some(code)) = (label, code) else {
            return wrong(format!(
                "{line:?} is not a label from 0 to 255 and a printable character's ASCII code, such as 1 65"
            ));
        };
        let name = char::from(code).to_string();
        if let Some((other, _)) = names.iter().find(|(_, other)| **other == name) {
            return wrong(format!("the character {name} is that of label {other} already"));
        }
        if names.insert(label, name).is_some() {
            return wrong(format!("label {label} has a character already"));
        }
    }
    match numbers.iter().find(|label| !names.contains_key(label)) {
        Some(label) => Err(DataError::at(
            path,
            format!("it lacks the label {label}, which pictures have; take the file that came with them"),
        )),
        None => Ok(Some(names)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{load, named_set, sets};
    use crate::sources::Split;

    /// A set of 2×3 pictures that stand 3×2 upright, with labels from 1 on.
    fn write(folder: &Path) {
        for (half, labels) in [("train", &[1u8, 3, 3][..]), ("test", &[4, 1])] {
            let n = labels.len() as u32;
            let mut images = [2051, n, 2, 3].map(u32::to_be_bytes).concat();
            images.extend((0..6 * n).map(|i| i as u8));
            let header = [2049, n].map(u32::to_be_bytes).concat();
            let file = |kind: &str| folder.join(format!("emnist-letters-{half}-{kind}-ubyte"));
            fs::write(file("images-idx3"), images).unwrap();
            fs::write(file("labels-idx1"), [&header[..], labels].concat()).unwrap();
        }
    }

    fn write_mapping(folder: &Path, text: &str) {
        fs::write(folder.join("emnist-letters-mapping.txt"), text).unwrap();
    }

    #[test]
    fn pictures_stand_upright_and_labels_become_classes() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let set = load(folder.path(), "letters", Split::Train).unwrap();
        assert_eq!(set.name(), "emnist-letters");
        assert_eq!((set.images().height(), set.images().width()), (3, 2));
        assert_eq!(set.images().image(0), [0, 3, 1, 4, 2, 5]);
        // Both halves' labels are classes, whichever half is used.
        assert_eq!((set.labels(), set.class_names().join(" ")), (&[0, 1, 1][..], "1 3 4".to_string()));
        let test = load(folder.path(), "letters", Split::Test).unwrap();
        assert_eq!((test.labels(), test.classes()), (&[2, 0][..], 3));

        write_mapping(folder.path(), "1 65 97\n2 66 98\n3 67 99\n4 68 100\n");
        let all = load(folder.path(), "letters", Split::All).unwrap();
        assert_eq!(all.labels(), [0, 2, 2, 3, 0]);
        assert_eq!(all.class_names(), ["A", "B", "C", "D"]);
    }

    #[test]
    fn mappings_that_do_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        for (text, expected) in [
            ("1 65\n3 67\n", "lacks the label 4"),
            ("1 65\nthree 67\n", "line 2: \"three 67\" is not a label"),
            ("1 65\n3\n", "line 2: \"3\" is not a label"),
            ("1 65\n3 7\n", "line 2: \"3 7\" is not a label"),
            ("1 65\n1 66\n", "line 2: label 1 has a character already"),
            ("1 65\n3 65\n", "line 2: the character A is that of label 1 already"),
        ] {
            write_mapping(folder.path(), text);
            let error = load(folder.path(), "letters", Split::Train).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("emnist-letters-mapping.txt"), "{error}");
        }
    }

    #[test]
    fn sets_are_seen_from_their_files_and_named_by_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "emnist-digits-mapping.txt",
            "emnist-letters-test-labels-idx1-ubyte.gz",
            "emnist-bymerge-train-images-idx3-ubyte",
            "train-images-idx3-ubyte",
        ];
        assert_eq!(Vec::from_iter(sets(&names.map(String::from))), ["bymerge", "letters"]);
        let path = folder.path().join("emnist-letters");
        assert_eq!(named_set(&path), Some((folder.path().to_owned(), "letters".to_string())));
        assert_eq!(named_set(&folder.path().join("letters")), None);
        write(folder.path());
        fs::remove_file(folder.path().join("emnist-letters-test-images-idx3-ubyte")).unwrap();
        let error = load(folder.path(), "letters", Split::All).unwrap_err().to_string();
        assert!(error.contains("has no emnist-letters-test-images-idx3-ubyte (nor"), "{error}");
    }
}
