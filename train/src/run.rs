//! A run's folder.
//!
//! ```text
//! runs/00001-mnist/
//!   config.json             what the run was started with
//!   metrics.jsonl           a line of losses every few iterations
//!   quality.jsonl           a line of the judge's figures every few epochs, where they are asked for
//!   events.out.tfevents.…   the same for TensorBoard, one file a session
//!   samples/epoch-001.png   the fixed-noise grid
//!   samples.gif             the grids of all epochs, of long runs 100
//!   generator.safetensors   the generator: `average` and `raw`; what `export` reads
//!   guide.safetensors       the classifier that the generator learns from, where the recipe has one
//!   checkpoints/00000938.safetensors   everything that `--resume` needs, after 938 iterations
//!   .lock                   held by the process that trains here
//!   .edgegan-run            marks the folder: its pictures are no data
//! ```
//!
//! A checkpoint is the moment that counts: what else tells of its iterations is on the disk before
//! it, and what a stop leaves undone after it, [`Run::restore`] does.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use contract::files::{self, Lock};
use contract::run::{ANIMATION, CONFIG, GENERATOR, GUIDE, LOCK, MARKER, METRICS, QUALITY, SAMPLES};
use models::Architecture;
use models::checkpoint::{Checkpoint, Contents, FORMAT, Header, Provenance};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::animation;
use crate::batches;
use crate::checkpoints::{self, Usable};
use crate::device::Precision;
use crate::evaluate::ongoing::Quality;
use crate::metrics::Metrics;
use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::settings::{self, Unlabelled, Value};
use crate::sources::mnist::DEFAULT_FOLDER;
use crate::sources::{self, Size, Split};
use crate::trainer::Trainer;

/// Where runs go unless `--out` says otherwise.
pub const RUNS: &str = "runs";
/// Batches count pictures in 32 bits.
const MOST_IMAGES: usize = u32::MAX as usize;

/// What a run is started with, and rebuilt from when it is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Version of this program.
    pub version: String,
    /// The networks and their sizes.
    #[serde(deserialize_with = "Architecture::of_run")]
    pub networks: Architecture,
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
    /// The data's folder, if one was given, as it was given.
    pub data: Option<PathBuf>,
    /// Where they were, from the root.
    #[serde(default)]
    pub data_absolute: Option<PathBuf>,
    /// What the pictures were resized to, if they were.
    #[serde(default)]
    pub size: Option<Size>,
    /// How files become pictures without labels; for labelled ones, nothing.
    #[serde(default)]
    pub unlabelled: Option<Unlabelled>,
    /// Whether half of the pictures are mirrored in each epoch.
    #[serde(default)]
    pub flip: bool,
    /// Which part of the data.
    pub split: Split,
    /// The data's name.
    pub dataset: String,
    /// SHA-256 over the images and labels.
    pub dataset_sha256: String,
    /// The classes' names. A run of an older version has none, and its classes are their numbers; a run
    /// without labels has none either, and no classes.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How many images.
    pub images: usize,
    /// The device that the run was started on.
    pub device: String,
    /// How exactly it multiplies.
    #[serde(default)]
    pub precision: Precision,
    /// Iterations between two checkpoints within an epoch; without it, epochs end with one and that
    /// is all.
    #[serde(default)]
    pub checkpoint_every: Option<u64>,
    /// How many checkpoints are kept.
    #[serde(default = "keep")]
    pub keep: usize,
    /// Epochs between two measurements of the generator, if there are to be such.
    #[serde(default)]
    pub evaluate_every: Option<u64>,
    /// The judge's file, if it isn't the shipped one, as it was given.
    #[serde(default)]
    pub judge: Option<PathBuf>,
    /// Where that was, from the root.
    #[serde(default)]
    pub judge_absolute: Option<PathBuf>,
}

/// A path from the root, if it can stand in a file of JSON.
pub fn absolute(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok().filter(|path| path.to_str().is_some())
}

