//! The labelled pair: the label goes in again at every stage ("⊕ y").

use contract::PixelRange;

use super::{KERNEL, SLOPE, STRIDE, Sizes};
use crate::architectures::{Architecture, Pair};
use crate::{Network, Result, Shape};

pub const PAIR: Pair = Pair {
    of: Architecture::LabelledDcgan,
    name: "labelled-dcgan",
    is_labelled: true,
    pixel_range: PixelRange::ZeroToOne,
    generator,
    discriminator,
};

/// z (N, 100) and labels → pictures (N, 1, 28, 28) in [0, 1].
fn generator(sizes: &Sizes) -> Result<Network> {
    let Sizes { classes, height, width, .. } = *sizes;
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    let (quarter_height, quarter_width) = (half_height.div_ceil(2), half_width.div_ceil(2));
    let filters = 2 * sizes.generator_filters;
    Network::builder("generator", Shape::Vector(sizes.latent_dim))
        .label("h0.label", classes) //                                                N, 110
        .linear("h0.linear", sizes.generator_units) //                               N, 1024
        .batch_norm("h0.norm")
        .relu("h0.relu")
        .label("h1.label", classes) //                                                N, 1034
        .linear("h1.linear", filters * quarter_height * quarter_width) //             N, 6272
        .batch_norm("h1.norm")
        .relu("h1.relu")
        .reshape("h1.planes", filters, quarter_height, quarter_width) //              N, 128, 7, 7
        .label("h2.label", classes) //                                                N, 138, 7, 7
        .conv_transpose_same("h2.deconv", filters, KERNEL, STRIDE, (half_height, half_width)) // N, 128, 14, 14
        .batch_norm("h2.norm")
        .relu("h2.relu")
        .label("out.label", classes) //                                               N, 138, 14, 14
        .conv_transpose_same("out.deconv", sizes.channels, KERNEL, STRIDE, (height, width)) // N, 1, 28, 28
        .sigmoid("out.sigmoid")
        .build()
}

/// Pictures (N, 1, 28, 28) and labels → logits (N, 1).
fn discriminator(sizes: &Sizes) -> Result<Network> {
    let Sizes { classes, channels, height, width, .. } = *sizes;
    Network::builder("discriminator", Shape::Planes { channels, height, width })
        .label("h0.label", classes) //                                             N, 11, 28, 28
        .conv_same("h0.conv", channels + classes, KERNEL, STRIDE) //               N, 11, 14, 14
        .leaky_relu("h0.relu", SLOPE)
        .label("h1.label", classes) //                                             N, 21, 14, 14
        .conv_same("h1.conv", sizes.discriminator_filters + classes, KERNEL, STRIDE) // N, 74, 7, 7
        .batch_norm("h1.norm")
        .leaky_relu("h1.relu", SLOPE)
        .flatten("h1.flat") //                                                     N, 3626
        .label("h2.label", classes) //                                             N, 3636
        .linear("h2.linear", sizes.discriminator_units) //                        N, 1024
        .batch_norm("h2.norm")
        .leaky_relu("h2.relu", SLOPE)
        .label("h3.label", classes) //                                             N, 1034
        .linear("h3.linear", 1) //                                                 N, 1
        .build()
}
