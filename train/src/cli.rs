//! The command line of `train`, and the loop over iterations.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use clap::Parser;
use contract::shown;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::judge::Judge;
use serde::Serialize;

use crate::batches::{self, Batches};
use crate::console::{print_error_line, print_line};
use crate::dataset::Dataset;
use crate::evaluate::ongoing::{Ongoing, Quality};
use crate::guide::Guide;
use crate::judge::shipped;
use crate::metrics::Metrics;
use crate::plan::{self, Plan};
use crate::recipe::Recipe;
use crate::run::{self, Config, Run};
use crate::settings::{self, Flags, Settings};
use crate::sources::{self, LabelledImages, Loaded, Progress};
use crate::tensorboard::Board;
use crate::trainer::Trainer;
use crate::watch::{OnCollapse, Watch};
use crate::{animation, device, failure, networks, room, samples};

/// Iterations between two lines of the metrics.
const LOG_EVERY: u64 = 50;

/// Trains a DCGAN on MNIST or on your own pictures, with labels or without. Without options: MNIST's
/// 60,000 training images, the reference recipe, 25 epochs, on the first CUDA device if there is one,
/// else on the CPU.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
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

--data takes a folder with one of:
  IDX files named like MNIST's (as Fashion-MNIST's and KMNIST's are) or EMNIST's, plain or .gz
  a folder for each class, called as the class, with its PNG and JPEG pictures
  PNG and JPEG pictures, and labels.csv: a header file,label and a line for each picture
Of the latter two, folders train/ and test/ may hold a part each; else all pictures are the train part.
classes.txt beside the data gives the classes' order, and IDX classes their names: one a line.
Pictures are learned in colour if any of them has colour; what is transparent becomes black.

With --unlabelled, --data takes any folder of PNG, JPEG, WebP and BMP pictures, in sub-folders too. They
are learned by networks that take no labels. Decoded pictures are kept in data/cache.

Ctrl-C, SIGTERM and a terminal that closes (SIGHUP, but not under nohup) save and say how to go on; a
second Ctrl-C or SIGTERM ends the program at once. After that, a kill or a power cut, --resume goes on
from the last checkpoint and ends, on the CPU, with the files of a run that was never stopped. Should
that checkpoint be damaged, it says so and takes the one before. No two processes train in one folder."
)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// A file with settings, over which flags go
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = settings::RUN)]
    config: Option<PathBuf>,
    /// Folder of the new run [default: the next number under runs/]
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume", help_heading = settings::RUN)]
    out: Option<PathBuf>,
    /// Go on with a run, by default the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1, help_heading = settings::RUN)]
    resume: Option<Option<PathBuf>>,
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE", default_value = "auto", help_heading = settings::RUN)]
    device: device::Choice,
    /// What a collapse of training does. Losses that are no numbers always end the run
    #[arg(long, value_enum, value_name = "WHAT", default_value_t, help_heading = settings::RUN)]
    watch: OnCollapse,
    /// Say what the run would be: settings, networks, memory, time. Writes nothing
    #[arg(long, conflicts_with_all = ["resume", "out", "mirror"], help_heading = settings::RUN)]
    dry_run: bool,
    /// Where MNIST is fetched from [default: two public mirrors]
    #[arg(long, value_name = "URL", conflicts_with = "data", help_heading = settings::DATA)]
    mirror: Option<String>,
    /// One line of JSON an epoch on standard output, and nothing else there
    #[arg(long)]
    json: bool,
    /// Nothing but errors and warnings
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

/// What is said, and where.
struct Voice {
    json: bool,
    quiet: bool,
    bar: ProgressBar,
    /// Why standard output couldn't be written, and that it isn't tried again.
    unsaid: OnceCell<anyhow::Error>,
}

impl Voice {
    fn new(cli: &Cli, bar: ProgressBar) -> Voice {
        let Cli { json, quiet, .. } = *cli;
        Voice { json, quiet, bar, unsaid: OnceCell::new() }
    }

