//! Decoded pictures on the disk, so that decoding happens once.
//!
//! A file's name is a SHA-256 of the folder and of what its pictures are made into, so that there is one
//! file for each, which is written anew when the pictures change. Its key is a SHA-256 of all that went
//! into it, so that it is never out of date. Integers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `edgegan pixels` and the format's version |
//! | 32 | the key |
//! | 8, 8, 8 | N, C, and the notes' length |
//! | … | the notes, JSON |
//! | N·C·H·W | the pixels |
//! | 32 | SHA-256 of all that |

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Folder;
use crate::sources::pictures::walk::File;
use crate::sources::size::Size;
use contract::dataset::Images;
use contract::picture::Framing;

/// Count the version up whenever decoding changes.
const MAGIC: &[u8; 16] = b"edgegan pixels 2";
const HASH: usize = 32;
/// More bytes than any notes take.
const LONGEST_NOTES: u64 = 1 << 20;

/// What decoding a folder gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) images: Images,
    pub(super) notes: Vec<String>,
}

/// The place for a folder's decoded pictures.
pub(super) struct Cache {
    path: PathBuf,
    key: [u8; HASH],
}

impl Cache {
    pub(super) fn new(cache: &Path, folder: &Folder, files: &[File]) -> Self {
        let name = contract::files::hex(key(folder, &[]));
        Self { path: cache.join(name).with_extension("pixels"), key: key(folder, files) }
    }

    /// What was written, if it is there and whole: of at most `most` pictures, all of this size.
    pub(super) fn read(&self, most: usize, size: Size) -> Option<Content> {
        let file = fs::File::open(&self.path).ok()?;
        let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        let mut file = Hashed { inner: io::BufReader::new(file), hash: Sha256::new() };
        if file.array()? != *MAGIC || file.array()? != self.key {
            return None;
        }
        let [count, channels, notes] = [file.number()?, file.number()?, file.number()?];
        // All lengths are checked before anything is allocated.
        if count > most as u64 || ![1, 3].contains(&channels) || notes > LONGEST_NOTES {
            return None;
        }
        let pixels = count.checked_mul(channels * size.height as u64)?.checked_mul(size.width as u64)?;
        let rest = MAGIC.len() + HASH + 3 * size_of::<u64>() + HASH;
        if length != pixels.checked_add(notes)?.checked_add(rest as u64)? {
            return None;
        }
        let notes = serde_json::from_slice(&file.bytes(notes)?).ok()?;
        let pixels = file.bytes(pixels)?;
        let hash: [u8; HASH] = file.hash.clone().finalize().into();
        if file.array()? != hash {
            return None;
        }
        let images = Images::with_channels(channels as usize, size.height, size.width, pixels).ok()?;
        Some(Content { images, notes })
    }

    /// Keeps what was decoded.
    ///
    /// # Errors
    /// If the folder can't be made or written, or the disk is full.
    pub(super) fn write(&self, content: &Content) -> models::Result<()> {
        let folder = contract::files::folder_of(&self.path);
        fs::create_dir_all(folder).map_err(|source| models::Error::Io {
            action: "make",
            path: folder.to_owned(),
            source,
        })?;
        contract::files::write(&self.path, |file| {
            let Content { images, notes } = content;
            let notes = serde_json::to_vec(notes)?;
            let mut file = Hashed { inner: file, hash: Sha256::new() };
            file.write(MAGIC)?;
            file.write(&self.key)?;
            for number in [images.count(), images.channels(), notes.len()] {
                file.write(&(number as u64).to_le_bytes())?;
            }
            file.write(&notes)?;
            file.write(images.pixels())?;
            let Hashed { inner, hash } = file;
            inner.write_all(&hash.finalize())
        })?;
        Ok(())
    }
}

/// SHA-256 of everything that decides what is decoded.
fn key(folder: &Folder, files: &[File]) -> [u8; HASH] {
    let mut hash = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    feed(MAGIC);
    let Folder { path, size, framing: Framing { crop, background }, split: _, cache: _ } = folder;
    feed(format!("{size} {crop} {background}").as_bytes());
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    feed(path.as_os_str().as_encoded_bytes());
    for File { path, metadata } in files {
        feed(path.strip_prefix(&folder.path).unwrap_or(path).as_os_str().as_encoded_bytes());
        feed(metadata.as_ref().map(state).unwrap_or_default().as_bytes());
    }
    hash.finalize().into()
}

/// What changes when a file is written to, made readable, or another takes its place. Programs set a
/// file's time as they like, but not that of its last change (ctime), nor its number.
#[cfg(unix)]
fn state(metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(
        "{} {}.{} {}.{} {} {:o}",
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.ino(),
        metadata.mode()
    )
}

/// What changes when a file is written to.
#[cfg(not(unix))]
fn state(metadata: &fs::Metadata) -> String {
    format!("{} {:?} {:?}", metadata.len(), metadata.modified().ok(), metadata.created().ok())
}

/// A file, and the hash of what was read from it or written to it.
struct Hashed<F> {
    inner: F,
    hash: Sha256,
}

impl<F: Write> Hashed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<F: Read> Hashed<F> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).ok()?;
        self.hash.update(bytes);
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        self.inner.read_exact(&mut bytes).ok()?;
        self.hash.update(&bytes);
        Some(bytes)
    }
}
