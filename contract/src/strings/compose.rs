//! From the images of a string's characters to its picture.

use serde::Serialize;

use super::{MOST_SIDE, Strings, Width};
use crate::stream::{Purpose, Stream};

/// The least level of ink, where 0 is the ground.
const INK: u8 = 40;
/// Pixels left and right of a string.
const MARGIN: f64 = 2.0;

/// Where something is in a picture: the pixels that it takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Its first column.
    pub x: usize,
    /// Its first row.
    pub y: usize,
    /// How many columns.
    pub width: usize,
    /// How many rows.
    pub height: usize,
}

/// A string's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// (C, H, W)
    pub pixels: Vec<u8>,
    /// C, H and W, of which only W is another for each string, and only where widths are free.
    pub shape: [usize; 3],
    /// Where each character is.
    pub boxes: Vec<Bounds>,
}

/// A character and its place: image coordinates (x, y) of it lie at (x + left, y + top) before the whole is
/// slanted and enlarged.
struct Placed<'a> {
    pixels: &'a [u8],
    ink: Ink,
    left: f64,
    top: f64,
}

/// The edges of what is drawn in an image: columns and rows, the last ones exclusive.
#[derive(Debug, Clone, Copy)]
struct Ink {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

/// From there to the picture. What lies right of `origin` and above the images' middle by (x, y) goes to
/// (`left` + `scale` · (x + `lean` · y), `middle` − `scale` · y).
struct Whole {
    scale: f64,
    lean: f64,
    origin: f64,
    left: f64,
    middle: f64,
}

impl Strings {
    /// The largest picture of a string of images of this shape, each C, H and W; all have its height.
    ///
    /// # Errors
    /// A sentence, if no picture is so large, or the width is none for so many characters.
    pub fn frame(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3], String> {
        let most = self.length.most as usize;
        let (h, w) = (height as f64, width as f64);
        let zoom = self.zoom.to.max(1.0);
        // An even number of rows more, so that what is neither enlarged nor slanted stays as it is.
        let above = (((h + 2.0 * self.jitter.ceil()) * zoom - h) / 2.0).ceil();
        let tall = height + 2 * above as usize;
        let wide = match self.width {
            Width::Strip => most * width,
            Width::Pixels(pixels) => pixels,
            Width::Free => {
                let gaps = (most as f64 - 1.0) * self.spacing.to.max(0.0).ceil();
                let steepest = lean(self.slant.from).abs().max(lean(self.slant.to).abs());
                let sheared = steepest * (h + 2.0 * self.jitter.ceil());
                ((most as f64 * w + gaps + sheared) * zoom + 2.0 * MARGIN).ceil() as usize
            }
        };
        let least = most * width.div_ceil(4);
        if wide < least {
            return Err(format!(
                "--width {wide} is too narrow for {most} characters of {width} pixels; expected {least} or more, \
                 or free"
            ));
        }
        if wide.max(tall) > MOST_SIDE {
            return Err(format!(
                "pictures of these strings would have {wide}×{tall} pixels, and a side may have {MOST_SIDE}; ask \
                 for fewer characters or a smaller --zoom"
            ));
        }
        Ok([channels, tall, wide])
    }

