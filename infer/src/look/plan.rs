//! Which latents and labels a view takes, and how the images lie on the picture.

use contract::{Contract, latent::latent_batch, visible};
use ndarray::{Array2, Array4, Axis, s};

use super::{
    MOST_IMAGES,
    view::{Between, Class, Grid, Sweep, View, Walk},
};
use crate::{Error, Picture, find_class, path};

/// Frames from row to row of `classes`, as a walk has by default.
const WALK_STEPS: usize = 12;

/// The images that a view draws.
pub(super) struct Plan {
    /// What they show, in words.
    pub shows: String,
    /// `(images, latent_dim)`, frame by frame.
    pub z: Array2<f32>,
    /// As many, 0 in an unlabelled model.
    pub labels: Vec<i64>,
    /// A caption for each image of a frame.
    captions: Vec<String>,
    layout: Layout,
}

/// How the images lie.
enum Layout {
    /// One frame, of so many columns.
    Still { columns: usize },
    /// A frame for each step. On a sheet, each image of a frame has a row, whose columns are steps; after
    /// `line` steps further rows begin. A GIF goes on from its last frame with the first, or back.
    Film { line: usize, back: bool },
}

/// A grid of some of the images.
pub(super) struct Frame {
    /// Their indices, and what is written beneath.
    images: Vec<(usize, String)>,
    columns: usize,
}

impl Frame {
    /// Columns and rows.
    pub fn cells(&self) -> [usize; 2] {
        [self.columns, self.images.len().div_ceil(self.columns.max(1))]
    }

    /// The picture, of all images that were drawn: `(N, C, H, W)`.
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

