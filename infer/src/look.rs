//! Looking into the latent space: what a generator has learnt, seen from samples, along each latent
//! dimension, on the path from image to image, and as each class.
//!
//! A [`Space`] has a method for each view, which says what latents and labels it takes and how their
//! images lie on the picture: a [`Plan`]. `infer look` draws it of an ONNX file, `export look` of a
//! checkpoint.
//!
//! ```
//! use infer::{Engine, Generator, ModelSource, Options, look::Space};
//!
//! # fn main() -> Result<(), infer::Error> {
//! # #[cfg(feature = "rten")] {
//! # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/mnist-generator.onnx");
//! let options = Options { engine: Engine::Rten, ..Options::default() };
//! let mut generator = Generator::load(&ModelSource::File(file.as_ref()), &options)?;
//! let space = Space { contract: generator.contract(), model: "mnist", seed: 7 };
//! // From image 0 to image 1, both as fives.
//! let plan = space.between([0, 1], 3, Some("5"))?;
//! let images = generator.of_latents(plan.z.view(), &plan.labels)?;
//! let picture = plan.sheet().picture(&images, false);
//! assert_eq!((picture.width(), picture.height()), (3 * 28, 28));
//! # }
//! # Ok(())
//! # }
//! ```

use std::{ops::RangeInclusive, str::FromStr};

use contract::{Contract, Picture, latent::latent_batch, visible};
use ndarray::{Array2, Array4, Axis, s};

use crate::{Error, find_class, path};

/// Few programs open a picture of more images.
pub const MOST_IMAGES: usize = 10_000;

/// Frames from row to row of `classes`, as a walk has by default.
const WALK_STEPS: usize = 12;

/// The images that a view draws.
pub struct Plan {
    /// What they show, in words.
    pub shows: String,
    /// `(images, latent_dim)`, frame by frame.
    pub z: Array2<f32>,
    /// As many; 0 in an unlabelled model, whose network takes none.
    pub labels: Vec<i64>,
    /// A caption for each image of a frame.
    captions: Vec<String>,
    layout: Layout,
}

/// How the images lie.
enum Layout {
    /// One frame.
    Still { columns: usize },
    /// A frame for each step. On a sheet, each image of a frame has a row, whose columns are steps; after
    /// `line` steps further rows begin. A GIF starts over after its last frame, or runs backwards if `back`.
    Film { line: usize, back: bool },
}

/// A grid of some of the images.
pub struct Frame {
    /// Their indices, and what is written beneath.
    pub(crate) images: Vec<(usize, String)>,
    columns: usize,
}

impl Frame {
    /// Columns and rows.
    pub fn cells(&self) -> [usize; 2] {
        [self.columns, self.images.len().div_ceil(self.columns.max(1))]
    }

    /// The frame's picture, from all images that were drawn.
    ///
    /// # Shapes
    ///
    /// `drawn` is `(N, C, H, W)` for the plan's N latents.
    pub fn picture(&self, drawn: &Array4<u8>, captions: bool) -> Picture {
        let (indices, texts): (Vec<usize>, Vec<String>) = self.images.iter().cloned().unzip();
        let images = drawn.select(Axis(0), &indices);
        match captions {
            true => Picture::captioned_grid(&images, self.columns, &texts),
            false => Picture::grid(&images, self.columns),
        }
    }
}

impl Plan {
    /// How many images there are to draw.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// What is written beneath them.
    pub fn captions(&self) -> &[String] {
        &self.captions
    }

    /// One picture with all images.
    pub fn sheet(&self) -> Frame {
        let cells = self.captions.len();
        match self.layout {
            Layout::Still { columns } => Frame { images: self.cells(0), columns },
            Layout::Film { line, .. } => {
                let mut images = Vec::new();
                for start in (0..self.images() / cells).step_by(line) {
                    for (cell, caption) in self.captions.iter().enumerate() {
                        for step in start..start + line {
                            // One caption a row is enough.
                            let caption = if step == start { caption.clone() } else { String::new() };
                            images.push((step * cells + cell, caption));
                        }
                    }
                }
                Frame { images, columns: line }
            }
        }
    }

    /// The frames of a GIF.
    pub fn frames(&self) -> Vec<Frame> {
        let steps = self.images() / self.captions.len();
        let back = match self.layout {
            Layout::Film { back: true, .. } => (1..steps.saturating_sub(1)).rev(),
            _ => (0..0).rev(),
        };
        let columns = match self.layout {
            Layout::Still { columns } => columns,
            Layout::Film { .. } => rectangle(self.captions.len()),
        };
        (0..steps).chain(back).map(|step| Frame { images: self.cells(step), columns }).collect()
    }

    /// The images of one step.
    fn cells(&self, step: usize) -> Vec<(usize, String)> {
        let first = step * self.captions.len();
        (first..).zip(self.captions.iter().cloned()).collect()
    }
}