    /// Of what went wrong and was mended: that is said whatever else isn't.
    fn warn(&self, warning: Option<String>) {
        if let Some(warning) = warning {
            self.bar.suspend(|| print_error_line(&format!("warning: {warning}")));
        }
    }

    fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            self.print(text);
        }
    }

    /// A result. Training doesn't end because one can't be written: hours may go into it.
    fn print(&self, text: &str) {
        if self.unsaid.get().is_some() {
            return;
        }
        if let Err(error) = self.bar.suspend(|| print_line(text)) {
            self.warn(Some(format!("{}; training goes on", failure::sentence(&error))));
            let _ = self.unsaid.set(error);
        }
    }

    /// Says at the end that something couldn't be written.
    fn all_said(&self, run: &Path) -> Result<()> {
        match self.unsaid.get() {
            // A sentence, as the advice for files that can't be written doesn't fit.
            Some(error) => bail!("{}, but all of {} is saved", failure::sentence(error), run.display()),
            None => Ok(()),
        }
    }
}

impl Cli {
    /// Whether nothing is to be trained.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

/// A run that is ready to train.
pub struct Job {
    run: Run,
    trainer: Trainer,
    data: LabelledImages,
    device_name: String,
    voice: Voice,
    watch: OnCollapse,
    judge: Option<Ongoing>,
    interrupted: Arc<AtomicBool>,
}

/// What `--json` prints of an epoch.
#[derive(Serialize)]
struct EpochLine<'a> {
    #[serde(flatten)]
    metrics: &'a Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'a Quality>,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done,
    /// Ctrl-C, SIGTERM or SIGHUP; all is saved.
    Stopped,
}

/// Opens what the command line asks for: device, data, run.
///
/// # Errors
/// One sentence that names the file or option, what was found and what to do.
pub fn prepare(cli: Cli) -> Result<Job> {
    let device = cli.device.open()?;
    let voice = Voice::new(&cli, progress_bar(&cli)?);

    let (run, mut trainer, data, judge) = match &cli.resume {
        Some(folder) => {
            let folder = folder.clone().map_or_else(run::newest, Ok)?;
            let mut run = Run::resume(folder)?;
            let data = load_again(&mut run, &cli, &voice)?;
            room::check(&run.config, &data, &device)?;
            if device.is_cuda() {
                run.config.precision.apply(&device)?;
            }
            let (trainer, warning) = run.restore(&device)?;
            voice.warn(warning);
            run.config.epochs = cli.flags.epochs().unwrap_or(run.config.epochs);
            run.config.checkpoint_every = cli.flags.checkpoint_every().or(run.config.checkpoint_every);
            run.config.keep = cli.flags.keep().unwrap_or(run.config.keep);
            run.config.evaluate_every = cli.flags.evaluate_every().or(run.config.evaluate_every);
            if let Some(judge) = cli.flags.judge() {
                run.config.judge_absolute = run::absolute(&judge);
                run.config.judge = Some(judge);
            }
            let judge = judge_for(&run.config, &data, &device)?;
            (run, trainer, data, judge)
        }
        None => {
            let settings = settings::resolve(&cli.flags, cli.config.as_deref())?;
            settings.precision.apply(&device)?;
            let dataset = Dataset { mirror: cli.mirror.clone(), ..Dataset::of_settings(&settings) };
            let data = load(dataset, &voice)?;
            let config = configure(settings, &data, &device)?;
            room::check(&config, &data, &device)?;
            let judge = judge_for(&config, &data, &device)?;
            let trainer = Trainer::new(&config.networks, config.recipe, config.seed, &device)?;
            (Run::create(cli.out.clone(), config)?, trainer, data, judge)
        }
    };

    let device_name = run.config.precision.describe(&device);
    trainer.schedule = run.config.schedule();
    let total = run.config.iterations();
    let first = trainer.iterations();
    if first >= total {
        bail!(
            "{} has done its {} epochs; say --epochs with more to go on",
            run.folder.display(),
            run.config.epochs
        );
    }
    if cli.resume.is_some() {
        run.save_config()?;
    }
    trainer.guide = guide_for(&run, &data, &device, &voice)?;
    // Until here a signal ends the program at once: there is nothing to save yet.
    let interrupted = contract::stop_flag().context("can't catch Ctrl-C")?;
    voice.say(&format!(
        "{} on {device_name}: {}, {} epochs in batches of {}, seed {}\n\
         generator {} parameters, discriminator {}",
        shown(&run.folder),
        plan::Data::of(&data),
        run.config.epochs,
        run.config.batch_size,
        run.config.seed,
        trainer.generator.trainable(),
        trainer.discriminator.trainable(),
    ));
    voice.bar.set_length(total - first);
    Ok(Job { run, trainer, data, device_name, voice, watch: cli.watch, judge, interrupted })
}

