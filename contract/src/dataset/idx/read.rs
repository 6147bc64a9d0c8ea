//! Reading IDX files. Which of the two forms images have is told by the file's name: those in colour are in
//! `train-images-idx4-ubyte`. Whether a file is compressed is seen from its first bytes, not from its name.

use std::{
    fmt,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pictures: three dimensions.
    Images,
    /// Pictures in colour: four dimensions.
    ColourImages,
    /// Class numbers: one dimension.
    Labels,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        magic(self.dimensions())
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
pub fn is_colour(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("idx4"))
}

/// Reads an IDX images file, plain or gzip; in colour if it is called so.
///
/// # Errors
/// If the file can't be read, isn't such a file, or is shorter or longer than its header says.
pub fn read_images(path: &Path) -> Result<Images, Error> {
    let (sizes, pixels) = read(path, Kind::of_images(path))?;
    images(&sizes, pixels, path)
}

/// Reads an IDX labels file, plain or gzip.
///
/// # Errors
/// If the file can't be read, isn't an IDX labels file, or is shorter or longer than its header says.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, Error> {
    read(path, Kind::Labels).map(|(_, labels)| labels)
}

/// Takes pictures from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_images`].
pub fn images_from_bytes(bytes: &[u8], path: &Path) -> Result<Images, Error> {
    let (sizes, pixels) = decode(Cursor::new(bytes), bytes.len() as u64, path, Kind::of_images(path))?;
    images(&sizes, pixels, path)
}

/// Pictures of a file's sizes: (N, H, W), or (N, H, W, C).
fn images(sizes: &[u32], pixels: Vec<u8>, path: &Path) -> Result<Images, Error> {
    let [height, width] = [sizes[1], sizes[2]].map(|size| size as usize);
    match sizes.get(3) {
        None | Some(1) => Ok(Images::new(height, width, pixels)?),
        Some(3) => Ok(Images::interleaved(3, height, width, &pixels)?),
        Some(&found) => Err(Error::Channels { path: path.to_owned(), found }),
    }
}

/// Takes labels from the bytes of an IDX file, plain or gzip; `path` is what errors call it.
///
/// # Errors
/// As [`read_labels`].
pub fn labels_from_bytes(bytes: &[u8], path: &Path) -> Result<Vec<u8>, Error> {
    decode(Cursor::new(bytes), bytes.len() as u64, path, Kind::Labels).map(|(_, labels)| labels)
}

fn read(path: &Path, kind: Kind) -> Result<(Vec<u32>, Vec<u8>), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
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
) -> Result<(Vec<u32>, Vec<u8>), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    file.by_ref().take(2).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    if start == gzip::MAGIC {
        let damaged = |source| Error::Gzip { path: path.to_owned(), source };
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
    failed: impl Fn(io::Error) -> Error,
) -> Result<Vec<u32>, Error> {
    let length = 4 * (1 + kind.dimensions());
    let mut header = Vec::with_capacity(length);
    data.take(length as u64).read_to_end(&mut header).map_err(failed)?;
    let words: Vec<u32> = header.as_chunks().0.iter().map(|&bytes| u32::from_be_bytes(bytes)).collect();

    // The magic number first: a labels file in the place of an images file may be short, too.
    if let Some(&found) = words.first()
        && found != kind.magic()
    {
        return Err(Error::Magic { path: path.to_owned(), kind, found, expected: kind.magic() });
    }
    if header.len() < length {
        let (found, expected) = (header.len(), length);
        return Err(Error::Header { path: path.to_owned(), kind, found, expected });
    }
    let sizes = words[1..].to_vec();
    if sizes.contains(&0) {
        return Err(Error::Empty { path: path.to_owned(), kind, shape: kind.shape(&sizes) });
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
    failed: impl Fn(io::Error) -> Error + Copy,
) -> Result<Vec<u8>, Error> {
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

fn wrong_length(path: &Path, kind: Kind, sizes: &[u32], found: String) -> Error {
    let (shape, expected) = (kind.shape(sizes), expected_length(sizes));
    Error::Length { path: path.to_owned(), shape, found, expected }
}
