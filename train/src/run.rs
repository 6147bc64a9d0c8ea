//! A run's folder.
//!
//! ```text
//! runs/00001-mnist/
//!   config.json             what the run was started with
//!   metrics.jsonl           a line of losses every few iterations
//!   events.out.tfevents.…   the same for TensorBoard, one file a session
//!   samples/epoch-001.png   the fixed-noise grid
//!   samples.gif             the grids of all epochs, of long runs 100
//!   generator.safetensors   the generator: `average` and `raw`; what `export` reads
//!   state.safetensors       everything that `--resume` needs
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use models::checkpoint::{Checkpoint, Contents, FORMAT, Header, LABELLED_DCGAN, Provenance};
use models::dcgan;
use serde::{Deserialize, Serialize};

use crate::data::{Size, Split};
use crate::device::Precision;
use crate::metrics::Metrics;
use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::trainer::Trainer;

/// Where runs go unless `--out` says otherwise.
pub const RUNS: &str = "runs";

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const SAMPLES: &str = "samples";
const ANIMATION: &str = "samples.gif";
const GENERATOR: &str = "generator.safetensors";
const STATE: &str = "state.safetensors";

/// What a run is started with, and rebuilt from when it is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Version of this program.
    pub version: String,
    /// The networks' sizes.
    pub networks: dcgan::Config,
    /// Name of the recipe's settings.
    pub recipe_name: String,
    /// How the networks learn.
    pub recipe: Recipe,
    /// Passes over the data.
    pub epochs: u64,
    /// N
    pub batch_size: usize,
    /// Key of every random number.
    pub seed: u64,
    /// The data's folder, if one was given.
    pub data: Option<PathBuf>,
    /// What the pictures were resized to, if they were.
    #[serde(default)]
    pub size: Option<Size>,
    /// Which part of the data.
    pub split: Split,
    /// The data's name.
    pub dataset: String,
    /// SHA-256 over the images and labels.
    pub dataset_sha256: String,
    /// The classes' names; a run of an older version has none, and its classes are their numbers.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How many images.
    pub images: usize,
    /// The device that the run was started on.
    pub device: String,
    /// How exactly it multiplies.
    #[serde(default)]
    pub precision: Precision,
}

impl Config {
    /// Iterations that show every image `epochs` times.
    pub fn iterations(&self) -> u64 {
        (self.epochs * self.images as u64).div_ceil(self.batch_size as u64)
    }

    /// How the learning rates change over the run.
    pub fn schedule(&self) -> Schedule {
        let Recipe { decay, decay_from, .. } = self.recipe;
        let first = (decay_from * self.images as u64).div_ceil(self.batch_size as u64);
        Schedule { decay, first, total: self.iterations() }
    }

    /// The classes' names, in the labels' order.
    fn class_names(&self) -> Vec<String> {
        match self.classes.is_empty() {
            true => (0..self.networks.classes).map(|class| class.to_string()).collect(),
            false => self.classes.clone(),
        }
    }

    /// Epochs that `iterations` iterations have completed.
    pub fn epochs_done(&self, iterations: u64) -> f64 {
        (iterations * self.batch_size as u64) as f64 / self.images as f64
    }
}

/// An open run.
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was started with.
    pub config: Config,
    /// How long earlier sessions have trained, up to the last line that [`Run::rewind`] kept.
    pub trained: Duration,
    metrics: File,
}

impl Run {
    /// A new run in `folder`, or in the next number under `runs/`.
    ///
    /// # Errors
    /// If the folder holds a run already, or can't be written.
    pub fn create(folder: Option<PathBuf>, config: Config) -> Result<Run> {
        let folder = match folder {
            Some(folder) => {
                if folder.join(CONFIG).exists() {
                    bail!(
                        "{} holds a run already; go on with it by --resume {0}, or choose another --out",
                        folder.display()
                    );
                }
                folder
            }
            None => Path::new(RUNS).join(format!("{:05}-{}", next_number(), config.dataset)),
        };
        fs::create_dir_all(folder.join(SAMPLES)).with_context(|| {
            format!("can't write the run's folder {}; choose another with --out", folder.display())
        })?;
        let mut json = serde_json::to_string_pretty(&config)?;
        json.push('\n');
        models::files::write_atomically(&folder.join(CONFIG), |file| file.write_all(json.as_bytes()))?;
        Run::open(folder, config)
    }

    /// A run that goes on, with its state.
    ///
    /// # Errors
    /// If the folder holds no run, no checkpoint yet, or one that can't be used.
    pub fn resume(folder: PathBuf) -> Result<(Run, Checkpoint)> {
        let path = folder.join(CONFIG);
        let json = fs::read_to_string(&path).with_context(|| {
            format!("{} holds no run to resume: can't read {}", folder.display(), path.display())
        })?;
        let config: Config = serde_json::from_str(&json)
            .with_context(|| format!("{} is not a run's configuration", path.display()))?;
        let state = folder.join(STATE);
        if !state.exists() {
            bail!(
                "{} has no checkpoint yet, so there is nothing to resume; start a new run",
                folder.display()
            );
        }
        let checkpoint = Checkpoint::load(&state)?;
        if checkpoint.header.config != config.networks {
            bail!("{} is of another architecture than {}", state.display(), path.display());
        }
        Ok((Run::open(folder, config)?, checkpoint))
    }

