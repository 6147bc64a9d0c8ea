//! DCGAN: Radford, Metz and Chintala 2015 (arXiv 1511.06434), in the two forms of DCGAN-tensorflow:
//!
//! | file | pair |
//! |---|---|
//! | `labelled` | labelled MNIST: the label goes in again at every stage ("⊕ y"), pixels in [0, 1] |
//! | `unlabelled` | pictures of any kind: four stages of convolutions, pixels in [−1, 1] |

pub(super) mod labelled;
pub(super) mod unlabelled;

use contract::LatentDistribution;
use serde::{Deserialize, Serialize};

/// Rows and columns of every kernel.
const KERNEL: usize = 5;
/// Each stage halves or doubles the picture.
const STRIDE: usize = 2;
/// LeakyReLU's slope for negative numbers.
const SLOPE: f32 = 0.2;

/// The sizes of both networks; the default is labelled MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Numbers in the latent z.
    pub latent_dim: usize,
    /// How each of them is drawn; what was trained before there was a choice has U(−1, 1).
    #[serde(default)]
    pub latent: LatentDistribution,
    /// Classes of the label y; 0 in the unlabelled pair.
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
    /// Features of the generator's linear stage; the unlabelled pair has none, and ignores it.
    pub generator_units: usize,
    /// Labelled, the discriminator's second stage has as many filters, and one more for each class;
    /// unlabelled, its first stage has as many, and each one after it twice as many.
    pub discriminator_filters: usize,
    /// Features of the discriminator's linear stage; the unlabelled pair has none, and ignores it.
    pub discriminator_units: usize,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            latent_dim: 100,
            latent: LatentDistribution::Uniform,
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

impl Sizes {
    /// Those of the unlabelled pair for pictures of 64×64 pixels in colour.
    pub fn unlabelled() -> Sizes {
        Sizes { classes: 0, channels: 3, height: 64, width: 64, ..Sizes::default() }
    }

    /// Those that a pair has, by name.
    pub(super) fn named(&self, is_labelled: bool) -> Vec<(&'static str, usize)> {
        let mut named = vec![
            ("latent_dim", self.latent_dim),
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("generator_filters", self.generator_filters),
            ("discriminator_filters", self.discriminator_filters),
        ];
        if is_labelled {
            named.extend([
                ("classes", self.classes),
                ("generator_units", self.generator_units),
                ("discriminator_units", self.discriminator_units),
            ]);
        }
        named
    }
}
