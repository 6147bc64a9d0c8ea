//! The lines of `metrics.jsonl` and `quality.jsonl`.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};
use contract::files;
use contract::run::{METRICS, QUALITY};

use super::{Run, checkpoints};
use crate::evaluate::ongoing::Quality;
use crate::metrics::Metrics;

impl Run {
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
}
