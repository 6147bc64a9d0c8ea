//! Images in memory, all of one size.

use std::{borrow::Cow, io};

use serde::Serialize;

use super::Error;
use crate::{Picture, strings::Bounds};

/// Images on their way into a data set.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Index of the first image; the others follow.
    pub first: u64,
    /// A label for each image; none where the model has no classes.
    pub labels: &'a [i64],
    /// `(N, C, H, W)`.
    pub pixels: &'a [u8],
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// A judge's confidence in each image's label; none where there is no judge.
    pub confidences: &'a [f64],
    /// Of strings, what each is; then they have no labels, and some may be narrower than the shape.
    pub strings: &'a [Strung],
}

/// What a string is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strung {
    /// The label of each character.
    pub labels: Vec<i64>,
    /// Where each is in the picture.
    pub boxes: Vec<Bounds>,
    /// Columns of the picture, from the first on, that are its own.
    pub width: usize,
}

/// One image of a batch.
#[derive(Debug, Clone)]
pub struct Image<'a> {
    /// Its index.
    pub index: u64,
    /// Its label, if it has one.
    pub label: Option<i64>,
    /// A judge's confidence in it, if there is a judge.
    pub confidence: Option<f64>,
    /// What it is, if it is a string.
    pub string: Option<&'a Strung>,
    /// (C, H, W)
    pub pixels: Cow<'a, [u8]>,
    /// C, H and W.
    pub shape: [usize; 3],
}

impl<'a> Batch<'a> {
    fn volume(&self) -> usize {
        self.shape.iter().product::<usize>().max(1)
    }

    /// How many images there are.
    pub fn count(&self) -> u64 {
        (self.pixels.len() / self.volume()) as u64
    }

    /// Each image.
    pub fn images(&self) -> impl Iterator<Item = Image<'a>> + use<'a> {
        let Self { first, labels, confidences, strings, shape, .. } = *self;
        (first..).zip(self.pixels.chunks_exact(self.volume())).enumerate().map(move |(i, (index, pixels))| {
            let string = strings.get(i);
            let [channels, height, width] = shape;
            let (pixels, width) = match string {
                Some(string) if string.width < width => {
                    let rows = pixels.chunks_exact(width);
                    (rows.flat_map(|row| &row[..string.width]).copied().collect(), string.width)
                }
                _ => (Cow::Borrowed(pixels), width),
            };
            let (label, confidence) = (labels.get(i).copied(), confidences.get(i).copied());
            Image { index, label, confidence, string, pixels, shape: [channels, height, width] }
        })
    }
}

/// The pixels of an image, (C, H, W), with their channels side by side, (H, W, C).
pub fn interleaved(image: &[u8], channels: usize) -> Cow<'_, [u8]> {
    let plane = image.len() / channels.max(1);
    match channels {
        1 => image.into(),
        _ => (0..image.len()).map(|i| image[i % channels * plane + i / channels]).collect(),
    }
}

/// An image of this shape, (C, H, W), as a picture.
///
/// # Errors
/// If no picture has this shape.
pub(super) fn picture(image: &[u8], [channels, height, width]: [usize; 3]) -> io::Result<Picture> {
    let picture = Picture::new([height, width, channels], interleaved(image, channels).into_owned());
    picture.ok_or_else(|| io::Error::other("no picture has this shape"))
}

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
    /// [`Error::Refused`] if the pixels make up no picture, or not a whole number of them.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self, Error> {
        Self::with_channels(1, height, width, pixels)
    }

    /// Takes pictures of 1 (grey) or 3 (red, green, blue) channels from memory.
    ///
    /// # Shapes
    /// `pixels`: (N, C, H, W)
    ///
    /// # Errors
    /// [`Error::Refused`] if the pixels make up no picture, or not a whole number of them.
    pub fn with_channels(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, Error> {
        let volume = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        match volume {
            Some(volume) if volume > 0 && !pixels.is_empty() && pixels.len().is_multiple_of(volume) => {
                Ok(Self { channels, height, width, pixels })
            }
            _ => Err(Error::Refused(format!(
                "{} pixels do not make up whole pictures of {height}×{width}; give at least one picture, and \
                 every picture all its pixels",
                pixels.len()
            ))),
        }
    }

    /// Takes pictures from memory whose channels lie side by side in each pixel.
    ///
    /// # Shapes
    /// `pixels`: (N, H, W, C)
    ///
    /// # Errors
    /// As [`Images::with_channels`].
    pub fn interleaved(channels: usize, height: usize, width: usize, pixels: &[u8]) -> Result<Self, Error> {
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

    /// Channels, height and width of a picture.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
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

    /// The pictures at these places, which may repeat.
    ///
    /// # Errors
    /// [`Error::Refused`] if there are none.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn picked(&self, indices: &[usize]) -> Result<Self, Error> {
        let pixels = indices.iter().flat_map(|&i| self.image(i)).copied().collect();
        Self::with_channels(self.channels, self.height, self.width, pixels)
    }

    /// Appends other pictures, which must be of the same shape.
    pub fn append(&mut self, other: &Images) {
        debug_assert_eq!(self.shape(), other.shape());
        self.pixels.extend_from_slice(&other.pixels);
    }

    /// Rows become columns: what was stored column by column stands upright.
    pub fn transposed(self) -> Self {
        let Self { channels, height, width, pixels } = self;
        let mut upright = Vec::with_capacity(pixels.len());
        for plane in pixels.chunks(height * width) {
            for x in 0..width {
                upright.extend(plane.iter().skip(x).step_by(width));
            }
        }
        Self { channels, height: width, width: height, pixels: upright }
    }

    fn volume(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// What the forms that keep JSON say of an image.
#[derive(Serialize)]
pub(super) struct Known<'a> {
    index: u64,
    /// Both absent in an unlabelled model.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    /// Of a string: its characters, their labels, and where each is: column, row, width and height.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a [i64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boxes: Option<Vec<[usize; 4]>>,
    /// The judge's, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
}

impl<'a> Known<'a> {
    /// An image, whose classes are among these.
    pub fn new(
        index: u64,
        label: Option<i64>,
        confidence: Option<f64>,
        string: Option<&'a Strung>,
        classes: &'a [String],
    ) -> Known<'a> {
        let class = label.and_then(|label| classes.get(label as usize)).map(String::as_str);
        let text = string.map(|string| string.text(classes));
        let (labels, boxes) = (string.map(|string| string.labels.as_slice()), string.map(Strung::sides));
        Known { index, label, class, text, labels, boxes, confidence }
    }
}

