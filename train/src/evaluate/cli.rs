//! The command line of `evaluate`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::files::{Destination, folder_of, is_same};
use contract::{printable, run, shown};
use indicatif::{ProgressBar, ProgressStyle};
use models::judge::{Judge, Score};
use serde::Serialize;

use super::measure::{self, Real};
use super::report::Report;
use super::set::{self, Request, Set, TrainedOn};
use super::{interval::Estimate, known, picture};
use crate::console::{print_error_line, print_line};
use crate::judge::{self, Opinion, shipped};
use crate::settings::{Kind, Value};
use crate::sources::{self, LabelledImages, Size, Source, Split};
use crate::{device, room};

/// Measures how good generated digits are: whether they are what was asked for, how their
/// distribution differs from that of real ones, whether they are remembered.
#[derive(Debug, Parser)]
#[command(
    name = "evaluate",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  cargo evaluate gen.onnx                             1,000 digits of each class, drawn by an ONNX model
  cargo evaluate runs/00001-mnist --count 2000        by a run's averaged generator
  cargo evaluate data/mnist --split test              real digits: what the figures are at best
  cargo evaluate digits --report digits.png           a folder for each class, and the figures as a picture
  cargo evaluate digits.npz --gan-train               arrays images and labels; trains on them, in minutes
  cargo evaluate train-judge --out judge.safetensors  another judge, from the 60,000 training images

IMAGES is an ONNX model that `cargo export` wrote, a run's folder or one of its .safetensors files, an
.npz file with the arrays images (N, 28, 28) and labels (N), or a folder with data as `cargo train` takes
them.
The judge is a classifier trained on real images; distances are between its features.
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
    /// Images to draw of each class
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = contract::number::whole::<1, { set::MOST }>)]
    count: usize,
    /// Key of the latents to draw from
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = whole::<0, { u64::MAX }>)]
    seed: u64,
    /// Which of a checkpoint's weights
    #[arg(long, value_enum, default_value_t = Weights::Average)]
    weights: Weights,
    /// Which part of data
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
    /// Stretch all images of data to this size [default: their own]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// Folder of the real data, with a train and a test part [default: data/mnist, fetched when missing]
    #[arg(long, value_name = "FOLDER")]
    real: Option<PathBuf>,
    /// The judge's file [default: the shipped one, for MNIST's digits]
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// Also train a judge on these images alone and try it on real ones: takes minutes
    #[arg(long)]
    gan_train: bool,
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
    #[arg(long, value_name = "E", default_value_t = judge::Options::default().epochs, value_parser = whole::<1, EPOCHS>)]
    epochs: u64,
    /// Images of one iteration
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = contract::number::whole::<2, 65536>)]
    batch_size: usize,
    /// Key of every random number
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = whole::<0, { u64::MAX }>)]
    seed: u64,
    /// Folder of the data, with a train and a test part [default: data/mnist, fetched when missing]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
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

/// A request that can be served.
pub enum Job {
    /// Measure these images.
    Measure(Box<Measuring>),
    /// Train a judge.
    TrainJudge(Box<Training>),
}

/// Images, and what to measure them with.
pub struct Measuring {
    set: Set,
    real: Real,
    judge: Judge,
    judge_name: String,
    gan_train: bool,
    report: Option<PathBuf>,
    json: bool,
    bars: Bars,
}

/// Data to train a judge on.
pub struct Training {
    real: Real,
    options: judge::Options,
    device: Device,
    out: PathBuf,
    json: bool,
    bars: Bars,
}

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
    /// Real test images that it was tried on.
    images: usize,
    /// How many of them it took for another class.
    errors: usize,
    /// The part that it did not.
    accuracy: Estimate,
}

impl std::fmt::Display for Trained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trained { judge, sha256, epochs, seconds, images, errors, accuracy } = self;
        writeln!(
            f,
            "{}: {epochs} epochs in {seconds:.0} s, {errors} errors on {images} test images, {} right",
            printable(judge),
            accuracy.percent()
        )?;
        write!(f, "SHA-256 {sha256}")
    }
}