/// A place, as it was typed if that leads there from here.
fn as_typed(typed: Option<&PathBuf>, there: Option<&PathBuf>) -> Option<PathBuf> {
    let leads_there = |typed: &&PathBuf| there.is_some() && absolute(typed).as_ref() == there;
    typed.filter(leads_there).or(there).or(typed).cloned()
}

/// The command that goes on with a run.
pub fn go_on(run: &Path) -> String {
    contract::command("train", ["--resume".as_ref(), run.as_os_str()])
}

/// What runs of an older version keep from now on.
fn keep() -> usize {
    checkpoints::KEEP
}

impl Config {
    /// Where the data are, seen from here: where they were, if something is still there, else what was
    /// given. `None` is MNIST, in its usual folder or to be fetched.
    pub fn data_path(&self) -> Option<PathBuf> {
        let is_mnist_here = self.data.is_none() && Path::new(DEFAULT_FOLDER).is_dir();
        let there = self.data_absolute.as_ref().filter(|path| !is_mnist_here && sources::is_there(path));
        as_typed(self.data.as_ref(), there)
    }

    /// Where the judge's file is, if it isn't the shipped one: as [`Config::data_path`].
    pub fn judge_path(&self) -> Option<PathBuf> {
        let there = self.judge_absolute.as_ref().filter(|path| path.exists());
        as_typed(self.judge.as_ref(), there)
    }

    /// Whether every number is one that a run can have, which a file that anyone wrote may not be.
    ///
    /// # Errors
    /// The number's name, what was found and what was expected.
    fn check(&self) -> Result<()> {
        let Config { epochs, batch_size, images, keep, checkpoint_every, evaluate_every, .. } = *self;
        let Recipe { adam, learning_rate_d, decay_from, generator_updates, .. } = self.recipe;
        let whole = |number: usize| Value::Whole(number as u64);
        let numbers = [
            ("epochs", Some(Value::Whole(epochs))),
            ("batch-size", Some(whole(batch_size))),
            ("keep", Some(whole(keep))),
            ("checkpoint-every", checkpoint_every.map(Value::Whole)),
            ("evaluate-every", evaluate_every.map(Value::Whole)),
            ("generator-updates", Some(whole(generator_updates))),
            ("decay-from", Some(Value::Whole(decay_from))),
            ("learning-rate", Some(Value::Number(adam.learning_rate))),
            ("learning-rate-d", learning_rate_d.map(Value::Number)),
            ("beta1", Some(Value::Number(adam.beta1))),
            ("beta2", Some(Value::Number(adam.beta2))),
            ("smoothing", Some(Value::Number(self.recipe.smoothing))),
            ("mismatch", Some(Value::Number(self.recipe.mismatch))),
            ("contrast", Some(Value::Number(self.recipe.contrast))),
            ("guide", Some(Value::Number(self.recipe.guide))),
            ("average-keep", Some(Value::Number(self.recipe.average_keep))),
            ("size", self.size.map(|size| Value::Text(size.to_string()))),
        ];
        for (key, value) in numbers {
            value.map_or(Ok(()), |value| settings::check(key, value))?;
        }
        if !(1..=MOST_IMAGES).contains(&images) {
            bail!("images is {images}; expected a whole number from 1 to {MOST_IMAGES}");
        }
        if adam.epsilon <= 0. {
            bail!("epsilon is {}; expected a number above 0", adam.epsilon);
        }
        self.networks.generator()?;
        self.networks.discriminator()?;
        let (names, classes) = (self.classes.len(), self.networks.classes().unwrap_or(0));
        if names != classes && names > 0 {
            bail!("it names {names} classes, but its networks have {classes}");
        }
        Ok(())
    }

    /// Iterations that show every image `epochs` times.
    pub fn iterations(&self) -> u64 {
        (self.epochs * self.images as u64).div_ceil(self.batch_size as u64)
    }

