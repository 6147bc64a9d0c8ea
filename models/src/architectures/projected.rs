//! Projected discriminators: small ones, which see not a picture but what a trained classifier, a
//! [`judge`], makes of it ([Sauer et al. 2021](https://arxiv.org/abs/2111.01007)), at several
//! of its layers. Each tells real features from drawn ones, under their label where there are labels.
//!
//! ```
//! use models::architectures::projected;
//! use models::{Architecture, Sizes};
//!
//! let pair = Architecture::LabelledDcgan(Sizes::default());
//! let networks = projected::networks(&pair)?;
//! let trainable: Vec<usize> = networks.iter().map(|network| network.trainable()).collect();
//! assert_eq!(trainable, [1_655_627, 611_147, 72_715]);
//! # Ok::<(), models::Error>(())
//! ```

use super::{Architecture, judge};
use crate::network::Builder;
use crate::{Network, Result, Shape};

/// The classifier's layers whose planes are seen. Its features are seen too.
pub const LEVELS: [&str; 2] = ["h2.relu", "h4.relu"];
/// Filters of each convolution.
const FILTERS: usize = 64;
/// Rows and columns that are left to the linear layers, at most.
const SIDE: usize = 8;
/// Units of the layer before the last.
const UNITS: usize = 512;

/// The classifier that reads what this pair draws.
pub fn classifier(pair: &Architecture) -> judge::Sizes {
    let &super::Sizes { channels, height, width, .. } = pair.sizes();
    // How many classes it has makes no difference to its features.
    judge::Sizes { classes: pair.classes().unwrap_or(1), channels, height, width }
}

/// The discriminators of what a classifier makes of this pair's pictures: of its planes after `h2` and after `h4`,
/// and of its features.
///
/// # Errors
/// If a size is 0 or larger than 1,024.
pub fn networks(pair: &Architecture) -> Result<Vec<Network>> {
    let levels = classifier(pair).body()?.split(&LEVELS)?;
    levels.iter().map(|level| network(level.output(), pair.classes())).collect()
}

/// For MNIST: of (64, 7, 7), of (128, 4, 4) or of (128).
fn network(input: Shape, classes: Option<usize>) -> Result<Network> {
    let labelled = |network: Builder, layer: usize| match classes {
        Some(classes) => network.label(&format!("h{layer}.label"), classes),
        None => network,
    };
    let activated = |network: Builder, layer: usize| {
        network.batch_norm(&format!("h{layer}.norm")).leaky_relu(&format!("h{layer}.relu"), 0.2)
    };
    let mut network = Network::builder("projected discriminator", input);
    let mut layer = 0;
    if let Shape::Planes { height, width, .. } = input {
        let mut side = height.max(width);
        while layer == 0 || side > SIDE {
            let stride = if side > SIDE { 2 } else { 1 };
            network = labelled(network, layer) //              N, 74, 7, 7    N, 138, 4, 4
                .conv_same(&format!("h{layer}.conv"), FILTERS, 3, stride);
            network = activated(network, layer); //            N, 64, 7, 7    N, 64, 4, 4
            side = side.div_ceil(stride);
            layer += 1;
        }
        network = network.flatten("flat"); //                  N, 3136        N, 1024
    }
    network = labelled(network, layer) //                      N, 3146        N, 1034        N, 138
        .linear(&format!("h{layer}.linear"), UNITS);
    network = activated(network, layer); //                    N, 512
    labelled(network, layer + 1) //                            N, 522
        .linear(&format!("h{}.linear", layer + 1), 1) //       N, 1
        .build()
}

#[cfg(test)]
mod tests {
    use super::networks;
    use crate::{Architecture, Sizes};

    #[test]
    fn large_planes_are_convolved_until_they_are_small() {
        let sizes = |height, width| Sizes { height, width, ..Sizes::unlabelled() };
        for (height, width, convolutions) in [(64, 64, [1, 1]), (16, 16, [1, 1]), (24, 200, [3, 2])] {
            let networks = networks(&Architecture::UnlabelledDcgan(sizes(height, width))).unwrap();
            let counts = |name: &str| {
                let of = |network: &crate::Network| {
                    network.layers().iter().filter(|layer| layer.name.ends_with(name)).count()
                };
                networks.iter().map(of).collect::<Vec<_>>()
            };
            assert_eq!(counts(".conv"), [convolutions[0], convolutions[1], 0], "{height}×{width}");
            assert_eq!(counts(".label"), [0; 3]);
            for network in &networks {
                assert_eq!(network.output().dims(1), [1, 1]);
                let largest = network.shapes().iter().map(|shape| shape.elements()).max();
                assert!(largest <= Some(128 * 128), "{height}×{width}: {largest:?}");
            }
        }
    }
}