    /// The picture of string `index` of a seed.
    ///
    /// # Shapes
    /// `images` (N, C, H, W), one for each of its characters; `shape` is C, H and W.
    ///
    /// # Errors
    /// As [`frame`](Self::frame).
    pub fn compose(
        &self,
        (seed, index): (u64, u64),
        images: &[u8],
        shape: [usize; 3],
    ) -> Result<Composed, String> {
        let [channels, tall, wide] = self.frame(shape)?;
        let [_, height, width] = shape;
        let volume = shape.iter().product::<usize>().max(1);
        // What is dark on a light ground is drawn the other way round.
        let is_light = is_light(images, shape);
        let images: Vec<u8> =
            images.iter().map(|&level| if is_light { 255 - level } else { level }).collect();

        let mut stream = Stream::new(seed, Purpose::Layout, index);
        let zoom = self.zoom.at(stream.unit());
        let lean = lean(self.slant.at(stream.unit()));
        let part = stream.unit();
        let mut placed: Vec<Placed<'_>> = Vec::new();
        let mut end = 0.0;
        for pixels in images.chunks_exact(volume) {
            let ink = Ink::of(pixels, shape);
            let gap = (self.spacing.at(stream.unit()) + 0.5).floor();
            let top = ((2.0 * stream.unit() - 1.0) * self.jitter + 0.5).floor();
            let left = match placed.last() {
                None => 0.0,
                Some(last) => {
                    let overlap = ink.width().min(last.ink.width()) / 2;
                    end + gap.max(-(overlap as f64))
                }
            };
            placed.push(Placed { pixels, ink, left: left - ink.left as f64, top });
            end = left + ink.width() as f64;
        }

        let half = height as f64 / 2.0;
        let corners = placed.iter().flat_map(|one| {
            let Ink { left, right, top, bottom } = one.ink;
            [top, bottom]
                .into_iter()
                .flat_map(move |y| [left, right].map(move |x| (x, y)))
                .map(|(x, y)| one.left + x as f64 + lean * (half - y as f64 - one.top))
        });
        let (from, to) =
            corners.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), x| (from.min(x), to.max(x)));
        let span = (to - from).max(1.0);
        let scale = zoom.min((wide as f64 - 2.0 * MARGIN) / span);
        let taken = (scale * span + 2.0 * MARGIN - 1e-6).ceil();
        let (wide, left) = match self.width {
            Width::Free => ((taken as usize).min(wide), MARGIN),
            _ => (wide, MARGIN + ((wide as f64 - taken).max(0.0) * part + 0.5).floor()),
        };
        let whole = Whole { scale, lean, origin: from, left, middle: tall as f64 / 2.0 };
        let mut pixels = vec![0; channels * tall * wide];
        let boxes = (placed.iter())
            .map(|one| whole.draw(one, &mut pixels, [height, width], [channels, tall, wide]))
            .collect();
        if is_light {
            pixels.iter_mut().for_each(|level| *level = 255 - *level);
        }
        Ok(Composed { pixels, shape: [channels, tall, wide], boxes })
    }
}

/// Columns a row.
fn lean(degrees: f64) -> f64 {
    libm::tan(degrees * std::f64::consts::PI / 180.0)
}

/// Whether most of the images' edges are light.
pub(crate) fn is_light(images: &[u8], [_, height, width]: [usize; 3]) -> bool {
    let (mut sum, mut count) = (0u64, 0u64);
    for plane in images.chunks_exact((height * width).max(1)) {
        for (i, level) in plane.iter().enumerate() {
            let (x, y) = (i % width, i / width);
            if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
                sum += u64::from(*level);
                count += 1;
            }
        }
    }
    sum * 2 > count * 255
}

impl Ink {
    /// Of an image (C, H, W); the middle of one that is empty.
    fn of(pixels: &[u8], [_, height, width]: [usize; 3]) -> Self {
        let mut found: Option<Self> = None;
        for (i, _) in pixels.iter().enumerate().filter(|(_, level)| **level >= INK) {
            let (x, y) = (i % width, i / width % height);
            let ink = found.get_or_insert(Self { left: x, right: x + 1, top: y, bottom: y + 1 });
            (ink.left, ink.right) = (ink.left.min(x), ink.right.max(x + 1));
            (ink.top, ink.bottom) = (ink.top.min(y), ink.bottom.max(y + 1));
        }
        let middle = |side: usize| (side / 4, (side - side / 4).max(side / 4 + 1));
        let ((left, right), (top, bottom)) = (middle(width), middle(height));
        found.unwrap_or(Self { left, right, top, bottom })
    }

    fn width(self) -> usize {
        self.right - self.left
    }
}

impl Whole {
    /// Where a place in a character's image lies in the picture.
    fn place(&self, one: &Placed<'_>, [x, y]: [f64; 2], half: f64) -> [f64; 2] {
        let above = half - y - one.top;
        [
            self.left + self.scale * (one.left + x + self.lean * above - self.origin),
            self.middle - self.scale * above,
        ]
    }

