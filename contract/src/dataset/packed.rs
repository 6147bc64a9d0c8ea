//! Pictures that lie, still encoded, in the files of a data set, and pixels that do: what readers yield.

use std::{collections::BTreeMap, fs::File, io, path::Path};

use super::Images;

/// A picture as its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Its name in the file that it comes from.
    pub name: String,
    /// A PNG, a JPEG, or whatever it is.
    pub bytes: Vec<u8>,
}

/// The labels of a data set, one for each picture, or none at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// In the order of the pictures.
    pub labels: Vec<u8>,
    /// The classes' names, as far as the file tells them.
    pub classes: BTreeMap<u8, String>,
}

/// Encoded pictures and their labels.
pub type Packed = (Vec<Encoded>, Labels);

/// Pictures of one size and their labels.
pub type Plain = (Images, Labels);

impl Labels {
    /// Labels of classes that all have names.
    pub(super) fn named(classes: &[String]) -> Self {
        Self { labels: Vec::new(), classes: (0..=u8::MAX).zip(classes.iter().cloned()).collect() }
    }

    /// Adds the label of picture `index`, all of which have one or none.
    pub(super) fn push(&mut self, index: usize, label: Option<i64>) -> Result<(), String> {
        match label {
            Some(label) if self.labels.len() == index => {
                let label = u8::try_from(label).map_err(|_| {
                    format!("picture {index} has the label {label}; expected a number from 0 to 255")
                })?;
                self.labels.push(label);
                Ok(())
            }
            None if self.labels.is_empty() => Ok(()),
            _ => Err(format!("picture {index} has a label and others have none, or the other way round")),
        }
    }
}

/// Opens an ordinary file: a pipe of that name would be waited for, and can't be gone back in.
pub(super) fn open(path: &Path) -> Result<File, String> {
    let open = || match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is no ordinary file")),
    };
    open().map_err(|error| format!("can't be read: {error}"))
}
