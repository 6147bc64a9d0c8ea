//! Reading IDX files. Which of the two forms images have is told by the file's name: those in colour are in
//! `train-images-idx4-ubyte`. Whether a file is compressed is seen from its first bytes, not from its name.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek},
    path::Path,
};

use super::{Error, magic};
use crate::dataset::{
    Images,
    gzip::{self, Gzip},
};

/// Deflate never shrinks data more than this: 258 bytes from two bits. So a compressed file's length
/// bounds what a header in it may promise.
const DEFLATE_LIMIT: u64 = 1032;

/// What an IDX file holds.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    dimensions: usize,
}

const LABELS: Kind = Kind { name: "labels", dimensions: 1 };

impl Kind {
    /// What a file of pictures is called to hold.
    fn of_images(path: &Path) -> Self {
        Self { name: "images", dimensions: if is_colour(path) { 4 } else { 3 } }
    }

    fn shape(self, sizes: &[u32]) -> String {
        let name = self.name;
        match sizes {
            [count, height, width] => format!("{count} {name} of {height}×{width}"),
            [count, height, width, channels] => {
                format!("{count} {name} of {height}×{width} in {channels} channels")
            }
            _ => format!("{} {name}", sizes[0]),
        }
    }
}

/// Whether a file of pictures is called one of four dimensions.
pub fn is_colour(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("idx4"))
}

/// Reads an IDX images file, plain or gzip; in colour if it is called so.
///
/// # Errors
/// [`Error::Refused`] if the file can't be read, isn't such a file, or is shorter or longer than its header
/// says.
pub fn read_images(path: &Path) -> Result<Images, Error> {
    images(read(path, Kind::of_images(path))?, path)
}

/// Reads an IDX labels file, plain or gzip.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>, Error> {
    read(path, LABELS).map(|(_, labels)| labels)
}

/// Takes pictures from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn images_from_bytes(bytes: &[u8], path: &Path) -> Result<Images, Error> {
    images(decode(Cursor::new(bytes), bytes.len() as u64, path, Kind::of_images(path))?, path)
}

/// Pictures of a file's sizes: (N, H, W), or (N, H, W, C).
fn images((sizes, pixels): (Vec<u32>, Vec<u8>), path: &Path) -> Result<Images, Error> {
    let [height, width] = [sizes[1], sizes[2]].map(|size| size as usize);
    match sizes.get(3) {
        None | Some(1) => Images::new(height, width, pixels),
        Some(3) => Images::interleaved(3, height, width, &pixels),
        Some(found) => Err(Error::Refused(format!(
            "{} holds pictures of {found} channels; 1 (grey) or 3 (red, green, blue) were expected",
            path.display()
        ))),
    }
}

/// Takes labels from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn labels_from_bytes(bytes: &[u8], path: &Path) -> Result<Vec<u8>, Error> {
    decode(Cursor::new(bytes), bytes.len() as u64, path, LABELS).map(|(_, labels)| labels)
}

fn read(path: &Path, kind: Kind) -> Result<(Vec<u32>, Vec<u8>), Error> {
    let file = File::open(path).map_err(unreadable(path))?;
    let file_length = file.metadata().map_err(unreadable(path))?.len();
    decode(file, file_length, path, kind)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.display();
    move |error| Error::Refused(format!("cannot read {path}: {error}; check the path and its permissions"))
}

/// A file's sizes and what follows its header. Never allocates for a length that only the header
/// claims: a plain file's own length, or gzip's largest ratio, must allow for it first.
fn decode(
    mut file: impl Read + Seek,
    file_length: u64,
    path: &Path,
    kind: Kind,
) -> Result<(Vec<u32>, Vec<u8>), Error> {
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start).map_err(unreadable(path))?;
    file.rewind().map_err(unreadable(path))?;
    let is_gzip = start == gzip::MAGIC;
    let mut data: Box<dyn Read> = match is_gzip {
        true => Box::new(Gzip::new(BufReader::new(file))),
        false => Box::new(file),
    };
    let name = path.display();
    let failed = |error: io::Error| match is_gzip {
        true => Error::Refused(format!("{name} is a damaged gzip file ({error}); fetch it again")),
        false => unreadable(path)(error),
    };

    let header_length = 4 * (1 + kind.dimensions);
    let mut header = Vec::with_capacity(header_length);
    data.by_ref().take(header_length as u64).read_to_end(&mut header).map_err(failed)?;
    let sizes = sizes(&header, kind).map_err(|found| Error::Refused(format!("{name} {found}")))?;

    // Four sizes below 2³² multiply to less than 2¹²⁸.
    let expected: u128 = sizes.iter().map(|&size| u128::from(size)).product();
    let wrong_length = |found: String| {
        let shape = kind.shape(&sizes);
        Err(Error::Refused(format!(
            "{name} holds {found} bytes after its header, but {shape} take {expected}; it is cut off or not \
             whole, so fetch it again"
        )))
    };
    // What is compressed grows with what really comes out of it.
    let mut body = Vec::new();
    match is_gzip {
        true => {
            let most = file_length.saturating_mul(DEFLATE_LIMIT);
            if expected > u128::from(most) {
                return wrong_length(format!("at most {most}"));
            }
        }
        false => {
            let found = file_length.saturating_sub(header_length as u64);
            if expected != u128::from(found) {
                return wrong_length(found.to_string());
            }
            body.reserve_exact(found as usize);
        }
    }
    data.by_ref().take(expected as u64).read_to_end(&mut body).map_err(failed)?;
    if (body.len() as u128) < expected {
        return wrong_length(body.len().to_string());
    }
    // Reading on past the last byte also has gzip check its checksum.
    if data.read(&mut [0]).map_err(failed)? > 0 {
        return wrong_length(format!("at least {}", expected + 1));
    }
    Ok((sizes, body))
}

/// The size of each dimension, as a header says; else what is wrong with it.
fn sizes(header: &[u8], kind: Kind) -> Result<Vec<u32>, String> {
    let (name, expected, length) = (kind.name, magic(kind.dimensions), 4 * (1 + kind.dimensions));
    let words: Vec<u32> = header.as_chunks().0.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();
    // The magic number first: a labels file in the place of an images file may be short, too.
    if let Some(found) = words.first().filter(|found| **found != expected) {
        return Err(format!(
            "starts with the magic number {found}, but an IDX {name} file starts with {expected}; check that \
             this is the {name} file"
        ));
    }
    if header.len() < length {
        let found = header.len();
        return Err(format!(
            "ends after {found} bytes, within the {length}-byte header of an IDX {name} file; fetch it again"
        ));
    }
    let sizes = words[1..].to_vec();
    match sizes.contains(&0) {
        true => Err(format!(
            "holds no {name}: its header says {}; a file with at least one is needed",
            kind.shape(&sizes)
        )),
        false => Ok(sizes),
    }
}
