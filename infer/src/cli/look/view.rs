//! What can be asked for, as options of a command line.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use contract::number::{large, whole};

use crate::{
    Error,
    cli::{LARGEST_SCALE, Preview, Running, output::has_extension},
    look::{Dimensions, MOST_IMAGES, Plan, Space},
};

/// More steps on a path than anyone looks at.
const MOST_STEPS: usize = 1000;

/// A way to look into the latent space.
///
/// Of a model with classes, `--label` (or `--digit`) names the one to draw.
#[derive(Debug, Clone, Subcommand)]
pub enum View {
    /// Samples: images 0, 1, 2, … of the seed
    Grid(Grid),
    /// Each latent dimension from its one end to the other, the rest as in one image
    Sweep(Sweep),
    /// A round trip past random images, smoothly from one to the next
    Walk(Walk),
    /// From one image to another
    Between(Between),
    /// All classes side by side, each row from the same latents
    Classes(Classes),
}

#[derive(Debug, Clone, Args)]
pub struct Grid {
    /// How many images
    #[arg(short = 'n', long, value_name = "K", default_value = "64")]
    #[arg(value_parser = whole::<1, MOST_IMAGES>, allow_negative_numbers = true)]
    pub count: usize,
    #[command(flatten)]
    pub class: Class,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Args)]
pub struct Sweep {
    /// Which image of the seed the other dimensions are taken from
    #[arg(short, long, value_name = "I", default_value_t = 0)]
    #[arg(value_parser = large::<0>, allow_negative_numbers = true)]
    pub index: u64,
    /// The dimensions, counted from 0, such as 0-9,42 [default: all]
    #[arg(long, value_name = "LIST")]
    pub dimensions: Option<Dimensions>,
    /// From -1 to 1 in so many steps; of normally distributed latents from -2 to 2
    #[arg(long, value_name = "N", default_value = "9")]
    #[arg(value_parser = whole::<2, MOST_STEPS>, allow_negative_numbers = true)]
    pub steps: usize,
    #[command(flatten)]
    pub class: Class,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Args)]
pub struct Walk {
    /// How many images of the seed it passes, from image 0 on
    #[arg(long, value_name = "N", default_value = "8")]
    #[arg(value_parser = whole::<2, MOST_STEPS>, allow_negative_numbers = true)]
    pub stops: usize,
    /// How many frames from one of them to the next
    #[arg(long, value_name = "N", default_value = "12")]
    #[arg(value_parser = whole::<1, MOST_STEPS>, allow_negative_numbers = true)]
    pub steps: usize,
    #[command(flatten)]
    pub class: Class,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Args)]
pub struct Between {
    /// The image of the seed that it starts from
    #[arg(long, value_name = "I", default_value_t = 0)]
    #[arg(value_parser = large::<0>, allow_negative_numbers = true)]
    pub from: u64,
    /// The image of the seed that it ends with
    #[arg(long, value_name = "I", default_value_t = 1)]
    #[arg(value_parser = large::<0>, allow_negative_numbers = true)]
    pub to: u64,
    /// How many images from the one to the other, both among them
    #[arg(long, value_name = "N", default_value = "12")]
    #[arg(value_parser = whole::<2, MOST_STEPS>, allow_negative_numbers = true)]
    pub steps: usize,
    #[command(flatten)]
    pub class: Class,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Args)]
pub struct Classes {
    /// How many rows: images 0, 1, 2, … of the seed
    #[arg(short = 'n', long, value_name = "K", default_value = "8")]
    #[arg(value_parser = whole::<1, MOST_IMAGES>, allow_negative_numbers = true)]
    pub count: usize,
    #[command(flatten)]
    pub output: Output,
}

/// The class to draw.
#[derive(Debug, Clone, Args)]
pub struct Class {
    /// The class, by its name
    #[arg(
        short,
        long,
        visible_alias = "digit",
        visible_short_alias = 'd',
        value_name = "NAME",
        allow_hyphen_values = true
    )]
    pub label: Option<String>,
}