/// Passes over the data that can be asked for.
const EPOCHS: u64 = 1_000_000_000;

/// Parses a whole number of a range.
///
/// # Errors
/// What is expected.
fn whole<const LEAST: u64, const MOST: u64>(text: &str) -> Result<u64, String> {
    match (Kind::Whole { least: LEAST, most: MOST }).parse(text)? {
        Value::Whole(number) => Ok(number),
        _ => Err("expected a whole number".to_string()),
    }
}

/// Opens what the command line asks for, and draws what is to be drawn.
///
/// # Errors
/// One sentence that names the file or option, what was found and what to do.
pub fn prepare(cli: Cli) -> Result<Job> {
    if let Some(Command::TrainJudge(arguments)) = cli.command {
        let TrainJudge { out, epochs, batch_size, seed, data, device, json, quiet } = arguments;
        check_output(&out, &[data.as_deref().unwrap_or(sources::mnist::DEFAULT_FOLDER.as_ref())])?;
        let device = device.open()?;
        let bars = Bars { shown: !quiet };
        let options = judge::Options { epochs, batch_size, seed };
        let real = real(data.as_deref())?;
        room::check_judge(options, &real.training, &device)?;
        return Ok(Job::TrainJudge(Box::new(Training { real, options, device, out, json, bars })));
    }
    let Measure { images, count, seed, weights, split, size, real: folder, judge, .. } = cli.measure;
    let Measure { gan_train, report, runtime, device, json, quiet, .. } = cli.measure;
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
    let set = set::load(&Request { path, split, size, weights, count, seed, runtime }, &judge)?;
    let real = real(folder.as_deref())?;
    for data in [&real.training, &real.test] {
        set::check_size(data.images(), &judge, data.name())?;
        if data.class_names() != judge.header.provenance.classes {
            bail!(
                "the real data {} are of the classes {}, but the judge knows {}; give others with --real, or \
                 another --judge",
                data.name(),
                data.class_names().join(", "),
                judge.header.provenance.classes.join(", ")
            );
        }
    }
    known::check(&judge, &real.training)?;
    if !quiet {
        set.notes.iter().for_each(|note| print_error_line(&format!("note: {note}")));
    }
    let bars = Bars { shown: !quiet };
    Ok(Job::Measure(Box::new(Measuring { set, real, judge, judge_name, gan_train, report, json, bars })))
}

impl Job {
    /// Does it.
    ///
    /// # Errors
    /// If a file can't be written; Candle's.
    pub fn run(self) -> Result<()> {
        match self {
            Job::Measure(job) => job.run(),
            Job::TrainJudge(job) => job.run(),
        }
    }
}

impl Measuring {
    fn run(self) -> Result<()> {
        let Measuring {
            set: Set { data, what, checkpoint, trained_on, .. }, real, judge, judge_name, ..
        } = self;
        let bar = self.bars.bar("{spinner} {msg}")?;
        let mut figures = measure::measure(&data, &real, &judge, &mut |next| bar.set_message(next))?;
        bar.finish_and_clear();
        if self.gan_train {
            figures.gan_train = Some(gan_train(&data, &real, &judge, self.bars)?);
        }
        if let Some(path) = &self.report {
            picture::write(path, &data, real.training.images(), &figures.agreement, &figures.nearest)?;
        }
        let mut remarks = figures.remarks(data.class_names());
        remarks.extend(strangers(&judge, &real, trained_on, figures.agreement.overall.value));
        let known = match judge.header.score {
            Some(score) => format!(
                ", {} on {} real test images",
                Estimate::proportion(score.images - score.errors.min(score.images), score.images).percent(),
                score.images
            ),
            None => String::new(),
        };
        let report = Report {
            what,
            checkpoint,
            judge: format!("{judge_name}{known}"),
            judge_sha256: judge.sha256,
            classes: data.class_names().to_vec(),
            figures,
            remarks,
        };
        match self.json {
            true => print_line(&serde_json::to_string(&report)?),
            false => print_line(&report.to_string()),
        }
    }
}

