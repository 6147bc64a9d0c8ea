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
//! Its features tell pictures of one label apart as well. There the [energy distance](crate::energy) between
//! a batch that was drawn and one of real pictures asks for variety, which the cross-entropy costs.

use std::path::Path;

use candle_core::{D, Device, Tensor};
use models::architectures::judge::Sizes;
use models::judge::Judge;
use models::ops::Factors;
use models::{Network, Parameters, Result, Wanted};

use crate::energy;
use crate::judge::cross_entropy::cross_entropy;
use crate::judge::{self, Options};
use crate::recipe::Recipe;
use crate::sources::LabelledImages;

/// Passes over the data in its training.
const EPOCHS: u64 = 4;

/// A trained classifier of the run's pictures.
pub struct Guide {
    /// Pictures (N, C, H, W) in [0, 1] → features (N, 128).
    body: Network,
    /// Features (N, 128) → logits (N, classes).
    head: Network,
    parameters: Parameters,
}

impl Guide {
    /// A guide of these sizes and weights.
    ///
    /// # Errors
    /// If no classifier is of these sizes.
    pub fn with_weights(sizes: Sizes, parameters: Parameters) -> Result<Guide> {
        Ok(Guide { body: sizes.body()?, head: sizes.head()?, parameters })
    }

    fn new(classifier: &Judge) -> Result<Guide> {
        Guide::with_weights(classifier.header.config, classifier.parameters().clone())
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
            return Guide::new(&found);
        }
        let total = options.iterations(data.len());
        let mut progress = |done: u64, loss: f64| progress(done, total, loss);
        let classifier = judge::train(data, split, options, device, &mut progress)?;
        classifier.save(path)?;
        Guide::new(&classifier)
    }

    /// An untrained guide for pictures of this size, to estimate memory and time with.
    ///
    /// # Errors
    /// If the pictures are of a size that no classifier has; Candle's.
    pub fn untrained(data: &LabelledImages, seed: u64, device: &Device) -> Result<Guide> {
        let sizes = judge::training::config(data);
        Guide::with_weights(sizes, sizes.network()?.initialise(seed, device)?)
    }

    /// Rounds the factors of its matrix products.
    pub fn round(&mut self, factors: Factors) {
        for network in [&mut self.body, &mut self.head] {
            *network = network.clone().with_factors(factors);
        }
    }

    /// What its matrix products are rounded to.
    pub fn factors(&self) -> Factors {
        self.body.factors()
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The gradient of its loss, by the recipe's weights, with respect to pictures that were drawn, the doubt
    /// held constant. It sees them with their own batch statistics, as D does, or, where they are compared
    /// with real ones, with those of both.
    ///
    /// # Shapes
    /// `drawn` and `real` (N, C, H, W) in [0, 1], `y` (N) of u32, that of both → like `drawn`
    ///
    /// # Errors
    /// If the pictures are not of its size; Candle's.
    pub fn gradient(
        &self,
        drawn: &Tensor,
        real: &Tensor,
        y: &Tensor,
        recipe: &Recipe,
    ) -> Result<Option<Tensor>> {
        let Guide { body, head, parameters } = self;
        let n = drawn.dim(0)?;
        let compares = recipe.energy > 0.;
        let seen = if compares { Tensor::cat(&[drawn, real], 0)? } else { drawn.clone() };
        let trace = body.trace(parameters, &seen, None)?; // N or 2N, 128
        let features = trace.output.narrow(0, 0, n)?.contiguous()?;
        let mut gradient = features.zeros_like()?; // N, 128
        if recipe.guide > 0. {
            let reading = head.trace(parameters, &features, None)?; // N, classes
            let (_, away) = cross_entropy(&reading.output, y)?;
            // Of the label's logit it is (p − 1) / N, and no other of its row is below 0.
            let doubt = (away.min_keepdim(D::Minus1)? * n as f64)?.sqr()?; // N, 1
            let away = away.broadcast_mul(&doubt)?;
            if let Some(away) = reading.backward(head, parameters, &away, Wanted::INPUT)?.input {
                gradient = (gradient + away * recipe.guide)?;
            }
        }
        if compares {
            let of_real = trace.output.narrow(0, n, n)?.contiguous()?;
            gradient = (gradient + energy::gradient(&features, &of_real, y)? * recipe.energy)?;
            gradient = Tensor::cat(&[&gradient, &gradient.zeros_like()?], 0)?;
        }
        let through = trace.backward(body, parameters, &gradient, Wanted::INPUT)?.input;
        Ok(through.map(|through| through.narrow(0, 0, n)?.contiguous()).transpose()?)
    }
}