impl Strung {
    /// Its characters, which are the names of classes.
    pub fn text(&self, classes: &[String]) -> String {
        self.labels.iter().filter_map(|label| classes.get(*label as usize)).map(String::as_str).collect()
    }

    /// Column, row, width and height of each character.
    pub(super) fn sides(&self) -> Vec<[usize; 4]> {
        self.boxes.iter().map(|bounds| [bounds.x, bounds.y, bounds.width, bounds.height]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Images, Strung, interleaved};

    /// Two coloured pictures of 2×3 pixels, every byte another.
    fn images() -> Images {
        Images::with_channels(3, 2, 3, (0..36).collect()).unwrap()
    }

    #[test]
    fn a_picture_is_all_its_channels() {
        let images = images();
        assert_eq!((images.count(), images.channels(), images.height(), images.width()), (2, 3, 2, 3));
        assert_eq!(images.image(1), (18..36).collect::<Vec<u8>>());
        assert_eq!(images.picked(&[1, 0, 1]).unwrap().pixels()[18..], (0..36).collect::<Vec<u8>>());
        assert!(images.picked(&[]).is_err());
        assert!(Images::with_channels(3, 2, 3, vec![0; 35]).is_err());
        assert!(Images::with_channels(0, 2, 3, vec![0; 36]).is_err());
    }

    #[test]
    fn a_string_may_be_narrower_than_its_batch() {
        let strings = [2, 3].map(|width| Strung { labels: vec![1, 0], width, ..Strung::default() });
        let (shape, pixels) = ([3, 2, 3], (0..36).collect::<Vec<u8>>());
        let batch =
            Batch { first: 4, labels: &[], pixels: &pixels, shape, confidences: &[], strings: &strings };
        let found: Vec<_> = batch.images().collect();
        assert_eq!((found[0].index, found[0].shape, found[1].shape), (4, [3, 2, 2], shape));
        assert_eq!(*found[0].pixels, [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16]);
        assert_eq!(*found[1].pixels, pixels[18..]);
        assert_eq!(strings[0].text(&["a".into(), "b".into()]), "ba");
    }

    #[test]
    fn channels_side_by_side_become_planes() {
        // Pixel by pixel, the red, green and blue levels of two pictures of 2×3 pixels.
        let side_by_side: Vec<u8> =
            (0..2).flat_map(|n| (0..6).flat_map(move |i| [0, 6, 12].map(|c| 18 * n + i + c))).collect();
        assert_eq!(Images::interleaved(3, 2, 3, &side_by_side).unwrap(), images());
        assert_eq!(side_by_side[18..], *interleaved(images().image(1), 3));
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
    fn pixels_must_make_up_whole_pictures() {
        for (height, width, count) in [(2, 3, 11), (2, 3, 0), (0, 3, 6), (usize::MAX, 2, 6)] {
            let error = Images::new(height, width, vec![0; count]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "{count} pixels do not make up whole pictures of {height}×{width}; give at least one \
                     picture, and every picture all its pixels"
                )
            );
        }
    }
}