/// What is said where a judge may not know the pictures.
fn strangers(judge: &Judge, real: &Real, trained_on: Option<TrainedOn>, agreement: f64) -> Vec<String> {
    let own = &judge.header.provenance.dataset;
    let mut remarks = Vec::new();
    if let Some(TrainedOn { dataset, sha256 }) = trained_on
        && !known::is_of(judge, &dataset, sha256.as_deref())
    {
        let dataset = printable(&dataset);
        remarks
            .push(format!("the images are of a generator of {dataset}, but the judge was trained on {own}"));
    }
    if !known::is_of_data(judge, &real.training) {
        let name = real.training.name();
        remarks.push(format!("the real data {name} are not those that the judge was trained on ({own})"));
    }
    if agreement < known::guessing(judge) {
        remarks.push(format!(
            "the judge hardly agrees with the labels: they are wrong, or the images are of another kind than \
             {own}, which it was trained on"
        ));
    }
    remarks
}

fn gan_train(data: &LabelledImages, real: &Real, judge: &Judge, bars: Bars) -> Result<Estimate> {
    let bar = bars.bar("a judge of these images [{bar:30}] {percent} %, {eta} left, loss {msg}")?;
    let accuracy = measure::gan_train(data, real, judge.parameters().device(), &mut |done, total, loss| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(format!("{loss:.3}"));
    })?;
    bar.finish_and_clear();
    Ok(accuracy)
}

impl Training {
    fn run(self) -> Result<()> {
        let Training { real: Real { training, test }, options, device, out, json, bars } = self;
        let bar = bars.bar("[{bar:30}] {percent} %, {eta} left, loss {msg}")?;
        bar.set_length(options.iterations(training.len()));
        let started = Instant::now();
        let mut judge = judge::train(&training, "train", options, &device, &mut |done, loss| {
            bar.set_position(done);
            bar.set_message(format!("{loss:.3}"));
        })?;
        bar.finish_and_clear();
        let seconds = started.elapsed().as_secs_f64();
        let opinion = Opinion::of(&judge, test.images())?;
        let errors = test.len() - opinion.agreeing(test.labels());
        judge.header.score = Some(Score { images: test.len(), errors });
        let sha256 = judge.save(&out)?;
        let trained = Trained {
            judge: out.display().to_string(),
            sha256,
            epochs: options.epochs,
            seconds,
            images: test.len(),
            errors,
            accuracy: Estimate::proportion(test.len() - errors, test.len()),
        };
        match json {
            true => print_line(&serde_json::to_string(&trained)?),
            false => print_line(&trained.to_string()),
        }
    }
}

/// Both parts of real data.
fn real(folder: Option<&Path>) -> Result<Real> {
    let load = |split| {
        let source = Source { path: folder.map(Path::to_path_buf), ..Source::default() };
        sources::load(&source, split, &mut |_| ()).map(|loaded| loaded.data)
    };
    Ok(Real { training: load(Split::Train)?, test: load(Split::Test)? })
}

/// Refuses, before any work, a path that can't become a file, or whose file would be missed: a run's, or
/// one of what is read.
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

/// Progress on standard error, where that is a terminal.
#[derive(Clone, Copy)]
struct Bars {
    shown: bool,
}

impl Bars {
    fn bar(self, template: &str) -> Result<ProgressBar> {
        if !self.shown || !std::io::stderr().is_terminal() {
            return Ok(ProgressBar::hidden());
        }
        Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(template).context("progress bar")?))
    }
}

/// 2 for a request that can't be served, 1 where this machine fails.
pub fn status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<infer::Error>() {
        Some(error) if !error.is_bad_request() => 1,
        _ => 2,
    }
}
