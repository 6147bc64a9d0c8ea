//! Streams of random numbers: ChaCha8 under a key that names the seed and what the numbers are for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream is for. Every purpose has its number here, so streams of one seed never meet.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// The pictures' order; a stream for each epoch.
    Order = 1,
    /// Latents to learn from; a stream for each iteration.
    Latent = 2,
    /// The latents of the sample grid.
    FixedNoise = 3,
    /// How a judge's training pictures are changed; a round for each iteration, a stream for each place
    /// in the batch.
    Augment = 4,
    /// Which pictures are mirrored; a stream for each epoch.
    Flip = 5,
    /// How the pictures that D sees are changed; a round for each iteration, a stream for the real ones and one
    /// for the drawn.
    Augmentation = 6,
    /// The same of the copies that D is to judge as it does the pictures.
    Consistency = 7,
}

/// Stream `index` of a purpose's round. A purpose that needs one number alone has one round, 0.
pub fn random(seed: u64, purpose: Purpose, round: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    key[16..24].copy_from_slice(&round.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(index);
    random
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::RngCore;

    use super::{Purpose, random};

    #[test]
    fn streams_of_one_seed_never_meet() {
        use Purpose::{Augment, Augmentation, Consistency, FixedNoise, Flip, Latent, Order};
        let mut seen = HashSet::new();
        for purpose in [Order, Latent, FixedNoise, Augment, Flip, Augmentation, Consistency] {
            for (round, index) in [(0, 0), (0, 1), (1, 0), (1, 1), (u64::MAX, u64::MAX)] {
                assert!(seen.insert(random(7, purpose, round, index).next_u64()));
            }
        }
    }
}
