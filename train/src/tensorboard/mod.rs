//! What TensorBoard shows of a run: event files in the run's folder.
//!
//! | tag | what | when |
//! |---|---|---|
//! | `loss/d`, `loss/g` | scalars | as often as a line of metrics |
//! | `probability/d_real`, `probability/d_fake` | D(x) and D(G(z)), means over the batch | the same |
//! | `speed/images_per_second` | scalar | the same |
//! | `probabilities/d_real`, `probabilities/d_fake` | histograms over the batch | each epoch |
//! | `samples` | the sample grid | each epoch |
//! | `quality/agreement`, `quality/worst_class`, `quality/frechet` | scalars | with `--evaluate-every` |
//!
//! The step is the iteration. Each session of a run writes a file of its own and says in it from
//! which step on it counts, so that TensorBoard drops what a resumed run does anew.

mod event;
mod file;
mod record;
mod value;

use std::path::Path;

use anyhow::Result;

use self::file::EventFile;
use self::value::{histogram, image, scalar};
use crate::evaluate::ongoing::Quality;
use crate::figures::Figures;
use crate::metrics::Metrics;

/// The event file of one session.
pub struct Board {
    events: EventFile,
}

impl Board {
    /// A file in the run's `folder` for what follows `iterations` iterations.
    ///
    /// # Errors
    /// If the folder can't be read or written.
    pub fn open(folder: &Path, iterations: u64) -> Result<Board> {
        Ok(Board { events: EventFile::create(folder, iterations + 1)? })
    }

    /// The scalars of an iteration.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn scalars(&mut self, metrics: &Metrics) -> Result<()> {
        let Metrics { iteration, loss_d, loss_g, d_real, d_fake, images_per_second, .. } = *metrics;
        let values = vec![
            scalar("loss/d", loss_d),
            scalar("loss/g", loss_g),
            scalar("probability/d_real", d_real),
            scalar("probability/d_fake", d_fake),
            scalar("speed/images_per_second", images_per_second as f32),
        ];
        self.events.write(iteration, values)
    }

    /// What an epoch that ended in `iteration` leaves: its grid, a PNG, and the last batch's
    /// probabilities.
    ///
    /// # Errors
    /// If the grid can't be read or the file can't be written; Candle's.
    pub fn epoch(&mut self, iteration: u64, grid: &Path, figures: &Figures) -> Result<()> {
        let values = vec![
            image("samples", grid)?,
            histogram("probabilities/d_real", &figures.d_real()?),
            histogram("probabilities/d_fake", &figures.d_fake()?),
        ];
        self.events.write(iteration, values)
    }

    /// What the judge says of the generator.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn quality(&mut self, quality: &Quality) -> Result<()> {
        let mut values = vec![scalar("quality/frechet", quality.frechet as f32)];
        if let Some(labels) = &quality.labels {
            values.push(scalar("quality/agreement", labels.agreement as f32));
            values.push(scalar("quality/worst_class", labels.worst_class as f32));
        }
        self.events.write(quality.iteration, values)
    }

    /// Has all values on the disk, whatever becomes of the power.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn sync(&self) -> Result<()> {
        self.events.sync()
    }
}
