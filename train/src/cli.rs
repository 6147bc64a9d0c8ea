//! The command line of `train`, and the loop over iterations.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::batches::{self, Batches};
use crate::data::{self, LabelledImages, Loaded, Progress, Size, Source, Split};
use crate::device::Precision;
use crate::metrics::Metrics;
use crate::run::{self, Config, Run};
use crate::tensorboard::Board;
use crate::trainer::{Recipe, Trainer};
use crate::{animation, checkpoints, device, failure, networks, samples};

/// Iterations between two lines of the metrics.
const LOG_EVERY: u64 = 50;

/// Trains a labelled DCGAN on MNIST or on your own pictures. Without options: MNIST's 60,000 training
/// images, the reference recipe, 25 epochs, on the first CUDA device if there is one, else on the CPU.
#[derive(Debug, Parser)]
#[command(
    name = "train",
    version,
    after_help = "\
Examples:
  train                                 the reference run, into runs/00001-mnist
  train --epochs 5 --out runs/short     five epochs, into a folder of your choice
  train --resume                        go on with the newest run
  train --resume runs/short --epochs 10 go on with that run, to ten epochs in all
  train --data flowers --size 48x64     your own pictures, resized to 48 columns and 64 rows
  train --data gzip/emnist-letters      one of the sets in EMNIST's folder
  train --device cuda:1                 the second CUDA device, or an error

--data takes a folder with one of:
  IDX files named like MNIST's (as Fashion-MNIST's and KMNIST's are) or EMNIST's, plain or .gz
  a folder for each class, called as the class, with its PNG and JPEG pictures
  PNG and JPEG pictures, and labels.csv: a header file,label and a line for each picture
Of the latter two, folders train/ and test/ may hold a part each; else all pictures are the train part.
classes.txt beside the data gives the classes' order, and IDX classes their names: one a line.
Pictures are learned in colour if any of them has colour; what is transparent becomes black.

Ctrl-C and SIGTERM save and say how to go on; a second one ends the program at once. After that, a
kill or a power cut, --resume goes on from the last checkpoint and ends, on the CPU, with the files of
a run that was never stopped. Should that checkpoint be damaged, it says so and takes the one before.
No two processes train in one folder."
)]
pub struct Cli {
    /// Passes over the data [default: 25, or the resumed run's]
    #[arg(long, value_name = "E", value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// Images of one iteration [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=65536), conflicts_with = "resume")]
    batch_size: Option<u32>,
    /// Key of every random number: weights, order, latents [default: 0]
    #[arg(long, value_name = "S", conflicts_with = "resume")]
    seed: Option<u64>,
    /// Folder of the data, see below [default: data/mnist, fetched when missing]
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    data: Option<PathBuf>,
    /// Stretch all pictures to this size [default: their own, which must be one]
    #[arg(long, value_name = "WIDTHxHEIGHT", conflicts_with = "resume")]
    size: Option<Size>,
    /// Where MNIST is fetched from [default: two public mirrors]
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    mirror: Option<String>,
    /// Which part of the data to train on [default: train]
    #[arg(long, value_enum, conflicts_with = "resume")]
    split: Option<Split>,
    /// auto, cpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: device::Choice,
    /// Multiply with 11 bits of precision in place of 24, on a GPU's tensor cores: faster, and the
    /// run's numbers differ
    #[arg(long, conflicts_with = "resume")]
    tf32: bool,
    /// Folder of the new run [default: the next number under runs/]
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Save every so many iterations, and not only at each epoch's end [default: as the resumed run]
    #[arg(long, value_name = "ITERATIONS", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_every: Option<u64>,
    /// How many checkpoints are kept [default: 2, or as the resumed run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Go on with a run, by default the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
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
}

impl Voice {
    /// Of what went wrong and was mended: that is said whatever else isn't.
    fn warn(&self, text: &str) {
        self.bar.suspend(|| print_error_line(&format!("warning: {text}")));
    }

    fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            self.bar.suspend(|| print_line(text));
        }
    }
}

/// A line on standard output. A reader that has seen enough may close the pipe: training goes on.
fn print_line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard error, whose terminal may be gone by now.
pub fn print_error_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A flag that Ctrl-C and SIGTERM raise. The second signal ends the program at once.
fn stop_signals() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal finds the flag down.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// A run that is ready to train.
pub struct Job {
    run: Run,
    trainer: Trainer,
    data: LabelledImages,
    device_name: String,
    voice: Voice,
    interrupted: Arc<AtomicBool>,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done,
    /// Ctrl-C or SIGTERM; all is saved.
    Stopped,
}

