//! What is measured every few iterations: a line of `metrics.jsonl` and, with `--json`, of the output.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::figures::Figures;

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Iterations done, this one included.
    pub iteration: u64,
    /// Passes over the data done, with a fraction.
    pub epoch: f64,
    /// The discriminator's loss.
    pub loss_d: f32,
    /// The generator's loss in its last update.
    pub loss_g: f32,
    /// D(x), the mean over the batch.
    pub d_real: f32,
    /// D(G(z)) before the updates, the mean over the batch.
    pub d_fake: f32,
    /// Images per second since the previous measurement.
    pub images_per_second: f64,
    /// Time since the run was started, without the pauses before it was resumed.
    pub elapsed_seconds: f64,
}

impl Metrics {
    /// Reads an iteration's figures from the device.
    ///
    /// # Errors
    /// Candle's.
    pub fn read(
        figures: &Figures,
        (iteration, epoch): (u64, f64),
        images_per_second: f64,
        elapsed: Duration,
    ) -> Result<Metrics> {
        let mean = |values: Vec<f32>| values.iter().sum::<f32>() / values.len() as f32;
        Ok(Metrics {
            iteration,
            epoch,
            loss_d: figures.loss_d()? as f32,
            loss_g: figures.loss_g()? as f32,
            d_real: mean(figures.d_real()?),
            d_fake: mean(figures.d_fake()?),
            images_per_second,
            elapsed_seconds: elapsed.as_secs_f64(),
        })
    }
}
