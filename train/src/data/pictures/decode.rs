//! PNG and JPEG files to pixels.
//!
//! All sizes are read before the first picture is decoded, so that one of another size is found at
//! once. Grey pictures stay grey unless another one has colour. 16 bits become 8. What is transparent
//! stands on black, the background of all pictures here. JPEG's orientation is respected.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::imageops;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits, Rgb, RgbImage};
use rayon::prelude::*;

use crate::data::error::DataError;
use crate::data::images::Images;
use crate::data::size::{FILTER, Size};

/// The most rows or columns of a picture that is decoded, whatever its header says.
const LARGEST_SIDE: u32 = 16_384;
/// The most memory that decoding one picture may take.
const MOST_MEMORY: u64 = 512 << 20;
/// The most pixels of a picture to learn from.
const MOST_PIXELS: usize = 512 * 512;
/// Pictures between two calls of `progress`.
const CHUNK: usize = 256;

/// A decoded picture, (C, H, W).
enum Pixels {
    Grey(Vec<u8>),
    Colour(Vec<u8>),
}

/// Decodes files into pictures of one size: their own, or `size`, which they are stretched to.
///
/// # Errors
/// If a picture can't be read, is too large, or differs in size and no `size` is given.
pub(super) fn read(
    files: &[PathBuf],
    size: Option<Size>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Images, DataError> {
    let size = match size {
        Some(size) => size,
        None => common_size(files)?,
    };
    let mut pictures = Vec::with_capacity(files.len());
    for chunk in files.chunks(CHUNK) {
        let decoded: Vec<_> = chunk.par_iter().map(|path| pixels(path, size)).collect();
        for picture in decoded {
            pictures.push(picture?);
        }
        progress(pictures.len(), files.len());
    }
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
fn common_size(files: &[PathBuf]) -> Result<Size, DataError> {
    let sizes: Vec<_> = files.par_iter().map(|path| header(path).map_err(|e| unreadable(path, &e))).collect();
    let mut first: Option<(&PathBuf, Size)> = None;
    for (path, size) in files.iter().zip(sizes) {
        let size = size?;
        if size.width.saturating_mul(size.height) > MOST_PIXELS {
            return Err(DataError::Large { path: path.clone(), size });
        }
        match first {
            None => first = Some((path, size)),
            Some((other, expected)) if expected != size => {
                return Err(DataError::Sizes {
                    first: other.clone(),
                    first_size: expected,
                    second: path.clone(),
                    second_size: size,
                });
            }
            Some(_) => {}
        }
    }
    first.map(|(_, size)| size).ok_or_else(|| DataError::folder(".", "no picture was listed"))
}

fn unreadable(path: &Path, error: &ImageError) -> DataError {
    let message = match error {
        ImageError::Limits(_) => format!(
            "its header says that it has over {LARGEST_SIDE} rows or columns, or takes over {} MiB",
            MOST_MEMORY >> 20
        ),
        ImageError::Unsupported(_) => "it is something else, or of a rare kind".to_string(),
        error => error.to_string(),
    };
    DataError::Picture { path: path.to_owned(), message }
}

/// A decoder that has read the header, within the limits.
fn decoder(path: &Path) -> ImageResult<(impl ImageDecoder + use<>, Orientation)> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    Ok((decoder, orientation))
}

/// The size in a file's header, as the picture is to be seen.
fn header(path: &Path) -> ImageResult<Size> {
    let (decoder, orientation) = decoder(path)?;
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

fn pixels(path: &Path, size: Size) -> Result<Pixels, DataError> {
    let decode = || -> ImageResult<RgbImage> {
        let (decoder, orientation) = decoder(path)?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(on_black(picture))
    };
    let mut picture = decode().map_err(|error| unreadable(path, &error))?;
    let (width, height) = (size.width as u32, size.height as u32);
    if picture.dimensions() != (width, height) {
        picture = imageops::resize(&picture, width, height, FILTER);
    }
    let plane = |channel: usize| picture.pixels().map(move |pixel| pixel.0[channel]);
    match picture.pixels().all(|Rgb([r, g, b])| r == g && g == b) {
        true => Ok(Pixels::Grey(plane(0).collect())),
        false => Ok(Pixels::Colour((0..3).flat_map(plane).collect())),
    }
}

/// Red, green and blue, each in proportion to its opacity.
fn on_black(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|level| ((level * a + 127) / 255) as u8))
    })
}
