//! Files to pixels.
//!
//! Without a size given, all sizes are read before the first picture is decoded, so that one of another
//! size is found at once. Grey pictures stay grey unless another one has colour. 16 bits become 8. What
//! is transparent lies on a background. JPEG's orientation is respected.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Seek};
use std::path::{Path, PathBuf};

use image::imageops;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits, Rgb, RgbImage};
use rayon::prelude::*;

use super::whole;
use crate::sources::error::DataError;
use crate::sources::size::{FILTER, Size, middle};
use contract::dataset::Images;
use contract::picture::{Background, Framing};

/// The most rows or columns of a picture that is decoded, whatever its header says.
const LARGEST_SIDE: u32 = 16_384;
/// The most memory that decoding one picture may take.
const MOST_MEMORY: u64 = 512 << 20;
/// The most pixels of a picture to learn from.
const MOST_PIXELS: usize = 512 * 512;
/// Pictures between two calls of `progress`.
const CHUNK: usize = 256;

/// How pictures of any size come to one.
#[derive(Debug, Clone, Copy)]
pub(in crate::sources) struct Fit {
    /// Their size in the end.
    pub(in crate::sources) size: Size,
    /// How they come to it.
    pub(in crate::sources) framing: Framing,
}

/// An encoded picture.
pub(in crate::sources) trait Content: Sync {
    /// Its file; what a message calls it.
    fn path(&self) -> &Path;

    /// Its bytes, if they aren't in that file but in memory.
    fn bytes(&self) -> Option<&[u8]>;
}

impl Content for PathBuf {
    fn path(&self) -> &Path {
        self
    }

    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// What a decoder reads from.
trait Input: BufRead + Seek {}

impl<T: BufRead + Seek> Input for T {}

/// A decoded picture, (C, H, W).
pub(in crate::sources) enum Pixels {
    Grey(Vec<u8>),
    Colour(Vec<u8>),
}

/// Decodes pictures to one size: their own, or `size`.
///
/// # Errors
/// If a picture can't be read, is too large, or differs in size and no `size` is given.
pub(in crate::sources) fn read<C: Content>(
    files: &[C],
    (size, framing): (Option<Size>, Framing),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Images, DataError> {
    let size = match size {
        Some(size) => size,
        None => common_size(files)?,
    };
    let fit = Fit { size, framing };
    let mut pictures = Vec::with_capacity(files.len());
    each(files, fit, progress, |_, picture| {
        pictures.push(picture?);
        Ok(())
    })?;
    together(pictures, size)
}

/// Decodes pictures, many at a time, and hands them to `take` one by one, in order, until it fails.
///
/// # Errors
/// Those of `take`.
pub(in crate::sources) fn each<C: Content>(
    files: &[C],
    fit: Fit,
    progress: &mut dyn FnMut(usize, usize),
    mut take: impl FnMut(&Path, Result<Pixels, DataError>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut done = 0;
    for chunk in files.chunks(CHUNK) {
        let decoded: Vec<_> = chunk.par_iter().map(|file| pixels(file, fit)).collect();
        for (file, picture) in chunk.iter().zip(decoded) {
            take(file.path(), picture)?;
        }
        done += chunk.len();
        progress(done, files.len());
    }
    Ok(())
}

/// Pictures of one size as one set, in colour if one of them is.
///
/// # Errors
/// [`DataError::Malformed`] if there are no pictures.
pub(in crate::sources) fn together(pictures: Vec<Pixels>, size: Size) -> Result<Images, DataError> {
    let colour = pictures.iter().any(|picture| matches!(picture, Pixels::Colour(_)));
    let channels = if colour { 3 } else { 1 };
    let mut all = Vec::with_capacity(pictures.len() * channels * size.width * size.height);
    for picture in pictures {
        match picture {
            Pixels::Colour(pixels) => all.extend(pixels),
            Pixels::Grey(pixels) => (0..channels).for_each(|_| all.extend(&pixels)),
        }
    }
    Ok(Images::with_channels(channels, size.height, size.width, all)?)
}

/// The size that all files have.
fn common_size<C: Content>(files: &[C]) -> Result<Size, DataError> {
    let sizes: Vec<_> = files.par_iter().map(|file| header(file).map_err(|e| unreadable(file, &e))).collect();
    let mut first: Option<(&Path, Size)> = None;
    for (file, size) in files.iter().zip(sizes) {
        let (path, size) = (file.path(), size?);
        if size.width.saturating_mul(size.height) > MOST_PIXELS {
            return Err(DataError::Unusable(format!(
                "the picture {} has {size} pixels, more than the networks can learn; have all pictures resized \
                 with --size, such as --size {}",
                path.display(),
                size.suggestion()
            )));
        }
        match first {
            None => first = Some((path, size)),
            Some((other, expected)) if expected != size => {
                return Err(DataError::Unusable(format!(
                    "the pictures differ in size: {} is {expected} but {} is {size}; have all of them resized \
                     with --size, such as --size {}",
                    other.display(),
                    path.display(),
                    expected.suggestion()
                )));
            }
            Some(_) => {}
        }
    }
    first.map(|(_, size)| size).ok_or_else(|| DataError::at(".", "no picture was listed"))
}

fn unreadable(file: &impl Content, error: &ImageError) -> DataError {
    let message = match error {
        ImageError::Limits(_) => format!(
            "its header says that it has over {LARGEST_SIDE} rows or columns, or takes over {} MiB",
            MOST_MEMORY >> 20
        ),
        // Elsewhere in words of the decoder's own.
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the file is cut off".to_string()
        }
        _ if is_empty(file) => "it is empty".to_string(),
        ImageError::Unsupported(_) => "it is something else, or of a rare kind".to_string(),
        error => error.to_string(),
    };
    DataError::Picture { path: file.path().to_owned(), message }
}

fn is_empty(file: &impl Content) -> bool {
    match file.bytes() {
        Some(bytes) => bytes.is_empty(),
        None => file.path().metadata().is_ok_and(|found| found.is_file() && found.len() == 0),
    }
}

fn open<'a>(file: &'a impl Content) -> io::Result<Box<dyn Input + 'a>> {
    if let Some(bytes) = file.bytes() {
        return Ok(Box::new(Cursor::new(bytes)));
    }
    // A pipe of that name would be waited for.
    match file.path().metadata()?.is_file() {
        true => Ok(Box::new(BufReader::new(File::open(file.path())?))),
        false => Err(io::Error::other("it is no ordinary file")),
    }
}

