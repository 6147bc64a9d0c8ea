//! Pictures of 8-bit pixels: grids of images, with captions or without, and PNG and GIF files of them.

mod caption;
mod framing;
mod gif;
mod png;

use std::borrow::Cow;

use ndarray::{Array3, Array4, ArrayView3, Axis, s};

pub use framing::{Background, Framing};
pub use gif::{Frame, encode_gif};

/// A greyscale or RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `(height, width, channels)`, 1 or 3 channels.
    pixels: Array3<u8>,
}

impl Picture {
    /// A picture of these bytes, row by row, pixel by pixel; `None` if they aren't as many as `shape` says.
    ///
    /// # Shapes
    ///
    /// `shape` is height, width and channels, 1 or 3 of these.
    pub fn new(shape: [usize; 3], bytes: Vec<u8>) -> Option<Self> {
        let pixels = Array3::from_shape_vec(shape, bytes).ok()?;
        matches!(shape[2], 1 | 3).then_some(Self { pixels })
    }

    /// A picture in colour that is the same all over.
    pub fn filled(width: usize, height: usize, pixel: [u8; 3]) -> Self {
        Self { pixels: Array3::from_shape_fn((height, width, 3), |(_, _, channel)| pixel[channel]) }
    }

    /// Puts an image at column `left` and row `top`, where it must fit; a grey one may go into a picture in
    /// colour.
    ///
    /// # Shapes
    ///
    /// `image` is `(C, H, W)`, C 1 or as many channels as the picture has.
    pub fn paste(&mut self, image: ArrayView3<'_, u8>, [left, top]: [usize; 2]) {
        let (_, height, width) = image.dim();
        let mut place = self.pixels.slice_mut(s![top..top + height, left..left + width, ..]);
        place.assign(&image.permuted_axes([1, 2, 0]));
    }

    /// Lays images out row by row, `columns` to a row; what is left of the last row is black.
    ///
    /// # Shapes
    ///
    /// `images` is `(N, C, H, W)` with C 1 or 3; the picture has ⌈N / columns⌉ · H rows of
    /// columns · W pixels. `columns` 0 counts as 1.
    ///
    /// ```
    /// use ndarray::Array4;
    /// let images = Array4::from_shape_fn((5, 1, 2, 3), |(n, ..)| n as u8);
    /// let picture = contract::Picture::grid(&images, 3);
    /// assert_eq!((picture.width(), picture.height()), (9, 4));
    /// assert_eq!(picture.pixel(3, 2), [4, 4, 4]);
    /// ```
    pub fn grid(images: &Array4<u8>, columns: usize) -> Self {
        Self::spaced_grid(images, columns, 0)
    }

    /// As [`grid`](Self::grid), with `gap` black pixels between two images.
    pub fn spaced_grid(images: &Array4<u8>, columns: usize, gap: usize) -> Self {
        let (count, channels, height, width) = images.dim();
        let columns = columns.max(1);
        let side = |cells: usize, pixels: usize| (cells * (pixels + gap)).saturating_sub(gap);
        let shape = (side(count.div_ceil(columns), height), side(columns, width), channels);
        let mut grid = Self { pixels: Array3::zeros(shape) };
        for (i, image) in images.axis_iter(Axis(0)).enumerate() {
            grid.paste(image, [i % columns * (width + gap), i / columns * (height + gap)]);
        }
        grid
    }

    /// Columns of a grid of `count` images that is as near to square as can be: ⌈√count⌉.
    ///
    /// ```
    /// assert_eq!([1, 4, 5, 10].map(contract::Picture::near_square), [1, 2, 3, 4]);
    /// ```
    pub fn near_square(count: usize) -> usize {
        let root = count.isqrt();
        if root * root < count { root + 1 } else { root }
    }

    /// Each pixel as a square of `scale` by `scale`; 0 counts as 1.
    pub fn enlarged(&self, scale: usize) -> Self {
        let scale = scale.max(1);
        let (height, width, channels) = self.pixels.dim();
        let pixels = Array3::from_shape_fn((height * scale, width * scale, channels), |(y, x, channel)| {
            self.pixels[[y / scale, x / scale, channel]]
        });
        Self { pixels }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.pixels.dim().1
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.pixels.dim().0
    }

    /// Whether it has no colour.
    pub fn is_greyscale(&self) -> bool {
        self.pixels.dim().2 == 1
    }

    /// Red, green and blue of the pixel in column x of row y; black outside the picture.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let last = self.pixels.dim().2.saturating_sub(1);
        [0, 1, 2].map(|channel| {
            let channel = usize::min(channel, last);
            self.pixels.get([y, x, channel]).copied().unwrap_or(0)
        })
    }

    /// The channels of each pixel, row by row.
    fn bytes(&self) -> Cow<'_, [u8]> {
        match self.pixels.as_slice() {
            Some(bytes) => bytes.into(),
            None => self.pixels.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Non-square images, each value unlike its neighbours.
    pub fn images(count: usize, channels: usize) -> Array4<u8> {
        Array4::from_shape_fn((count, channels, 2, 3), |(n, c, y, x)| (n * 40 + c * 13 + y * 3 + x + 1) as u8)
    }

    #[test]
    fn a_grid_puts_every_pixel_in_its_place() {
        let images = images(5, 3);
        let picture = Picture::grid(&images, 2);
        assert_eq!((picture.width(), picture.height()), (6, 6));
        for y in 0..6 {
            for x in 0..6 {
                let n = y / 2 * 2 + x / 3;
                let expected = [0, 1, 2].map(|c| match n {
                    0..5 => images[[n, c, y % 2, x % 3]],
                    _ => 0,
                });
                assert_eq!(picture.pixel(x, y), expected, "column {x}, row {y}");
            }
        }
        assert_eq!(picture.pixel(6, 0), [0; 3]);
    }

    #[test]
    fn grids_are_as_square_as_they_can_be() {
        let columns: Vec<_> = (1..=17).map(Picture::near_square).collect();
        assert_eq!(columns, [1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5]);
    }

    #[test]
    fn an_enlarged_picture_repeats_every_pixel() {
        let picture = Picture::grid(&images(2, 3), 2);
        let large = picture.enlarged(3);
        assert_eq!((large.width(), large.height()), (18, 6));
        for (x, y) in (0..18).flat_map(|x| (0..6).map(move |y| (x, y))) {
            assert_eq!(large.pixel(x, y), picture.pixel(x / 3, y / 3), "column {x}, row {y}");
        }
        assert_eq!(picture.enlarged(0), picture);
    }
}
