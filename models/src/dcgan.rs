//! DCGAN: Radford, Metz and Chintala 2015 (arXiv 1511.06434), in the two forms of DCGAN-tensorflow:
//!
//! | file | pair |
//! |---|---|
//! | `labelled` | labelled MNIST: the label goes in again at every stage ("⊕ y"), pixels in [0, 1] |
//! | `unlabelled` | pictures of any kind: four stages of convolutions, pixels in [−1, 1] |
//!
//! ```
//! use models::dcgan::Config;
//!
//! let config = Config::default();
//! assert_eq!(config.generator()?.trainable(), 7_065_211);
//! assert_eq!(config.discriminator()?.trainable(), 3_769_479);
//!
//! let config = Config::unlabelled();
//! assert_eq!(config.generator()?.trainable(), 5_135_363);
//! assert_eq!(config.discriminator()?.trainable(), 4_316_545);
//! # Ok::<(), models::Error>(())
//! ```

mod labelled;
mod unlabelled;

use serde::{Deserialize, Serialize};

use crate::{Error, Network, Result};

/// What a checkpoint and an ONNX file call the labelled pair.
pub const LABELLED_DCGAN: &str = "labelled-dcgan";
/// What they call the unlabelled pair.
pub const UNLABELLED_DCGAN: &str = "unlabelled-dcgan";

/// Rows and columns of every kernel.
const KERNEL: usize = 5;
/// Each stage halves or doubles the picture.
const STRIDE: usize = 2;
/// LeakyReLU's slope for negative numbers.
const SLOPE: f32 = 0.2;

/// The distribution of the latents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Latent {
    /// U(−1, 1), as in DCGAN.
    #[default]
    Uniform,
    /// N(0, 1).
    Normal,
}

/// The sizes of both networks, of the unlabelled pair if there are no classes; the default is labelled
/// MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Numbers in the latent z.
    pub latent_dim: usize,
    /// How each of them is drawn; what was trained before there was a choice has U(−1, 1).
    #[serde(default)]
    pub latent: Latent,
    /// Classes of the label y; 0 for the unlabelled pair.
    pub classes: usize,
    /// Channels of the pictures.
    pub channels: usize,
    /// Rows of the pictures.
    pub height: usize,
    /// Columns of the pictures.
    pub width: usize,
    /// Labelled, the generator's last stage has twice as many filters; unlabelled, its last stage but
    /// the pictures has as many, and each one before it twice as many.
    pub generator_filters: usize,
    /// Features of the generator's linear stage; the unlabelled pair has none, and any number will do.
    pub generator_units: usize,
    /// Labelled, the discriminator's second stage has as many filters, and one a class; unlabelled, its
    /// first stage has as many, and each one after it twice as many.
    pub discriminator_filters: usize,
    /// Features of the discriminator's linear stage; the unlabelled pair has none, and any number will
    /// do.
    pub discriminator_units: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            latent_dim: 100,
            latent: Latent::Uniform,
            classes: 10,
            channels: 1,
            height: 28,
            width: 28,
            generator_filters: 64,
            generator_units: 1024,
            discriminator_filters: 64,
            discriminator_units: 1024,
        }
    }
}

impl Config {
    /// The unlabelled pair for pictures of 64×64 pixels in colour.
    pub fn unlabelled() -> Config {
        Config { classes: 0, channels: 3, height: 64, width: 64, ..Config::default() }
    }

    /// Whether labels go in.
    pub fn is_labelled(&self) -> bool {
        self.classes > 0
    }

    /// What a checkpoint and an ONNX file call this architecture.
    pub fn architecture(&self) -> &'static str {
        if self.is_labelled() { LABELLED_DCGAN } else { UNLABELLED_DCGAN }
    }

    /// What black is in the networks' pictures, where white is 1: a sigmoid draws from 0, tanh from −1.
    pub fn black(&self) -> f64 {
        if self.is_labelled() { 0. } else { -1. }
    }

    /// The generator: z (N, 100), and labels if there are classes → pictures (N, C, H, W) from
    /// [`Config::black`] to 1.
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn generator(&self) -> Result<Network> {
        self.check()?;
        if self.is_labelled() { labelled::generator(self) } else { unlabelled::generator(self) }
    }

    /// The discriminator: pictures (N, C, H, W), and labels if there are classes → logits (N, 1).
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn discriminator(&self) -> Result<Network> {
        self.check()?;
        if self.is_labelled() { labelled::discriminator(self) } else { unlabelled::discriminator(self) }
    }

    /// Sizes may come from a file that anyone wrote.
    fn check(&self) -> Result<()> {
        let sizes = [
            ("latent_dim", self.latent_dim),
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("generator_filters", self.generator_filters),
            ("discriminator_filters", self.discriminator_filters),
        ];
        let labelled = [
            ("classes", self.classes),
            ("generator_units", self.generator_units),
            ("discriminator_units", self.discriminator_units),
        ];
        let labelled = labelled.iter().filter(|_| self.is_labelled());
        match sizes.iter().chain(labelled).find(|(_, size)| !(1..=1 << 16).contains(size)) {
            Some((name, size)) => Err(Error::Input {
                network: self.architecture().to_string(),
                message: format!("{name} is {size}, but must be from 1 to 65536"),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn sizes_that_no_network_has_are_refused_by_name() {
        for pair in [Config::default(), Config::unlabelled()] {
            for height in [0, 1 << 40] {
                let config = Config { height, ..pair };
                for network in [config.generator(), config.discriminator()] {
                    let error = network.unwrap_err().to_string();
                    assert!(error.contains("height is") && error.contains(pair.architecture()), "{error}");
                }
            }
        }
    }

    #[test]
    fn the_unlabelled_pair_has_no_units() {
        let none = Config { generator_units: 0, discriminator_units: 0, ..Config::unlabelled() };
        assert_eq!(none.generator().unwrap(), Config::unlabelled().generator().unwrap());
        assert_eq!(none.discriminator().unwrap(), Config::unlabelled().discriminator().unwrap());
        let labelled = Config { generator_units: 0, ..Config::default() };
        assert!(labelled.generator().unwrap_err().to_string().contains("generator_units is 0"));
    }
}
