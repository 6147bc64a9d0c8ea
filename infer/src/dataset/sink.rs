//! Where images go: one module for each form.

mod folder;
mod growing;
mod idx;
mod lines;
mod npz;
mod raw;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Format, manifest::Manifest, pipeline::Batch};
use growing::{Growing, Record, Safe};

/// What a manifest calls the only file of a form.
const FILE: &str = "file";

/// Where to go on after the images that are complete, and how to tell that they are still there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Length of the file that grows with the images: the only one, or the table of labels.
    pub offset: u64,
    /// CRC-32 of the pixels, where the form has one.
    pub crc32: u32,
    /// What is safe of each file; of PNG files, of all together. Older versions had none.
    #[serde(default)]
    pub files: BTreeMap<String, Record>,
}

impl Tail {
    fn of(offset: u64, files: impl IntoIterator<Item = (&'static str, Option<Record>)>) -> Self {
        let mut tail = Self { offset, ..Self::default() };
        tail.add(files.into_iter().map(|(name, record)| (name.into(), record)));
        tail
    }

    fn add(&mut self, files: impl IntoIterator<Item = (String, Option<Record>)>) {
        self.files.extend(files.into_iter().filter_map(|(name, record)| Some((name, record?))));
    }
}

/// Why a data set can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was complete isn't what it was; a sentence.
    #[error("{0}")]
    Changed(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A data set that is being written.
pub trait Sink {
    /// Appends images.
    fn append(&mut self, batch: &Batch) -> io::Result<()>;

    /// Brings what was appended to the disk, so that it can be read, and gone on from.
    fn checkpoint(&mut self) -> io::Result<Tail>;

    /// Makes the data set of these images whole, after a checkpoint and before anything else is
    /// appended by opening it anew. Gives where it ends if it is complete.
    fn finish(&mut self) -> io::Result<Tail> {
        self.checkpoint()
    }
}

/// Opens the output of a manifest. The images that are complete already are read and checked, once.
///
/// # Errors
///
/// [`Error::Changed`] if they aren't what was written.
pub fn open(manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Result<Box<dyn Sink + Send>, Error> {
    let grow = || match manifest.complete {
        0 => Ok(Growing::create(output, &[])?),
        _ => {
            let (end, record) = (manifest.tail.offset, manifest.tail.files.get(FILE));
            let safe = Safe { path: output, header: 0, end, record, complete: manifest.is_complete() };
            Growing::resume(&safe, |_| {})
        }
    };
    Ok(match manifest.format {
        Format::Idx => Box::new(idx::Idx::open(output, shape, manifest)?),
        Format::Npz => Box::new(npz::Npz::open(output, shape, manifest)?),
        Format::Folder => Box::new(folder::Folder::open(output, manifest)?),
        Format::Raw => Box::new(raw::Raw { file: grow()? }),
        Format::Jsonl => Box::new(lines::Lines::new(grow()?, &manifest.classes)),
    })
}

/// The same to standard output, a pipe or a device, for the forms that are a stream.
pub fn stream(manifest: &Manifest, output: &Path) -> io::Result<Box<dyn Sink + Send>> {
    let file = Growing::stream(output)?;
    match manifest.format {
        Format::Raw => Ok(Box::new(raw::Raw { file })),
        Format::Jsonl => Ok(Box::new(lines::Lines::new(file, &manifest.classes))),
        Format::Idx | Format::Npz | Format::Folder => Err(io::Error::other("this form needs a file")),
    }
}

/// A file of a new data set that is there already, if one is.
pub fn in_the_way(format: Format, output: &Path, classes: &[String]) -> Option<PathBuf> {
    let inside =
        |names: Vec<String>| names.into_iter().map(|name| output.join(name)).find(|path| path.exists());
    match format {
        Format::Idx => inside(idx::names()),
        Format::Folder => inside(vec![folder::TABLE.into()]).or_else(|| {
            let has_files =
                |folder: &PathBuf| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
            folder::folders(classes).iter().map(|folder| output.join(folder)).find(has_files)
        }),
        Format::Npz | Format::Raw | Format::Jsonl => output.exists().then(|| output.into()),
    }
}
