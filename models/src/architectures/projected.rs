//! Projected discriminators: small ones, which see not a picture but what a trained classifier makes of it
//! ([Sauer et al. 2021](https://arxiv.org/abs/2111.01007)), at several of its layers. Each tells real features from
//! drawn ones, under their label.
//!
//! ```
//! use models::architectures::{judge, projected};
//!
//! let classifier = judge::Sizes::default();
//! let trainable: Vec<usize> =
//!     projected::networks(&classifier)?.iter().map(|network| network.trainable()).collect();
//! assert_eq!(trainable, [1_656_001, 615_617, 73_217]);
//! # Ok::<(), models::Error>(())
//! ```

use super::judge::Sizes;
use crate::{Network, Result, Shape};

/// The classifier's layers whose features are seen, but for its last ones, which are seen too.
pub const LEVELS: [&str; 2] = ["h2.relu", "h4.relu"];
/// Filters of the convolution.
const FILTERS: usize = 64;
/// Units of the layer before the last.
const UNITS: usize = 512;

/// The discriminators of a classifier of these sizes: of its planes after `h2`, after `h4`, and of its features.
///
/// # Errors
/// If a size is 0 or larger than 1,024.
pub fn networks(classifier: &Sizes) -> Result<Vec<Network>> {
    let levels = classifier.body()?.split(&LEVELS)?;
    levels.iter().map(|level| network(level.output(), classifier.classes)).collect()
}

/// For MNIST: (64, 7, 7), (128, 4, 4) or (128).
fn network(input: Shape, classes: usize) -> Result<Network> {
    let network = Network::builder("projected discriminator", input);
    let planes = match input {
        Shape::Vector(_) => network,
        Shape::Planes { .. } => network
            .label("h0.label", classes) //       N, 74, 7, 7   N, 138, 4, 4
            .conv_same("h0.conv", FILTERS, 3, 1) // N, 64, 7, 7   N, 64, 4, 4
            .batch_norm("h0.norm")
            .leaky_relu("h0.relu", 0.2)
            .flatten("h0.flat"), //              N, 3136       N, 1024
    };
    planes
        .label("h1.label", classes) //           N, 3146       N, 1034       N, 138
        .linear("h1.linear", UNITS) //           N, 512
        .batch_norm("h1.norm")
        .leaky_relu("h1.relu", 0.2)
        .label("h2.label", classes) //           N, 522
        .linear("h2.linear", 1) //               N, 1
        .build()
}