/// A decoder that has read the header, within the limits.
fn decoder<C: Content>(file: &C) -> ImageResult<(impl ImageDecoder + use<'_, C>, Orientation)> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(open(file)?).with_guessed_format()?;
    if let Some(format) = reader.format() {
        let mut input = reader.into_inner();
        whole::check(&mut input, format)?;
        reader = ImageReader::with_format(input, format);
    }
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    Ok((decoder, orientation))
}

/// The size in a file's header, as the picture is to be seen.
fn header(file: &impl Content) -> ImageResult<Size> {
    let (decoder, orientation) = decoder(file)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    };
    Ok(Size { width: width as usize, height: height as usize })
}

fn pixels(file: &impl Content, fit: Fit) -> Result<Pixels, DataError> {
    let decode = || -> ImageResult<RgbImage> {
        let (decoder, orientation) = decoder(file)?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(opaque(picture, fit.framing.background))
    };
    let mut picture = decode().map_err(|error| unreadable(file, &error))?;
    let (width, height) = (fit.size.width as u32, fit.size.height as u32);
    if fit.framing.crop {
        picture = cropped(picture, fit.size);
    }
    if picture.dimensions() != (width, height) {
        picture = imageops::resize(&picture, width, height, FILTER);
    }
    let plane = |channel: usize| picture.pixels().map(move |pixel| pixel.0[channel]);
    match picture.pixels().all(|Rgb([r, g, b])| r == g && g == b) {
        true => Ok(Pixels::Grey(plane(0).collect())),
        false => Ok(Pixels::Colour((0..3).flat_map(plane).collect())),
    }
}

/// The largest part of the shape of `size`, from the middle.
fn cropped(picture: RgbImage, size: Size) -> RgbImage {
    let [left, top, width, height] = middle(picture.dimensions().into(), size);
    match (width, height) == picture.dimensions() {
        true => picture,
        false => imageops::crop_imm(&picture, left, top, width, height).to_image(),
    }
}

/// Red, green and blue, each in proportion to its opacity on the background.
fn opaque(picture: DynamicImage, background: Background) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, opacity] = picture.get_pixel(x, y).0;
        Rgb(background.under([r, g, b], opacity))
    })
}