    fn open(folder: PathBuf, config: Config) -> Result<Run> {
        let path = folder.join(METRICS);
        let metrics = File::options().create(true).append(true).open(&path);
        let metrics = metrics.with_context(|| format!("can't write {}", path.display()))?;
        Ok(Run { folder, config, trained: Duration::ZERO, metrics })
    }

    /// Adds a line to the metrics.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn log(&mut self, metrics: &Metrics) -> Result<()> {
        let mut text = serde_json::to_string(metrics)?;
        text.push('\n');
        let written = self.metrics.write_all(text.as_bytes());
        written.with_context(|| format!("can't write {}", self.folder.join(METRICS).display()))
    }

    /// Drops the metrics after iteration `iterations`: those of work that was lost.
    ///
    /// # Errors
    /// If the metrics can't be read or written.
    pub fn rewind(&mut self, iterations: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let mut kept = String::new();
        for line in text.lines() {
            match serde_json::from_str::<Metrics>(line) {
                Ok(metrics) if metrics.iteration <= iterations => {
                    kept.extend([line, "\n"]);
                    self.trained = Duration::try_from_secs_f64(metrics.elapsed_seconds).unwrap_or_default();
                }
                _ => {}
            }
        }
        models::files::write_atomically(&path, |file| file.write_all(kept.as_bytes()))?;
        // The old handle is that of the file before the rename.
        self.metrics = File::options().append(true).open(&path)?;
        Ok(())
    }

    /// Where the grid after `epoch` goes.
    pub fn grid(&self, epoch: u64) -> PathBuf {
        self.folder.join(SAMPLES).join(format!("epoch-{epoch:03}.png"))
    }

    /// The grids up to `last`, in the order of their epochs. Later ones are of work that was lost.
    ///
    /// # Errors
    /// If their folder can't be read.
    pub fn grids(&self, last: u64) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join(SAMPLES);
        let entries = fs::read_dir(&folder).with_context(|| format!("can't read {}", folder.display()))?;
        let epoch = |path: &Path| -> Option<u64> {
            path.file_name()?.to_str()?.strip_prefix("epoch-")?.strip_suffix(".png")?.parse().ok()
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut grids: Vec<_> = paths.filter_map(|path| Some((epoch(&path)?, path))).collect();
        grids.retain(|(epoch, _)| *epoch <= last);
        grids.sort();
        Ok(grids.into_iter().map(|(_, path)| path).collect())
    }

    /// Where the grids of all epochs go.
    pub fn animation(&self) -> PathBuf {
        self.folder.join(ANIMATION)
    }

    /// A part of a sentence that says where the last checkpoint is.
    pub fn last_checkpoint(&self) -> String {
        let state = self.folder.join(STATE);
        match state.exists() {
            true => format!("the last good checkpoint is {}", state.display()),
            false => format!("there is no checkpoint in {} yet", self.folder.display()),
        }
    }

    /// Writes both checkpoints, each whole or not at all.
    ///
    /// # Errors
    /// If weights are no finite numbers, the folder can't be written or the disk is full; the old
    /// checkpoints stay then.
    pub fn save(&self, trainer: &Trainer, device: &str) -> Result<()> {
        let iterations = trainer.iterations();
        if let Some(name) = trainer.broken()? {
            bail!(
                "training came to weights that are no finite numbers by iteration {iterations} ({name}); {}; \
                 start a new run with a smaller --learning-rate",
                self.last_checkpoint()
            );
        }
        let Config { images, .. } = self.config;
        let header = Header {
            format: FORMAT,
            architecture: LABELLED_DCGAN.to_string(),
            config: self.config.networks,
            provenance: Provenance {
                version: env!("CARGO_PKG_VERSION").to_string(),
                dataset: self.config.dataset.clone(),
                dataset_sha256: self.config.dataset_sha256.clone(),
                split: match self.config.split {
                    Split::Train => "train",
                    Split::Test => "test",
                    Split::All => "all",
                }
                .to_string(),
                classes: self.config.class_names(),
                images,
                recipe: self.config.recipe_name.clone(),
                seed: self.config.seed,
                batch_size: self.config.batch_size,
                iterations,
                epochs: self.config.epochs_done(iterations),
                device: device.to_string(),
            },
        };
        let mut generator = Contents::default();
        generator.parameters("average", &trainer.average);
        generator.parameters("raw", &trainer.g);
        generator.save(&header, &self.folder.join(GENERATOR))?;
        let mut state = Contents::default();
        trainer.save(&mut state);
        state.save(&header, &self.folder.join(STATE))?;
        Ok(())
    }
}

/// The run under `runs/` whose state was written last.
///
/// # Errors
/// If there is none.
pub fn newest() -> Result<PathBuf> {
    let changed = |folder: &PathBuf| -> Option<SystemTime> {
        fs::metadata(folder.join(STATE)).and_then(|m| m.modified()).ok()
    };
    let folders = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = folders.filter_map(|folder| Some((changed(&folder)?, folder))).max();
    match newest {
        Some((_, folder)) => Ok(folder),
        None => bail!(
            "no run under {RUNS}/ has a checkpoint; name the run's folder, or start one with `cargo train`"
        ),
    }
}

/// One more than the largest number that a folder under `runs/` begins with.
fn next_number() -> u32 {
    let names = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.split('-').next()?.parse::<u32>().ok());
    numbers.max().map_or(1, |n| n + 1)
}
