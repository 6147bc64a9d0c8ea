//! Sampling, running and encoding, each in its own thread, over a ring of batches.
//!
//! A batch goes from the sampler, which fills in labels and latents, to a runner, which adds the
//! pixels, to the writer, and back to the sampler. There are never more batches than were made at
//! the start, so memory doesn't grow with the number of images. Of several runners each gets every
//! n-th batch, and the writer takes from them in the same turn, so that order is kept.

use std::{
    io,
    ops::Range,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use contract::{
    Contract,
    dataset::{self, plan::Labels},
    latent,
};
use infer::{
    Error, Generator, Sample,
    verify::{Kept, Verifier},
};

/// Batches for each runner: the one that it runs, and the next one.
const EACH: usize = 2;
/// And for the other two stages.
const OTHERS: usize = 2;

/// Images on their way.
#[derive(Default)]
pub struct Batch {
    /// Index of the first image; the others follow.
    pub first: u64,
    pub labels: Vec<i64>,
    pub latents: Vec<f32>,
    /// `(N, C, H, W)`.
    pub pixels: Vec<u8>,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// What the judge said, if there is one.
    pub kept: Kept,
}

/// What draws batches in a thread of its own.
pub struct Runner {
    pub generator: Generator,
    pub verifier: Option<Verifier>,
}

/// What to draw.
pub struct Work {
    pub seed: u64,
    pub labels: Labels,
    /// The images' indices.
    pub images: Range<u64>,
    pub batch_size: usize,
}

/// Why drawing ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error(transparent)]
    Model(#[from] Error),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Draws the work's images in order, a thread for each runner, and gives each batch to `write`.
/// Once `stop` is set it ends early, without an error, after the batches under way.
///
/// # Errors
///
/// The first failure of the model or of `write`.
pub fn run(
    runners: &mut [Runner],
    work: &Work,
    stop: &AtomicBool,
    write: impl FnMut(&Batch) -> io::Result<()> + Send,
) -> Result<(), Stopped> {
    let Some(contract) = runners.first().map(|runner| runner.generator.contract().clone()) else {
        return Ok(());
    };
    let (to_sampler, free) = channel();
    for _ in 0..EACH * runners.len() + OTHERS {
        // The receiver is in the line above.
        let _ = to_sampler.send(Batch::default());
    }
    let (mut to_runners, mut from_runners, mut running) = (Vec::new(), Vec::new(), Vec::new());
    for runner in runners {
        let (to_runner, sampled) = channel();
        let (to_writer, drawn) = channel();
        to_runners.push(to_runner);
        from_runners.push(drawn);
        running.push((runner, sampled, to_writer));
    }
    thread::scope(|scope| {
        scope.spawn(move || sample_all(&contract, work, stop, &free, &to_runners));
        let writer = scope.spawn(move || write_all(&from_runners, &to_sampler, write));
        let running: Vec<_> = (running.into_iter())
            .map(|(runner, sampled, to_writer)| {
                scope.spawn(move || draw_all(runner, work.seed, &sampled, &to_writer))
            })
            .collect();
        join(writer)?;
        running.into_iter().try_for_each(|runner| Ok(join(runner)?))
    })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn sample_all(
    contract: &Contract,
    work: &Work,
    stop: &AtomicBool,
    free: &Receiver<Batch>,
    to_runners: &[Sender<Batch>],
) {
    let mut rest = work.images.clone();
    for runner in to_runners.iter().cycle() {
        if rest.is_empty() || stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut batch) = free.recv() else { return };
        let end = rest.start.saturating_add(work.batch_size as u64).min(rest.end);
        batch.sample(contract, work, rest.start..end);
        rest.start = end;
        if runner.send(batch).is_err() {
            return;
        }
    }
}

impl Batch {
    /// What a data set takes of it.
    pub fn drawn(&self) -> dataset::Batch<'_> {
        let Self { first, labels, pixels, shape, kept, .. } = self;
        dataset::Batch { first: *first, labels, pixels, shape: *shape, confidences: &kept.confidences }
    }

    fn sample(&mut self, contract: &Contract, work: &Work, images: Range<u64>) {
        let Contract { latent_dim, latent_distribution, .. } = *contract;
        self.first = images.start;
        self.labels.clear();
        if contract.is_labelled() {
            self.labels.extend(images.clone().map(|index| work.labels.of(index)));
        }
        self.latents.resize((images.end - images.start) as usize * latent_dim, 0.0);
        for (row, index) in self.latents.chunks_exact_mut(latent_dim).zip(images) {
            latent::fill(latent_distribution, work.seed, index, row);
        }
    }
}

fn draw_all(
    Runner { generator, verifier }: &mut Runner,
    seed: u64,
    sampled: &Receiver<Batch>,
    to_writer: &Sender<Batch>,
) -> Result<(), Error> {
    for mut batch in sampled {
        batch.pixels.clear();
        batch.shape = generator.draw(&batch.latents, &batch.labels, &mut batch.pixels)?;
        if let Some(verifier) = verifier {
            let samples: Vec<Sample> = (batch.labels.iter().zip(batch.first..))
                .map(|(&label, index)| Sample { index, label })
                .collect();
            batch.kept = verifier.verify(generator, seed, &samples, batch.shape, &mut batch.pixels)?;
        }
        if to_writer.send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

fn write_all(
    from_runners: &[Receiver<Batch>],
    to_sampler: &Sender<Batch>,
    mut write: impl FnMut(&Batch) -> io::Result<()>,
) -> io::Result<()> {
    for runner in from_runners.iter().cycle() {
        // A runner ends after the last batch, or when it fails.
        let Ok(batch) = runner.recv() else { break };
        write(&batch)?;
        // The sampler may be done.
        let _ = to_sampler.send(batch);
    }
    Ok(())
}