    /// How the run's pictures come in batches.
    pub fn batches(&self) -> batches::Options {
        let Config { batch_size, seed, flip, networks, .. } = *self;
        batches::Options { batch_size, seed, black: networks.black(), flip }
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
            true => (0..self.networks.classes().unwrap_or(0)).map(|class| class.to_string()).collect(),
            false => self.classes.clone(),
        }
    }

    /// Epochs that `iterations` iterations have completed.
    pub fn epochs_done(&self, iterations: u64) -> f64 {
        (iterations * self.batch_size as u64) as f64 / self.images as f64
    }

    /// Epochs that `iterations` iterations have completed, without a fraction, of those that the run has:
    /// a batch of more pictures than there are may pass over them many times.
    pub fn whole_epochs(&self, iterations: u64) -> u64 {
        (iterations * self.batch_size as u64 / self.images as u64).min(self.epochs)
    }

    /// Whether an epoch ends with the last of `iterations` iterations, as the last epoch does with the
    /// last of all.
    pub fn ends_epoch(&self, iterations: u64) -> bool {
        iterations > 0 && self.whole_epochs(iterations) > self.whole_epochs(iterations - 1)
    }

    /// Whether the generator is to be measured after `iterations` iterations.
    pub fn is_measured(&self, iterations: u64) -> bool {
        self.evaluate_every.is_some_and(|every| {
            iterations == self.iterations()
                || self.ends_epoch(iterations) && self.whole_epochs(iterations).is_multiple_of(every)
        })
    }

    /// Whether there is to be a checkpoint after `iterations` iterations.
    pub fn is_scheduled(&self, iterations: u64) -> bool {
        let every = self.checkpoint_every.is_some_and(|every| iterations.is_multiple_of(every));
        every || self.ends_epoch(iterations)
    }
}

/// An open run, which no other process trains.
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was started with.
    pub config: Config,
    /// How long earlier sessions have trained, up to the last line that [`Run::restore`] kept.
    pub trained: Duration,
    metrics: File,
    quality: Vec<Quality>,
    saved: Option<u64>,
    /// The system lets go of it, however the process ends.
    _lock: Lock,
}

impl Run {
    /// A new run in `folder`, or in the next number under `runs/`.
    ///
    /// # Errors
    /// If the folder holds a run already, or can't be written.
    pub fn create(folder: Option<PathBuf>, config: Config) -> Result<Run> {
        let unwritable = |folder: &Path| {
            format!("can't write the run's folder {}; choose another with --out", folder.display())
        };
        let folder = match folder {
            Some(folder) => folder,
            None => claim_number(&config.dataset).with_context(|| unwritable(Path::new(RUNS)))?,
        };
        fs::create_dir_all(&folder).with_context(|| unwritable(&folder))?;
        let lock = lock(&folder)?;
        if folder.join(CONFIG).exists() || !checkpoints::files(&folder).is_empty() {
            bail!(
                "{} holds a run already; go on with it by --resume {0}, or choose another --out",
                folder.display()
            );
        }
        let created = create_inside(&folder).and_then(|()| files::sync_folder(files::folder_of(&folder)));
        created.with_context(|| unwritable(&folder))?;
        write_config(&folder, &config)?;
        Run::open(folder, config, lock)
    }

    /// A run that goes on; [`Run::restore`] says from where.
    ///
    /// # Errors
    /// If the folder holds no run, or another process trains it.
    pub fn resume(folder: PathBuf) -> Result<Run> {
        let path = folder.join(CONFIG);
        let json = fs::read_to_string(&path).with_context(|| {
            format!("{} holds no run to resume: can't read {}", folder.display(), path.display())
        })?;
        let config: Config = serde_json::from_str(&json)
            .with_context(|| format!("{} is not a run's configuration", path.display()))?;
        config.check().with_context(|| {
            format!("{} describes no run that can be trained; put it back as it was", path.display())
        })?;
        let lock = lock(&folder)?;
        create_inside(&folder).with_context(|| format!("can't write {}", folder.display()))?;
        Run::open(folder, config, lock)
    }

