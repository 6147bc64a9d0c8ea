//! The labelled DCGAN: Radford, Metz and Chintala 2015 (arXiv 1511.06434), in the labelled-MNIST
//! form of DCGAN-tensorflow. The label goes in again at every stage ("⊕ y").
//!
//! ```
//! let config = models::dcgan::Config::default();
//! assert_eq!(config.generator()?.trainable(), 7_065_211);
//! assert_eq!(config.discriminator()?.trainable(), 3_769_479);
//! # Ok::<(), models::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::{Error, Network, Result, Shape};

/// What a checkpoint and an ONNX file call this architecture.
pub const LABELLED_DCGAN: &str = "labelled-dcgan";

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

/// The sizes of both networks; the default is labelled MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Numbers in the latent z.
    pub latent_dim: usize,
    /// How each of them is drawn; what was trained before there was a choice has U(−1, 1).
    #[serde(default)]
    pub latent: Latent,
    /// Classes of the label y.
    pub classes: usize,
    /// Channels of the pictures.
    pub channels: usize,
    /// Rows of the pictures.
    pub height: usize,
    /// Columns of the pictures.
    pub width: usize,
    /// The generator's last stage has twice as many filters.
    pub generator_filters: usize,
    /// Features of the generator's linear stage.
    pub generator_units: usize,
    /// The discriminator's second stage has as many filters, and one a class.
    pub discriminator_filters: usize,
    /// Features of the discriminator's linear stage.
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
    /// The labelled generator: z (N, 100) and labels → pictures (N, 1, 28, 28) in [0, 1].
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn generator(&self) -> Result<Network> {
        self.check()?;
        let Config { classes, height, width, .. } = *self;
        let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
        let (quarter_height, quarter_width) = (half_height.div_ceil(2), half_width.div_ceil(2));
        let filters = 2 * self.generator_filters;
        Network::builder("generator", Shape::Vector(self.latent_dim))
            .label("h0.label", classes) //                                                N, 110
            .linear("h0.linear", self.generator_units) //                                 N, 1024
            .batch_norm("h0.norm")
            .relu("h0.relu")
            .label("h1.label", classes) //                                                N, 1034
            .linear("h1.linear", filters * quarter_height * quarter_width) //             N, 6272
            .batch_norm("h1.norm")
            .relu("h1.relu")
            .reshape("h1.planes", filters, quarter_height, quarter_width) //              N, 128, 7, 7
            .label("h2.label", classes) //                                                N, 138, 7, 7
            .deconv_same("h2.deconv", filters, KERNEL, STRIDE, (half_height, half_width)) // N, 128, 14, 14
            .batch_norm("h2.norm")
            .relu("h2.relu")
            .label("out.label", classes) //                                               N, 138, 14, 14
            .deconv_same("out.deconv", self.channels, KERNEL, STRIDE, (height, width)) // N, 1, 28, 28
            .sigmoid("out.sigmoid")
            .build()
    }

    /// The labelled discriminator: pictures (N, 1, 28, 28) and labels → logits (N, 1).
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn discriminator(&self) -> Result<Network> {
        self.check()?;
        let Config { classes, channels, height, width, .. } = *self;
        Network::builder("discriminator", Shape::Planes { channels, height, width })
            .label("h0.label", classes) //                                             N, 11, 28, 28
            .conv_same("h0.conv", channels + classes, KERNEL, STRIDE) //               N, 11, 14, 14
            .leaky_relu("h0.relu", SLOPE)
            .label("h1.label", classes) //                                             N, 21, 14, 14
            .conv_same("h1.conv", self.discriminator_filters + classes, KERNEL, STRIDE) // N, 74, 7, 7
            .batch_norm("h1.norm")
            .leaky_relu("h1.relu", SLOPE)
            .flatten("h1.flat") //                                                     N, 3626
            .label("h2.label", classes) //                                             N, 3636
            .linear("h2.linear", self.discriminator_units) //                          N, 1024
            .batch_norm("h2.norm")
            .leaky_relu("h2.relu", SLOPE)
            .label("h3.label", classes) //                                             N, 1034
            .linear("h3.linear", 1) //                                                 N, 1
            .build()
    }

    /// Sizes may come from a file that anyone wrote.
    fn check(&self) -> Result<()> {
        let sizes = [
            ("latent_dim", self.latent_dim),
            ("classes", self.classes),
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("generator_filters", self.generator_filters),
            ("generator_units", self.generator_units),
            ("discriminator_filters", self.discriminator_filters),
            ("discriminator_units", self.discriminator_units),
        ];
        match sizes.iter().find(|(_, size)| !(1..=1 << 16).contains(size)) {
            Some((name, size)) => Err(Error::Input {
                network: LABELLED_DCGAN.to_string(),
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
        for config in
            [Config { height: 0, ..Config::default() }, Config { height: 1 << 40, ..Config::default() }]
        {
            for network in [config.generator(), config.discriminator()] {
                assert!(network.unwrap_err().to_string().contains("height is"));
            }
        }
    }
}
