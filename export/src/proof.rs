//! Whether ONNX Runtime draws from the exported file what Candle draws from the network.

use candle_core::Tensor;
use infer::Generator;
use infer::contract::LatentDistribution;
use infer::latent::latent_batch;
use models::{Mode, Network, Parameters};
use ndarray::{Array2, s};
use serde::Serialize;

use crate::Result;

/// Largest difference between two outputs that counts as rounding.
pub const TOLERANCE: f64 = 1e-5;
/// Sizes of the batches that ONNX Runtime draws: alone, uneven, and as `infer` draws many images.
pub const BATCHES: [usize; 3] = [1, 3, 64];

/// Key of the latents that are compared.
const SEED: u64 = 0;
/// Latents at the ends of their distribution and in its middle.
const EXTREMES: [f32; 3] = [-1., 0., 1.];

/// How far two sets of numbers are apart, elementwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// The largest absolute difference; infinite if one side is not a number.
    pub largest: f64,
    /// The mean absolute difference.
    pub mean: f64,
    /// How many numbers were compared.
    pub values: usize,
}

impl Difference {
    /// Takes in more pairs of numbers.
    ///
    /// ```
    /// let mut difference = export::proof::Difference::default();
    /// difference.add(&[1., 2.], &[1., 2.5]);
    /// assert_eq!((difference.largest, difference.mean, difference.values), (0.5, 0.25, 2));
    /// difference.add(&[0.], &[f32::NAN]);
    /// assert_eq!(difference.largest, f64::INFINITY);
    /// ```
    pub fn add(&mut self, expected: &[f32], found: &[f32]) {
        let mut sum = self.mean * self.values as f64;
        for (&expected, &found) in expected.iter().zip(found) {
            let difference = (f64::from(expected) - f64::from(found)).abs();
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            self.largest = self.largest.max(difference);
            sum += difference;
        }
        let missing = expected.len().abs_diff(found.len());
        if missing > 0 {
            self.largest = f64::INFINITY;
        }
        self.values += expected.len();
        self.mean = sum / (self.values as f64).max(1.);
    }
}

/// Draws every label, from uniform latents of the contract's streams and from extreme ones, in Candle and in
/// each of `generators`: one file, loaded in different ways. In ONNX Runtime each image is drawn in
/// batches of each size of [`BATCHES`].
///
/// # Errors
/// [`Error::Infer`](crate::Error::Infer) if ONNX Runtime can't run the file,
/// [`Error::Model`](crate::Error::Model) if Candle can't run the network.
pub fn compare(
    generators: &mut [Generator],
    network: &Network,
    parameters: &Parameters,
) -> Result<Difference> {
    let (z, labels) = cases(network.input().elements(), network.classes());
    let expected = candle(network, parameters, &z, &labels)?;
    let pixels = network.output().elements();
    let mut difference = Difference::default();
    for generator in generators {
        for batch in BATCHES {
            for first in (0..z.nrows()).step_by(batch) {
                let end = z.nrows().min(first + batch);
                let labels = labels.get(first..end).unwrap_or_default();
                let found = generator.run(z.slice(s![first..end, ..]), labels)?;
                let found: Vec<f32> = found.iter().copied().collect();
                difference.add(&expected[first * pixels..end * pixels], &found);
            }
        }
    }
    Ok(difference)
}

/// Latents, (N, latent_dim), and their labels, none in an unlabelled network. N is the largest batch
/// or more: every label comes with latents of its own and with each of [`EXTREMES`].
fn cases(latent_dim: usize, classes: Option<usize>) -> (Array2<f32>, Vec<i64>) {
    let kinds = classes.unwrap_or(1).max(1);
    let count = BATCHES.into_iter().fold(kinds * (1 + EXTREMES.len()), usize::max);
    let indices: Vec<u64> = (0..count as u64).collect();
    let mut z = latent_batch(LatentDistribution::Uniform, SEED, &indices, latent_dim);
    for (round, extreme) in (1..).zip(EXTREMES) {
        z.slice_mut(s![round * kinds..(round + 1) * kinds, ..]).fill(extreme);
    }
    let labels = match classes {
        Some(_) => (0..count).map(|i| (i % kinds) as i64).collect(),
        None => Vec::new(),
    };
    (z, labels)
}

/// The network's own output for sampling, image after image.
fn candle(network: &Network, parameters: &Parameters, z: &Array2<f32>, labels: &[i64]) -> Result<Vec<f32>> {
    let device = parameters.device();
    let z = Tensor::from_iter(z.iter().copied(), device)?.reshape(z.dim())?;
    let label = match labels {
        [] => None,
        _ => Some(Tensor::from_iter(labels.iter().map(|&label| label as u32), device)?),
    };
    let image = network.forward(parameters, &z, label.as_ref(), Mode::Sample)?;
    Ok(image.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_comes_with_latents_of_its_own_and_with_each_extreme() {
        for classes in [1, 3, 10, 40] {
            let (z, labels) = cases(5, Some(classes));
            assert_eq!(z.nrows(), labels.len());
            assert!(labels.len() >= 64, "{classes} classes");
            for class in 0..classes as i64 {
                let of_class: Vec<_> = z
                    .outer_iter()
                    .zip(&labels)
                    .filter(|&(_, &label)| label == class)
                    .map(|(z, _)| z)
                    .collect();
                for extreme in EXTREMES {
                    assert!(of_class.iter().any(|z| z.iter().all(|&x| x == extreme)), "{class}: {extreme}");
                }
                assert!(of_class.iter().any(|z| z[0] != z[1]), "{class}: no latents of its own");
            }
        }
        let (z, labels) = cases(5, None);
        assert_eq!((z.dim(), labels.len()), ((64, 5), 0));
    }

    #[test]
    fn a_missing_number_is_a_difference() {
        let mut difference = Difference::default();
        difference.add(&[1., 2.], &[1.]);
        assert_eq!(difference.largest, f64::INFINITY);
    }
}
