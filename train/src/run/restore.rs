//! Puts a run's folder back to its last usable checkpoint: what was written of later iterations is of work
//! that was lost.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use contract::files;
use contract::run::{CONFIG, GENERATOR, METRICS, QUALITY, SAMPLES};
use models::checkpoint::{Checkpoint, FORMAT, Header};
use serde::de::DeserializeOwned;

use super::Run;
use super::checkpoints::{self, Usable};
use crate::animation;
use crate::evaluate::ongoing::Quality;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::trainer::Trainer;

impl Run {
    /// Both networks as the newest usable checkpoint has them, or new ones where the run was stopped
    /// before its first, and a warning about newer checkpoints that can't be used. Everything else in
    /// the folder is put back to that moment: work that was lost leaves no trace.
    ///
    /// # Errors
    /// If there are checkpoints and none can be used, or a file can't be read or written; Candle's.
    pub fn restore(&mut self, device: &Device) -> Result<(Trainer, Option<String>)> {
        let Settings { networks, recipe, seed, .. } = self.config.settings;
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