    /// Draws a character, between its pixels linearly; what is lighter stays. Returns where its ink is.
    fn draw(
        &self,
        one: &Placed<'_>,
        pixels: &mut [u8],
        [height, width]: [usize; 2],
        [channels, tall, wide]: [usize; 3],
    ) -> Bounds {
        let (h, w) = (height as f64, width as f64);
        let half = h / 2.0;
        let around = |places: [[f64; 2]; 4]| {
            let edge = |axis: usize, most: usize| {
                let along = places.map(|place| place[axis]);
                let first = along.iter().copied().fold(f64::INFINITY, f64::min).floor().max(0.0) as usize;
                let end = along.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil().max(0.0) as usize;
                first.min(most.saturating_sub(1))..end.clamp(first.min(most.saturating_sub(1)) + 1, most)
            };
            [edge(0, wide), edge(1, tall)]
        };
        // Linear interpolation reaches half a pixel beyond the image.
        let corners = [[-0.5, -0.5], [w + 0.5, -0.5], [-0.5, h + 0.5], [w + 0.5, h + 0.5]];
        let [columns, rows] = around(corners.map(|corner| self.place(one, corner, half)));
        let plane = |channel: usize| &one.pixels[channel * height * width..][..height * width];
        let mut ink: Option<[usize; 4]> = None;
        for row in rows {
            let above = (self.middle - (row as f64 + 0.5)) / self.scale;
            let y = half - above - one.top - 0.5;
            for column in columns.clone() {
                let x = (column as f64 + 0.5 - self.left) / self.scale + self.origin
                    - self.lean * above
                    - one.left
                    - 0.5;
                for channel in 0..channels {
                    let level = between(plane(channel), [height, width], x, y);
                    let place = &mut pixels[(channel * tall + row) * wide + column];
                    *place = level.max(*place);
                    if level >= INK {
                        let [left, right, top, bottom] = ink.get_or_insert([column, column, row, row]);
                        (*left, *right) = (column.min(*left), column.max(*right));
                        (*top, *bottom) = (row.min(*top), row.max(*bottom));
                    }
                }
            }
        }
        let Ink { left, right, top, bottom } = one.ink;
        let [left, right, top, bottom] = ink.unwrap_or_else(|| {
            // Nothing is to be seen of it: where it would be.
            let corners = [[left, top], [right, top], [left, bottom], [right, bottom]];
            let [columns, rows] =
                around(corners.map(|corner| self.place(one, corner.map(|side| side as f64), half)));
            [columns.start, columns.end - 1, rows.start, rows.end - 1]
        });
        Bounds { x: left, y: top, width: right - left + 1, height: bottom - top + 1 }
    }
}

