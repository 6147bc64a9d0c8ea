//! Batches on their way to a data set, and its manifest kept up to date.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    time::{Duration, Instant},
};

use contract::dataset::{Error, Manifest, Sink};
use infer::verify::Kept;

use super::{pipeline::Batch, progress::Progress};

/// How often what is written is made safe.
const CHECKPOINT: Duration = Duration::from_secs(5);

/// Writes batches, and brings the manifest up to date every few seconds.
pub struct Writer<'a> {
    pub manifest: Manifest,
    output: &'a Path,
    /// Where the manifest is written; nowhere for a pipe.
    manifest_path: Option<&'a Path>,
    sink: Option<Box<dyn Sink + Send>>,
    /// Of each image that was appended and that the manifest does not yet call complete, how many draws the
    /// judge refused.
    pending: VecDeque<u32>,
    saved: Instant,
    progress: Progress,
}

impl<'a> Writer<'a> {
    /// A writer into `sink`, if the data set is open already.
    pub fn new(
        manifest: Manifest,
        output: &'a Path,
        manifest_path: Option<&'a Path>,
        sink: Option<Box<dyn Sink + Send>>,
        progress: Progress,
    ) -> Self {
        let (pending, saved) = (VecDeque::new(), Instant::now());
        Self { manifest, output, manifest_path, sink, pending, saved, progress }
    }

    /// Writes a batch, and every few seconds makes safe what was written.
    pub fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            None => {
                let sink = self.open(batch.shape)?;
                self.sink.insert(sink)
            }
        };
        if self.manifest.shape != Some(batch.shape) {
            return Err(io::Error::other("the model draws pictures of another shape than its first"));
        }
        let drawn = batch.drawn();
        sink.append(&drawn)?;
        match batch.kept.discarded.as_slice() {
            [] => self.pending.extend((0..drawn.count()).map(|_| 0)),
            discarded => self.pending.extend(discarded),
        }
        self.progress.advance(drawn.count());
        // The last images are recorded once the data set is whole, see `end`.
        let is_last = self.manifest.complete + self.pending.len() as u64 == self.manifest.images;
        match self.saved.elapsed() >= CHECKPOINT && !is_last {
            true => self.save(),
            false => Ok(()),
        }
    }

    fn open(&mut self, shape: [usize; 3]) -> io::Result<Box<dyn Sink + Send>> {
        self.manifest.shape = Some(shape);
        // First of all, as nothing can be resumed without a manifest.
        if let Some(path) = self.manifest_path {
            self.manifest.write(path)?;
        }
        self.manifest.format.definition().open(&self.manifest, self.output, shape).map_err(
            |error| match error {
                Error::Io(error) => error,
                refused => io::Error::other(refused),
            },
        )
    }

    /// Makes what was appended safe, and then says so.
    fn save(&mut self) -> io::Result<()> {
        self.checkpoint()?;
        self.record()
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        if let Some(sink) = &mut self.sink {
            self.manifest.tail = sink.checkpoint()?;
            let next = self.manifest.first + self.manifest.complete;
            let images = match sink.safe_up_to() {
                Some(index) => self.pending.len().min(index.saturating_sub(next) as usize),
                None => self.pending.len(),
            };
            self.manifest.complete += images as u64;
            let kept = Kept { discarded: self.pending.drain(..images).collect(), ..Kept::default() };
            if let Some(verified) = &mut self.manifest.verified {
                verified.add(kept.redrawn(), kept.redraws());
            }
        }
        Ok(())
    }

    fn record(&mut self) -> io::Result<()> {
        self.saved = Instant::now();
        match self.manifest_path {
            Some(path) if self.sink.is_some() => self.manifest.write(path),
            _ => Ok(()),
        }
    }

    /// Makes all that was written safe and whole, and says so.
    pub fn end(&mut self) -> io::Result<()> {
        self.progress.end();
        self.checkpoint()?;
        if let Some(sink) = &mut self.sink {
            // Before the manifest says that all is done: one that is stopped in between is finished again.
            let tail = sink.finish()?;
            if self.manifest.is_complete() {
                self.manifest.tail = tail;
            }
        }
        self.record()
    }
}
