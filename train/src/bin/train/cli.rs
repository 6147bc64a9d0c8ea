//! The command line of `train`.

use std::path::PathBuf;

use clap::Parser;
use train::device;
use train::options::{self, Options};
use train::watch::OnCollapse;

/// Trains a DCGAN on MNIST or on your own pictures, with labels or without. Without options: MNIST's
/// 60,000 training images, the reference recipe, 25 epochs, on the first CUDA device if there is one,
/// else on the CPU.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    // Of a number below 0, the range is told.
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo train                                 the reference run, into runs/00001-mnist
  cargo train --epochs 5 --out runs/short     five epochs, into a folder of your choice
  cargo train --resume                        go on with the newest run
  cargo train --resume runs/short --epochs 10 go on with that run, to ten epochs in all
  cargo train --resume --data photos          go on though its data have moved, if they are the same
  cargo train --data flowers --size 48x64     your own pictures, resized to 48 columns and 64 rows
  cargo train --data gzip/emnist-letters      one of the sets in EMNIST's folder
  cargo train --unlabelled --data photos      pictures without labels, cropped and resized to 64x64
  cargo train --device cuda:1                 the second CUDA device, or an error
  cargo train --dry-run > run.toml            what the run would be, as a file for --config
  cargo train --config run.toml --seed 1      the settings of a file, but for the seed

A file for --config has a line for each setting: the flag's name without its dashes, =, and a
number, a word in quotes, or true or false:
  epochs = 10
  decay = \"linear\"
A flag goes before the file, the file before the recipe. A resumed run keeps the settings it has.

--data takes all that `infer dataset` writes, and a folder with one of:
  IDX files named like MNIST's (as Fashion-MNIST's and KMNIST's are) or EMNIST's, plain or .gz
  a folder for each class, called as the class, with its PNG and JPEG pictures
  PNG and JPEG pictures, and labels.csv: a header file,label and a line for each picture
  Parquet files as Hugging Face's datasets keeps pictures, in itself or in data/
  tar files as WebDataset reads them: 000000.png, and the class's number in 000000.cls
or one file: such a .parquet or .tar, a .zip as StyleGAN's tools make it, a .npz with the arrays images and
labels, or a .jsonl or .raw of `infer dataset`.
Folders train/ and test/ may hold a part each of pictures in files of their own, and files of several are
the test part if their names begin with test; else all pictures are the train part.
classes.txt beside the data gives the classes' order, and IDX classes their names: one a line.
Pictures are learned in colour if any of them has colour; what is transparent becomes black.

With --unlabelled, --data takes any folder of PNG, JPEG, WebP and BMP pictures, in sub-folders too; if it
has the folders train/ and test/, these are its parts. The pictures are learned by networks that take no
labels. Decoded ones are kept in data/cache.

Ctrl-C, SIGTERM and a terminal that closes (SIGHUP, but not under nohup) save and say how to go on; a
second Ctrl-C or SIGTERM ends the program at once. After that, a kill or a power cut, --resume goes on
from the last checkpoint and ends, on the CPU, with the files of a run that was never stopped. Should
that checkpoint be damaged, it says so and takes the one before. No two processes train in one folder."
)]
pub struct Cli {
    /// One line of JSON an epoch on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Nothing but errors and warnings
    #[arg(long, conflicts_with = "json")]
    pub quiet: bool,
    #[command(flatten)]
    pub options: Options,
    /// A file with settings, over which flags go
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = options::RUN)]
    pub config: Option<PathBuf>,
    /// Folder of the new run [default: the next number under runs/]
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume", help_heading = options::RUN)]
    pub out: Option<PathBuf>,
    /// Go on with a run, by default the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with_all = options::fixed(), help_heading = options::RUN)]
    pub resume: Option<Option<PathBuf>>,
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = options::RUN)]
    pub device: device::Choice,
    /// How a GPU is asked for iterations; their results don't depend on it
    #[arg(long, value_enum, value_name = "WHETHER", default_value_t, help_heading = options::RUN)]
    pub cuda_graphs: device::CudaGraphs,
    /// What a collapse of training does. Losses that are no numbers always end the run
    #[arg(long, value_enum, value_name = "WHAT", default_value_t, help_heading = options::RUN)]
    pub watch: OnCollapse,
    /// Say what the run would be: settings, networks, memory, time. Writes nothing
    #[arg(long, conflicts_with_all = ["resume", "out", "mirror"], help_heading = options::RUN)]
    pub dry_run: bool,
    /// Where MNIST is fetched from [default: two public mirrors]
    #[arg(long, value_name = "URL", conflicts_with = "data", help_heading = options::DATA)]
    pub mirror: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_sound() {
        Cli::command().debug_assert();
        for name in options::RESUMABLE {
            assert!(Cli::try_parse_from(["train", "--resume", &format!("--{name}=5")]).is_ok(), "{name}");
        }
        for name in options::names().filter(|name| !options::RESUMABLE.contains(name)) {
            let value = match name {
                "recipe" => "reference",
                "size" => "64x48",
                "background" => "white",
                "tf32" | "unlabelled" | "crop" | "flip" => "false",
                "precision" => "f32",
                "split" => "train",
                "decay" => "constant",
                "latent" => "uniform",
                "batch-size" => "64",
                "smoothing" | "beta1" | "beta2" | "average-keep" | "translation" | "cutout" => "0.5",
                _ => "1",
            };
            let flag = format!("--{name}={value}");
            let error = Cli::try_parse_from(["train", "--resume", "run", &flag]).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{flag}");
        }
    }
}