    /// One picture with all of them.
    pub fn sheet(&self) -> Frame {
        let cells = self.captions.len();
        match self.layout {
            Layout::Still { columns } => Frame { images: self.cells(0), columns },
            Layout::Film { line, .. } => {
                let mut images = Vec::new();
                for start in (0..self.images() / cells).step_by(line) {
                    for (cell, caption) in self.captions.iter().enumerate() {
                        for step in start..start + line {
                            // Once a row is enough.
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

/// Columns of a grid of so many images without an empty cell, if one is at most twice as wide as a square;
/// else of one that is nearly square.
fn rectangle(count: usize) -> usize {
    let square = Picture::near_square(count);
    (square..)
        .take_while(|columns| columns * columns <= 4 * count)
        .find(|columns| count.is_multiple_of(*columns))
        .unwrap_or(square)
}

impl View {
    /// What to draw of a model of this name, as one picture or `animated`.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] or [`Error::UnknownClass`] if the model has no such images, or they are too
    /// many.
    pub(super) fn plan(
        &self,
        contract: &Contract,
        model: &str,
        seed: u64,
        animated: bool,
    ) -> Result<Plan, Error> {
        let space = Space { contract, model, seed };
        match self {
            Self::Grid(grid) => space.grid(grid),
            Self::Sweep(sweep) => space.sweep(sweep),
            Self::Walk(Walk { stops, steps, class, .. }) => space.walk(*stops, *steps, class),
            Self::Between(between) => space.between(between),
            Self::Classes(classes) => space.classes(classes.count, animated),
        }
    }
}

/// A model's latent space, with the images of a seed in it.
struct Space<'a> {
    contract: &'a Contract,
    model: &'a str,
    seed: u64,
}

impl Space<'_> {
    fn grid(&self, Grid { count, class, .. }: &Grid) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        let all = classes.len();
        let indices: Vec<u64> = (0..*count as u64).collect();
        Ok(Plan {
            shows: format!("{count} samples{}", self.words(class)),
            z: self.latents(&indices),
            labels: classes.into_iter().cycle().take(*count).collect(),
            captions: (0..*count).map(|index| index.to_string()).collect(),
            layout: Layout::Still {
                // A column for each class, unless that would be a single row.
                columns: if (2..*count).contains(&all) { all } else { Picture::near_square(*count) },
            },
        })
    }

    fn sweep(&self, Sweep { index, dimensions, steps, class, .. }: &Sweep) -> Result<Plan, Error> {
        let Contract { latent_dim, latent_distribution, .. } = *self.contract;
        let classes = self.classes_of(class)?;
        if classes.len() > 1 && class.label.is_none() {
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
        let base = self.latents(&[*index]);
        let base = base.as_slice().unwrap_or_default();
        let mut z = Array2::zeros((steps * cells, latent_dim));
        for (cell, dimension) in swept.iter().enumerate() {
            let way = path::sweep(latent_distribution, base, *dimension, *steps);
            z.slice_mut(s![cell..; cells, ..]).assign(&way);
        }
        Ok(Plan {
            shows: format!("sweep of {named} around image {index}{}", self.words(class)),
            z,
            labels: vec![classes[0]; steps * cells],
            captions: swept.iter().map(usize::to_string).collect(),
            layout: Layout::Film { line: *steps, back: true },
        })
    }

    fn walk(&self, stops: usize, steps: usize, class: &Class) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        self.check(stops * steps * classes.len(), "--stops or --steps")?;
        let indices: Vec<u64> = (0..stops as u64).collect();
        let points = path::walk(self.contract.latent_distribution, self.latents(&indices).view(), steps);
        let shows = format!("walk past images 0 to {}{}", stops - 1, self.words(class));
        Ok(self.film(shows, &points, &classes, Layout::Film { line: steps, back: false }))
    }

    fn between(&self, Between { from, to, steps, class, .. }: &Between) -> Result<Plan, Error> {
        let classes = self.classes_of(class)?;
        self.check(steps * classes.len(), "--steps")?;
        let ends = self.latents(&[*from, *to]);
        let [a, b] = [0, 1].map(|end| ends.row(end).to_vec());
        let points = path::between(self.contract.latent_distribution, &a, &b, *steps);
        let shows = format!("way from image {from} to image {to}{}", self.words(class));
        Ok(self.film(shows, &points, &classes, Layout::Film { line: *steps, back: true }))
    }

    /// A row of all classes for each image; in a GIF, a walk from row to row.
    fn classes(&self, count: usize, animated: bool) -> Result<Plan, Error> {
        if !self.contract.is_labelled() {
            return Err(Error::BadInput(format!(
                "model {} draws {}, so there are none to set side by side; take grid, sweep, walk or between",
                self.model,
                self.contract.describe_classes()
            )));
        }
        let all = Class { label: None };
        if animated {
            return match count {
                1 => {
                    Err(Error::BadInput("nothing moves in one row; give --count 2 or more, or a PNG".into()))
                }
                _ => self.walk(count, WALK_STEPS, &all),
            };
        }
        let classes = self.classes_of(&all)?;
        self.check(count * classes.len(), "--count")?;
        let indices: Vec<u64> = (0..count as u64).collect();
        let shows = format!("{count} rows{}", self.words(&all));
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
    fn classes_of(&self, class: &Class) -> Result<Vec<i64>, Error> {
        match &class.label {
            Some(name) => Ok(vec![find_class(self.contract, "--label", name, self.model)?]),
            None => Ok((0..self.contract.classes.len().max(1) as i64).collect()),
        }
    }

    /// The classes, in words, behind what else is said.
    fn words(&self, class: &Class) -> String {
        match (&class.label, self.contract.noun()) {
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

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use contract::LatentDistribution;

    use super::*;
    use crate::class::contract_of;

    #[derive(Parser)]
    struct Door {
        #[command(subcommand)]
        view: View,
    }

    /// The plan of a model with four latents, for arguments in a line.
    fn plan(arguments: &str, classes: &[&str], animated: bool) -> Result<Plan, Error> {
        let contract = Contract { latent_dim: 4, ..contract_of(classes) };
        let door = Door::try_parse_from(["look"].into_iter().chain(arguments.split(' ')));
        door.map_err(|error| Error::BadInput(error.to_string()))?.view.plan(&contract, "tiny", 7, animated)
    }

    fn indices(frame: &Frame) -> Vec<usize> {
        frame.images.iter().map(|(index, _)| *index).collect()
    }

    fn captions(frame: &Frame) -> Vec<&str> {
        frame.images.iter().map(|(_, caption)| caption.as_str()).collect()
    }

    #[test]
    fn a_grid_is_of_the_seeds_own_images() -> Result<(), Error> {
        let one = plan("grid --count 5 --label rose", &["daisy", "rose"], false)?;
        assert_eq!(one.labels, [1; 5]);
        assert_eq!(one.z, latent_batch(LatentDistribution::Uniform, 7, &[0, 1, 2, 3, 4], 4));
        assert_eq!(one.shows, "5 samples, class rose");
        assert_eq!((indices(&one.sheet()), one.sheet().cells()), ((0..5).collect(), [3, 2]));
        assert_eq!(captions(&one.sheet()), ["0", "1", "2", "3", "4"]);

        let all = plan("grid --count 5", &["0", "1"], false)?;
        assert_eq!((all.labels.as_slice(), all.sheet().cells()), (&[0, 1, 0, 1, 0][..], [2, 3]));
        assert_eq!(all.shows, "5 samples, all digits");
        let unlabelled = plan("grid --count 5", &[], false)?;
        assert_eq!((unlabelled.labels.as_slice(), unlabelled.sheet().cells()), (&[0; 5][..], [3, 2]));
        assert_eq!(unlabelled.shows, "5 samples");
        Ok(())
    }

    #[test]
    fn a_sweep_has_a_row_for_each_dimension_and_a_frame_for_each_step() -> Result<(), Error> {
        let sweep =
            plan("sweep --index 2 --dimensions 3,0-1 --steps 5 --label rose", &["daisy", "rose"], true)?;
        assert_eq!(sweep.shows, "sweep of dimensions 3,0-1 around image 2, class rose");
        assert_eq!(sweep.labels, [1; 15]);
        let sheet = sweep.sheet();
        assert_eq!(sheet.cells(), [5, 3]);
        assert_eq!(captions(&sheet)[..6], ["3", "", "", "", "", "0"]);
        let base = latent_batch(LatentDistribution::Uniform, 7, &[2], 4);
        for (row, dimension) in [3, 0, 1].into_iter().enumerate() {
            let way = path::sweep(LatentDistribution::Uniform, &base.row(0).to_vec(), dimension, 5);
            assert_eq!(sweep.z.select(Axis(0), &indices(&sheet)[row * 5..row * 5 + 5]), way);
        }
        // There and back, without the ends twice.
        let frames: Vec<_> = sweep.frames().iter().map(indices).collect();
        let firsts: Vec<_> = frames.iter().map(|frame| frame[0] / 3).collect();
        assert_eq!(firsts, [0, 1, 2, 3, 4, 3, 2, 1]);
        assert_eq!(frames[1], [3, 4, 5]);
        assert_eq!(captions(&sweep.frames()[1]), ["3", "0", "1"]);
        Ok(())
    }

    #[test]
    fn a_walk_shows_each_class_at_each_step() -> Result<(), Error> {
        let walk = plan("walk --stops 3 --steps 2", &["daisy", "rose"], true)?;
        assert_eq!(walk.labels, [0, 1].repeat(6));
        assert_eq!(walk.shows, "walk past images 0 to 2, all classes");
        let frames: Vec<_> = walk.frames().iter().map(indices).collect();
        assert_eq!(frames, [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]);
        let stops = latent_batch(LatentDistribution::Uniform, 7, &[0, 1, 2], 4);
        assert_eq!(walk.z.select(Axis(0), &[0, 4, 8]), stops);
        assert_eq!(walk.z.select(Axis(0), &[1, 5, 9]), stops);
        // Two steps to a row; from each stop a row for each class.
        assert_eq!(indices(&walk.sheet()), [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11]);
        assert_eq!(captions(&walk.sheet())[..4], ["daisy", "", "rose", ""]);

        let unlabelled = plan("walk --stops 3 --steps 2", &[], false)?;
        assert_eq!(
            (unlabelled.sheet().cells(), unlabelled.shows.as_str()),
            ([2, 3], "walk past images 0 to 2")
        );
        Ok(())
    }

    #[test]
    fn a_way_from_image_to_image_has_both() -> Result<(), Error> {
        let way = plan("between --from 5 --to 3 --steps 4 --label 1", &["0", "1"], true)?;
        assert_eq!(way.shows, "way from image 5 to image 3, digit 1");
        let ends = latent_batch(LatentDistribution::Uniform, 7, &[5, 3], 4);
        assert_eq!(way.z.select(Axis(0), &[0, 3]), ends);
        assert_eq!(
            (way.labels.as_slice(), way.sheet().cells(), way.frames().len()),
            (&[1; 4][..], [4, 1], 6)
        );
        let most = format!("between --from {} --to 0", u64::MAX);
        assert_eq!(plan(&most, &["0", "1"], false)?.sheet().cells(), [12, 2]);
        Ok(())
    }

    #[test]
    fn classes_stand_in_columns_and_move_as_a_walk() -> Result<(), Error> {
        let classes = ["daisy", "rose", "tulip"];
        let grid = plan("classes --count 2", &classes, false)?;
        assert_eq!((grid.labels.as_slice(), grid.sheet().cells()), (&[0, 1, 2, 0, 1, 2][..], [3, 2]));
        assert_eq!(captions(&grid.sheet()), classes.repeat(2));
        assert!(grid.z.row(0) == grid.z.row(2) && grid.z.row(2) != grid.z.row(3));
        let (moving, walk) =
            (plan("classes --count 2", &classes, true)?, plan("walk --stops 2", &classes, true)?);
        assert_eq!((moving.z, moving.labels), (walk.z, walk.labels));
        Ok(())
    }

    #[test]
    fn what_the_model_has_not_is_refused() {
        let refusal = |arguments: &str, classes: &[&str], animated| {
            plan(arguments, classes, animated).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let two = ["daisy", "rose"];
        for (arguments, classes, part) in [
            ("sweep", &two[..], "model tiny draws the classes daisy and rose; name one with --label"),
            ("sweep", &["0", "1"], "name one with --digit"),
            ("sweep --label Rose", &two, "did you mean rose?"),
            ("walk --label rose", &[], "it draws pictures without a class"),
            ("classes", &[], "take grid, sweep, walk or between"),
            (
                "sweep --label rose --dimensions 2-4",
                &two,
                "names 4, but the latents of model tiny have the dimensions 0 to 3",
            ),
            ("walk --stops 100 --steps 51", &two, "this is 10200 images"),
            ("classes --count 5001", &two, "this is 10002 images"),
            ("sweep --dimensions 0-3,0-3,0-3 --steps 1000", &[], "ask for less with --dimensions or --steps"),
        ] {
            let refused = refusal(arguments, classes, false);
            assert!(refused.contains(part), "expected {part:?} in {refused:?}");
        }
        assert!(refusal("classes --count 1", &two, true).contains("nothing moves in one row"));
    }

    #[test]
    fn frames_have_no_empty_cell_where_that_is_not_too_wide() {
        let columns: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 26, 100].map(rectangle).into();
        assert_eq!(columns, [1, 2, 3, 2, 3, 3, 3, 4, 5, 4, 6, 10]);
    }

    #[test]
    fn the_options_are_consistent() {
        use clap::CommandFactory;
        Door::command().debug_assert();
        let refused = Door::try_parse_from(["look", "walk", "--stops", "1"]).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::ValueValidation));
    }
}