/// The judge of a run that is to be measured.
fn judge_for(config: &Config, data: &LabelledImages, device: &Device) -> Result<Option<Ongoing>> {
    if config.evaluate_every.is_none() {
        return Ok(None);
    }
    if config.networks.classes().is_none() {
        bail!(
            "evaluate-every asks whether pictures are what their labels say, and these have none; leave it out"
        );
    }
    let judge = match config.judge_path() {
        Some(path) => Judge::load(&path, device)?,
        None => shipped::shipped(device)?,
    };
    Ongoing::new(judge, data, config.seed).map(Some)
}

/// The classifier that the generator learns from, where the recipe has one.
fn guide_for(run: &Run, data: &LabelledImages, device: &Device, voice: &Voice) -> Result<Option<Guide>> {
    if run.config.recipe.guide == 0. {
        return Ok(None);
    }
    let of = (data, run.config.split.name());
    let guide = Guide::of_run(&run.guide(), of, run.config.seed, device, &mut |done, total, loss| {
        voice.bar.set_length(total);
        voice.bar.set_position(done);
        voice.bar.set_message(format!("the guide, before the first iteration: loss {loss:.3}"));
    })?;
    voice.bar.reset();
    Ok(Some(guide))
}

/// A new run's configuration.
fn configure(settings: Settings, data: &LabelledImages, device: &Device) -> Result<Config> {
    let Recipe { mismatch, contrast, guide, .. } = settings.recipe;
    for (key, weight) in [("mismatch", mismatch), ("contrast", contrast), ("guide", guide)] {
        if weight > 0. && data.classes() == 1 {
            bail!("{key} is {weight}, but {} has one class, so no label is wrong; expected 0", data.name());
        }
    }
    Ok(Config {
        version: env!("CARGO_PKG_VERSION").to_string(),
        networks: networks::for_data(data, settings.networks)?,
        recipe_name: settings.recipe_name,
        recipe: settings.recipe,
        epochs: settings.epochs,
        batch_size: settings.batch_size,
        seed: settings.seed,
        data_absolute: run::absolute(
            settings.data.as_deref().unwrap_or(sources::mnist::DEFAULT_FOLDER.as_ref()),
        ),
        data: settings.data,
        size: settings.size,
        unlabelled: settings.unlabelled,
        flip: settings.flip,
        split: settings.split,
        dataset: data.name().to_string(),
        dataset_sha256: data.digest(),
        classes: data.class_names().to_vec(),
        images: data.len(),
        device: settings.precision.describe(device),
        precision: settings.precision,
        checkpoint_every: settings.checkpoint_every,
        keep: settings.keep,
        evaluate_every: settings.evaluate_every,
        judge_absolute: settings.judge.as_deref().and_then(run::absolute),
        judge: settings.judge,
    })
}

