//! Where the generator's latents come from. Part of the contract between model and program, so
//! that image `i` of seed `s` is the same picture wherever, and in whatever batch, it is drawn.

use ndarray::{Array2, ArrayView1};
use rand::RngCore;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

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
/// let whole = infer::latent::latents(7, 3, 100);
/// assert_eq!(whole[..4], infer::latent::latents(7, 3, 4));
/// assert_ne!(whole, infer::latent::latents(7, 4, 100));
/// ```
pub fn latents(seed: u64, image: u64, latent_dim: usize) -> Vec<f32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut stream = ChaCha8Rng::from_seed(key);
    stream.set_stream(image);
    (0..latent_dim).map(|_| (stream.next_u32() >> 8) as f32 * 2f32.powi(-24) * 2.0 - 1.0).collect()
}

/// The latents of several images, one per row.
///
/// # Shapes
///
/// Returns `(N, latent_dim)` for N indices.
pub fn latent_batch(seed: u64, images: &[u64], latent_dim: usize) -> Array2<f32> {
    let mut batch = Array2::zeros((images.len(), latent_dim));
    for (mut row, image) in batch.rows_mut().into_iter().zip(images) {
        row.assign(&ArrayView1::from(&latents(seed, *image, latent_dim)));
    }
    batch
}
