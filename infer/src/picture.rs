//! Pictures of 8-bit pixels, and PNG files of them.

use std::{
    borrow::Cow,
    io::{self, Write},
    path::Path,
};

use ndarray::{Array3, Array4, Axis, s};

use crate::{Error, file};

/// A greyscale or RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `(height, width, channels)`, 1 or 3 channels.
    pixels: Array3<u8>,
}

impl Picture {
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
    /// let picture = infer::Picture::grid(&images, 3);
    /// assert_eq!((picture.width(), picture.height()), (9, 4));
    /// assert_eq!(picture.pixel(3, 2), [4, 4, 4]);
    /// ```
    pub fn grid(images: &Array4<u8>, columns: usize) -> Self {
        let (count, channels, height, width) = images.dim();
        let columns = columns.max(1);
        let rows = count.div_ceil(columns);
        let mut pixels = Array3::zeros((rows * height, columns * width, channels));
        for (i, image) in images.axis_iter(Axis(0)).enumerate() {
            let (top, left) = (i / columns * height, i % columns * width);
            pixels
                .slice_mut(s![top..top + height, left..left + width, ..])
                .assign(&image.permuted_axes([1, 2, 0]));
        }
        Self { pixels }
    }

    /// Columns of a grid that is as square as so many images allow: ⌈√count⌉.
    ///
    /// ```
    /// assert_eq!([1, 4, 5, 10].map(infer::Picture::near_square), [1, 2, 3, 4]);
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

    /// Writes a PNG file, all of it or nothing: to a temporary name beside the target, which is
    /// synced and renamed. `texts` become its text chunks, keyword and value.
    ///
    /// # Errors
    ///
    /// [`Error::BadOutput`] as [`check_output`](Self::check_output), [`Error::WriteFailed`].
    pub fn write_png(&self, path: &Path, texts: &[(&str, String)]) -> Result<(), Error> {
        Self::check_output(path)?;
        file::write(path, |sink| self.encode(sink, texts))
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// If the picture is too large for one.
    pub fn to_png(&self, texts: &[(&str, String)]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes, texts)?;
        Ok(bytes)
    }

    /// Checks, before any work, that a PNG file can have this path.
    ///
    /// # Errors
    ///
    /// [`Error::BadOutput`] for another extension, a folder that isn't there, a folder's own name, or a
    /// file of a training run.
    pub fn check_output(path: &Path) -> Result<(), Error> {
        file::check(path, &["png"])
    }

    /// The channels of each pixel, row by row.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match self.pixels.as_slice() {
            Some(bytes) => bytes.into(),
            None => self.pixels.iter().copied().collect(),
        }
    }

    pub(crate) fn encode(&self, mut sink: impl Write, texts: &[(&str, String)]) -> io::Result<()> {
        let side = |pixels: usize| u32::try_from(pixels).map_err(io::Error::other);
        let mut encoder = png::Encoder::new(&mut sink, side(self.width())?, side(self.height())?);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_color(match self.is_greyscale() {
            true => png::ColorType::Grayscale,
            false => png::ColorType::Rgb,
        });
        for (keyword, text) in texts {
            encoder.add_itxt_chunk((*keyword).into(), text.clone())?;
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes())?;
        writer.finish()?;
        sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Non-square images with three channels, each value unlike its neighbours.
    fn images(count: usize, channels: usize) -> Array4<u8> {
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
    fn a_png_reads_back_as_it_was() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for channels in [1, 3] {
            let path = folder.path().join(format!("{channels}.PNG"));
            let picture = Picture::grid(&images(4, channels), 3);
            picture.write_png(&path, &[("Seed", "7".into()), ("Model", "größer".into())])?;

            let decoder = png::Decoder::new(io::BufReader::new(fs::File::open(&path)?));
            let mut reader = decoder.read_info()?;
            let mut bytes = vec![0; 4 * 9 * channels];
            let info = reader.next_frame(&mut bytes)?;
            assert_eq!((info.width, info.height), (9, 4));
            let read = Array3::from_shape_vec((4, 9, channels), bytes)?;
            assert_eq!(read, picture.pixels);
            let texts = &reader.info().utf8_text;
            assert_eq!(texts[1].keyword, "Model");
            assert_eq!(texts[1].get_text()?, "größer");
        }
        let names: Vec<_> = fs::read_dir(folder.path())?.collect();
        assert_eq!(names.len(), 2, "nothing temporary is left: {names:?}");
        Ok(())
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