/// What a new run would be, to be printed. Writes no file.
///
/// # Errors
/// As [`prepare`]; also if MNIST would have to be fetched.
pub fn plan(cli: &Cli) -> Result<String> {
    let device = cli.device.open()?;
    let voice = Voice::new(cli, ProgressBar::hidden());
    let settings = settings::resolve(&cli.flags, cli.config.as_deref())?;
    settings.precision.apply(&device)?;
    let mnist = || PathBuf::from(sources::mnist::DEFAULT_FOLDER);
    let path = Some(settings.data.clone().unwrap_or_else(mnist));
    let data = load(Dataset { path, cache: None, ..Dataset::of_settings(&settings) }, &voice);
    let data = match settings.data {
        Some(_) => data?,
        None => data.context("a dry run fetches nothing, and MNIST isn't here; get it with `make setup`")?,
    };
    let values = settings.values.clone();
    let config = configure(settings, &data, &device)?;
    room::check(&config, &data, &device)?;
    let plan = Plan::new(values, &config, &data, &device)?;
    Ok(match cli.json {
        true => serde_json::to_string(&plan)?,
        false => plan.to_string().trim_end().to_string(),
    })
}

/// The loop over iterations.
///
/// # Errors
/// If a file can't be written, or the losses are no longer numbers; the last checkpoint is intact.
pub fn train(job: Job) -> Result<Outcome> {
    let folder = job.run.folder.clone();
    iterate(job).map_err(|error| failure::with_advice(error, &folder))
}

fn iterate(job: Job) -> Result<Outcome> {
    let Job { mut run, mut trainer, data, device_name, voice, watch, judge, interrupted } = job;
    let Config { batch_size, seed, networks, .. } = run.config;
    let mut watch = Watch::new(watch, &run.config.recipe);
    let total = run.config.iterations();
    let first = trainer.iterations();
    let device = trainer.g.device().clone();
    let mut board = Board::open(&run.folder, first)?;
    let mut batches = Batches::new(&data, run.config.batches(), &device)?;
    let started = Instant::now();
    let mut last_line = (started, first);
    for t in first..total {
        let (x, y) = batches.batch(t)?;
        let z = batches::latents(seed, t, batch_size, networks.sizes(), &device)?;
        let figures = trainer.iteration(&x, &y, &z)?;
        voice.bar.inc(1);

        let done = t + 1;
        let epoch = run.config.whole_epochs(done);
        let ended = run.config.ends_epoch(done);
        let scheduled = run.config.is_scheduled(done);
        // What a stopped run logs doesn't depend on where it was stopped.
        if done % LOG_EVERY == 0 || scheduled || done == 1 {
            let speed = (done - last_line.1) as f64 * batch_size as f64 / last_line.0.elapsed().as_secs_f64();
            last_line = (Instant::now(), done);
            let at = (done, run.config.epochs_done(done));
            let line = Metrics::read(&figures, at, speed, run.trained + started.elapsed())?;
            voice.warn(watch.losses(&line, &run.last_checkpoint())?);
            run.log(&line)?;
            board.scalars(&line)?;
            voice.bar.set_message(format!(
                "{speed:.0} images/s  loss D {:.3} G {:.3}  D(x) {:.2} D(G(z)) {:.2}",
                line.loss_d, line.loss_g, line.d_real, line.d_fake
            ));
            if ended {
                let grid = run.grid(epoch);
                let images = samples::draw(&trainer.generator, &trainer.average, seed, &networks)?;
                samples::write_grid(&images, samples::columns(&networks), &grid)?;
                let variety = samples::variety(&images, networks.classes().unwrap_or(1))?;
                let at = (data.class_names(), grid.as_path());
                voice.warn(watch.samples(done, &variety, at, &run.last_checkpoint())?);
                board.epoch(done, &grid, &figures)?;
                let quality = match &judge {
                    Some(judge) if run.config.is_measured(done) => {
                        let at = (done, run.config.epochs_done(done));
                        Some(judge.measure((&trainer.generator, &trainer.average), &networks, at)?)
                    }
                    _ => None,
                };
                if let Some(quality) = &quality {
                    board.quality(quality)?;
                    run.record(quality.clone())?;
                }
                board.sync()?;
                run.save(&trainer, &device_name)?;
                animation::write(&run.grids(epoch)?, &run.animation())?;
                if voice.json {
                    let line = EpochLine { metrics: &line, quality: quality.as_ref() };
                    voice.print(&serde_json::to_string(&line)?);
                }
                voice.say(&format!(
                    "epoch {epoch}: loss D {:.3} G {:.3}, D(x) {:.2}, D(G(z)) {:.2}, {:.0} s, {}",
                    line.loss_d,
                    line.loss_g,
                    line.d_real,
                    line.d_fake,
                    line.elapsed_seconds,
                    shown(&grid)
                ));
                if let Some(quality) = &quality {
                    voice.say(&format!("  {quality}"));
                }
            } else if scheduled {
                run.save(&trainer, &device_name)?;
            }
        }
        if interrupted.load(Ordering::SeqCst) && done < total {
            run.save(&trainer, &device_name)?;
            voice.bar.finish_and_clear();
            if !voice.quiet {
                print_error_line(&format!(
                    "stopped after iteration {done} of {total}, all saved; go on with: {}",
                    run::go_on(&run.folder)
                ));
            }
            return Ok(Outcome::Stopped);
        }
    }
    voice.bar.finish_and_clear();
    if let Some((best, checkpoint)) = run.best() {
        let epoch = run.config.whole_epochs(best.iteration);
        voice.say(&format!("best: {} after epoch {epoch}, {best}", shown(&checkpoint)));
    }
    let seconds = started.elapsed().as_secs_f64();
    voice.say(&format!(
        "done: {} iterations in {seconds:.0} s, {:.0} images/s; next: {}",
        total - first,
        (total - first) as f64 * batch_size as f64 / seconds,
        contract::command(
            "export",
            ["--checkpoint".as_ref(), run.folder.as_os_str(), "--out".as_ref(), OsStr::new("gen.onnx")]
        )
    ));
    voice.all_said(&run.folder)?;
    Ok(Outcome::Done)
}

