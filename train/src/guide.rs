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
//! what is drawn and real pictures asks for variety, which the cross-entropy costs.

use std::path::Path;

use candle_core::{D, Device, Tensor};
use models::architectures::judge::Sizes;
use models::judge::Judge;
use models::ops::Factors;
use models::{Network, Parameters, Result, Wanted};

use crate::batches::{self, Batches};
use crate::energy::{self, Points, Recent};
use crate::judge::cross_entropy::cross_entropy;
use crate::judge::{self, Options};
use crate::recipe::Recipe;
use crate::sources::LabelledImages;

/// Passes over the data in its training.
const EPOCHS: u64 = 4;

/// A trained classifier of the run's pictures. It reads each by itself: its batch norms are of the running
/// averages, [folded](Network::folded).
pub struct Guide {
    /// Pictures (N, C, H, W) in [0, 1] → features (N, 128).
    body: Network,
    /// Features (N, 128) → logits (N, classes).
    head: Network,
    /// Of both.
    parameters: Parameters,
    /// Real pictures, whose variety is to be had.
    pub(crate) examples: Option<Points>,
}

impl Guide {
    /// A guide of these sizes and weights.
    ///
    /// # Errors
    /// If no classifier is of these sizes.
    pub fn with_weights(sizes: Sizes, parameters: &Parameters) -> Result<Guide> {
        let (body, _) = sizes.body()?.folded(parameters)?;
        let (_, parameters) = sizes.network()?.folded(parameters)?;
        Ok(Guide { body, head: sizes.head()?, parameters, examples: None })
    }

    fn new(classifier: &Judge) -> Result<Guide> {
        Guide::with_weights(classifier.header.config, classifier.parameters())
    }

    /// Reads the pictures of the first epoch, `pictures` of them at most, to compare what is drawn with.
    ///
    /// # Errors
    /// If they are not of its size; Candle's.
    pub fn read(&mut self, data: &LabelledImages, options: batches::Options, pictures: usize) -> Result<()> {
        let mut batches = Batches::new(data, options, self.parameters.device())?;
        let count = data.len().min(pictures).div_ceil(options.batch_size);
        let (mut features, mut label) = (Vec::new(), Vec::new());
        for t in 0..count as u64 {
            let (x, y) = batches.batch(t)?;
            features.push(self.body.sample(&self.parameters, &x, None)?);
            label.push(y);
        }
        self.examples = Some(Points { features: Tensor::cat(&features, 0)?, label: Tensor::cat(&label, 0)? });
        Ok(())
    }

    /// The real pictures that an iteration compares with, if any were [read](Guide::read): others each time,
    /// until all were seen.
    ///
    /// # Errors
    /// Candle's.
    pub fn examples(&self, iteration: u64) -> Result<Option<Points>> {
        let Some(Points { features, label }) = &self.examples else { return Ok(None) };
        let (all, n) = (label.dim(0)?, label.dim(0)?.min(energy::COMPARED));
        let first = (iteration % (all / n) as u64) as usize * n;
        Ok(Some(Points { features: features.narrow(0, first, n)?, label: label.narrow(0, first, n)? }))
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
        Guide::with_weights(sizes, &sizes.network()?.initialise(seed, device)?)
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
    /// held constant. What is drawn is compared with the batch's examples and with what was drawn before, and
    /// then belongs to the latter.
    ///
    /// # Shapes
    /// `drawn` (N, C, H, W) in [0, 1], `y` (N) of u32 → like `drawn`
    ///
    /// # Errors
    /// If the pictures are not of its size; Candle's.
    pub fn gradient(
        &self,
        drawn: &Tensor,
        y: &Tensor,
        (examples, recent): (Option<&Points>, Option<&Recent>),
        recipe: &Recipe,
    ) -> Result<Option<Tensor>> {
        let Guide { body, head, parameters, .. } = self;
        let n = drawn.dim(0)?;
        let trace = body.trace(parameters, drawn, None)?; // N, 128
        let mut gradient = trace.output.zeros_like()?; //    N, 128
        if recipe.guide > 0. {
            let reading = head.trace(parameters, &trace.output, None)?; // N, classes
            let (_, away) = cross_entropy(&reading.output, y)?;
            // Of the label's logit it is (p − 1) / N, and no other of its row is below 0.
            let doubt = (away.min_keepdim(D::Minus1)? * n as f64)?.sqr()?; // N, 1
            let away = away.broadcast_mul(&doubt)?;
            if let Some(away) = reading.backward(head, parameters, &away, Wanted::INPUT)?.input {
                gradient = (gradient + away * recipe.guide)?;
            }
        }
        if let (Some(real), Some(recent)) = (examples, recent) {
            let away = energy::gradient(&trace.output, y, real, &recent.points())?;
            recent.push(&trace.output, y)?;
            gradient = (gradient + away * recipe.energy)?;
        }
        Ok(trace.backward(body, parameters, &gradient, Wanted::INPUT)?.input)
    }
}
