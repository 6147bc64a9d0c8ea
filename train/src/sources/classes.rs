//! What the classes are called, and in which order they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use contract::few;

use super::error::DataError;
use super::natural::natural_order;

/// The file that names the classes, one a line, in their order.
pub const CLASSES_FILE: &str = "classes.txt";

/// A label is one byte.
pub(super) const MOST_CLASSES: usize = 256;

/// Characters of a class's name.
const LONGEST_NAME: usize = 100;

/// How many of many a message names.
const SHOWN: usize = 10;

/// More bytes than any list of names takes.
const LONGEST_LIST: u64 = 1 << 20;

/// What is wrong with a class's name, if anything: a phrase that follows "the class name …".
pub(super) fn fault(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some(format!("{name:?} is empty"));
    }
    if name != name.trim() {
        return Some(format!("{name:?} has blanks at its ends"));
    }
    if name.chars().any(char::is_control) {
        return Some(format!("{name:?} has control characters"));
    }
    let length = name.chars().count();
    (length > LONGEST_NAME).then(|| format!("{name:?} has {length} characters, more than {LONGEST_NAME}"))
}

/// The names in a folder's [`CLASSES_FILE`], if it has one.
///
/// # Errors
/// [`DataError::At`] if it can't be read, or has an unusable name or the same name twice.
pub(super) fn listed(folder: &Path) -> Result<Option<Vec<String>>, DataError> {
    let path = folder.join(CLASSES_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = read_text(&path)?;
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::new();
    // Empty lines at the end don't name a class.
    for (number, name) in (1..).zip(text.trim_end().lines().map(str::trim)) {
        let wrong = |message: String| Err(DataError::at(&path, format!("line {number}: {message}")));
        if let Some(fault) = fault(name) {
            return wrong(format!("the class name {fault}; give one name a line"));
        }
        if let Some(first) = lines.insert(name, number) {
            return wrong(format!("the class {name:?} is in line {first} already; give each class once"));
        }
        names.push(name.to_string());
    }
    if names.is_empty() {
        return Err(DataError::at(&path, "it names no class; give one name a line, or take the file away"));
    }
    Ok(Some(names))
}

/// Refuses a pipe or a device where a file should lie: it may never end, or begin.
///
/// # Errors
/// [`DataError::At`].
pub(super) fn check_is_file(path: &Path) -> Result<(), DataError> {
    match path.is_file() {
        true => Ok(()),
        false => Err(DataError::at(path, "this is no ordinary file; put one in its place")),
    }
}

/// A small text file, without the mark that some editors put first.
pub(super) fn read_text(path: &Path) -> Result<String, DataError> {
    check_is_file(path)?;
    let unreadable = |error: std::io::Error| DataError::at(path, format!("can't be read: {error}"));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_LIST + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_LIST {
        return Err(DataError::at(path, "longer than a megabyte; expected one short line a class"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_string()),
        Err(error) => {
            let place = error.utf8_error().valid_up_to() + 1;
            Err(DataError::at(path, format!("byte {place} is not UTF-8 text; save it as UTF-8")))
        }
    }
}

/// Classes known by name, in order: that of [`CLASSES_FILE`] if there is one, else the natural one.
///
/// # Errors
/// If the file lists other classes, or there are too many.
pub(super) fn ordered(names: BTreeSet<String>, folder: &Path) -> Result<Vec<String>, DataError> {
    if names.len() > MOST_CLASSES {
        return Err(DataError::at(
            folder,
            format!("{} classes, but at most {MOST_CLASSES} can be learned", names.len()),
        ));
    }
    let Some(listed) = listed(folder)? else {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by(|a, b| natural_order(a, b));
        return Ok(names);
    };
    let wrong = |message: String| Err(DataError::at(folder.join(CLASSES_FILE), message));
    if let Some(unknown) = listed.iter().find(|name| !names.contains(*name)) {
        return wrong(format!(
            "no picture is of the class {unknown:?}, which it lists; the pictures are of {}",
            few(names.iter(), SHOWN)
        ));
    }
    match names.iter().find(|name| !listed.contains(name)) {
        Some(missing) => wrong(format!("it lacks the class {missing:?}, of which there are pictures")),
        None => Ok(listed),
    }
}

/// Classes known by numbers: each one's number and name, in order.
///
/// The names are those of [`CLASSES_FILE`], else those of `mapping`, else the numbers. Numbers that no
/// picture has don't become classes, unless a name is given for them.
///
/// # Errors
/// If there are more or fewer names than classes.
pub(super) fn numbered(
    numbers: &BTreeSet<u8>,
    mapping: Option<BTreeMap<u8, String>>,
    folder: &Path,
) -> Result<Vec<(u8, String)>, DataError> {
    if let Some(names) = listed(folder)? {
        let up_to_largest = numbers.last().map_or(0, |&largest| usize::from(largest) + 1);
        if names.len() == numbers.len() {
            return Ok(numbers.iter().copied().zip(names).collect());
        }
        if names.len() == up_to_largest {
            return Ok((0..=u8::MAX).zip(names).collect());
        }
        let path = folder.join(CLASSES_FILE);
        return Err(DataError::at(
            path,
            format!(
                "it names {} classes, but the labels are of {}: {}; give one name a line for each",
                names.len(),
                numbers.len(),
                few(numbers.iter(), SHOWN)
            ),
        ));
    }
    match mapping {
        Some(mapping) => Ok(mapping.into_iter().collect()),
        None => Ok(numbers.iter().map(|number| (*number, number.to_string())).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::{CLASSES_FILE, MOST_CLASSES, fault, listed, numbered, ordered};

    fn folder(classes: Option<&[u8]>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        if let Some(classes) = classes {
            fs::write(folder.path().join(CLASSES_FILE), classes).unwrap();
        }
        folder
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn names_come_in_the_lists_order_else_in_the_natural_one() {
        let classes = names(&["c10", "c2", "b"]);
        assert_eq!(ordered(classes.clone(), folder(None).path()).unwrap(), ["b", "c2", "c10"]);
        let list = folder(Some("\u{feff}c10\r\n b \nc2\n\n".as_bytes()));
        assert_eq!(ordered(classes, list.path()).unwrap(), ["c10", "b", "c2"]);
    }

    #[test]
    fn numbers_become_classes_by_list_mapping_or_themselves() {
        let numbers = BTreeSet::from([1, 3, 4]);
        let class = |number, name: &str| (number, name.to_string());
        let none = folder(None);
        assert_eq!(
            numbered(&numbers, None, none.path()).unwrap(),
            [class(1, "1"), class(3, "3"), class(4, "4")]
        );
        let mapping = BTreeMap::from([class(1, "a"), class(2, "b"), class(3, "c"), class(4, "d")]);
        let mapped = numbered(&numbers, Some(mapping.clone()), none.path()).unwrap();
        assert_eq!(mapped, Vec::from_iter(mapping.clone()));
        let three = folder(Some(b"x\ny\nz"));
        let named = numbered(&numbers, Some(mapping), three.path()).unwrap();
        assert_eq!(named, [class(1, "x"), class(3, "y"), class(4, "z")]);
        // A name for every number from 0 on.
        let five = folder(Some(b"v\nw\nx\ny\nz"));
        assert_eq!(numbered(&numbers, None, five.path()).unwrap()[3], class(3, "y"));
    }

    #[test]
    fn lists_that_do_not_fit() {
        for (list, expected) in [
            (&b"a\nb\na\n"[..], "line 3: the class \"a\" is in line 1 already"),
            (b"a\n\nb", "line 2: the class name \"\" is empty"),
            (b"a\nb\x07", "line 2: the class name \"b\\u{7}\" has control characters"),
            (b"\n \n", "names no class"),
            (b"a\n\xff\xfe", "byte 3 is not UTF-8"),
            (&[b'a'; 101], "has 101 characters, more than 100"),
            (&[b'\n'; (1 << 20) + 1], "longer than a megabyte"),
        ] {
            let error = listed(folder(Some(list)).path()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(CLASSES_FILE), "{error}");
        }
        let error = |list: &str, found: &[&str]| {
            ordered(names(found), folder(Some(list.as_bytes())).path()).unwrap_err().to_string()
        };
        assert!(error("a\nb\nc", &["a", "b"]).contains("no picture is of the class \"c\""));
        assert!(error("a", &["a", "b"]).contains("lacks the class \"b\""));
        let two = folder(Some(b"a\nb"));
        let error = numbered(&BTreeSet::from([0, 1, 2]), None, two.path()).unwrap_err().to_string();
        assert!(error.contains("names 2 classes, but the labels are of 3: 0, 1, 2"), "{error}");
    }

    #[test]
    fn more_classes_than_a_label_can_say() {
        let many: BTreeSet<_> = (0..=MOST_CLASSES).map(|class| class.to_string()).collect();
        let error = ordered(many, folder(None).path()).unwrap_err().to_string();
        assert!(error.contains("257 classes, but at most 256"), "{error}");
    }

    #[test]
    fn names_may_have_anything_that_can_be_typed() {
        for name in ["T-shirt/top", "a, b", "größer", "0", "\"quoted\""] {
            assert_eq!(fault(name), None);
        }
        for name in ["", "  ", "a ", "a\tb", "a\nb"] {
            assert!(fault(name).is_some(), "{name:?}");
        }
    }
}
