//! A folder whose `labels.csv` says which pictures there are and of which class.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::{Entry, Listing};
use crate::data::classes;
use crate::data::error::DataError;

const HEADER: [&str; 2] = ["file", "label"];

/// The table's path.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("labels.csv")
}

/// The pictures in the table's order. Its header names a column `file`, whose paths start at the folder,
/// and a column `label`, the class's name. Other columns are not read.
///
/// # Errors
/// [`DataError::List`] with the line, if the table isn't such a one or names a file that isn't there.
pub(super) fn list(folder: &Path) -> Result<Listing, DataError> {
    let table = path(folder);
    let wrong = |line: u64, message: &str| {
        let place = if line == 0 { String::new() } else { format!("line {line}: ") };
        DataError::list(&table, format!("{place}{message}"))
    };
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .from_path(&table)
        .map_err(|error| wrong(0, &format!("can't be read: {error}")))?;
    let header = reader.headers().map_err(|error| unreadable(&table, &error))?;
    let Some([file, label]) = columns(header) else {
        let found: Vec<_> = header.iter().collect();
        let message = format!("the header is {:?}, but must be \"file,label\"", found.join(","));
        return Err(wrong(1, &message));
    };

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
        false => Ok(Listing { entries, skipped: Vec::new() }),
    }
}

/// Where the two columns are.
fn columns(header: &StringRecord) -> Option<[usize; 2]> {
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    let [file, label] = HEADER.map(place);
    Some([file?, label?])
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
    DataError::list(table, format!("{line}{message}"))
}