/// Loads the data of a run that goes on, from the folder that is named now or where they were, and
/// records where that is.
///
/// # Errors
/// If they are not those that the run was started with.
fn load_again(run: &mut Run, cli: &Cli, voice: &Voice) -> Result<LabelledImages> {
    let named = cli.flags.data();
    let recorded = Dataset { mirror: cli.mirror.clone(), ..Dataset::of_run(&run.config) };
    let folder = named.clone().or_else(|| recorded.path.clone());
    let dataset = Dataset { path: folder.clone(), ..recorded };
    if let Some(gone) = folder.as_deref().filter(|folder| named.is_none() && !sources::is_there(folder)) {
        bail!(
            "the data of {} are no longer at {}; say with --data where they are now",
            run.folder.display(),
            run.config.data_absolute.as_deref().unwrap_or(gone).display()
        );
    }
    let data = load(dataset, voice)?;
    if data.digest() != run.config.dataset_sha256 {
        bail!(
            "the data differ from those that {} was started with (SHA-256 {}, {} expected); put the old ones \
             back, say with --data where they are, or start a new run",
            run.folder.display(),
            data.digest(),
            run.config.dataset_sha256
        );
    }
    run.config.data_absolute =
        run::absolute(folder.as_deref().unwrap_or(sources::mnist::DEFAULT_FOLDER.as_ref()));
    run.config.data = named.or(run.config.data.take());
    Ok(data)
}

/// Loads the data, with a bar where that takes time, and says what isn't used of them.
fn load(dataset: Dataset, voice: &Voice) -> Result<LabelledImages> {
    let bar = match voice.quiet || voice.json || !std::io::stderr().is_terminal() {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("{msg} [{bar:30}] {percent} %, {eta} left")?),
    };
    let loaded = dataset.load(&mut |progress| {
        let (what, done, total) = match progress {
            Progress::Download(file) => (file.file.to_string(), file.received, file.total),
            Progress::Decode { done, total } => (format!("{total} pictures"), done as u64, total as u64),
        };
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let Loaded { data, notes } = loaded?;
    if !voice.quiet {
        notes.iter().for_each(|note| print_error_line(&format!("note: {note}")));
    }
    Ok(data)
}

fn progress_bar(cli: &Cli) -> Result<ProgressBar> {
    if cli.quiet || cli.json || !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("[{bar:30}] {pos}/{len}, {eta} left  {msg}")?;
    Ok(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style))
}
