//! Projected discriminators (Sauer et al. 2021, <https://arxiv.org/abs/2111.01007>): beside D, which sees
//! pictures, [small ones](models::architectures::projected) see what the [guide](crate::guide) makes of them, at
//! several of its layers, and G learns from all. What a classifier has found to matter in pictures needn't be
//! found again by D, so G learns in fewer iterations, and more variously.
//!
//! The guide stays as it is. Unlike the paper's, its levels are not mixed with one another first.

use candle_core::{Device, Tensor};
use models::Architecture;
use models::architectures::projected;
use models::checkpoint::{Checkpoint, Contents};
use models::ops::{AdamStep, Factors};
use models::{Gradients, Network, Parameters, Result, Wanted};

use crate::adam::{self, Adam};
use crate::guide::Reading;
use crate::loss;

/// A discriminator for each of the guide's levels.
pub struct Projected {
    each: Vec<Discriminator>,
}

struct Discriminator {
    network: Network,
    parameters: Parameters,
    adam: Adam,
}

impl Projected {
    /// New ones of what a guide makes of this pair's pictures, their weights drawn from `seed`.
    ///
    /// # Errors
    /// If no guide is of their size; Candle's.
    pub fn new(pair: &Architecture, seed: u64, config: adam::Config, device: &Device) -> Result<Projected> {
        let each = projected::networks(pair)?.into_iter().zip(0..).map(|(network, level)| {
            let parameters = network.initialise(seed.wrapping_add(level), device)?;
            Ok(Discriminator { adam: Adam::new(config, &parameters)?, network, parameters })
        });
        Ok(Projected { each: each.collect::<Result<_>>()? })
    }

    /// Goes on from a checkpoint that [`Projected::save`] made after `steps` steps.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape; Candle's.
    pub fn load(
        pair: &Architecture,
        (checkpoint, steps): (&Checkpoint, u64),
        config: adam::Config,
        device: &Device,
    ) -> Result<Projected> {
        let each = projected::networks(pair)?.into_iter().enumerate().map(|(level, network)| {
            let (weights, moments) = groups(level);
            let parameters = checkpoint.parameters(&weights, &network, device)?;
            let adam = Adam::load(config, steps, checkpoint, &moments, &parameters)?;
            Ok(Discriminator { network, parameters, adam })
        });
        Ok(Projected { each: each.collect::<Result<_>>()? })
    }

    /// Everything that [`Projected::load`] needs.
    pub fn save(&self, contents: &mut Contents) {
        for (level, Discriminator { parameters, adam, .. }) in self.each.iter().enumerate() {
            let (weights, moments) = groups(level);
            contents.parameters(&weights, parameters);
            adam.save(contents, &moments, parameters);
        }
    }

    /// Rounds the factors of their matrix products.
    pub fn round(&mut self, factors: Factors) {
        for Discriminator { network, .. } in &mut self.each {
            *network = network.clone().with_factors(factors);
        }
    }

    /// What the factors of their matrix products are rounded to.
    pub fn factors(&self) -> impl Iterator<Item = Factors> {
        self.each.iter().map(|one| one.network.factors())
    }

