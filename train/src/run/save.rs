//! Writes what `--resume` and `export` need: a checkpoint, and the generator alone.

use anyhow::{Context, Result, bail};
use contract::run::{GENERATOR, METRICS};
use models::checkpoint::{Contents, FORMAT, Header, Provenance};

use super::{Run, checkpoints};
use crate::trainer::Trainer;

impl Run {
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
        let Run { config, .. } = &*self;
        let settings = &config.settings;
        let header = Header {
            format: FORMAT,
            architecture: settings.networks,
            provenance: Provenance {
                version: env!("CARGO_PKG_VERSION").to_string(),
                dataset: config.dataset.clone(),
                dataset_sha256: config.dataset_sha256.clone(),
                split: settings.split.name().to_string(),
                classes: config.class_names(),
                images: config.images,
                recipe: settings.recipe_name.clone(),
                seed: settings.seed,
                batch_size: settings.batch_size,
                iterations,
                epochs: config.epochs_done(iterations),
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

    pub(super) fn save_generator(&self, trainer: &Trainer, header: &Header) -> Result<()> {
        let mut generator = Contents::default();
        generator.parameters("average", &trainer.average);
        generator.parameters("raw", &trainer.g);
        generator.save(header, &self.folder.join(GENERATOR))?;
        Ok(())
    }

    pub(super) fn prune(&self, newest: u64) -> Result<()> {
        let best = self.best().map(|(best, _)| best.iteration);
        let is_scheduled = |iterations| self.config.is_scheduled(iterations);
        checkpoints::prune(&self.folder, newest, best, self.config.settings.keep, is_scheduled)
    }
}