    fn open(folder: PathBuf, config: Config, lock: Lock) -> Result<Run> {
        let path = folder.join(METRICS);
        let metrics = File::options().create(true).append(true).open(&path);
        let metrics = metrics.with_context(|| {
            format!("can't write {}; check its permissions, or move it away", path.display())
        })?;
        Ok(Run {
            folder,
            config,
            trained: Duration::ZERO,
            metrics,
            quality: Vec::new(),
            saved: None,
            _lock: lock,
        })
    }

    /// Both networks as the newest usable checkpoint has them, or new ones where the run was stopped
    /// before its first, and a warning about newer checkpoints that can't be used. Everything else in
    /// the folder is put back to that moment: work that was lost leaves no trace.
    ///
    /// # Errors
    /// If there are checkpoints and none can be used, or a file can't be read or written; Candle's.
    pub fn restore(&mut self, device: &Device) -> Result<(Trainer, Option<String>)> {
        let Config { networks, recipe, seed, .. } = self.config;
        let generator = self.folder.join(GENERATOR);
        let usable = checkpoints::newest_usable(&self.folder, |checkpoint, path| {
            if checkpoint.header.architecture != networks {
                let message = format!("of another architecture than {CONFIG}");
                return Err(models::Error::Checkpoint { path: path.to_path_buf(), message });
            }
            Ok((Trainer::load(&checkpoint, recipe, device)?, checkpoint.header))
        })?;
        let Some(Usable { made: (trainer, header), warning }) = usable else {
            if generator.exists() {
                bail!(
                    "{} has no checkpoint left to go on from, only {GENERATOR}; start a new run",
                    self.folder.display()
                );
            }
            self.rewind(0)?;
            let from_the_start =
                format!("{} was stopped before its first checkpoint: it starts again", self.folder.display());
            return Ok((Trainer::new(&networks, recipe, seed, device)?, Some(from_the_start)));
        };
        self.rewind(trainer.iterations())?;
        let is_of_this = |found: Checkpoint| found.header.provenance == header.provenance;
        if !Checkpoint::load(&generator).is_ok_and(is_of_this) {
            let mut header = Header { format: FORMAT, ..header };
            // JSON's reader may have changed the last bit.
            header.provenance.epochs = self.config.epochs_done(trainer.iterations());
            self.save_generator(&trainer, &header)?;
        }
        // Newer ones that can't be used stay until there is another to go on from.
        if warning.is_none() {
            self.prune(trainer.iterations())?;
        }
        Ok((trainer, warning))
    }

