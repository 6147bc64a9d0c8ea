//! The guide: a classifier that G learns from beside D, so that what it draws reads as its label.
//!
//! Odena et al. 2017 (<https://arxiv.org/abs/1610.09585>) teach D itself to classify. The guide is a network
//! of its own: of the judge's architecture, trained once, before the first iteration, on the run's own
//! pictures. It isn't the judge, which measures the result: its weights come from other random numbers and
//! fewer passes.
//!
//! Its loss is the cross-entropy of each picture times its doubt, (1 − p)² of the probability p that it
//! gives the label, as in the focal loss of Lin et al. 2017 (<https://arxiv.org/abs/1708.02002>): pictures
//! that read as their label are left to D, and the doubtful ones move.
//!
//! What it makes of pictures on the way, at several of its layers, is also what [projected
//! discriminators](crate::projected) see.

use std::path::Path;

use candle_core::{D, Device, Tensor};
use models::architectures::judge::Sizes;
use models::architectures::projected::{self, LEVELS};
use models::judge::Judge;
use models::ops::Factors;
use models::{Architecture, Network, Parameters, Result, Trace, Wanted, gradients};

use crate::judge::cross_entropy::cross_entropy;
use crate::judge::{self, Options};
use crate::sources::LabelledImages;

/// Passes over the data in its training.
const EPOCHS: u64 = 4;

/// A trained classifier of the run's pictures. It reads each by itself: its batch norms are of the running
/// averages, [folded](Network::folded).
pub struct Guide {
    /// Pictures (N, C, H, W) in [0, 1] → features (N, 128), in parts: the last layer of each is a level that
    /// projected discriminators see.
    levels: Vec<Network>,
    /// Features (N, 128) → logits (N, classes).
    head: Network,
    /// Of all.
    parameters: Parameters,
    /// What its 0 is in the pictures that it is given.
    black: f64,
}

/// What the guide made of pictures.
pub struct Reading {
    /// The pass through each part.
    levels: Vec<Trace>,
}

impl Reading {
    /// The features at each level: (N, …).
    pub fn levels(&self) -> impl Iterator<Item = &Tensor> {
        self.levels.iter().map(|level| &level.output)
    }
}

impl Guide {
    /// A guide of these sizes and weights, for pictures from `black` to 1.
    ///
    /// # Errors
    /// If no classifier is of these sizes.
    pub fn with_weights(sizes: Sizes, parameters: &Parameters, black: f64) -> Result<Guide> {
        let (body, _) = sizes.body()?.folded(parameters)?;
        let (_, parameters) = sizes.network()?.folded(parameters)?;
        Ok(Guide { levels: body.split(&LEVELS)?, head: sizes.head()?, parameters, black })
    }

    /// A trained classifier as the guide, for pictures from `black` to 1.
    ///
    /// # Errors
    /// Candle's.
    pub fn new(classifier: &Judge, black: f64) -> Result<Guide> {
        Guide::with_weights(classifier.header.config, classifier.parameters(), black)
    }

    /// The guide in this file, if it was trained on these pictures from this seed; else it is trained, and
    /// the file written.
    ///
    /// `progress` is called with the iterations done, all of them, and the loss.
    ///
    /// # Errors
    /// If the pictures are of a size that no classifier has, or the file can't be written; Candle's.
    pub fn of_run(
        path: &Path,
        (data, split): (&LabelledImages, &str),
        seed: u64,
        device: &Device,
        progress: &mut dyn FnMut(u64, u64, f64),
    ) -> Result<Guide> {
        // The judge's seed is 0, as that of most runs is.
        let options = Options { epochs: EPOCHS, seed: !seed, ..Options::default() };
        let digest = data.digest();
        let is_this = |found: &Judge| {
            let found = &found.header.provenance;
            found.dataset_sha256 == digest && found.seed == options.seed
        };
        if let Some(found) = Judge::load(path, device).ok().filter(is_this) {
            return Guide::new(&found, 0.);
        }
        let total = options.iterations(data.len());
        let mut progress = |done: u64, loss: f64| progress(done, total, loss);
        let classifier = judge::train(data, split, options, device, &mut progress)?;
        classifier.save(path)?;
        Guide::new(&classifier, 0.)
    }

