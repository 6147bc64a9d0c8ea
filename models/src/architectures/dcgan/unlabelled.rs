//! The unlabelled pair, the shape of the paper's figure 1: the generator doubles the picture four
//! times, and the discriminator halves it four times.

use contract::PixelRange;

use super::{KERNEL, SLOPE, STRIDE, Sizes};
use crate::architectures::{Architecture, Pair};
use crate::{Network, Result, Shape};

pub const PAIR: Pair = Pair {
    of: Architecture::UnlabelledDcgan,
    name: "unlabelled-dcgan",
    is_labelled: false,
    pixel_range: PixelRange::MinusOneToOne,
    generator,
    discriminator,
};

/// z (N, 100) → pictures (N, 3, 64, 64) in [−1, 1].
fn generator(sizes: &Sizes) -> Result<Network> {
    let f = sizes.generator_filters;
    // From the picture back to the first stage, each the ceiling of half the next.
    let halved = |(height, width): (usize, usize)| (height.div_ceil(STRIDE), width.div_ceil(STRIDE));
    let whole = (sizes.height, sizes.width); //   64, 64
    let half = halved(whole); //                    32, 32
    let quarter = halved(half); //                  16, 16
    let eighth = halved(quarter); //                8, 8
    let (height, width) = halved(eighth); //        4, 4
    Network::builder("generator", Shape::Vector(sizes.latent_dim))
        .linear("h0.linear", 8 * f * height * width) //                      N, 8192
        .reshape("h0.planes", 8 * f, height, width) //                       N, 512, 4, 4
        .batch_norm("h0.norm")
        .relu("h0.relu")
        .conv_transpose_same("h1.deconv", 4 * f, KERNEL, STRIDE, eighth) //          N, 256, 8, 8
        .batch_norm("h1.norm")
        .relu("h1.relu")
        .conv_transpose_same("h2.deconv", 2 * f, KERNEL, STRIDE, quarter) //         N, 128, 16, 16
        .batch_norm("h2.norm")
        .relu("h2.relu")
        .conv_transpose_same("h3.deconv", f, KERNEL, STRIDE, half) //                N, 64, 32, 32
        .batch_norm("h3.norm")
        .relu("h3.relu")
        .conv_transpose_same("out.deconv", sizes.channels, KERNEL, STRIDE, whole) // N, 3, 64, 64
        .tanh("out.tanh")
        .build()
}

/// Pictures (N, 3, 64, 64) in [−1, 1] → logits (N, 1).
fn discriminator(sizes: &Sizes) -> Result<Network> {
    let Sizes { channels, height, width, discriminator_filters: f, .. } = *sizes;
    Network::builder("discriminator", Shape::Planes { channels, height, width })
        .conv_same("h0.conv", f, KERNEL, STRIDE) //     N, 64, 32, 32
        .leaky_relu("h0.relu", SLOPE)
        .conv_same("h1.conv", 2 * f, KERNEL, STRIDE) // N, 128, 16, 16
        .batch_norm("h1.norm")
        .leaky_relu("h1.relu", SLOPE)
        .conv_same("h2.conv", 4 * f, KERNEL, STRIDE) // N, 256, 8, 8
        .batch_norm("h2.norm")
        .leaky_relu("h2.relu", SLOPE)
        .conv_same("h3.conv", 8 * f, KERNEL, STRIDE) // N, 512, 4, 4
        .batch_norm("h3.norm")
        .leaky_relu("h3.relu", SLOPE)
        .flatten("h3.flat") //                          N, 8192
        .linear("h4.linear", 1) //                      N, 1
        .build()
}