    /// Adds a line to the metrics.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn log(&mut self, metrics: &Metrics) -> Result<()> {
        let mut text = serde_json::to_string(metrics)?;
        text.push('\n');
        let path = self.folder.join(METRICS);
        // A file that was removed takes lines all the same, and nobody will read them.
        let written = files::append_whole(&mut self.metrics, text.as_bytes());
        let written = written.and_then(|()| fs::metadata(&path));
        written.map(|_| ()).with_context(|| format!("can't write {}", path.display()))
    }

    /// Adds what the judge said.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn record(&mut self, quality: Quality) -> Result<()> {
        let mut text = serde_json::to_string(&quality)?;
        text.push('\n');
        let path = self.folder.join(QUALITY);
        let file = File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| {
            files::append_whole(&mut file, text.as_bytes())?;
            file.sync_data()
        });
        written.with_context(|| format!("can't write {}", path.display()))?;
        self.quality.push(quality);
        Ok(())
    }

    /// What was measured at the smallest Fréchet distance, and the checkpoint of that moment.
    pub fn best(&self) -> Option<(&Quality, PathBuf)> {
        let best = self.quality.iter().min_by(|a, b| a.frechet.total_cmp(&b.frechet))?;
        Some((best, checkpoints::path(&self.folder, best.iteration)))
    }

    /// Drops the metrics and samples after iteration `iterations`: those of work that was lost. What
    /// may have been lost just after it is made: the animation.
    fn rewind(&mut self, iterations: u64) -> Result<()> {
        for folder in [&self.folder, &self.folder.join(SAMPLES), &self.folder.join(checkpoints::FOLDER)] {
            files::remove_temporaries(folder);
        }
        self.rewind_metrics(iterations)?;
        let quality = self.folder.join(QUALITY);
        if quality.exists() {
            self.quality = keep_lines(&quality, |line: &Quality| line.iteration <= iterations)?;
        }
        let epochs = self.config.whole_epochs(iterations);
        for (epoch, path) in self.all_grids()? {
            if epoch > epochs {
                fs::remove_file(&path).with_context(|| format!("can't remove {}", path.display()))?;
            }
        }
        let grids = self.grids(epochs)?;
        if grids.is_empty() {
            let _ = fs::remove_file(self.animation());
        }
        animation::write(&grids, &self.animation())
    }

    fn rewind_metrics(&mut self, iterations: u64) -> Result<()> {
        let path = self.folder.join(METRICS);
        let kept = keep_lines(&path, |line: &Metrics| line.iteration <= iterations)?;
        if let Some(last) = kept.last() {
            self.trained = Duration::try_from_secs_f64(last.elapsed_seconds).unwrap_or_default();
        }
        // The old handle is that of the file before the rename.
        self.metrics = File::options().append(true).open(&path)?;
        Ok(())
    }

    /// Where the grid after `epoch` goes.
    pub fn grid(&self, epoch: u64) -> PathBuf {
        self.folder.join(SAMPLES).join(format!("epoch-{epoch:03}.png"))
    }

    /// The grids up to `last`, in the order of their epochs.
    ///
    /// # Errors
    /// If their folder can't be read.
    pub fn grids(&self, last: u64) -> Result<Vec<PathBuf>> {
        let grids = self.all_grids()?.into_iter();
        Ok(grids.filter(|(epoch, _)| *epoch <= last).map(|(_, path)| path).collect())
    }

    /// Each epoch's grid, as far as it is there.
    fn all_grids(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.folder.join(SAMPLES);
        let entries = fs::read_dir(&folder).with_context(|| format!("can't read {}", folder.display()))?;
        let epoch = |path: &Path| -> Option<u64> {
            path.file_name()?.to_str()?.strip_prefix("epoch-")?.strip_suffix(".png")?.parse().ok()
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut grids: Vec<_> = paths.filter_map(|path| Some((epoch(&path)?, path))).collect();
        grids.sort();
        Ok(grids)
    }

    /// Where the grids of all epochs go.
    pub fn animation(&self) -> PathBuf {
        self.folder.join(ANIMATION)
    }

    /// Where the classifier goes that the generator learns from.
    pub fn guide(&self) -> PathBuf {
        self.folder.join(GUIDE)
    }

    /// A part of a sentence that says where the last checkpoint is.
    pub fn last_checkpoint(&self) -> String {
        match checkpoints::files(&self.folder).first() {
            Some(newest) => format!("the last good checkpoint is {}", newest.display()),
            None => format!("there is no checkpoint in {} yet", self.folder.display()),
        }
    }

    /// Keeps the settings for the next session, which may have changed since the run was started.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save_config(&self) -> Result<()> {
        write_config(&self.folder, &self.config)
    }

    /// Writes a checkpoint and the generator, each whole or not at all, and then removes the
    /// checkpoints that are no longer needed.
    ///
    /// # Errors
    /// If weights are no finite numbers, the folder can't be written or the disk is full; the old
    /// checkpoints stay then.
    pub fn save(&mut self, trainer: &Trainer, device: &str) -> Result<()> {
        let iterations = trainer.iterations();
        if self.saved == Some(iterations) {
            return Ok(());
        }
        if let Some(name) = trainer.broken()? {
            bail!(
                "training came to weights that are no finite numbers by iteration {iterations} ({name}); {}; \
                 start a new run with a smaller --learning-rate",
                self.last_checkpoint()
            );
        }
        let synced = self.metrics.sync_data();
        synced.with_context(|| format!("can't write {}", self.folder.join(METRICS).display()))?;
        let Config { images, .. } = self.config;
        let header = Header {
            format: FORMAT,
            architecture: self.config.networks,
            provenance: Provenance {
                version: env!("CARGO_PKG_VERSION").to_string(),
                dataset: self.config.dataset.clone(),
                dataset_sha256: self.config.dataset_sha256.clone(),
                split: self.config.split.name().to_string(),
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
        let mut state = Contents::default();
        trainer.save(&mut state);
        state.save(&header, &checkpoints::path(&self.folder, iterations))?;
        self.save_generator(trainer, &header)?;
        self.prune(iterations)?;
        self.saved = Some(iterations);
        Ok(())
    }

    fn save_generator(&self, trainer: &Trainer, header: &Header) -> Result<()> {
        let mut generator = Contents::default();
        generator.parameters("average", &trainer.average);
        generator.parameters("raw", &trainer.g);
        generator.save(header, &self.folder.join(GENERATOR))?;
        Ok(())
    }

    fn prune(&self, newest: u64) -> Result<()> {
        let best = self.best().map(|(best, _)| best.iteration);
        let Config { keep, .. } = self.config;
        checkpoints::prune(&self.folder, newest, best, keep, |iterations| {
            self.config.is_scheduled(iterations)
        })
    }
}

/// Drops the lines of a file that are not to be kept, or that a power cut left unreadable, and gives
/// the others.
fn keep_lines<T: DeserializeOwned>(path: &Path, is_kept: impl Fn(&T) -> bool) -> Result<Vec<T>> {
    let bytes = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let (mut kept, mut lines) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Ok(value) = serde_json::from_str(line)
            && is_kept(&value)
        {
            kept.push(value);
            lines.extend([line, "\n"]);
        }
    }
    files::write(path, |file| file.write_all(lines.as_bytes()))?;
    Ok(kept)
}

