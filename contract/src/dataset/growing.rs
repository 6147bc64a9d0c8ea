//! Files that grow, and what is known of the part of them that is safe.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{Error, Manifest, Record, Tail, manifest::Part, place, tail::FILE};
use crate::files::{self, STDOUT, folder_of, hex, sync_folder};

/// Bytes that are gathered before the system is asked to write them, or to read.
const BUFFER: usize = 1 << 20;

/// A file that grows, of known length.
pub struct Growing {
    file: BufWriter<Target>,
    /// Length of the header, which may be written over.
    header: u64,
    length: u64,
    /// Of what comes after the header; a pipe needs none.
    hash: Option<Sha256>,
}

enum Target {
    File(File),
    /// What can't be read again.
    Stream(Box<dyn Write + Send>),
}

impl Growing {
    /// The only file of a data set without a header; or standard output, a pipe or a device.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn only(manifest: &Manifest, output: &Path) -> Result<Self, Error> {
        if place::is_stream(output)? {
            return Ok(Self::stream(output)?);
        }
        Self::open(&manifest.part(output, FILE, &[], manifest.tail.offset), |_| {})
    }

    /// Begins a file, or opens it to continue after its safe bytes, which are read once and shown to `read`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it isn't what was written.
    pub fn open(part: &Part<'_>, read: impl FnMut(&[u8])) -> Result<Self, Error> {
        match part.end {
            None => Ok(Self::create(part.path, part.header)?),
            Some(end) => Self::resume(part, end, read),
        }
    }

    fn create(path: &Path, header: &[u8]) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        // Its name has to survive too; through a link, its folder may be another.
        sync_folder(folder_of(&path.canonicalize()?))?;
        let mut file = BufWriter::with_capacity(BUFFER, Target::File(file));
        file.write_all(header)?;
        let length = header.len() as u64;
        Ok(Self { file, header: length, length, hash: Some(Sha256::new()) })
    }

    fn stream(path: &Path) -> io::Result<Self> {
        let stream: Box<dyn Write + Send> = match files::is_stdout(path) || path == Path::new(STDOUT) {
            true => Box::new(io::stdout()),
            false => Box::new(File::options().append(true).open(path)?),
        };
        let file = BufWriter::with_capacity(BUFFER, Target::Stream(stream));
        Ok(Self { file, header: 0, length: 0, hash: None })
    }

    fn resume(part: &Part<'_>, end: u64, mut read: impl FnMut(&[u8])) -> Result<Self, Error> {
        let Part { path, header, record, complete, .. } = *part;
        let header = header.len() as u64;
        let changed = |what: String| Error::Refused(format!("{} {what}", path.display()));
        let mut file = match File::options().read(true).write(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(changed("is gone, though its manifest has it".into()));
            }
            opened => opened?,
        };
        let found = file.metadata()?.len();
        if found < end || (complete && found > end) {
            return Err(changed(format!("has {found} bytes where its manifest says {end}")));
        }
        let mut hash = Sha256::new();
        each_part(&mut file, header..end, |bytes| {
            hash.update(bytes);
            read(bytes);
        })?;
        if let Some(record) = record {
            if (record.from, record.to) != (header, end) {
                return Err(changed(format!("has {end} bytes, and its manifest has others on record")));
            }
            let mut same = hex(hash.clone().finalize()) == record.sha256;
            if let Some(expected) = record.header_sha256.as_ref().filter(|_| complete) {
                same &= header_sha256(&mut file, header)? == *expected;
            }
            if !same {
                return Err(changed("was changed since it was written: its SHA-256 is another".into()));
            }
        }
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let file = BufWriter::with_capacity(BUFFER, Target::File(file));
        Ok(Self { file, header, length: end, hash: Some(hash) })
    }

    /// Its length, header included.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        Ok(())
    }

    /// Writes another header over the one that is there, of the same length.
    pub fn replace_header(&mut self, header: &[u8]) -> io::Result<()> {
        self.file.flush()?;
        if let Target::File(file) = self.file.get_mut() {
            file.rewind()?;
            file.write_all(header)?;
            file.seek(SeekFrom::Start(self.length))?;
        }
        Ok(())
    }

    /// Brings all of it to the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        match self.file.get_ref() {
            Target::File(file) => file.sync_data(),
            Target::Stream(_) => Ok(()),
        }
    }

    /// As [`sync`](Self::sync); returns where a data set of this one file is resumed.
    pub fn tail(&mut self) -> io::Result<Tail> {
        self.sync()?;
        Ok(Tail::of(self.length, [(FILE, self.record())]))
    }

    /// What a later process can check.
    pub fn record(&self) -> Option<Record> {
        let sha256 = hex(self.hash.clone()?.finalize());
        Some(Record { from: self.header, to: self.length, sha256, header_sha256: None })
    }

    /// As [`record`](Self::record), of a file to which nothing more comes.
    pub fn sealed(&mut self) -> io::Result<Option<Record>> {
        self.file.flush()?;
        let (header, record) = (self.header, self.record());
        let header_sha256 = match self.file.get_mut() {
            Target::File(file) if header > 0 => Some(header_sha256(file, header)?),
            _ => None,
        };
        Ok(record.map(|record| Record { header_sha256, ..record }))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stream(stream) => stream.flush(),
        }
    }
}

fn header_sha256(file: &mut File, length: u64) -> io::Result<String> {
    let mut hash = Sha256::new();
    each_part(file, 0..length, |bytes| hash.update(bytes))?;
    Ok(hex(hash.finalize()))
}

/// Reads these bytes of a file, a buffer at a time.
fn each_part(file: &mut File, range: Range<u64>, mut read: impl FnMut(&[u8])) -> io::Result<()> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut rest = file.take(range.end.saturating_sub(range.start));
    let mut buffer = vec![0; BUFFER];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(()),
            length => read(&buffer[..length]),
        }
    }
}
