//! The size that pictures have, or are to have.

use std::fmt;
use std::str::FromStr;

use contract::dataset::{Error, Images};
use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use serde::{Deserialize, Serialize};

/// How pictures are resized: bicubic, which averages where it shrinks. Sharper filters draw rings around
/// edges, and the generator would learn them.
pub(super) const FILTER: FilterType = FilterType::CatmullRom;

/// The most rows or columns that can be asked for.
const LARGEST_SIDE: usize = 1024;
/// The longer side of a size that is suggested: what such networks learn well and soon.
const SUGGESTED_SIDE: usize = 64;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// A small size of the same shape, to suggest.
    pub fn suggestion(self) -> Size {
        let longest = self.width.max(self.height).max(1);
        let shrink = |side: usize| match longest {
            0..=SUGGESTED_SIDE => side,
            _ => ((side as f64 * SUGGESTED_SIDE as f64 / longest as f64).round() as usize).max(1),
        };
        Size { width: shrink(self.width), height: shrink(self.height) }
    }
}

/// All pictures in `size`: stretched, or of their middle the largest part of that shape.
///
/// # Errors
/// [`Error::Refused`] if `size` is of no picture.
pub(super) fn resized(images: Images, size: Size, crop: bool) -> Result<Images, Error> {
    let [channels, height, width] = images.shape();
    if (height, width) == (size.height, size.width) {
        return Ok(images);
    }
    let kept = match crop {
        true => middle([width as u32, height as u32], size),
        false => [0, 0, width as u32, height as u32],
    };
    let [left, top, kept_width, kept_height] = kept.map(|side| side as usize);
    let mut pixels = Vec::new();
    for plane in images.pixels().chunks(height * width) {
        let rows = plane.chunks(width).skip(top).take(kept_height);
        let plane = rows.flat_map(|row| &row[left..left + kept_width]).copied().collect();
        let plane = ImageBuffer::<Luma<u8>, Vec<u8>>::from_raw(kept_width as u32, kept_height as u32, plane);
        let plane =
            plane.map(|plane| imageops::resize(&plane, size.width as u32, size.height as u32, FILTER));
        pixels.extend(plane.into_iter().flat_map(ImageBuffer::into_raw));
    }
    Images::with_channels(channels, size.height, size.width, pixels)
}

/// The largest part of the shape of `size`, from the middle: its left column, its top row, its width and
/// its height.
pub(super) fn middle([width, height]: [u32; 2], size: Size) -> [u32; 4] {
    // The side that fits `other` of a picture, and is at most `most`.
    let fitting = |other: u32, [side, by]: [usize; 2], most: u32| {
        let fitting = (u64::from(other) * side as u64 + by as u64 / 2) / (by as u64).max(1);
        u32::try_from(fitting).unwrap_or(most).clamp(1, most)
    };
    let kept_width = fitting(height, [size.width, size.height], width);
    let kept_height = fitting(width, [size.height, size.width], height);
    [(width - kept_width) / 2, (height - kept_height) / 2, kept_width, kept_height]
}

/// As on the command line: `64x48`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=LARGEST_SIDE).contains(side));
        let (width, height) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
        side(width).zip(side(height)).map(|(width, height)| Size { width, height }).ok_or_else(|| {
            format!(
                "expected WIDTHxHEIGHT, each from 1 to {LARGEST_SIDE}, such as {SUGGESTED_SIDE}x48, or one \
                 number for both"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, resized};
    use crate::sources::Images;

    #[test]
    fn resized_pictures_keep_their_place_and_level() {
        // Left half dark, right half bright: so it stays, whatever the size.
        let halves = [[10, 10, 200, 200], [10, 10, 200, 200]].concat();
        let images =
            resized(Images::new(2, 4, halves.clone()).unwrap(), Size { width: 8, height: 6 }, false).unwrap();
        assert_eq!((images.height(), images.width(), images.count()), (6, 8, 1));
        for row in images.image(0).chunks(8) {
            assert!(row[0].abs_diff(10) < 12 && row[7].abs_diff(200) < 12, "{row:?}");
        }
        let images = Images::with_channels(3, 2, 3, (0..36).collect()).unwrap();
        assert_eq!(resized(images.clone(), Size { width: 3, height: 2 }, true).unwrap(), images);
        // Of the middle, half is left.
        let images = resized(Images::new(2, 4, halves).unwrap(), Size { width: 2, height: 2 }, true).unwrap();
        assert_eq!(images.pixels(), [10, 200, 10, 200]);
    }

    #[test]
    fn a_size_is_width_before_height() {
        for text in ["64x48", "64X48", "64×48"] {
            assert_eq!(text.parse(), Ok(Size { width: 64, height: 48 }));
        }
        assert_eq!(Size { width: 64, height: 48 }.to_string(), "64x48");
        assert_eq!("64".parse(), Ok(Size { width: 64, height: 64 }));
        for text in ["", "0", "64x", "x48", "0x5", "5x0", "-1x5", "64x48x3", "abc", "1025x5", "6 4x48"] {
            assert!(text.parse::<Size>().is_err_and(|e| e.contains("WIDTHxHEIGHT")), "{text:?}");
        }
    }

    #[test]
    fn a_suggestion_keeps_the_shape() {
        assert_eq!(Size { width: 4000, height: 3000 }.suggestion().to_string(), "64x48");
        assert_eq!(Size { width: 20, height: 12 }.suggestion().to_string(), "20x12");
        assert_eq!(Size { width: 60_000, height: 2 }.suggestion().to_string(), "64x1");
    }
}
