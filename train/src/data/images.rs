//! Pictures in memory, all of one size.

use image::imageops;
use image::{ImageBuffer, Luma};

use super::idx::IdxError;
use super::size::{FILTER, Size};

/// Pictures of one size, grey or in colour: at least one, each at least 1×1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    channels: usize,
    height: usize,
    width: usize,
    /// (N, C, H, W)
    pixels: Vec<u8>,
}

impl Images {
    /// Takes grey pictures from memory.
    ///
    /// # Shapes
    /// `pixels`: count × `height` × `width`, row by row.
    ///
    /// # Errors
    /// [`IdxError::Pixels`] if the pixels make up no picture, or not a whole number of them.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self, IdxError> {
        Self::with_channels(1, height, width, pixels)
    }

    /// Takes pictures of 1 (grey) or 3 (red, green, blue) channels from memory.
    ///
    /// # Shapes
    /// `pixels`: (N, C, H, W)
    ///
    /// # Errors
    /// [`IdxError::Pixels`] if the pixels make up no picture, or not a whole number of them.
    pub fn with_channels(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, IdxError> {
        let volume = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        match volume {
            Some(volume) if volume > 0 && !pixels.is_empty() && pixels.len().is_multiple_of(volume) => {
                Ok(Self { channels, height, width, pixels })
            }
            _ => Err(IdxError::Pixels { found: pixels.len(), height, width }),
        }
    }

    /// Takes pictures from memory whose channels lie side by side in each pixel.
    ///
    /// # Shapes
    /// `pixels`: (N, H, W, C)
    ///
    /// # Errors
    /// As [`Images::with_channels`].
    pub fn interleaved(
        channels: usize,
        height: usize,
        width: usize,
        pixels: &[u8],
    ) -> Result<Self, IdxError> {
        let volume = channels.saturating_mul(height).saturating_mul(width).max(1);
        let mut planes = Vec::with_capacity(pixels.len());
        for picture in pixels.chunks(volume) {
            for channel in 0..channels {
                planes.extend(picture.iter().skip(channel).step_by(channels));
            }
        }
        Self::with_channels(channels, height, width, planes)
    }

    /// Number of pictures.
    pub fn count(&self) -> usize {
        self.pixels.len() / self.volume()
    }

    /// 1 for grey, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows of a picture.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of a picture.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Every pixel, (N, C, H, W), from 0 (background) to 255 (ink).
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels of picture `index`, (C, H, W).
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn image(&self, index: usize) -> &[u8] {
        let volume = self.volume();
        &self.pixels[index * volume..][..volume]
    }

    /// Appends other pictures, whose size is the same: [`super::LabelledImages`] has checked that.
    pub(super) fn append(&mut self, other: &Images) {
        debug_assert_eq!(
            (self.channels, self.height, self.width),
            (other.channels, other.height, other.width)
        );
        self.pixels.extend_from_slice(&other.pixels);
    }

    /// Rows become columns: what was stored column by column stands upright.
    pub(super) fn transposed(self) -> Self {
        let Self { channels, height, width, pixels } = self;
        let mut upright = Vec::with_capacity(pixels.len());
        for plane in pixels.chunks(height * width) {
            for x in 0..width {
                upright.extend(plane.iter().skip(x).step_by(width));
            }
        }
        Self { channels, height: width, width: height, pixels: upright }
    }

    /// All pictures stretched to `size`.
    pub(super) fn resized(self, size: Size) -> Self {
        if (self.height, self.width) == (size.height, size.width) {
            return self;
        }
        let Self { channels, height, width, pixels } = self;
        let mut resized = Vec::new();
        for plane in pixels.chunks(height * width) {
            let plane = ImageBuffer::<Luma<u8>, _>::from_raw(width as u32, height as u32, plane);
            let plane =
                plane.map(|plane| imageops::resize(&plane, size.width as u32, size.height as u32, FILTER));
            resized.extend(plane.into_iter().flat_map(ImageBuffer::into_raw));
        }
        Self { channels, height: size.height, width: size.width, pixels: resized }
    }

    fn volume(&self) -> usize {
        self.channels * self.height * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::{Images, Size};

    /// Two coloured pictures of 2×3 pixels, every byte another.
    fn images() -> Images {
        Images::with_channels(3, 2, 3, (0..36).collect()).unwrap()
    }

    #[test]
    fn a_picture_is_all_its_channels() {
        let images = images();
        assert_eq!((images.count(), images.channels(), images.height(), images.width()), (2, 3, 2, 3));
        assert_eq!(images.image(1), (18..36).collect::<Vec<u8>>());
        assert!(Images::with_channels(3, 2, 3, vec![0; 35]).is_err());
        assert!(Images::with_channels(0, 2, 3, vec![0; 36]).is_err());
    }

    #[test]
    fn channels_side_by_side_become_planes() {
        // Pixel by pixel, the red, green and blue levels of two pictures of 2×3 pixels.
        let side_by_side: Vec<u8> =
            (0..2).flat_map(|n| (0..6).flat_map(move |i| [0, 6, 12].map(|c| 18 * n + i + c))).collect();
        assert_eq!(Images::interleaved(3, 2, 3, &side_by_side).unwrap(), images());
        assert!(Images::interleaved(3, 2, 3, &side_by_side[1..]).is_err());
    }

    #[test]
    fn transposed_pictures_stand_upright() {
        let upright = images().transposed();
        assert_eq!((upright.height(), upright.width()), (3, 2));
        assert_eq!(&upright.image(0)[..6], [0, 3, 1, 4, 2, 5]);
        assert_eq!(&upright.image(1)[12..], [30, 33, 31, 34, 32, 35]);
        assert_eq!(upright.transposed(), images());
    }

    #[test]
    fn resized_pictures_keep_their_place_and_level() {
        // Left half dark, right half bright: so it stays, whatever the size.
        let halves = [[10, 10, 200, 200], [10, 10, 200, 200]].concat();
        let resized = Images::new(2, 4, halves).unwrap().resized(Size { width: 8, height: 6 });
        assert_eq!((resized.height(), resized.width(), resized.count()), (6, 8, 1));
        for row in resized.image(0).chunks(8) {
            assert!(row[0].abs_diff(10) < 12 && row[7].abs_diff(200) < 12, "{row:?}");
        }
        assert_eq!(images().resized(Size { width: 3, height: 2 }), images());
    }
}