/// Columns of a grid of `count` images without an empty cell, if one is at most twice as wide as a square
/// one; otherwise of a nearly square grid.
fn rectangle(count: usize) -> usize {
    let square = Picture::near_square(count);
    (square..)
        .take_while(|columns| columns * columns <= 4 * count)
        .find(|columns| count.is_multiple_of(*columns))
        .unwrap_or(square)
}

/// A model's latent space, with the images of a seed in it.
#[derive(Clone, Copy)]
pub struct Space<'a> {
    /// What the model says of itself.
    pub contract: &'a Contract,
    /// What messages call it.
    pub model: &'a str,
    /// The seed.
    pub seed: u64,
}

impl Space<'_> {
    /// Images 0, 1, 2, … of the seed: of a class, or image i of class i mod the number of classes.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`].
    pub fn grid(&self, count: usize, class: Option<&str>) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        let all = classes.len();
        let indices: Vec<u64> = (0..count as u64).collect();
        Ok(Plan {
            shows: format!("{count} samples{}", self.words(class)),
            z: self.latents(&indices),
            labels: classes.into_iter().cycle().take(count).collect(),
            captions: (0..count).map(|index| index.to_string()).collect(),
            layout: Layout::Still {
                // A column for each class, unless that would be a single row.
                columns: if (2..count).contains(&all) { all } else { Picture::near_square(count) },
            },
        })
    }

    /// Each of some dimensions, or of all, from its one end to the other, the others as in image `index`.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] without a class of a model that has several, for a dimension that the latents
    /// haven't, and for more than [`MOST_IMAGES`]; [`Error::UnknownClass`].
    pub fn sweep(
        &self,
        index: u64,
        dimensions: Option<&Dimensions>,
        steps: usize,
        class: Option<&str>,
    ) -> Result<Plan, Error> {
        let Contract { latent_dim, latent_distribution, .. } = *self.contract;
        let classes = self.classes_of(class)?;
        if classes.len() > 1 && class.is_none() {
            return Err(Error::BadInput(format!(
                "a sweep is of one class, and model {} draws {}; name one with --{}",
                self.model,
                self.contract.describe_classes(),
                if self.contract.noun() == "digit" { "digit" } else { "label" }
            )));
        }
        let (named, swept): (_, Vec<usize>) = match dimensions {
            None => (format!("all {latent_dim} dimensions"), (0..latent_dim).collect()),
            Some(list) => {
                if let Some(range) = list.ranges.iter().find(|range| *range.end() >= latent_dim) {
                    return Err(Error::BadInput(format!(
                        "--dimensions {} names {}, but the latents of model {} have the dimensions 0 to {}",
                        list.text,
                        range.end(),
                        self.model,
                        latent_dim - 1
                    )));
                }
                let plural = if list.text.parse::<usize>().is_ok() { "" } else { "s" };
                (format!("dimension{plural} {}", list.text), list.ranges.iter().cloned().flatten().collect())
            }
        };
        let cells = swept.len();
        self.check(cells * steps, "--dimensions or --steps")?;
        let base = self.latents(&[index]);
        let base = base.as_slice().unwrap_or_default();
        let mut z = Array2::zeros((steps * cells, latent_dim));
        for (cell, dimension) in swept.iter().enumerate() {
            let line = path::sweep(latent_distribution, base, *dimension, steps);
            z.slice_mut(s![cell..; cells, ..]).assign(&line);
        }
        Ok(Plan {
            shows: format!("sweep of {named} around image {index}{}", self.words(class)),
            z,
            labels: vec![classes[0]; steps * cells],
            captions: swept.iter().map(usize::to_string).collect(),
            layout: Layout::Film { line: steps, back: true },
        })
    }

    /// A round trip past the seed's first `stops` images, of a class or of all of them.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] for more than [`MOST_IMAGES`], [`Error::UnknownClass`].
    pub fn walk(&self, stops: usize, steps: usize, class: Option<&str>) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        self.check(stops * steps * classes.len(), "--stops or --steps")?;
        let indices: Vec<u64> = (0..stops as u64).collect();
        let points = path::walk(self.contract.latent_distribution, self.latents(&indices).view(), steps);
        let shows = format!("walk past images 0 to {}{}", stops - 1, self.words(class));
        Ok(self.film(shows, &points, &classes, Layout::Film { line: steps, back: false }))
    }

    /// From one image of the seed to another, of a class or of all of them.
    ///
    /// # Errors
    ///
    /// As [`walk`](Self::walk).
    pub fn between(&self, [from, to]: [u64; 2], steps: usize, class: Option<&str>) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        self.check(steps * classes.len(), "--steps")?;
        let ends = self.latents(&[from, to]);
        let [a, b] = [0, 1].map(|end| ends.row(end).to_vec());
        let points = path::between(self.contract.latent_distribution, &a, &b, steps);
        let shows = format!("way from image {from} to image {to}{}", self.words(class));
        Ok(self.film(shows, &points, &classes, Layout::Film { line: steps, back: true }))
    }

    /// A row of all classes for each image; in a GIF, which is `animated`, a walk from row to row.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] of a model without classes, for more than [`MOST_IMAGES`], and for a GIF of a
    /// single row.
    pub fn classes(&self, count: usize, animated: bool) -> Result<Plan, Error> {
        if !self.contract.is_labelled() {
            return Err(Error::BadInput(format!(
                "model {} draws {}, so there are none to set side by side; take grid, sweep, walk or between",
                self.model,
                self.contract.describe_classes()
            )));
        }
        if animated {
            return match count {
                1 => {
                    Err(Error::BadInput("nothing moves in one row; give --count 2 or more, or a PNG".into()))
                }
                _ => self.walk(count, WALK_STEPS, None),
            };
        }
        let classes = self.classes_of(None)?;
        self.check(count * classes.len(), "--count")?;
        let indices: Vec<u64> = (0..count as u64).collect();
        let shows = format!("{count} rows{}", self.words(None));
        let mut plan =
            self.film(shows, &self.latents(&indices), &classes, Layout::Still { columns: classes.len() });
        plan.captions = vec![plan.captions; count].concat();
        Ok(plan)
    }

    /// At each point, one image for each of the classes.
    fn film(&self, shows: String, points: &Array2<f32>, classes: &[i64], layout: Layout) -> Plan {
        let each = |point| std::iter::repeat_n(point, classes.len());
        let rows: Vec<usize> = (0..points.nrows()).flat_map(each).collect();
        let name = |label: &i64| self.contract.classes.get(*label as usize).cloned().unwrap_or_default();
        Plan {
            shows,
            z: points.select(Axis(0), &rows),
            labels: classes.repeat(points.nrows()),
            captions: classes.iter().map(name).collect(),
            layout,
        }
    }

    fn latents(&self, indices: &[u64]) -> Array2<f32> {
        let Contract { latent_distribution, latent_dim, .. } = *self.contract;
        latent_batch(latent_distribution, self.seed, indices, latent_dim)
    }

    /// The label of the class that is named, else those of all; of an unlabelled model, 0.
    fn classes_of(&self, class: Option<&str>) -> Result<Vec<i64>, Error> {
        match class {
            Some(name) => Ok(vec![find_class(self.contract, "--label", name, self.model)?]),
            None => Ok((0..self.contract.classes.len().max(1) as i64).collect()),
        }
    }

    /// The classes in words, to follow what is shown.
    fn words(&self, class: Option<&str>) -> String {
        match (class, self.contract.noun()) {
            (Some(name), noun) => format!(", {noun} {}", visible(name)),
            (None, _) if !self.contract.is_labelled() => String::new(),
            (None, "digit") => ", all digits".into(),
            (None, _) => ", all classes".into(),
        }
    }

    /// Refuses more images than a picture has.
    fn check(&self, images: usize, fewer: &str) -> Result<(), Error> {
        match images {
            0..=MOST_IMAGES => Ok(()),
            _ => Err(Error::BadInput(format!(
                "this is {images} images of model {}, and a picture has at most {MOST_IMAGES}; ask for less with {fewer}{}",
                self.model,
                if self.contract.is_labelled() { ", or name one class with --label" } else { "" }
            ))),
        }
    }
}

/// Latent dimensions, as they were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimensions {
    /// The list as it was written.
    text: String,
    ranges: Vec<RangeInclusive<usize>>,
}

impl FromStr for Dimensions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(first..=last)
        };
        match text.split(',').map(range).collect() {
            Some(ranges) => Ok(Self { text: text.into(), ranges }),
            None => Err("expected dimensions counted from 0, such as 3 or 0-9,42".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_listed_as_numbers_and_ranges() {
        let ranges = |text: &str| text.parse::<Dimensions>().map(|dimensions| dimensions.ranges);
        assert_eq!(ranges("3"), Ok(vec![3..=3]));
        assert_eq!(ranges("0-9,42,7-7"), Ok(vec![0..=9, 42..=42, 7..=7]));
        for text in ["", "9-0", "1,", "-1", "a", "1-", "1-2-3", "1, 2"] {
            assert!(ranges(text).is_err(), "{text}");
        }
    }

    #[test]
    fn frames_have_no_empty_cell_where_that_is_not_too_wide() {
        let columns: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 26, 100].map(rectangle).into();
        assert_eq!(columns, [1, 2, 3, 2, 3, 3, 3, 4, 5, 4, 6, 10]);
    }
}
