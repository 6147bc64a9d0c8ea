//! The command line of `evaluate`.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::files::{Destination, folder_of, is_same};
use contract::picture::{Background, Framing};
use contract::{printable, run, shown};
use indicatif::ProgressBar;
use models::judge::{Judge, Score};
use serde::Serialize;

use train::console::{self, json, print_error_line, print_line};
use train::evaluate::measure;
use train::evaluate::real::{self, Real};
use train::evaluate::report::{Report, WITHOUT_LABELS};
use train::evaluate::set::{self, Request, Set, TrainedOn};
use train::evaluate::{augment, interval::Estimate, known, picture};
use train::judge::{self, Opinion, shipped};
use train::options::EPOCHS;
use train::options::value::Whole;
use train::sources::{self, LabelledImages, Size, Source, Split};
use train::{device, room};

/// Measures how good generated images are: whether they are what was asked for, how their
/// distribution differs from that of real ones, whether they are remembered.
#[derive(Debug, Parser)]
#[command(
    name = "evaluate",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  cargo evaluate gen.onnx                             10,000 digits, drawn by an ONNX model
  cargo evaluate runs/00001-mnist --count 2000        by a run's averaged generator
  cargo evaluate data/mnist --split test              real digits: what the figures are at best
  cargo evaluate digits --report digits.png           a folder for each class, and the figures as a picture
  cargo evaluate digits.npz --gan-train               arrays images and labels; trains on them, in minutes
  cargo evaluate gen.onnx --augment                   do they help a classifier that has few real digits?
  cargo evaluate train-judge --out judge.safetensors  another judge, from the 60,000 training images

Of images without labels, such as emoji, which lie in a folder for each category and on white:
  cargo evaluate train-judge --data data/emoji --size 64x64 --crop --background white --out emoji.safetensors
  cargo evaluate runs/emoji --real data/emoji --judge emoji.safetensors

IMAGES is an ONNX model that `cargo export` wrote, a run's folder or one of its .safetensors files, an
.npz file with the arrays images (N, 28, 28) and labels (N), or data as `cargo train` takes them, such as
all that `infer dataset` writes.
The judge is a classifier trained on real images; distances are between its features. Real images are made
as its own were: resized, cropped, on their background.
Of a model without labels, all is measured but what needs labels: agreement, diversity, GAN-train.
The report's picture: confusion table (labels down), images of each class, the closest to training
images beside these."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a judge on real images
    TrainJudge(TrainJudge),
}

