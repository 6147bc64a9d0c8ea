//! Trains a judge: Adam on the cross-entropy of changed pictures, the learning rate falling along a
//! cosine, the moving average of the weights kept.

use std::f64::consts::PI;

use candle_core::{Device, Tensor};
use contract::picture::Framing;
use models::architectures::judge::Sizes;
use models::checkpoint::Provenance;
use models::judge::{Header, Judge};
use models::{Result, Wanted};

use super::augment::augment;
use super::cross_entropy::cross_entropy;
use crate::adam::{self, Adam};
use crate::average;
use crate::batches::{self, Batches};
use crate::sources::LabelledImages;

/// The learning rate at the start; it falls to a hundredth of it.
const LEARNING_RATE: f64 = 2e-3;
const LAST: f64 = 0.01;
/// How much of the weights' average an iteration keeps.
const KEEP: f64 = 0.998;

/// How a judge is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Passes over the data.
    pub epochs: u64,
    /// Pictures of an iteration.
    pub batch_size: usize,
    /// Key of every random number.
    pub seed: u64,
    /// How files became the pictures: what comes in from outside of them is their background.
    pub framing: Framing,
}

impl Default for Options {
    fn default() -> Options {
        Options { epochs: 10, batch_size: 128, seed: 0, framing: Framing::default() }
    }
}

impl Options {
    /// Iterations that show each of so many pictures [`Options::epochs`] times.
    pub fn iterations(&self, images: usize) -> u64 {
        (self.epochs * images as u64).div_ceil(self.batch_size as u64)
    }
}

/// The sizes of a judge of these pictures.
pub fn config(data: &LabelledImages) -> Sizes {
    let images = data.images();
    let (channels, height, width) = (images.channels(), images.height(), images.width());
    Sizes { classes: data.classes(), channels, height, width }
}

/// Trains a judge on these pictures; `split` says which part of the data they are.
///
/// `progress` is called with the iterations done and the loss, every 50 iterations and at the end.
///
/// # Errors
/// If the pictures are of a size that no judge has; Candle's.
pub fn train(
    data: &LabelledImages,
    split: &str,
    options: Options,
    device: &Device,
    progress: &mut dyn FnMut(u64, f64),
) -> Result<Judge> {
    let Options { batch_size, seed, framing, .. } = options;
    let config = config(data);
    let Sizes { channels, height, width, .. } = config;
    let network = config.network()?;
    let parameters = network.initialise(seed, device)?;
    let averaged = parameters.copy()?;
    let settings = adam::Config { learning_rate: LEARNING_RATE, beta1: 0.9, ..adam::Config::default() };
    let mut adam = Adam::new(settings, &parameters)?;
    let mut batches = Batches::new(data, batches::Options::new(batch_size, seed), device)?;
    let total = options.iterations(data.len());
    for t in 0..total {
        let (x, y) = batches.batch(t)?;
        let x = augment(
            &x.flatten_all()?.to_vec1::<f32>()?,
            [channels, height, width],
            framing.background,
            (seed, t),
        );
        let x = Tensor::from_vec(x, (batch_size, channels, height, width), device)?;
        let fall = (1. + (PI * t as f64 / total as f64).cos()) / 2.;
        let pace = LAST + (1. - LAST) * fall;

        let trace = network.trace(&parameters, &x, None)?; // N, classes
        let (loss, gradient) = cross_entropy(&trace.output, &y)?;
        let gradients = trace.backward(&network, &parameters, &gradient, Wanted::PARAMETERS)?;
        trace.update_running_averages(&network, &parameters)?;
        let step = adam.advance(pace);
        adam.step(&parameters, &gradients, None, step)?;
        average::update(&averaged, &parameters, average::take(KEEP, t + 1).into())?;
        if (t + 1) % 50 == 0 || t + 1 == total {
            progress(t + 1, f64::from(loss.to_scalar::<f32>()?));
        }
    }
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_string(),
        dataset: data.name().to_string(),
        dataset_sha256: data.digest(),
        split: split.to_string(),
        classes: data.class_names().to_vec(),
        images: data.len(),
        recipe: "judge".to_string(),
        seed,
        batch_size,
        iterations: total,
        epochs: (total * batch_size as u64) as f64 / data.len() as f64,
        device: if device.is_cpu() { "cpu" } else { "cuda" }.to_string(),
    };
    Judge::new(Header::new(config, framing, provenance, None), averaged)
}
