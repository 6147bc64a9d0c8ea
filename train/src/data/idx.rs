//! IDX files, MNIST's own format: a big-endian header, then one byte per pixel or label.
//!
//! | file | header, 32-bit words | then |
//! |---|---|---|
//! | images | 2051, count, height, width | count × height × width pixels, row by row |
//! | images in colour | 2052, count, height, width, channels | the same, a pixel's channels side by side |
//! | labels | 2049, count | count labels |
//!
//! Described on <http://yann.lecun.com/exdb/mnist/>. Images in colour are in files that are called so:
//! `train-images-idx4-ubyte`, as `infer dataset --format idx` writes them. A file may be compressed with gzip: that is seen
//! from its first bytes, not from its name.

mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;

use sha2::{Digest, Sha256};

pub use self::error::IdxError;
use super::gzip::{self, Gzip};
use super::images::Images;

const IMAGES_MAGIC: u32 = 2051;
const COLOUR_MAGIC: u32 = 2052;
const LABELS_MAGIC: u32 = 2049;

/// Deflate never shrinks data more than this: 258 bytes from two bits. So a compressed file's length
/// bounds what a header in it may promise.
const DEFLATE_LIMIT: u64 = 1032;

/// What an IDX file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pictures: three dimensions.
    Images,
    /// Pictures in colour: four dimensions.
    ColourImages,
    /// Class numbers: one dimension.
    Labels,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Images | Kind::ColourImages => "images",
            Kind::Labels => "labels",
        })
    }
}

impl Kind {
    /// What a file of pictures is called to hold.
    fn of_images(path: &Path) -> Kind {
        match is_colour(path) {
            true => Kind::ColourImages,
            false => Kind::Images,
        }
    }

    fn magic(self) -> u32 {
        match self {
            Kind::Images => IMAGES_MAGIC,
            Kind::ColourImages => COLOUR_MAGIC,
            Kind::Labels => LABELS_MAGIC,
        }
    }

    fn dimensions(self) -> usize {
        match self {
            Kind::Images => 3,
            Kind::ColourImages => 4,
            Kind::Labels => 1,
        }
    }

    fn shape(self, sizes: &[u32]) -> String {
        match sizes {
            [count, height, width] => format!("{count} {self} of {height}×{width}"),
            [count, height, width, channels] => {
                format!("{count} {self} of {height}×{width} in {channels} channels")
            }
            _ => format!("{} {self}", sizes[0]),
        }
    }
}

/// Whether a file of pictures is called one of four dimensions.
pub(super) fn is_colour(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("idx4"))
}

/// Feeds the uncompressed IDX file that holds these pictures into a hash. Coloured pictures have one
/// dimension more, and the magic number that says so.
pub(super) fn hash_images_idx(images: &Images, hash: &mut Sha256) {
    let [count, channels, height, width] =
        [images.count(), images.channels(), images.height(), images.width()].map(|size| size as u32);
    let header = match channels {
        1 => vec![IMAGES_MAGIC, count, height, width],
        _ => vec![COLOUR_MAGIC, count, channels, height, width],
    };
    for word in header {
        hash.update(word.to_be_bytes());
    }
    hash.update(images.pixels());
}

/// Feeds the uncompressed IDX file that holds these labels into a hash.
pub(super) fn hash_labels_idx(labels: &[u8], hash: &mut Sha256) {
    for word in [LABELS_MAGIC, labels.len() as u32] {
        hash.update(word.to_be_bytes());
    }
    hash.update(labels);
}

/// Reads an IDX images file, plain or gzip; in colour if it is called so.
///
/// # Errors
/// If the file can't be read, isn't such a file, or is shorter or longer than its header says.
pub fn read_images(path: &Path) -> Result<Images, IdxError> {
    let (sizes, pixels) = read(path, Kind::of_images(path))?;
    images(&sizes, pixels, path)
}

/// Reads an IDX labels file, plain or gzip.
///
/// # Errors
/// If the file can't be read, isn't an IDX labels file, or is shorter or longer than its header says.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, IdxError> {
    read(path, Kind::Labels).map(|(_, labels)| labels)
}

/// Takes pictures from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn images_from_bytes(bytes: &[u8], path: &Path) -> Result<Images, IdxError> {
    let (sizes, pixels) = decode(Cursor::new(bytes), bytes.len() as u64, path, Kind::of_images(path))?;
    images(&sizes, pixels, path)
}

/// Pictures of a file's sizes: (N, H, W), or (N, H, W, C).
fn images(sizes: &[u32], pixels: Vec<u8>, path: &Path) -> Result<Images, IdxError> {
    let [height, width] = [sizes[1], sizes[2]].map(|size| size as usize);
    match sizes.get(3) {
        None | Some(1) => Images::new(height, width, pixels),
        Some(3) => Images::interleaved(3, height, width, &pixels),
        Some(&found) => Err(IdxError::Channels { path: path.to_owned(), found }),
    }
}