#[derive(Debug, Args)]
struct Measure {
    /// What to measure, see below
    #[arg(value_name = "IMAGES", required = true)]
    images: Option<PathBuf>,
    /// Images to draw for each class on average, as frequent as among the real ones; or in all, by a model
    /// without labels
    #[arg(long, value_name = "N", default_value_t = Whole(1000))]
    count: Whole<1, { set::MOST as u64 }>,
    /// Key of the latents to draw from
    #[arg(long, value_name = "S", default_value_t = Whole(0))]
    seed: Whole<0, { u64::MAX }>,
    /// Which of a checkpoint's weights
    #[arg(long, value_enum, default_value_t = Weights::Average)]
    weights: Weights,
    /// Which part of data
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
    /// Resize all images of data to this size, as those of the judge were [default: their own]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// Folder of the real data, best with a train and a test part [default: data/mnist, fetched when missing]
    #[arg(long, value_name = "FOLDER")]
    real: Option<PathBuf>,
    /// The judge's file [default: the shipped one, for MNIST's digits]
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// Also train a judge on these images alone and try it on real ones: takes minutes
    #[arg(long)]
    gan_train: bool,
    /// Also train judges on 100, 1,000 and 10,000 real images, alone and with these images added, and try them on
    /// real test images: takes an hour on two cores
    #[arg(long)]
    augment: bool,
    /// Draw the figures into this PNG file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// ONNX Runtime library for an ONNX model; without it, it is looked for as `infer` does
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Where the judge looks, and checkpoints draw: auto, cpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: device::Choice,
    /// One JSON object on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// No progress and no notes, only the figures
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(Debug, Args)]
struct TrainJudge {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Passes over the data
    #[arg(long, value_name = "E", default_value_t = Whole(judge::Options::default().epochs))]
    epochs: Whole<1, EPOCHS>,
    /// Images of one iteration
    #[arg(long, value_name = "N", default_value_t = Whole(128))]
    batch_size: Whole<2, 65536>,
    /// Key of every random number
    #[arg(long, value_name = "S", default_value_t = Whole(0))]
    seed: Whole<0, { u64::MAX }>,
    /// Folder of the data, of which a sixth is held out to try the judge on if there is no test part
    /// [default: data/mnist, fetched when missing]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Resize all images to this size [default: their own, which must be one]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// Cut off what makes them wider or higher than the size, as `train --unlabelled` does; stretch them
    /// otherwise
    #[arg(long)]
    crop: bool,
    /// What transparent images lie on: white, as under `train --unlabelled`, black, grey or #rrggbb
    #[arg(long, value_name = "COLOUR", default_value_t = Background::default())]
    background: Background,
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: device::Choice,
    /// One JSON object on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// No progress, only the result
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Weights {
    /// The moving average, which draws better
    Average,
    /// Those after the last step
    Raw,
}

/// What is left to do once all that was asked for is open.
pub type Job = Box<dyn FnOnce() -> Result<()>>;

/// What is said of a judge that was trained.
#[derive(Serialize)]
struct Trained {
    /// Its file.
    judge: String,
    /// SHA-256 of that.
    sha256: String,
    /// Passes over the training images.
    epochs: u64,
    /// How long they took.
    seconds: f64,
    /// Real images that it was tried on.
    images: usize,
    /// What these are.
    images_are: &'static str,
    /// How many of them it took for another class.
    errors: usize,
    /// The part that it did not.
    accuracy: Estimate,
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trained { judge, sha256, epochs, seconds, images, images_are, errors, accuracy } = self;
        writeln!(
            f,
            "{}: {epochs} epochs in {seconds:.0} s, {errors} errors on {images} {images_are}, {} right",
            printable(judge),
            accuracy.percent()
        )?;
        write!(f, "SHA-256 {sha256}")
    }
}

/// Opens what the command line asks for, and draws what is to be drawn.
///
/// # Errors
/// One sentence that names the file or option, what was found and what to do.
pub fn prepare(cli: Cli) -> Result<Job> {
    match cli.command {
        Some(Command::TrainJudge(arguments)) => prepare_judge(arguments),
        None => prepare_measure(cli.measure),
    }
}

