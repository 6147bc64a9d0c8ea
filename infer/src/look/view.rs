//! What can be asked for, as options of a command line.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, Subcommand};

use super::MOST_IMAGES;
use crate::{
    command::{Preview, Running, large, whole},
    file,
};

/// Beyond it a way has more steps than anyone looks at.
const MOST_STEPS: usize = 1000;
/// A pixel of an image as a square of so many a side, at most.
const LARGEST_SCALE: usize = 16;

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

/// `grid`.
#[derive(Debug, Clone, Args)]
pub struct Grid {
    /// How many images
    #[arg(
        short = 'n',
        long,
        value_name = "K",
        default_value = "64",
        value_parser = whole::<1, MOST_IMAGES>,
        allow_negative_numbers = true
    )]
    pub count: usize,
    /// The class; without it, image i shows class i mod the number of classes
    #[command(flatten)]
    pub class: Class,
    /// What is written.
    #[command(flatten)]
    pub output: Output,
}

/// `sweep`.
#[derive(Debug, Clone, Args)]
pub struct Sweep {
    /// Which image of the seed the other dimensions are taken from
    #[arg(
        short,
        long,
        value_name = "I",
        default_value_t = 0,
        value_parser = large::<0>,
        allow_negative_numbers = true
    )]
    pub index: u64,
    /// The dimensions, counted from 0, such as 0-9,42 [default: all]
    #[arg(long, value_name = "LIST")]
    pub dimensions: Option<Dimensions>,
    /// From -1 to 1 in so many steps; of normally distributed latents from -2 to 2
    #[arg(
        long,
        value_name = "N",
        default_value = "9",
        value_parser = whole::<2, MOST_STEPS>,
        allow_negative_numbers = true
    )]
    pub steps: usize,
    /// The class; needed by a model that has classes.
    #[command(flatten)]
    pub class: Class,
    /// What is written.
    #[command(flatten)]
    pub output: Output,
}

/// `walk`.
#[derive(Debug, Clone, Args)]
pub struct Walk {
    /// How many images of the seed it passes, from image 0 on
    #[arg(
        long,
        value_name = "N",
        default_value = "8",
        value_parser = whole::<2, MOST_STEPS>,
        allow_negative_numbers = true
    )]
    pub stops: usize,
    /// How many frames from one of them to the next
    #[arg(
        long,
        value_name = "N",
        default_value = "12",
        value_parser = whole::<1, MOST_STEPS>,
        allow_negative_numbers = true
    )]
    pub steps: usize,
    /// The class; without it, all side by side.
    #[command(flatten)]
    pub class: Class,
    /// What is written.
    #[command(flatten)]
    pub output: Output,
}

/// `between`.
#[derive(Debug, Clone, Args)]
pub struct Between {
    /// The image of the seed that it starts from
    #[arg(
        long,
        value_name = "I",
        default_value_t = 0,
        value_parser = large::<0>,
        allow_negative_numbers = true
    )]
    pub from: u64,
    /// The image of the seed that it ends with
    #[arg(
        long,
        value_name = "I",
        default_value_t = 1,
        value_parser = large::<0>,
        allow_negative_numbers = true
    )]
    pub to: u64,
    /// How many images from the one to the other, both among them
    #[arg(
        long,
        value_name = "N",
        default_value = "12",
        value_parser = whole::<2, MOST_STEPS>,
        allow_negative_numbers = true
    )]
    pub steps: usize,
    /// The class; without it, all, one below the other.
    #[command(flatten)]
    pub class: Class,
    /// What is written.
    #[command(flatten)]
    pub output: Output,
}

/// `classes`.
#[derive(Debug, Clone, Args)]
pub struct Classes {
    /// How many rows: images 0, 1, 2, … of the seed
    #[arg(
        short = 'n',
        long,
        value_name = "K",
        default_value = "8",
        value_parser = whole::<1, MOST_IMAGES>,
        allow_negative_numbers = true
    )]
    pub count: usize,
    /// What is written.
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
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = whole::<1, LARGEST_SCALE>,
        allow_negative_numbers = true
    )]
    pub scale: usize,
    /// How to show the picture, or the first frame
    #[arg(long, value_enum, default_value_t)]
    pub preview: Preview,
    /// What runs the model.
    #[command(flatten)]
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

    /// Whether it moves in a file of this name; a pipe without an extension has what is default.
    pub(super) fn is_animated(&self, file: &Path) -> bool {
        let [moves, stands] = ["gif", "png"].map(|extension| file::has_extension(file, extension));
        match moves || stands {
            true => moves && self.extensions().contains(&"gif"),
            false => file::has_extension(Path::new(self.default_file()), "gif"),
        }
    }

    /// What the file's name may end in: nothing moves in a grid.
    pub(super) fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Grid(_) => &["png"],
            _ => &["png", "gif"],
        }
    }
}

/// Latent dimensions, as they were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimensions {
    /// The list as it was written.
    pub(super) text: String,
    pub(super) ranges: Vec<RangeInclusive<usize>>,
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
}
