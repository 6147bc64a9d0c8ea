//! Where images go: one module for each form.

mod folder;
mod idx;
mod lines;
mod npz;
mod raw;

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Format, manifest::Manifest, pipeline::Batch};

/// Bytes that are gathered before the system is asked to write them.
const BUFFER: usize = 1 << 20;

/// Where to go on after the images that are complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Length of the file that grows with the images: the only one, or the table of labels.
    pub offset: u64,
    /// CRC-32 of the pixels, where the form has one.
    pub crc32: u32,
}

/// A data set that is being written.
pub trait Sink {
    /// Appends images.
    fn append(&mut self, batch: &Batch) -> io::Result<()>;

    /// Brings what was appended to the disk, so that it can be read, and gone on from.
    fn checkpoint(&mut self, complete: u64) -> io::Result<Tail>;

    /// Makes the data set of these images whole, after a checkpoint and before anything else is
    /// appended by opening it anew.
    fn finish(&mut self, _complete: u64) -> io::Result<()> {
        Ok(())
    }
}

/// Opens the output of a manifest, with the images that are complete already.
pub fn open(manifest: &Manifest, output: &Path, shape: [usize; 3]) -> io::Result<Box<dyn Sink + Send>> {
    let Manifest { complete, tail, .. } = *manifest;
    let classes = &manifest.classes;
    Ok(match manifest.format {
        Format::Idx => Box::new(idx::Idx::open(output, shape, complete)?),
        Format::Npz => {
            Box::new(npz::Npz::open(output, shape, complete, tail, manifest.first, manifest.labels)?)
        }
        Format::Folder => Box::new(folder::Folder::open(output, manifest)?),
        Format::Raw => Box::new(raw::Raw { file: grow(output, tail.offset)? }),
        Format::Jsonl => Box::new(lines::Lines::new(grow(output, tail.offset)?, classes)),
    })
}

/// The same to standard output, for the forms that are a stream.
pub fn stream(format: Format, classes: &[String]) -> Option<Box<dyn Sink + Send>> {
    let stdout = Growing { file: BufWriter::with_capacity(BUFFER, Target::Stdout(io::stdout())), length: 0 };
    match format {
        Format::Raw => Some(Box::new(raw::Raw { file: stdout })),
        Format::Jsonl => Some(Box::new(lines::Lines::new(stdout, classes))),
        Format::Idx | Format::Npz | Format::Folder => None,
    }
}

/// A file that grows, of known length.
pub struct Growing {
    file: BufWriter<Target>,
    length: u64,
}

enum Target {
    File(File),
    Stdout(io::Stdout),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// Opens or creates a file, cut to this length.
fn grow(path: &Path, length: u64) -> io::Result<Growing> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let found = file.metadata()?.len();
    if found < length {
        let found = format!("{} has {found} bytes where its manifest says {length}", path.display());
        return Err(io::Error::other(format!("{found}; begin anew with another --out")));
    }
    file.set_len(length)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(length))?;
    Ok(Growing { file: BufWriter::with_capacity(BUFFER, Target::File(file)), length })
}

impl Growing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes over bytes that are there already.
    fn replace(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.flush()?;
        if let Target::File(file) = self.file.get_mut() {
            io::Seek::seek(file, io::SeekFrom::Start(offset))?;
            file.write_all(bytes)?;
            io::Seek::seek(file, io::SeekFrom::Start(self.length))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        match self.file.get_ref() {
            Target::File(file) => file.sync_data(),
            Target::Stdout(_) => Ok(()),
        }
    }
}