    /// An untrained guide for this pair's pictures, to estimate memory and time with.
    ///
    /// # Errors
    /// If the pictures are of a size that no classifier has; Candle's.
    pub fn untrained(pair: &Architecture, seed: u64, device: &Device) -> Result<Guide> {
        let sizes = projected::classifier(pair);
        Guide::with_weights(sizes, &sizes.network()?.initialise(seed, device)?, pair.black())
    }

    /// Rounds the factors of its matrix products.
    pub fn round(&mut self, factors: Factors) {
        for network in self.levels.iter_mut().chain([&mut self.head]) {
            *network = network.clone().with_factors(factors);
        }
    }

    /// What its matrix products are rounded to.
    pub fn factors(&self) -> Factors {
        self.head.factors()
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Of its pixels, which go from 0 to 1, to those that it is given.
    fn scale(&self) -> f64 {
        1. / (1. - self.black)
    }

    /// Reads pictures.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) from black to 1
    ///
    /// # Errors
    /// If the pictures are not of its size; Candle's.
    pub fn read(&self, x: &Tensor) -> Result<Reading> {
        let from_zero = x.affine(self.scale(), -self.black * self.scale())?;
        let mut levels: Vec<Trace> = Vec::new();
        for level in &self.levels {
            let before = levels.last().map_or(&from_zero, |trace| &trace.output);
            levels.push(level.trace(&self.parameters, before, None)?);
        }
        Ok(Reading { levels })
    }

    /// The gradient, with respect to the pictures that were read, of its loss toward their labels, the doubt held
    /// constant, times `weight`, and of other losses whose gradients with respect to the levels are given, if
    /// there are such.
    ///
    /// # Shapes
    /// `y` (N) of u32, `of_levels` like [`Reading::levels`] → (N, C, H, W)
    ///
    /// # Errors
    /// Candle's.
    pub fn gradient(
        &self,
        reading: &Reading,
        (y, weight): (&Tensor, f64),
        mut of_levels: Vec<Option<Tensor>>,
    ) -> Result<Option<Tensor>> {
        let Guide { levels, head, parameters, .. } = self;
        let mut through = match (reading.levels.last(), weight > 0.) {
            (Some(features), true) => {
                let trace = head.trace(parameters, &features.output, None)?; // N, classes
                let (_, away) = cross_entropy(&trace.output, y)?;
                // Of the label's logit it is (p − 1) / N, and no other of its row is below 0.
                let doubt = (away.min_keepdim(D::Minus1)? * y.elem_count() as f64)?.sqr()?; // N, 1
                let away = (away.broadcast_mul(&doubt)? * weight)?;
                trace.backward(head, parameters, &away, Wanted::INPUT)?.input
            }
            _ => None,
        };
        for (level, trace) in levels.iter().zip(&reading.levels).rev() {
            if let Some(dy) = gradients::sum(through.take(), of_levels.pop().flatten())? {
                through = trace.backward(level, parameters, &dy, Wanted::INPUT)?.input;
            }
        }
        Ok(through.map(|dx| dx * self.scale()).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{Guide, Sizes};

    #[test]
    fn pictures_from_minus_one_are_read_as_those_from_zero() {
        let sizes = Sizes { classes: 3, channels: 1, height: 6, width: 9 };
        let weights = sizes.network().unwrap().initialise(8, &Device::Cpu).unwrap();
        let pixels: Vec<f32> = (0..4 * 54).map(|i| (i * 37 % 101) as f32 / 101.).collect();
        let from_zero = Tensor::from_vec(pixels, (4, 1, 6, 9), &Device::Cpu).unwrap();
        let y = Tensor::new(&[0u32, 2, 1, 1], &Device::Cpu).unwrap();
        let seen = |black: f64| {
            let guide = Guide::with_weights(sizes, &weights, black).unwrap();
            let reading = guide.read(&from_zero.affine(1. - black, black).unwrap()).unwrap();
            let gradient = guide.gradient(&reading, (&y, 2.), Vec::new()).unwrap().unwrap();
            // By the chain rule: black to 1 is (1 − black) times as far.
            let all = reading.levels().cloned().chain([(gradient * (1. - black)).unwrap()]);
            all.collect::<Vec<_>>()
        };
        let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        for (found, expected) in seen(-1.).iter().zip(seen(0.)) {
            let wrong = largest(&(found - &expected).unwrap());
            assert!(wrong < 1e-4 * largest(&expected), "{wrong}, {}", largest(&expected));
        }
    }
}