fn prepare_measure(arguments: Measure) -> Result<Job> {
    let Measure { images, count, seed, weights, split, size, real: folder, judge, .. } = arguments;
    let Measure { gan_train, augment, report, runtime, device, json, quiet, .. } = arguments;
    let path = images.unwrap_or_default();
    if let Some(report) = &report {
        let real = folder.as_deref().unwrap_or(sources::mnist::DEFAULT_FOLDER.as_ref());
        let others = [judge.as_deref(), runtime.as_deref()].into_iter().flatten();
        check_output(report, &[path.as_path(), real].into_iter().chain(others).collect::<Vec<_>>())?;
    }
    let device = device.open()?;
    let (judge, judge_name) = match judge {
        Some(path) => (Judge::load(&path, &device)?, shown(&path)),
        None => (shipped::shipped(&device)?, shipped::NAME.to_string()),
    };
    let weights = match weights {
        Weights::Average => "average",
        Weights::Raw => "raw",
    };
    let (count, seed) = (count.0 as usize, seed.0);
    let request = Request { path, split, size, weights, count, seed, runtime, real: folder };
    let (set, real) = set::load(&request, &judge)?;
    if gan_train && !set.data.has_labels() {
        bail!("--gan-train trains a judge by the labels of the images, and these have none; leave it out");
    }
    if augment && !set.data.has_labels() {
        bail!("--augment trains judges by the labels of the images, and these have none; leave it out");
    }
    let student = measure::gan_train_options(&judge);
    if gan_train {
        if real.test.is_none() {
            bail!(
                "--gan-train tries a judge on real test images, and {} has no test part; leave it out, or put \
                 them into a folder test beside a folder train",
                real.training.name()
            );
        }
        room::check_judge(student, &set.data, &device, "leave out --gan-train")?;
    }
    let augmenting = augment::options(&judge);
    if augment {
        if real.test.is_none() {
            bail!(
                "--augment tries judges on real test images, and {} has no test part; leave it out, or put them \
                 into a folder test beside a folder train",
                real.training.name()
            );
        }
        let largest = augment::largest(&set.data, &real.training)?;
        room::check_judge(augmenting, &largest, &device, "leave out --augment")?;
    }
    if !quiet {
        set.notes.iter().for_each(|note| print_error_line(&format!("note: {note}")));
    }
    let Set { data, what, checkpoint, trained_on, .. } = set;
    Ok(Box::new(move || {
        let bar = console::bar("{spinner} {msg}", quiet)?;
        let mut figures = measure::measure(&data, &real, &judge, &mut |next| bar.set_message(next))?;
        bar.finish_and_clear();
        if let Some(test) = real.test.as_ref().filter(|_| gan_train) {
            let bar = console::bar(
                "a judge of these images [{bar:30}] {percent} %, {eta} left, loss {msg}",
                quiet,
            )?;
            bar.set_length(student.iterations(data.len()));
            let accuracy = measure::gan_train(&data, test, student, &device, &mut advance(&bar))?;
            figures.gan_train = Some(accuracy);
            bar.finish_and_clear();
        }
        if let Some(test) = real.test.as_ref().filter(|_| augment) {
            let bar =
                console::bar("a judge of {prefix} [{bar:30}] {percent} %, {eta} left, loss {msg}", quiet)?;
            let largest = augment::largest(&data, &real.training)?.len();
            bar.set_length(augmenting.iterations(largest));
            let mut progress = |what: &str, done, loss| {
                bar.set_prefix(what.to_string());
                advance(&bar)(done, loss);
            };
            let found = augment::augment(&data, &real.training, test, augmenting, &device, &mut progress)?;
            figures.augmented = Some(found);
            bar.finish_and_clear();
        }
        if let Some(path) = &report {
            let training = real.training.images();
            picture::write(path, &data, training, figures.agreement.as_ref(), &figures.nearest)?;
        }
        let mut remarks = figures.remarks(data.class_names());
        remarks.extend(strangers(&judge, &real, trained_on, &data));
        if figures.agreement.as_ref().is_some_and(|found| found.overall.value < known::guessing(&judge)) {
            remarks.push(format!(
                "the judge hardly agrees with the labels: they are wrong, or the images are of another kind \
                 than {}, which it was trained on",
                judge.header.provenance.dataset
            ));
        }
        let known = judge.header.score.map(|score| {
            let right = Estimate::proportion(score.images - score.errors.min(score.images), score.images);
            format!(", {} on {} real test images", right.percent(), score.images)
        });
        let report = Report {
            what,
            checkpoint,
            judge: format!("{judge_name}{}", known.unwrap_or_default()),
            judge_sha256: judge.sha256,
            classes: data.class_names().to_vec(),
            left_out: (!data.has_labels()).then_some(WITHOUT_LABELS),
            figures,
            remarks,
        };
        print(&report, json)
    }))
}

fn prepare_judge(arguments: TrainJudge) -> Result<Job> {
    let TrainJudge { out, epochs, batch_size, seed, data, size, crop, background, .. } = arguments;
    let TrainJudge { device, json, quiet, .. } = arguments;
    check_output(&out, &[data.as_deref().unwrap_or(sources::mnist::DEFAULT_FOLDER.as_ref())])?;
    if crop && size.is_none() {
        bail!("--crop is given, but no size to crop to; give one, such as --size 64x64, or leave out --crop");
    }
    let device = device.open()?;
    let framing = Framing { crop, background };
    let options =
        judge::Options { epochs: epochs.0, batch_size: batch_size.0 as usize, seed: seed.0, framing };
    let Real { training, test } = Real::labelled(&Source { path: data, mirror: None, size, framing })?;
    // Whether a part is held out or not, these are the data that it knows.
    let sha256 = training.digest();
    let images_are = if test.is_some() { "test images" } else { "held-out images" };
    let (training, test) = match test {
        Some(test) => (training, test),
        None => real::held_out(&training)?,
    };
    room::check_judge(options, &training, &device, "choose a smaller --batch-size")?;
    Ok(Box::new(move || {
        let bar = console::bar("[{bar:30}] {percent} %, {eta} left, loss {msg}", quiet)?;
        bar.set_length(options.iterations(training.len()));
        let started = Instant::now();
        let mut judge = judge::train(&training, "train", options, &device, &mut advance(&bar))?;
        bar.finish_and_clear();
        let seconds = started.elapsed().as_secs_f64();
        let opinion = Opinion::of(&judge, test.images())?;
        let (images, errors) = (test.len(), test.len() - opinion.agreeing(test.labels()));
        judge.header.score = Some(Score { images, errors });
        judge.header.provenance.dataset_sha256 = sha256;
        let trained = Trained {
            judge: out.display().to_string(),
            sha256: judge.save(&out)?,
            epochs: options.epochs,
            seconds,
            images,
            images_are,
            errors,
            accuracy: Estimate::proportion(images - errors, images),
        };
        print(&trained, json)
    }))
}

