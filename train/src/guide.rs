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

use std::path::Path;

use candle_core::{D, Device, Tensor};
use models::judge::Judge;
use models::ops::Factors;
use models::{Network, Parameters, Result, Wanted};

use crate::judge::cross_entropy::cross_entropy;
use crate::judge::{self, Options};
use crate::sources::LabelledImages;

/// Passes over the data in its training.
const EPOCHS: u64 = 4;

/// A trained classifier of the run's pictures.
pub struct Guide {
    network: Network,
    parameters: Parameters,
}

impl Guide {
    /// A guide that is this network: pictures (N, C, H, W) in [0, 1] → logits (N, classes).
    pub fn with_weights(network: Network, parameters: Parameters) -> Guide {
        Guide { network, parameters }
    }

    fn new(classifier: &Judge) -> Result<Guide> {
        let network = classifier.header.config.network()?;
        Ok(Guide::with_weights(network, classifier.parameters().clone()))
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
        let network = judge::training::config(data).network()?;
        let parameters = network.initialise(seed, device)?;
        Ok(Guide::with_weights(network, parameters))
    }

    /// Rounds the factors of its matrix products.
    pub fn round(&mut self, factors: Factors) {
        self.network = self.network.clone().with_factors(factors);
    }

    /// Its list.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The gradient of its loss with respect to pictures, the doubt held constant. It sees them with their
    /// own batch statistics, as D does.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) in [0, 1], `y` (N) of u32 → like `x`
    ///
    /// # Errors
    /// If the pictures are not of its size; Candle's.
    pub fn gradient(&self, x: &Tensor, y: &Tensor) -> Result<Option<Tensor>> {
        let Guide { network, parameters } = self;
        let trace = network.trace(parameters, x, None)?; // N, classes
        let (_, gradient) = cross_entropy(&trace.output, y)?;
        // Of the label's logit it is (p − 1) / N, and no other of its row is below 0.
        let doubt = (gradient.min_keepdim(D::Minus1)? * y.dim(0)? as f64)?.sqr()?; // N, 1
        let gradient = gradient.broadcast_mul(&doubt)?;
        Ok(trace.backward(network, parameters, &gradient, Wanted::INPUT)?.input)
    }
}