/// What is written, and by what it is drawn.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// Seed of the images; without it another one each time, which is printed
    #[arg(short, long, value_parser = large::<0>, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// The file to write: a PNG, or a GIF in which it moves (all but grid); or - for standard output, of
    /// walk a GIF, else a PNG [default: the view's name, in .png; walk.gif]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write beneath the images which they are: of grid the index, of sweep the dimension, else the class
    #[arg(long)]
    pub captions: bool,
    /// Enlarge the picture: each pixel becomes a square of so many a side
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = whole::<1, LARGEST_SCALE>, allow_negative_numbers = true)]
    pub scale: usize,
    /// How to show the picture, or the first frame
    #[arg(long, value_enum, default_value_t)]
    pub preview: Preview,
    #[command(flatten)]
    /// What runs the model.
    pub running: Running,
}

impl View {
    /// What is written.
    pub fn output(&self) -> &Output {
        match self {
            Self::Grid(Grid { output, .. })
            | Self::Sweep(Sweep { output, .. })
            | Self::Walk(Walk { output, .. })
            | Self::Between(Between { output, .. })
            | Self::Classes(Classes { output, .. }) => output,
        }
    }

    /// The file's name if none is given.
    pub(super) fn default_file(&self) -> &'static str {
        match self {
            Self::Grid(_) => "grid.png",
            Self::Sweep(_) => "sweep.png",
            Self::Walk(_) => "walk.gif",
            Self::Between(_) => "between.png",
            Self::Classes(_) => "classes.png",
        }
    }

    /// Whether it moves in a file of this name; a pipe without an extension gets the view's default.
    pub fn is_animated(&self, file: &Path) -> bool {
        let [moves, stands] = ["gif", "png"].map(|extension| has_extension(file, extension));
        match moves || stands {
            true => moves && self.extensions().contains(&"gif"),
            false => has_extension(Path::new(self.default_file()), "gif"),
        }
    }

    /// What the file's name may end in: nothing moves in a grid.
    pub fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Grid(_) => &["png"],
            _ => &["png", "gif"],
        }
    }

    /// What to draw, as one picture or `animated`.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] and [`Error::UnknownClass`] for what can't be a picture of this model.
    pub fn plan(&self, space: &Space<'_>, animated: bool) -> Result<Plan, Error> {
        match self {
            Self::Grid(Grid { count, class, .. }) => space.grid(*count, class.label.as_deref()),
            Self::Sweep(Sweep { index, dimensions, steps, class, .. }) => {
                space.sweep(*index, dimensions.as_ref(), *steps, class.label.as_deref())
            }
            Self::Walk(Walk { stops, steps, class, .. }) => {
                space.walk(*stops, *steps, class.label.as_deref())
            }
            Self::Between(Between { from, to, steps, class, .. }) => {
                space.between([*from, *to], *steps, class.label.as_deref())
            }
            Self::Classes(Classes { count, .. }) => space.classes(*count, animated),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use contract::{Contract, LatentDistribution, latent::latent_batch};
    use ndarray::Axis;

    use super::*;
    use crate::{class::contract_of, look::Frame, path};

    #[derive(Parser)]
    struct Door {
        #[command(subcommand)]
        view: View,
    }

    /// The plan of a model with four latents, for arguments in a line.
    fn plan(arguments: &str, classes: &[&str], animated: bool) -> Result<Plan, Error> {
        let contract = Contract { latent_dim: 4, ..contract_of(classes) };
        let door = Door::try_parse_from(["look"].into_iter().chain(arguments.split(' ')));
        let view = door.map_err(|error| Error::BadInput(error.to_string()))?.view;
        view.plan(&Space { contract: &contract, model: "tiny", seed: 7 }, animated)
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
    fn the_options_are_consistent() {
        use clap::CommandFactory;
        Door::command().debug_assert();
        let refused = Door::try_parse_from(["look", "walk", "--stops", "1"]).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::ValueValidation));
    }
}
