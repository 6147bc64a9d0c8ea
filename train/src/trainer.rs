//! One iteration of the reference recipe: D once, then G twice, with the same z and labels.

use candle_core::{Device, Tensor};
use models::checkpoint::{Checkpoint, Contents};
use models::dcgan::Config;
use models::{Network, Parameters, Result, Wanted};
use serde::{Deserialize, Serialize};

use crate::adam::{self, Adam};
use crate::average;
use crate::loss::{Loss, binary_cross_entropy};

const PARAMETERS: Wanted = Wanted { input: false, parameters: true };
const INPUT: Wanted = Wanted { input: true, parameters: false };

/// How the two networks learn; the default is the reference recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Both optimisers'.
    pub adam: adam::Config,
    /// Updates of G for each update of D.
    pub generator_updates: usize,
    /// How much of the generator's moving average an iteration keeps.
    pub average_keep: f64,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe { adam: adam::Config::default(), generator_updates: 2, average_keep: average::KEEP }
    }
}

/// Both networks, their weights and optimisers, and the generator's average.
pub struct Trainer {
    recipe: Recipe,
    /// G's list.
    pub generator: Network,
    /// D's list.
    pub discriminator: Network,
    /// G's weights.
    pub g: Parameters,
    /// D's weights.
    pub d: Parameters,
    /// The moving average of G's weights.
    pub average: Parameters,
    adam_g: Adam,
    adam_d: Adam,
    iterations: u64,
}

/// What an iteration says of itself; still on the device until someone asks.
pub struct Figures {
    /// The discriminator's loss: real toward 1 plus fake toward 0.
    pub loss_d: Tensor,
    /// The generator's loss in its last update: fake toward 1.
    pub loss_g: Tensor,
    /// D(x) of each picture, (N, 1).
    pub d_real: Tensor,
    /// D(G(z)) of each picture before the updates, (N, 1).
    pub d_fake: Tensor,
}

impl Trainer {
    /// New networks, their weights drawn from `seed`.
    ///
    /// # Errors
    /// If a size in `config` is too small for the strides; Candle's.
    pub fn new(config: &Config, recipe: Recipe, seed: u64, device: &Device) -> Result<Trainer> {
        let (generator, discriminator) = (config.generator()?, config.discriminator()?);
        let g = generator.initialise(seed, device)?;
        // Any other key will do.
        let d = discriminator.initialise(!seed, device)?;
        Trainer::with_weights((generator, g), (discriminator, d), recipe)
    }

    /// Networks that start from weights of one's own.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn with_weights(
        (generator, g): (Network, Parameters),
        (discriminator, d): (Network, Parameters),
        recipe: Recipe,
    ) -> Result<Trainer> {
        Ok(Trainer {
            recipe,
            average: g.copy()?,
            adam_g: Adam::new(recipe.adam, &g)?,
            adam_d: Adam::new(recipe.adam, &d)?,
            generator,
            discriminator,
            g,
            d,
            iterations: 0,
        })
    }

    /// Goes on from a checkpoint that [`Trainer::save`] made.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape; Candle's.
    pub fn load(checkpoint: &Checkpoint, recipe: Recipe, device: &Device) -> Result<Trainer> {
        let config = checkpoint.header.config;
        let iterations = checkpoint.header.provenance.iterations;
        let (generator, discriminator) = (config.generator()?, config.discriminator()?);
        let g = checkpoint.parameters("generator", &generator, device)?;
        let d = checkpoint.parameters("discriminator", &discriminator, device)?;
        let updates = iterations * recipe.generator_updates as u64;
        Ok(Trainer {
            recipe,
            average: checkpoint.parameters("average", &generator, device)?,
            adam_g: Adam::load(recipe.adam, updates, checkpoint, "adam.generator", &g)?,
            adam_d: Adam::load(recipe.adam, iterations, checkpoint, "adam.discriminator", &d)?,
            generator,
            discriminator,
            g,
            d,
            iterations,
        })
    }

    /// Everything that [`Trainer::load`] needs.
    pub fn save(&self, contents: &mut Contents) {
        contents.parameters("generator", &self.g);
        contents.parameters("discriminator", &self.d);
        contents.parameters("average", &self.average);
        self.adam_g.save(contents, "adam.generator", &self.g);
        self.adam_d.save(contents, "adam.discriminator", &self.d);
    }

    /// Iterations done.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// One iteration on pictures `x`, labels `y` and latents `z`.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) in [0, 1], `y` (N) of u32, `z` (N, latent)
    ///
    /// # Errors
    /// Candle's, or if the shapes don't fit the networks.
    pub fn iteration(&mut self, x: &Tensor, y: &Tensor, z: &Tensor) -> Result<Figures> {
        let Trainer { recipe, generator, discriminator, g, d, average, adam_g, adam_d, iterations } = self;
        let y = Some(y);

        // (1) update D: real toward 1 plus fake toward 0. Real and fake go through it apart, so
        // each has its own batch statistics.
        let mut fake = generator.trace(g, z, y)?; //             N, 1, 28, 28
        fake.update_running_averages(generator, g)?;
        let on_real = discriminator.trace(d, x, y)?; //          N, 1
        let on_fake = discriminator.trace(d, &fake.output, y)?;
        let real = binary_cross_entropy(&on_real.output, 1.)?;
        let Loss { value, gradient, probability } = binary_cross_entropy(&on_fake.output, 0.)?;
        let from_real = on_real.backward(discriminator, d, &real.gradient, PARAMETERS)?;
        let from_fake = on_fake.backward(discriminator, d, &gradient, PARAMETERS)?;
        on_real.update_running_averages(discriminator, d)?;
        on_fake.update_running_averages(discriminator, d)?;
        adam_d.step(d, &[&from_real, &from_fake])?;
        let (loss_d, d_real, d_fake) = ((real.value + value)?, real.probability, probability);

        // (2) update G: fake toward 1, through D as it now is. The first update's forward pass is
        // the one above: same weights, same z. It moves the running averages again, as two would.
        let mut loss_g = loss_d.clone();
        for update in 0..recipe.generator_updates {
            if update > 0 {
                fake = generator.trace(g, z, y)?;
            }
            fake.update_running_averages(generator, g)?;
            let judged = discriminator.trace(d, &fake.output, y)?;
            judged.update_running_averages(discriminator, d)?;
            let Loss { value, gradient, .. } = binary_cross_entropy(&judged.output, 1.)?;
            let through = judged.backward(discriminator, d, &gradient, INPUT)?;
            if let Some(dy) = through.input {
                let gradients = fake.backward(generator, g, &dy, PARAMETERS)?;
                adam_g.step(g, &[&gradients])?;
            }
            loss_g = value;
        }

        *iterations += 1;
        average::update(average, g, recipe.average_keep, *iterations)?;
        Ok(Figures { loss_d, loss_g, d_real, d_fake })
    }
}