fn write_config(folder: &Path, config: &Config) -> Result<()> {
    let mut json = serde_json::to_string_pretty(config)?;
    json.push('\n');
    files::write(&folder.join(CONFIG), |file| file.write_all(json.as_bytes()))?;
    Ok(())
}

/// What is in a run's folder from the start. Runs of an older version get the marker when they go on.
fn create_inside(run: &Path) -> std::io::Result<()> {
    File::options().create(true).append(true).open(run.join(MARKER))?;
    [SAMPLES, checkpoints::FOLDER].iter().try_for_each(|folder| fs::create_dir_all(run.join(folder)))
}

/// Makes sure that no other process trains in `folder`, now and until the lock is dropped.
fn lock(folder: &Path) -> Result<Lock> {
    let path = folder.join(LOCK);
    let lock = Lock::take(&path).with_context(|| {
        format!("can't write {}; let this user write there, or choose another --out", path.display())
    })?;
    lock.with_context(|| {
        format!(
            "another process is training in {}; wait for its end or stop it, or choose another --out",
            folder.display()
        )
    })
}

/// A folder under `runs/` that no other process has.
fn claim_number(dataset: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(RUNS)?;
    loop {
        let folder = Path::new(RUNS).join(format!("{:05}-{dataset}", next_number()));
        match fs::create_dir(&folder) {
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => return result.map(|()| folder),
        }
    }
}

/// The run under `runs/` that was started or saved last.
///
/// # Errors
/// If there is none.
pub fn newest() -> Result<PathBuf> {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
    let changed = |folder: &PathBuf| -> Option<SystemTime> {
        let started = modified(&folder.join(CONFIG))?;
        let saved = checkpoints::files(folder).iter().filter_map(modified).max();
        Some(saved.map_or(started, |saved| saved.max(started)))
    };
    let folders = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = folders.filter_map(|folder| Some((changed(&folder)?, folder))).max();
    match newest {
        Some((_, folder)) => Ok(folder),
        None => {
            bail!("there is no run under {RUNS}/; name the run's folder, or start one with `cargo train`")
        }
    }
}

/// One more than the largest number that a folder under `runs/` begins with.
fn next_number() -> u32 {
    let names = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.split('-').next()?.parse::<u32>().ok());
    numbers.max().map_or(1, |n| n + 1)
}
