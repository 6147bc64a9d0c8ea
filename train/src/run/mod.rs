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
//! A checkpoint is written last: all other files about its iterations are on the disk before it. What a
//! stop leaves undone after it, [`Run::restore`] does.

//!
//! | file | what it does |
//! |---|---|
//! | [`config`] | `config.json`, and what it says of iterations and epochs |
//! | [`numbered`] | the folders under `runs/`: the next, the newest |
//! | `log` | metrics and the judge's figures, line by line |
//! | [`checkpoints`] | which there are, which one is used, which are kept |
//! | `save` | a checkpoint and the generator |
//! | `restore` | everything back to the last usable checkpoint |

pub mod checkpoints;
pub mod config;
mod log;
pub mod numbered;
mod restore;
mod save;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use contract::files::{self, Lock};
use contract::run::{ANIMATION, CONFIG, GUIDE, LOCK, MARKER, METRICS, SAMPLES};

use crate::evaluate::ongoing::Quality;
pub use config::Config;

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
            None => {
                numbered::claim(&config.dataset).with_context(|| unwritable(Path::new(numbered::RUNS)))?
            }
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
        config.write(&folder)?;
        Run::open(folder, config, lock)
    }

    /// A run that goes on; [`Run::restore`] says from where.
    ///
    /// # Errors
    /// If the folder holds no run, or another process trains it.
    pub fn resume(folder: PathBuf) -> Result<Run> {
        let config = Config::read(&folder)?;
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
}

/// The command that goes on with a run.
pub fn go_on(run: &Path) -> String {
    contract::command("train", ["--resume".as_ref(), run.as_os_str()])
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
