//! Where the generator's latents come from. Part of the contract between model and program, so
//! that image `i` of seed `s` is the same picture wherever, and in whatever batch, it is drawn.

use ndarray::Array2;
use rand_chacha::rand_core::RngCore;

use crate::{LatentDistribution, stream::chacha};

/// The latents of one image: a pure function of the seed and the image's index.
///
/// The numbers are those of a ChaCha8 stream: its key is the seed as 8 little-endian bytes and 24
/// zero bytes, its stream number the image's index. Each u32 `u` of the stream gives one latent,
/// `(u >> 8) · 2⁻²⁴ · 2 − 1`, which float32 holds exactly.
///
/// # Shapes
///
/// Returns `latent_dim` numbers in [−1, 1).
///
/// ```
/// let whole = contract::latent::latents(7, 3, 100);
/// assert_eq!(whole[..4], contract::latent::latents(7, 3, 4));
/// assert_ne!(whole, contract::latent::latents(7, 4, 100));
/// ```
pub fn latents(seed: u64, image: u64, latent_dim: usize) -> Vec<f32> {
    let mut latents = vec![0.0; latent_dim];
    fill(LatentDistribution::Uniform, seed, image, &mut latents);
    latents
}

/// The latents of one image of a model whose latents are N(0, 1): a pure function of the seed and the
/// image's index.
///
/// The u32s are those of [`latents`], taken in pairs (Box and Muller 1958). The pair `a`, `b` gives
/// the latents 2k and 2k + 1: with the radius `r = √(−2 ln((a + 1) · 2⁻³²))` and the angle
/// `φ = 2π · b · 2⁻³²`, they are `r cos φ` and `r sin φ`. All of it is float64, with π the float64
/// nearest to it, and the result is rounded to float32. Logarithm, sine and cosine are those of the
/// `libm` crate, whose bits are the same on every machine.
///
/// # Shapes
///
/// Returns `latent_dim` numbers, none further from 0 than 6.67.
///
/// ```
/// let whole = contract::latent::normal_latents(7, 3, 100);
/// assert_eq!(whole[..3], contract::latent::normal_latents(7, 3, 3));
/// ```
pub fn normal_latents(seed: u64, image: u64, latent_dim: usize) -> Vec<f32> {
    let mut latents = vec![0.0; latent_dim];
    fill(LatentDistribution::Normal, seed, image, &mut latents);
    latents
}

/// Draws the latents of one image into `latents`: [`latents`] or [`normal_latents`], without
/// memory of their own.
pub fn fill(distribution: LatentDistribution, seed: u64, image: u64, latents: &mut [f32]) {
    fill_redraw(distribution, seed, image, 0, latents);
}

/// Draws the latents of an image's `redraw`-th redraw into `latents`: those that follow, in the image's
/// stream, the latents of all its earlier draws. Redraw 0 is that of [`fill`]. So a redrawn image, too, is
/// a function of the seed and its index.
///
/// A draw takes as many u32s as there are latents; of N(0, 1), whole pairs, so that an odd number
/// of latents takes one more.
///
/// ```
/// use contract::{LatentDistribution, latent};
///
/// let mut second_redraw = [0.0; 100];
/// latent::fill_redraw(LatentDistribution::Uniform, 7, 3, 2, &mut second_redraw);
/// assert_eq!(second_redraw[..], latent::latents(7, 3, 300)[200..]);
/// ```
pub fn fill_redraw(
    distribution: LatentDistribution,
    seed: u64,
    image: u64,
    redraw: u32,
    latents: &mut [f32],
) {
    let mut stream = chacha(seed, 0, image);
    let taken = match distribution {
        LatentDistribution::Uniform => latents.len(),
        LatentDistribution::Normal => latents.len().next_multiple_of(2),
    };
    stream.set_word_pos(taken as u128 * u128::from(redraw));
    match distribution {
        LatentDistribution::Uniform => {
            for z in latents {
                *z = (stream.next_u32() >> 8) as f32 * 2f32.powi(-24) * 2.0 - 1.0;
            }
        }
        LatentDistribution::Normal => {
            let mut unit = |offset: f64| (f64::from(stream.next_u32()) + offset) * 2f64.powi(-32);
            for pair in latents.chunks_mut(2) {
                // Above 0, so that it has a logarithm.
                let radius = (-2.0 * libm::log(unit(1.0))).sqrt();
                let (sine, cosine) = libm::sincos(2.0 * std::f64::consts::PI * unit(0.0));
                for (z, factor) in pair.iter_mut().zip([cosine, sine]) {
                    *z = (radius * factor) as f32;
                }
            }
        }
    }
}

/// The latents of several images, one per row.
///
/// # Shapes
///
/// Returns `(N, latent_dim)` for N indices.
pub fn latent_batch(
    distribution: LatentDistribution,
    seed: u64,
    images: &[u64],
    latent_dim: usize,
) -> Array2<f32> {
    let mut batch = Array2::zeros((images.len(), latent_dim));
    for (mut row, image) in batch.rows_mut().into_iter().zip(images) {
        // A new array's rows are contiguous.
        if let Some(row) = row.as_slice_mut() {
            fill(distribution, seed, *image, row);
        }
    }
    batch
}
