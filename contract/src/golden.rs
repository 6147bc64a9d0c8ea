//! Golden cases: pictures recorded in a file that its model must draw again.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use crate::files::{from_hex, hex, sha256};

/// Images that a model is known to draw, for `infer self-test` to draw again on any device.
///
/// Image `i` has index `i`, label `labels[i]` and the latents of `seed`. In an unlabelled model the
/// labels are all 0 and only say how many images there are. `pixels` holds the 8-bit pixels of all
/// images in the order `(image, channel, row, column)`, as hexadecimal, and `sha256` their digest,
/// also hexadecimal. A device that computes in another order may differ by up to `tolerance` levels
/// of 255 in any pixel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// Seed of the latents.
    pub seed: u64,
    /// One label per image.
    pub labels: Vec<i64>,
    /// SHA-256 of the pixels, hexadecimal.
    pub sha256: String,
    /// The pixels, hexadecimal.
    pub pixels: String,
    /// Largest difference that still counts as the same picture, in levels.
    pub tolerance: u8,
}

/// How a device's pictures compare with a golden case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many pixels were compared.
    pub pixels: usize,
    /// How many of them differ.
    pub differing: usize,
    /// The largest difference, in levels.
    pub largest: u8,
    /// The largest difference allowed.
    pub tolerance: u8,
}

impl Comparison {
    /// Whether the device draws what the file promises.
    pub fn passed(self) -> bool {
        self.largest <= self.tolerance
    }
}

impl Golden {
    /// Records what a model drew.
    ///
    /// # Shapes
    ///
    /// `images` is `(N, C, H, W)` for N labels.
    pub fn new(seed: u64, labels: Vec<i64>, images: &Array4<u8>, tolerance: u8) -> Self {
        // `iter` walks in logical order, whatever the memory's order.
        let pixels: Vec<u8> = images.iter().copied().collect();
        Self { seed, labels, sha256: sha256(&pixels), pixels: hex(&pixels), tolerance }
    }

    /// Compares pictures drawn from this case's seed and labels with the recorded ones.
    ///
    /// # Errors
    ///
    /// A sentence, if the record is damaged or holds another number of pixels.
    pub fn compare(&self, images: &Array4<u8>) -> Result<Comparison, String> {
        let expected =
            from_hex(&self.pixels).ok_or("its edgegan.golden holds pixels that are not hexadecimal")?;
        if sha256(&expected) != self.sha256 {
            return Err("its edgegan.golden is damaged: pixels and sha256 disagree".into());
        }
        if expected.len() != images.len() {
            return Err(format!(
                "its edgegan.golden holds {} pixels, but the model drew {}",
                expected.len(),
                images.len()
            ));
        }
        let differences = || (images.iter().zip(&expected)).map(|(a, b)| a.abs_diff(*b));
        Ok(Comparison {
            pixels: expected.len(),
            differing: differences().filter(|difference| *difference > 0).count(),
            largest: differences().max().unwrap_or(0),
            tolerance: self.tolerance,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_case_counts_differences_and_refuses_damage() {
        let images = Array4::from_shape_fn((2, 3, 2, 3), |(n, c, y, x)| (n * 100 + c * 20 + y * 3 + x) as u8);
        let golden = Golden::new(7, vec![0, 1], &images, 1);
        let mut drawn = images.clone();
        let same = golden.compare(&drawn);
        assert_eq!(same.map(|same| (same.differing, same.largest)), Ok((0, 0)));

        drawn[[1, 2, 1, 0]] += 1;
        drawn[[0, 0, 0, 0]] += 1;
        let close = golden.compare(&drawn);
        assert_eq!(close.map(|c| (c.pixels, c.differing, c.largest, c.passed())), Ok((36, 2, 1, true)));

        drawn[[0, 1, 1, 2]] -= 2;
        let far = golden.compare(&drawn);
        assert_eq!(far.map(|c| (c.differing, c.largest, c.passed())), Ok((3, 2, false)));

        let mut damaged = golden.clone();
        damaged.pixels.replace_range(0..2, "ff");
        assert!(damaged.compare(&images).is_err_and(|error| error.contains("disagree")));
        damaged.pixels.replace_range(0..2, "xy");
        assert!(damaged.compare(&images).is_err_and(|error| error.contains("hexadecimal")));
        let fewer = images.slice_move(ndarray::s![..1, .., .., ..]);
        assert!(golden.compare(&fewer).is_err_and(|error| error.contains("drew 18")));
    }
}