    /// Their weights, by the level's name in a checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = (String, &Parameters)> {
        self.each.iter().enumerate().map(|(level, one)| (groups(level).0, &one.parameters))
    }

    /// Each learns to tell features of real pictures, toward `target`, from those of drawn ones, toward 0.
    ///
    /// # Shapes
    /// `y` (N) of u32: the labels of both
    ///
    /// # Errors
    /// Candle's.
    pub fn learn(
        &self,
        (real, target): (&Reading, f64),
        fake: &Reading,
        y: &Tensor,
        step: AdamStep<'_>,
    ) -> Result<()> {
        for (one, (real, fake)) in self.each.iter().zip(real.levels().zip(fake.levels())) {
            let from_real = one.gradients(real, y, target, Wanted::PARAMETERS)?;
            let from_fake = one.gradients(fake, y, 0., Wanted::PARAMETERS)?;
            one.adam.step(&one.parameters, &from_real, Some(&from_fake), step)?;
        }
        Ok(())
    }

    /// The gradients of their losses on drawn pictures toward real, times `weight`, with respect to each level.
    ///
    /// # Shapes
    /// `y` (N) of u32 → like [`Reading::levels`]
    ///
    /// # Errors
    /// Candle's.
    pub fn toward_real(&self, fake: &Reading, y: &Tensor, weight: f64) -> Result<Vec<Option<Tensor>>> {
        let each = self.each.iter().zip(fake.levels()).map(|(one, fake)| {
            let through = one.gradients(fake, y, 1., Wanted::INPUT)?.input;
            Ok(through.map(|dy| dy * weight).transpose()?)
        });
        each.collect()
    }
}

impl Discriminator {
    /// Those of its loss on features toward `target`, 1 for real and 0 for drawn.
    fn gradients(&self, features: &Tensor, y: &Tensor, target: f64, wanted: Wanted) -> Result<Gradients> {
        let trace = self.network.trace(&self.parameters, features, Some(y))?; // N, 1
        trace.backward(&self.network, &self.parameters, &loss::gradient(&trace.output, target)?, wanted)
    }
}

/// What weights and moments of a level's discriminator are called in a checkpoint.
fn groups(level: usize) -> (String, String) {
    (format!("projected.{level}"), format!("adam.projected.{level}"))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use models::architectures::projected;
    use models::{Architecture, Mode, Sizes};

    use super::{Projected, adam};
    use crate::guide::Guide;
    use crate::loss::binary_cross_entropy;

    #[test]
    fn each_learns_to_tell_real_features_from_drawn_ones() {
        let sizes = Sizes { classes: 3, height: 6, width: 9, ..Sizes::default() };
        let pair = Architecture::LabelledDcgan(sizes);
        let classifier = projected::classifier(&pair);
        let weights = classifier.network().unwrap().initialise(8, &Device::Cpu).unwrap();
        let guide = Guide::with_weights(classifier, &weights, pair.black()).unwrap();
        let [real, fake] = [37, 53].map(|step| {
            let pixels: Vec<f32> = (0..4 * 54).map(|i| (i * step % 101) as f32 / 101.).collect();
            guide.read(&Tensor::from_vec(pixels, (4, 1, 6, 9), &Device::Cpu).unwrap()).unwrap()
        });
        let y = Tensor::new(&[0u32, 2, 1, 1], &Device::Cpu).unwrap();
        let config = adam::Config { beta1: 0.5, ..adam::Config::default() };
        let mut projected = Projected::new(&pair, 4, config, &Device::Cpu).unwrap();
        let expected: Vec<Vec<Tensor>> = (projected.each.iter().zip(real.levels().zip(fake.levels())))
            .map(|(one, (real, fake))| {
                let loss = |x: &Tensor, target| {
                    let logits = one.network.forward(&one.parameters, x, Some(&y), Mode::Train).unwrap();
                    binary_cross_entropy(&logits, target).unwrap()
                };
                let gradients = (loss(real, 0.9) + loss(fake, 0.)).unwrap().backward().unwrap();
                one.parameters.trainable().map(|(_, p)| gradients.get(p).unwrap().clone()).collect()
            })
            .collect();
        assert_eq!(expected.len(), 3);

        let step = projected.each[0].adam.advance(1.);
        projected.learn((&real, 0.9), &fake, &y, step).unwrap();
        for (one, expected) in projected.each.iter().zip(expected) {
            for ((first, _), expected) in one.adam.moments.iter().zip(expected) {
                let largest = |t: Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                // After one step the first moment is (1 − β₁) gradients.
                let wrong = largest(((first.as_tensor() * 2.).unwrap() - &expected).unwrap());
                assert!(wrong <= 1e-6 + 1e-4 * largest(expected), "{wrong}");
            }
        }
    }
}