/// A result, as text or as JSON.
fn print(result: &(impl Serialize + Display), is_json: bool) -> Result<()> {
    match is_json {
        true => print_line(&json(result)?),
        false => print_line(&result.to_string()),
    }
}

/// What is said where the judge, the real pictures and those that are measured may not belong together.
fn strangers(
    judge: &Judge,
    real: &Real,
    trained_on: Option<TrainedOn>,
    data: &LabelledImages,
) -> Vec<String> {
    let (own, name) = (&judge.header.provenance.dataset, real.training.name());
    let mut remarks = Vec::new();
    if let Some(TrainedOn { dataset, sha256 }) = trained_on {
        let seen = printable(&dataset);
        if data.has_labels() {
            if !known::is_of(judge, &dataset, sha256.as_deref()) {
                remarks.push(format!(
                    "the images are of a generator of {seen}, but the judge was trained on {own}"
                ));
            }
        } else if sha256.map_or(dataset != name, |sha256| sha256 != real.training.digest_of_images()) {
            remarks.push(format!(
                "the images are of a generator that was trained on {seen}, and the real training images of \
                 {name} are others, or were made otherwise"
            ));
        }
    }
    if !known::is_of_data(judge, &real.training) {
        remarks.push(format!("the real data {name} are not those that the judge was trained on ({own})"));
    }
    if real.test.is_none() {
        remarks.push(format!(
            "{name} has no test part, so the figures are against training images, which a generator of them \
             has seen"
        ));
    }
    remarks
}

/// Refuses, before any work, a path that can't become a file, or whose file is needed: a run's, or one that
/// is read.
fn check_output(path: &Path, read: &[&Path]) -> Result<()> {
    let name = path.display();
    if path.is_dir() {
        bail!("{name} is a folder; name a file in it");
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        bail!("{name}: there is no folder {}; create it first", folder.display());
    }
    Destination::of(path).with_context(|| format!("{name} can't be written"))?;
    if run::owns(path) {
        bail!("{name} is a file of a run, which needs it; name another");
    }
    if let Some(input) = read.iter().find(|input| is_of(path, input)) {
        bail!("{name} is a file of {}, which is read; name another", input.display());
    }
    Ok(())
}

/// Whether a file is an input, or in an input's folder.
fn is_of(path: &Path, input: &Path) -> bool {
    // One of EMNIST's sets is a folder's, named without the ends of its files' names.
    let folder = match sources::is_there(input) && !input.exists() {
        true => folder_of(input).canonicalize(),
        false => input.canonicalize(),
    };
    is_same(path, input)
        || matches!((path.canonicalize(), folder), (Ok(path), Ok(folder)) if path.starts_with(&folder) && !run::is_run(&folder))
}

/// Moves a bar to so many iterations and a loss.
fn advance(bar: &ProgressBar) -> impl FnMut(u64, f64) {
    |done, loss| {
        bar.set_position(done);
        bar.set_message(format!("{loss:.3}"));
    }
}

/// 2 for a request that can't be served, 1 where this machine fails.
pub fn status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<infer::Error>() {
        Some(error) if !error.is_bad_request() => 1,
        _ => 2,
    }
}