/// Opens what the command line asks for: device, data, run.
///
/// # Errors
/// One sentence that names the file or option, what was found and what to do.
pub fn prepare(cli: Cli) -> Result<Job> {
    let interrupted = stop_signals().context("can't catch Ctrl-C")?;

    let device = cli.device.open()?;
    let voice = Voice { json: cli.json, quiet: cli.quiet, bar: progress_bar(&cli)? };

    let (run, trainer, data) = match &cli.resume {
        Some(folder) => {
            let folder = folder.clone().map_or_else(run::newest, Ok)?;
            let mut run = Run::resume(folder)?;
            let Config { data, size, .. } = &run.config;
            let source = Source { path: data.clone(), mirror: cli.mirror.clone(), size: *size };
            let data = load(source, run.config.split, &voice)?;
            if data.digest() != run.config.dataset_sha256 {
                bail!(
                    "the data differ from those that {} was started with (SHA-256 {}, {} expected); put the old ones back or start a new run",
                    run.folder.display(),
                    data.digest(),
                    run.config.dataset_sha256
                );
            }
            if device.is_cuda() {
                run.config.precision.apply(&device)?;
            }
            let (trainer, warning) = run.restore(&device)?;
            if let Some(warning) = warning {
                voice.warn(&warning);
            }
            run.config.epochs = cli.epochs.unwrap_or(run.config.epochs);
            run.config.checkpoint_every = cli.checkpoint_every.or(run.config.checkpoint_every);
            run.config.keep = cli.keep.map_or(run.config.keep, |keep| keep as usize);
            (run, trainer, data)
        }
        None => {
            let precision = if cli.tf32 { Precision::Tf32 } else { Precision::Float32 };
            precision.apply(&device)?;
            let split = cli.split.unwrap_or(Split::Train);
            let source = Source { path: cli.data.clone(), mirror: cli.mirror.clone(), size: cli.size };
            let data = load(source, split, &voice)?;
            let networks = networks::for_data(&data)?;
            let config = Config {
                version: env!("CARGO_PKG_VERSION").to_string(),
                networks,
                recipe_name: "reference".to_string(),
                recipe: Recipe::default(),
                epochs: cli.epochs.unwrap_or(25),
                batch_size: cli.batch_size.unwrap_or(64) as usize,
                seed: cli.seed.unwrap_or(0),
                data: cli.data.clone(),
                size: cli.size,
                split,
                dataset: data.name().to_string(),
                dataset_sha256: data.digest(),
                classes: data.class_names().to_vec(),
                images: data.len(),
                device: precision.describe(&device),
                precision,
                checkpoint_every: cli.checkpoint_every,
                keep: cli.keep.map_or(checkpoints::KEEP, |keep| keep as usize),
            };
            let trainer = Trainer::new(&networks, config.recipe, config.seed, &device)?;
            (Run::create(cli.out.clone(), config)?, trainer, data)
        }
    };

    let device_name = run.config.precision.describe(&device);
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
    voice.say(&format!(
        "{} on {device_name}: {} images of {}×{}{} in {} classes, {} epochs in batches of {}, seed {}\n\
         generator {} parameters, discriminator {}",
        run.folder.display(),
        data.len(),
        data.images().width(),
        data.images().height(),
        if data.images().channels() == 3 { " in colour" } else { "" },
        data.classes(),
        run.config.epochs,
        run.config.batch_size,
        run.config.seed,
        trainer.generator.trainable(),
        trainer.discriminator.trainable(),
    ));
    voice.bar.set_length(total - first);
    Ok(Job { run, trainer, data, device_name, voice, interrupted })
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
    let Job { mut run, mut trainer, data, device_name, voice, interrupted } = job;
    let Config { batch_size, seed, networks, .. } = run.config;
    let total = run.config.iterations();
    let first = trainer.iterations();
    let device = trainer.g.device().clone();
    let mut board = Board::open(&run.folder, first)?;
    let mut batches = Batches::new(&data, batch_size, seed, &device)?;
    let started = Instant::now();
    let mut last_line = (started, first);
    for t in first..total {
        let (x, y) = batches.batch(t)?;
        let z = batches::latents(seed, t, batch_size, networks.latent_dim, &device)?;
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
            if !(line.loss_d.is_finite() && line.loss_g.is_finite()) {
                bail!(
                    "training came to losses that are no numbers at iteration {done} (loss_d {}, loss_g {}); the last checkpoint in {} is intact",
                    line.loss_d,
                    line.loss_g,
                    run.folder.display()
                );
            }
            run.log(&line)?;
            board.scalars(&line)?;
            voice.bar.set_message(format!(
                "{speed:.0} images/s  loss D {:.3} G {:.3}  D(x) {:.2} D(G(z)) {:.2}",
                line.loss_d, line.loss_g, line.d_real, line.d_fake
            ));
            if ended {
                let grid = run.grid(epoch);
                samples::write_grid(&trainer.generator, &trainer.average, seed, networks.latent_dim, &grid)?;
                board.epoch(done, &grid, &figures)?;
                board.sync()?;
                run.save(&trainer, &device_name)?;
                animation::write(&run.grids(epoch)?, &run.animation())?;
                if voice.json {
                    print_line(&serde_json::to_string(&line)?);
                }
                voice.say(&format!(
                    "epoch {epoch}: loss D {:.3} G {:.3}, D(x) {:.2}, D(G(z)) {:.2}, {:.0} s, {}",
                    line.loss_d,
                    line.loss_g,
                    line.d_real,
                    line.d_fake,
                    line.elapsed_seconds,
                    grid.display()
                ));
            } else if scheduled {
                run.save(&trainer, &device_name)?;
            }
        }
        if interrupted.load(Ordering::SeqCst) && done < total {
            run.save(&trainer, &device_name)?;
            voice.bar.finish_and_clear();
            let folder = run.folder.display();
            if !voice.quiet {
                print_error_line(&format!(
                    "stopped after iteration {done} of {total}, all saved; go on with: train --resume {folder}"
                ));
            }
            return Ok(Outcome::Stopped);
        }
    }
    voice.bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    voice.say(&format!(
        "done: {} iterations in {seconds:.0} s, {:.0} images/s; next: export --checkpoint {} --out gen.onnx",
        total - first,
        (total - first) as f64 * batch_size as f64 / seconds,
        run.folder.display()
    ));
    Ok(Outcome::Done)
}

/// Loads the data, with a bar where that takes time, and says what isn't used of them.
fn load(source: Source, split: Split, voice: &Voice) -> Result<LabelledImages> {
    let bar = match voice.quiet || voice.json || !std::io::stderr().is_terminal() {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("{msg} [{bar:30}] {percent} %, {eta} left")?),
    };
    let loaded = data::load(&source, split, &mut |progress| {
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
