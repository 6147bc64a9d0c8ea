//! The judge: a small classifier that says which class a picture shows. It is trained on real
//! pictures alone, and checks what a generator drew.
//!
//! The list ends in a linear layer over [`FEATURES`] numbers. These are the judge's *features*: what
//! it knows of a picture, and what distances between sets of pictures are measured in.
//!
//! ```
//! use models::architectures::judge::{FEATURES, Sizes};
//!
//! let sizes = Sizes::default();
//! assert_eq!(sizes.network()?.trainable(), 473_082);
//! assert_eq!(sizes.body()?.output().elements(), FEATURES);
//! # Ok::<(), models::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::{Builder, Network, Result, Shape};

/// What a judge's file calls this architecture.
pub const NAME: &str = "convolutional-judge";
/// Numbers of a picture's features.
pub const FEATURES: usize = 128;
/// The last layer: features to logits.
const OUT: &str = "out.linear";

/// The judge's sizes; the default is MNIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Classes that it tells apart.
    pub classes: usize,
    /// Channels of the pictures.
    pub channels: usize,
    /// Rows of the pictures.
    pub height: usize,
    /// Columns of the pictures.
    pub width: usize,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { classes: 10, channels: 1, height: 28, width: 28 }
    }
}

impl Sizes {
    /// The whole list: pictures (N, 1, 28, 28) in [0, 1] → logits (N, 10).
    ///
    /// # Errors
    /// If a size is 0 or larger than 1,024.
    pub fn network(&self) -> Result<Network> {
        self.features("judge")?.linear(OUT, self.classes).build() // N, 10
    }

    /// The list up to the features: pictures (N, 1, 28, 28) in [0, 1] → (N, 128).
    ///
    /// # Errors
    /// If a size is 0 or larger than 1,024.
    pub fn body(&self) -> Result<Network> {
        self.features("judge's body")?.build()
    }

    /// The rest of the list: features (N, 128) → logits (N, 10).
    ///
    /// # Errors
    /// If a size is 0 or larger than 1,024.
    pub fn head(&self) -> Result<Network> {
        self.check()?;
        Network::builder("judge's head", Shape::Vector(FEATURES)).linear(OUT, self.classes).build()
    }

    fn features(&self, name: &str) -> Result<Builder> {
        self.check()?;
        let Sizes { channels, height, width, .. } = *self;
        Ok(Network::builder(name, Shape::Planes { channels, height, width })
            .conv_same("h0.conv", 32, 5, 2) //      N, 32, 14, 14
            .batch_norm("h0.norm")
            .relu("h0.relu")
            .conv_same("h1.conv", 48, 3, 1) //      N, 48, 14, 14
            .batch_norm("h1.norm")
            .relu("h1.relu")
            .conv_same("h2.conv", 64, 3, 2) //      N, 64, 7, 7
            .batch_norm("h2.norm")
            .relu("h2.relu")
            .conv_same("h3.conv", 96, 3, 1) //      N, 96, 7, 7
            .batch_norm("h3.norm")
            .relu("h3.relu")
            .conv_same("h4.conv", 128, 3, 2) //     N, 128, 4, 4
            .batch_norm("h4.norm")
            .relu("h4.relu")
            .flatten("h4.flat") //                  N, 2048
            .linear("features.linear", FEATURES) // N, 128
            .batch_norm("features.norm")
            .relu("features.relu"))
    }

    /// Sizes may come from a file that anyone wrote.
    fn check(&self) -> Result<()> {
        let Sizes { classes, channels, height, width } = *self;
        let sizes = [("classes", classes), ("channels", channels), ("height", height), ("width", width)];
        super::check(NAME, 1 << 10, &sizes)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::Sizes;

    #[test]
    fn body_and_head_are_the_whole_list() {
        // Neither square nor even, and coloured.
        let sizes = Sizes { classes: 3, channels: 3, height: 9, width: 14 };
        let network = sizes.network().unwrap();
        let parameters = network.initialise(5, &Device::Cpu).unwrap();
        let x = Tensor::rand(0f32, 1., (2, 3, 9, 14), &Device::Cpu).unwrap();
        let whole = network.sample(&parameters, &x, None).unwrap();
        let features = sizes.body().unwrap().sample(&parameters, &x, None).unwrap();
        let logits = sizes.head().unwrap().sample(&parameters, &features, None).unwrap();
        assert_eq!(whole.to_vec2::<f32>().unwrap(), logits.to_vec2::<f32>().unwrap());
    }

    #[test]
    fn sizes_that_no_judge_has_are_refused_by_name() {
        let error = Sizes { width: 0, ..Sizes::default() }.network().unwrap_err().to_string();
        assert!(error.contains("width is 0"), "{error}");
    }
}
