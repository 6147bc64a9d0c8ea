//! The loop over iterations.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::batches::{self, Batches};
use crate::evaluate::ongoing::{Ongoing, Quality};
use crate::metrics::Metrics;
use crate::run::Run;
use crate::settings::Settings;
use crate::sources::LabelledImages;
use crate::tensorboard::Board;
use crate::trainer::Trainer;
use crate::watch::Watch;
use crate::{animation, failure, samples};

/// Iterations between two lines of the metrics.
const LOG_EVERY: u64 = 50;

/// A run that is ready to train.
pub struct Job {
    /// Its folder.
    pub run: Run,
    /// Its networks, at the last checkpoint.
    pub trainer: Trainer,
    /// What they learn.
    pub data: LabelledImages,
    /// What looks for a collapse.
    pub watch: Watch,
    /// What measures the generator, if it is to be measured.
    pub judge: Option<Ongoing>,
    /// Set by Ctrl-C, SIGTERM and SIGHUP.
    pub interrupted: Arc<AtomicBool>,
}

/// Who is told how training goes.
pub trait Observer {
    /// An iteration is done.
    fn iteration(&self);
    /// Something is wrong, but training goes on.
    fn warning(&self, warning: &str);
    /// Its figures were measured.
    fn measured(&self, metrics: &Metrics);
    /// An epoch is done, and saved.
    fn epoch(&self, epoch: &Epoch);
}

/// The end of an epoch.
pub struct Epoch {
    /// Its number, from 1.
    pub number: u64,
    /// The figures of its last iteration.
    pub metrics: Metrics,
    /// The fixed-noise grid.
    pub grid: PathBuf,
    /// What the judge says, if it was asked.
    pub quality: Option<Quality>,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done {
        /// Iterations of this session.
        iterations: u64,
        /// How long they took.
        time: Duration,
    },
    /// Ctrl-C, SIGTERM or SIGHUP; all is saved.
    Stopped,
}

/// Trains to the run's end, or until it is interrupted.
///
/// # Errors
/// If a file can't be written, or the losses are no longer numbers; the last checkpoint is intact.
pub fn train(job: &mut Job, observer: &dyn Observer) -> Result<Outcome> {
    iterate(job, observer).map_err(|error| failure::with_advice(error, &job.run.folder))
}

fn iterate(job: &mut Job, observer: &dyn Observer) -> Result<Outcome> {
    let Job { run, trainer, data, watch, judge, interrupted } = job;
    let Settings { batch_size, seed, networks, precision, .. } = run.config.settings;
    let device = trainer.g.device().clone();
    let device_name = precision.describe(&device);
    let (first, total) = (trainer.iterations(), run.config.iterations());
    let mut board = Board::open(&run.folder, first)?;
    let mut batches = Batches::new(data, run.config.batches(), &device)?;
    let started = Instant::now();
    let mut last = (started, first);
    for t in first..total {
        // Batch.
        let (x, y) = batches.batch(t)?; //                                       (N, C, H, W), (N)
        let z = batches::latents(seed, t, batch_size, networks.sizes(), &device)?; //   (N, latent)

        // Iteration.
        let figures = trainer.iteration(&x, &y, &z)?;
        warn(observer, trainer.graph_failure().map(without_graphs));
        observer.iteration();
        let done = t + 1;
        let (ends_epoch, is_saved) = (run.config.ends_epoch(done), run.config.is_scheduled(done));
        let at = (done, run.config.epochs_done(done));

        // Log. What a stopped run logs doesn't depend on where it was stopped.
        if done % LOG_EVERY == 0 || is_saved || done == 1 {
            let (since, before) = std::mem::replace(&mut last, (Instant::now(), done));
            let speed = (done - before) as f64 * batch_size as f64 / since.elapsed().as_secs_f64();
            let metrics = Metrics::read(&figures, at, speed, run.trained + started.elapsed())?;
            warn(observer, watch.losses(&metrics, &run.last_checkpoint())?);
            run.log(&metrics)?;
            board.scalars(&metrics)?;
            observer.measured(&metrics);

            if ends_epoch {
                // Sample.
                let number = run.config.whole_epochs(done);
                let grid = run.grid(number);
                let images = samples::draw(&trainer.generator, &trainer.average, seed, &networks)?;
                samples::write_grid(&images, samples::columns(&networks), &grid)?;
                let variety = samples::variety(&images, networks.classes().unwrap_or(1))?;
                let shown = (data.class_names(), grid.as_path());
                warn(observer, watch.samples(done, &variety, shown, &run.last_checkpoint())?);
                board.epoch(done, &grid, &figures)?;

                // Measure.
                let judge = judge.as_ref().filter(|_| run.config.is_measured(done));
                let generator = (&trainer.generator, &trainer.average);
                let quality = judge.map(|judge| judge.measure(generator, &networks, at)).transpose()?;
                if let Some(quality) = &quality {
                    board.quality(quality)?;
                    run.record(quality.clone())?;
                }
                board.sync()?;

                // Save.
                run.save(trainer, &device_name)?;
                animation::write(&run.grids(number)?, &run.animation())?;
                observer.epoch(&Epoch { number, metrics, grid, quality });
            }
        }
        let is_interrupted = interrupted.load(Ordering::SeqCst) && done < total;
        if is_saved || is_interrupted {
            run.save(trainer, &device_name)?;
        }
        if is_interrupted {
            return Ok(Outcome::Stopped);
        }
    }
    Ok(Outcome::Done { iterations: total - first, time: started.elapsed() })
}

fn without_graphs(why: String) -> String {
    format!(
        "an iteration can't be recorded as a CUDA graph ({why}); training goes on without, as with \
         --cuda-graphs off"
    )
}

fn warn(observer: &dyn Observer, warning: Option<String>) {
    if let Some(warning) = warning {
        observer.warning(&warning);
    }
}