/// The level at column `x` and row `y`, between four pixels; outside is the ground.
fn between(plane: &[u8], [height, width]: [usize; 2], x: f64, y: f64) -> u8 {
    let (left, top) = (x.floor(), y.floor());
    let (right_part, lower_part) = (x - left, y - top);
    let level = |x: f64, y: f64| match x >= 0.0 && y >= 0.0 && x < width as f64 && y < height as f64 {
        true => f64::from(plane[y as usize * width + x as usize]),
        false => 0.0,
    };
    let row = |y: f64| level(left, y) * (1.0 - right_part) + level(left + 1.0, y) * right_part;
    (row(top) * (1.0 - lower_part) + row(top + 1.0) * lower_part + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Interval,
        strings::{Length, Width},
    };

    const SHAPE: [usize; 3] = [1, 6, 5];

    fn plain(most: u64, spacing: f64) -> Strings {
        let exactly = |value| Interval { from: value, to: value };
        Strings {
            spacing: exactly(spacing),
            jitter: 0.0,
            zoom: exactly(1.0),
            slant: exactly(0.0),
            ..Strings::new(Length { least: 1, most })
        }
    }

    /// Blocks of these columns, each in rows 1 to 4 of an image.
    fn blocks(columns: &[std::ops::Range<usize>], level: u8, ground: u8) -> Vec<u8> {
        let pixel = |columns: &std::ops::Range<usize>, i: usize| {
            let inside = columns.contains(&(i % 5)) && (1..5).contains(&(i / 5));
            if inside { level } else { ground }
        };
        columns.iter().flat_map(|columns| (0..30).map(move |i| pixel(columns, i))).collect()
    }

    #[test]
    fn what_is_neither_enlarged_nor_slanted_stays_as_it_is() {
        let strings = Strings { width: Width::Free, ..plain(3, 2.0) };
        let Composed { pixels, shape, boxes } =
            strings.compose((1, 0), &blocks(&[1..4, 2..3], 200, 0), SHAPE).unwrap();
        // A margin, three columns, a gap of two, one column, a margin.
        assert_eq!(shape, [1, 6, 2 + 3 + 2 + 1 + 2]);
        let expected = [0, 0, 200, 200, 200, 0, 0, 200, 0, 0];
        for (y, row) in pixels.chunks(10).enumerate() {
            assert_eq!(row, if (1..5).contains(&y) { expected } else { [0; 10] }, "row {y}");
        }
        assert_eq!(boxes[0], Bounds { x: 2, y: 1, width: 3, height: 4 });
        assert_eq!(boxes[1], Bounds { x: 7, y: 1, width: 1, height: 4 });
        // Dark on light is the same the other way round.
        let light = strings.compose((1, 0), &blocks(&[1..4, 2..3], 55, 255), SHAPE).unwrap();
        assert_eq!(light.boxes, boxes);
        assert!(light.pixels.iter().zip(&pixels).all(|(light, dark)| *light == 255 - *dark));
    }

    #[test]
    fn neighbours_overlap_by_half_of_the_narrower_at_most() {
        let strings = Strings { width: Width::Free, ..plain(2, -64.0) };
        let boxes = strings.compose((1, 0), &blocks(&[0..4, 1..3], 200, 0), SHAPE).unwrap().boxes;
        assert_eq!((boxes[0].x, boxes[0].width, boxes[1].x), (2, 4, 2 + 4 - 1));
    }

    #[test]
    fn boxes_hold_the_ink_however_it_is_turned() {
        let strings = Strings {
            spacing: Interval { from: 3.0, to: 6.0 },
            width: Width::Pixels(40),
            ..Strings::new(Length { least: 1, most: 3 })
        };
        let images = blocks(&[1..4, 2..3, 0..5], 255, 0);
        let [_, tall, wide] = strings.frame(SHAPE).unwrap();
        assert_eq!(wide, 40);
        let mut lefts = std::collections::HashSet::new();
        for index in 0..200 {
            let found = strings.compose((3, index), &images, SHAPE).unwrap();
            assert_eq!(found.shape, [1, tall, wide]);
            let is_in = |bounds: &Bounds, x: usize, y: usize| {
                (bounds.x..bounds.x + bounds.width).contains(&x)
                    && (bounds.y..bounds.y + bounds.height).contains(&y)
            };
            for (i, level) in found.pixels.iter().enumerate() {
                let inside = found.boxes.iter().any(|bounds| is_in(bounds, i % wide, i / wide));
                assert!(*level < INK || inside, "string {index}, pixel {i}");
            }
            for bounds in &found.boxes {
                let columns = bounds.x..bounds.x + bounds.width;
                assert!(columns.end <= wide && bounds.y + bounds.height <= tall);
                assert!(columns.clone().any(|x| found.pixels[bounds.y * wide + x] >= INK), "no slack");
            }
            assert!(found.boxes.windows(2).all(|pair| pair[0].x < pair[1].x));
            assert_eq!(found, strings.compose((3, index), &images, SHAPE).unwrap());
            lefts.insert(found.boxes[0].x);
        }
        assert!(lefts.len() > 5, "it stands where there is room: {lefts:?}");
    }

    #[test]
    fn what_is_too_wide_is_shrunk_and_what_is_empty_has_a_place() {
        let strings = Strings { width: Width::Pixels(12), ..plain(3, 5.0) };
        let found = strings.compose((1, 0), &blocks(&[0..5, 0..5, 0..5], 255, 0), SHAPE).unwrap();
        let last = found.boxes[2];
        assert!(found.boxes[0].x >= 2 && last.x + last.width <= 10 && last.height < 4, "{:?}", found.boxes);
        let empty = strings.compose((1, 0), &[0; 90], SHAPE).unwrap();
        assert!(empty.boxes.iter().all(|bounds| bounds.width > 0 && bounds.height > 0));
        let narrow = Strings { width: Width::Pixels(5), ..plain(3, 5.0) };
        assert!(narrow.frame(SHAPE).unwrap_err().contains("--width 5 is too narrow for 3 characters"));
        let wide = Strings { width: Width::Free, ..plain(64, 256.0) };
        assert!(wide.frame([1, 2048, 2048]).unwrap_err().contains("a side may have 65535"));
    }

    #[test]
    fn colour_is_composed_channel_by_channel() {
        let block = |level| blocks(std::slice::from_ref(&(1..3)), level, 0);
        let images: Vec<u8> = [block(200), block(90), vec![0; 30]].concat();
        let strings = Strings { width: Width::Free, ..plain(1, 0.0) };
        let found = strings.compose((1, 0), &images, [3, 6, 5]).unwrap();
        assert_eq!((found.shape, found.boxes[0].width), ([3, 6, 6], 2));
        let at = |channel: usize| found.pixels[channel * 36 + 2 * 6 + 2];
        assert_eq!([at(0), at(1), at(2)], [200, 90, 0]);
    }
}
