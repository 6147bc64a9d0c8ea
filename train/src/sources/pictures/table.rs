//! A folder whose `labels.csv` says which pictures there are and of which class.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use contract::dataset::folder::{COLUMNS, TABLE};
use contract::shown;
use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::walk::Walk;
use super::{Entry, Listing, few};
use crate::sources::classes;
use crate::sources::error::DataError;

/// Whether a folder has a table.
pub(super) fn is_in(folder: &Path) -> bool {
    folder.join(TABLE).exists()
}

/// The pictures in the table's order. Its header names a column `file`, whose paths start at the folder,
/// and a column `label`, the class's name. Other columns are not read, and pictures in no line not used.
///
/// # Errors
/// [`DataError::At`] with the line, if the table has other columns or names a file that isn't there.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let table = folder.join(TABLE);
    classes::check_is_file(&table)?;
    let wrong = |line: u64, message: &str| {
        let place = if line == 0 { String::new() } else { format!("line {line}: ") };
        DataError::at(&table, format!("{place}{message}"))
    };
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .from_path(&table)
        .map_err(|error| wrong(0, &format!("can't be read: {error}")))?;
    let header = reader.headers().map_err(|error| unreadable(&table, &error))?;
    let [file, label] = columns(header).map_err(|message| wrong(1, &message))?;

    let mut entries = Vec::new();
    let mut lines: HashMap<PathBuf, u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&table, &error))?;
        let line = record.position().map_or(0, |position| position.line());
        let (file, class) = (record.get(file).unwrap_or_default(), record.get(label).unwrap_or_default());
        if let Some(fault) = classes::fault(class) {
            return Err(wrong(line, &format!("the label {fault}; give the class's name")));
        }
        let inside =
            Path::new(file).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if file.is_empty() || !inside {
            let message = format!("the file is {file:?}, but must be a path inside the table's folder");
            return Err(wrong(line, &message));
        }
        // `./a.png` is `a.png`.
        let path: PathBuf = folder.join(file).components().collect();
        if !path.is_file() {
            let message = format!("there is no file {}; mend the line or take it out", path.display());
            return Err(wrong(line, &message));
        }
        if let Some(first) = lines.insert(path.clone(), line) {
            let message = format!("{file} is in line {first} already; list each picture once");
            return Err(wrong(line, &message));
        }
        entries.push(Entry { path, class: class.to_string() });
    }
    match entries.is_empty() {
        true => Err(wrong(0, "lists no picture; give one line a picture below the header")),
        false => Ok(Listing { entries, notes: unlisted(folder, &lines)? }),
    }
}

/// A sentence about the pictures in the folder that no line names.
fn unlisted(folder: &Path, lines: &HashMap<PathBuf, u64>) -> Result<Vec<String>, DataError> {
    let Walk { pictures, aside, .. } = Walk::through(folder)?;
    let unlisted = pictures.into_iter().map(|file| file.path).filter(|path| {
        let path: PathBuf = path.components().collect();
        !lines.contains_key(&path)
    });
    let unlisted: Vec<_> = unlisted.collect();
    let mut notes = aside.notes(folder);
    if !unlisted.is_empty() {
        let (files, folder) = (few(folder, &unlisted), shown(folder));
        notes.push(format!("not used in {folder}, being in no line of {TABLE}: {files}"));
    }
    Ok(notes)
}

/// Where the two columns are.
///
/// # Errors
/// A phrase, if one is missing or there twice.
fn columns(header: &StringRecord) -> Result<[usize; 2], String> {
    let found = header.iter().collect::<Vec<_>>().join(",");
    let mut places = [0; 2];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let mut columns = (0..).zip(header).filter(|(_, column)| column.eq_ignore_ascii_case(name));
        match (columns.next(), columns.next()) {
            (Some((first, _)), None) => *place = first,
            (Some(_), Some(_)) => {
                return Err(format!(
                    "the header is {found:?}, which has {name} twice; rename one of the two"
                ));
            }
            _ => return Err(format!("the header is {found:?}, but must be \"file,label\"")),
        }
    }
    Ok(places)
}

/// The `csv` crate's errors in our words.
fn unreadable(table: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(String::new(), |position| format!("line {}: ", position.line()));
    let message = match error.kind() {
        ErrorKind::Utf8 { .. } => "not UTF-8 text; save the table as UTF-8".to_string(),
        ErrorKind::UnequalLengths { expected_len, len, .. } => format!(
            "{len} fields, but the header has {expected_len}; put a name with a comma into double quotes"
        ),
        _ => format!("can't be read: {error}"),
    };
    DataError::at(table, format!("{line}{message}"))
}
