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
    dataset::{self, Strung, plan::Labels},
    latent,
    noise::Noise,
    strings::Strings,
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
    /// What goes through the network: an image each, or of a string each of its characters.
    samples: Vec<Sample>,
    /// Their labels, if there are classes, and their latents.
    labels: Vec<i64>,
    latents: Vec<f32>,
    /// What is drawn of them, if they are characters of strings.
    characters: Vec<u8>,
    strings: Vec<Strung>,
    /// `(N, C, H, W)`.
    pub pixels: Vec<u8>,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// What the judge said, if there is one: of a string the least confidence, and all draws.
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
    pub strings: Option<Strings>,
    pub noise: Option<Noise>,
    /// The images' indices.
    pub images: Range<u64>,
    /// Images, or characters, that go through the network at once.
    pub batch_size: usize,
}

impl Work {
    /// Images of a batch.
    fn at_once(&self) -> u64 {
        let each = self.strings.as_ref().map_or(1, |strings| strings.length.most);
        (self.batch_size as u64 / each).max(1)
    }
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
                scope.spawn(move || draw_all(runner, work, &sampled, &to_writer))
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
        let end = rest.start.saturating_add(work.at_once()).min(rest.end);
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
        let Self { first, labels, pixels, shape, kept, strings, .. } = self;
        let labels = if strings.is_empty() { labels.as_slice() } else { &[] };
        dataset::Batch {
            first: *first,
            labels,
            pixels,
            shape: *shape,
            confidences: &kept.confidences,
            strings,
        }
    }

    fn sample(&mut self, contract: &Contract, work: &Work, images: Range<u64>) {
        let Contract { latent_dim, latent_distribution, .. } = *contract;
        self.first = images.start;
        self.samples.clear();
        self.strings.clear();
        for index in images {
            match &work.strings {
                None => self.samples.push(Sample { index, label: work.labels.of(index) }),
                Some(strings) => {
                    let labels = strings.text(work.seed, index, &work.labels);
                    let characters = labels.iter().zip(0..);
                    self.samples.extend(
                        characters.map(|(&label, j)| Sample { index: strings.image(index, j), label }),
                    );
                    self.strings.push(Strung { labels, ..Strung::default() });
                }
            }
        }
        self.labels.clear();
        if contract.is_labelled() {
            self.labels.extend(self.samples.iter().map(|sample| sample.label));
        }
        self.latents.resize(self.samples.len() * latent_dim, 0.0);
        for (row, sample) in self.latents.chunks_exact_mut(latent_dim).zip(&self.samples) {
            latent::fill(latent_distribution, work.seed, sample.index, row);
        }
    }

    /// Puts the characters that were drawn together into strings.
    fn compose(&mut self, work: &Work, strings: &Strings) -> Result<(), Error> {
        let refuse = |sentence: String| Error::BadInput(sentence);
        let (characters, of_one) = (&self.characters, self.shape);
        let volume = of_one.iter().product::<usize>();
        let shape = strings.frame(of_one).map_err(refuse)?;
        let [channels, height, width] = shape;
        self.pixels.clear();
        self.pixels.resize(self.strings.len() * channels * height * width, 0);
        let (mut rest, drawn) =
            (characters.as_slice(), self.pixels.chunks_exact_mut(channels * height * width));
        let mut kept = Kept::default();
        let mut said = (self.kept.confidences.as_slice(), self.kept.discarded.as_slice());
        for ((string, pixels), index) in self.strings.iter_mut().zip(drawn).zip(self.first..) {
            let own;
            let count = string.labels.len();
            (own, rest) = rest.split_at(count * volume);
            let mut composed = strings.compose((work.seed, index), own, of_one).map_err(refuse)?;
            if let Some(noise) = &work.noise {
                noise.apply((work.seed, index), &mut composed.pixels, composed.shape);
            }
            string.width = composed.shape[2];
            string.boxes = composed.boxes;
            for (to, from) in pixels.chunks_exact_mut(width).zip(composed.pixels.chunks_exact(string.width)) {
                to[..string.width].copy_from_slice(from);
            }
            if !said.0.is_empty() {
                let (confidences, discarded) = (said.0.split_at(count), said.1.split_at(count));
                kept.confidences.push(confidences.0.iter().copied().fold(1.0, f64::min));
                kept.discarded.push(discarded.0.iter().sum());
                said = (confidences.1, discarded.1);
            }
        }
        (self.kept, self.shape) = (kept, shape);
        Ok(())
    }
}

fn draw_all(
    Runner { generator, verifier }: &mut Runner,
    work: &Work,
    sampled: &Receiver<Batch>,
    to_writer: &Sender<Batch>,
) -> Result<(), Error> {
    for mut batch in sampled {
        let pixels = if work.strings.is_some() { &mut batch.characters } else { &mut batch.pixels };
        pixels.clear();
        batch.shape = generator.draw(&batch.latents, &batch.labels, pixels)?;
        if let Some(verifier) = verifier {
            batch.kept = verifier.verify(generator, work.seed, &batch.samples, batch.shape, pixels)?;
        }
        match (&work.strings, &work.noise) {
            (Some(strings), _) => batch.compose(work, strings)?,
            (None, Some(noise)) => {
                let volume = batch.shape.iter().product::<usize>().max(1);
                for (pixels, index) in batch.pixels.chunks_exact_mut(volume).zip(batch.first..) {
                    noise.apply((work.seed, index), pixels, batch.shape);
                }
            }
            (None, None) => {}
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
