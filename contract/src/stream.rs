//! Random numbers of what is done with images: a ChaCha8 stream for each purpose and index, so that none
//! depends on what else is drawn.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// What a stream is for. Latents have the key of number 0, see [`latent`](crate::latent).
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// Which characters a string has.
    Text = 1,
    /// How they stand.
    Layout = 2,
    /// What a camera makes of a picture.
    Noise = 3,
}

/// A stream: its key is the seed as 8 little-endian bytes, a zero byte, the purpose's number and 22 zero
/// bytes, its stream number the index.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(chacha(seed, purpose as u8, index))
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        f64::from(self.bits()) * 2f64.powi(-32)
    }

    /// A whole number below `count`, which is at least 1.
    pub fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(count)) >> 32) as u64
    }
}

/// The stream of a purpose's number.
pub(crate) fn chacha(seed: u64, purpose: u8, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    // Byte 8 is that of training's purposes.
    key[9] = purpose;
    let mut stream = ChaCha8Rng::from_seed(key);
    stream.set_stream(index);
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_never_meet() {
        let mut seen = std::collections::HashSet::new();
        for purpose in [Purpose::Text, Purpose::Layout, Purpose::Noise] {
            for index in [0, 1, u64::MAX] {
                let mut stream = Stream::new(7, purpose, index);
                assert!(seen.insert((stream.bits(), stream.bits())));
                assert!((0..100).all(|_| stream.below(3) < 3 && (0.0..1.0).contains(&stream.unit())));
            }
        }
        let latents = crate::latent::latents(7, 0, 2);
        let mut text = Stream::new(7, Purpose::Text, 0);
        assert_ne!(latents[0], (text.bits() >> 8) as f32 * 2f32.powi(-24) * 2.0 - 1.0);
    }
}