/// Takes labels from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_labels`].
pub fn labels_from_bytes(bytes: &[u8], path: &Path) -> Result<Vec<u8>, IdxError> {
    decode(Cursor::new(bytes), bytes.len() as u64, path, Kind::Labels).map(|(_, labels)| labels)
}

fn read(path: &Path, kind: Kind) -> Result<(Vec<u32>, Vec<u8>), IdxError> {
    let unreadable = |source| IdxError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let file_length = file.metadata().map_err(unreadable)?.len();
    decode(file, file_length, path, kind)
}

/// A file's sizes and what follows its header. Never allocates for a length that only the header
/// claims: a plain file's own length, or gzip's largest ratio, must allow for it first.
fn decode(
    mut file: impl Read + Seek,
    file_length: u64,
    path: &Path,
    kind: Kind,
) -> Result<(Vec<u32>, Vec<u8>), IdxError> {
    let unreadable = |source| IdxError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    if start == gzip::MAGIC {
        let damaged = |source| IdxError::Gzip { path: path.to_owned(), source };
        let mut data = Gzip::new(BufReader::new(file));
        let sizes = read_header(&mut data, path, kind, damaged)?;
        let most = file_length.saturating_mul(DEFLATE_LIMIT);
        if expected_length(&sizes) > u128::from(most) {
            return Err(wrong_length(path, kind, &sizes, format!("at most {most}")));
        }
        // Grows with what really comes out of the file.
        let body = read_body(&mut data, path, kind, &sizes, Vec::new(), damaged)?;
        Ok((sizes, body))
    } else {
        let sizes = read_header(&mut file, path, kind, unreadable)?;
        let header_length = 4 * (1 + kind.dimensions()) as u64;
        let found = file_length.saturating_sub(header_length);
        if expected_length(&sizes) != u128::from(found) {
            return Err(wrong_length(path, kind, &sizes, found.to_string()));
        }
        let body = Vec::with_capacity(found as usize);
        let body = read_body(&mut file, path, kind, &sizes, body, unreadable)?;
        Ok((sizes, body))
    }
}

/// Reads and checks the header; returns the size of each dimension.
fn read_header(
    data: &mut impl Read,
    path: &Path,
    kind: Kind,
    failed: impl Fn(io::Error) -> IdxError,
) -> Result<Vec<u32>, IdxError> {
    let length = 4 * (1 + kind.dimensions());
    let mut header = Vec::with_capacity(length);
    data.take(length as u64).read_to_end(&mut header).map_err(failed)?;
    let words: Vec<u32> = header.as_chunks().0.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();

    // The magic number first: a labels file in the place of an images file may be short, too.
    if let Some(&found) = words.first()
        && found != kind.magic()
    {
        return Err(IdxError::Magic { path: path.to_owned(), kind, found, expected: kind.magic() });
    }
    if header.len() < length {
        let (found, expected) = (header.len(), length);
        return Err(IdxError::Header { path: path.to_owned(), kind, found, expected });
    }
    let sizes = words[1..].to_vec();
    if sizes.contains(&0) {
        return Err(IdxError::Empty { path: path.to_owned(), kind, shape: kind.shape(&sizes) });
    }
    Ok(sizes)
}

/// Reads what follows the header into `body`, and makes sure that the data ends there.
fn read_body(
    data: &mut impl Read,
    path: &Path,
    kind: Kind,
    sizes: &[u32],
    mut body: Vec<u8>,
    failed: impl Fn(io::Error) -> IdxError + Copy,
) -> Result<Vec<u8>, IdxError> {
    let expected = expected_length(sizes);
    let bound = u64::try_from(expected).unwrap_or(u64::MAX);
    data.take(bound).read_to_end(&mut body).map_err(failed)?;
    if (body.len() as u128) < expected {
        return Err(wrong_length(path, kind, sizes, body.len().to_string()));
    }
    // Reading on past the last byte also has gzip check its checksum.
    if data.read(&mut [0]).map_err(failed)? > 0 {
        return Err(wrong_length(path, kind, sizes, format!("at least {}", expected + 1)));
    }
    Ok(body)
}

/// Four sizes below 2³² multiply to less than 2¹²⁸.
fn expected_length(sizes: &[u32]) -> u128 {
    sizes.iter().map(|&size| u128::from(size)).product()
}

fn wrong_length(path: &Path, kind: Kind, sizes: &[u32], found: String) -> IdxError {
    let (shape, expected) = (kind.shape(sizes), expected_length(sizes));
    IdxError::Length { path: path.to_owned(), shape, found, expected }
}
