//! Whether engines make of the exported file what Candle makes of the network, or ONNX Runtime of the file
//! that it was made from.

use candle_core::Tensor;
use contract::latent::latent_batch;
use contract::{Contract, LatentDistribution, PixelRange};
use infer::{Generator, Input, Runtime, Session, Values};
use models::{Mode, Network, Parameters, Shape};
use ndarray::Array2;
use serde::Serialize;

use crate::form::Precision;
use crate::lower::Names;
use crate::{Result, session};

/// Sizes of the batches that engines run: alone, uneven, and as `infer` draws many images.
pub const BATCHES: [usize; 3] = [1, 3, 64];

/// Key of the latents that are compared.
const SEED: u64 = 0;

/// Largest difference of single precision that counts as rounding.
pub const TOLERANCE: f64 = 1e-5;

/// How far two sets of numbers are apart, elementwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// The largest difference: absolute, of numbers above 1 relative to them; infinite if one side is
    /// not a number.
    pub largest: f64,
    /// The mean of these.
    pub mean: f64,
    /// The largest difference of 8-bit levels, if the numbers are pixels.
    pub levels: Option<u8>,
    /// How many numbers were compared.
    pub values: usize,
}

impl Difference {
    /// Takes in more pairs of numbers.
    ///
    /// ```
    /// let mut difference = export::proof::Difference::default();
    /// difference.add(&[1., 20.], &[1., 30.]);
    /// assert_eq!((difference.largest, difference.mean, difference.values), (0.5, 0.25, 2));
    /// difference.add(&[0.], &[f32::NAN]);
    /// assert_eq!(difference.largest, f64::INFINITY);
    /// ```
    pub fn add(&mut self, expected: &[f32], found: &[f32]) {
        let mut sum = self.mean * self.values as f64;
        for (&expected, &found) in expected.iter().zip(found) {
            let difference =
                (f64::from(expected) - f64::from(found)).abs() / f64::from(expected).abs().max(1.);
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

    /// The same, of pixels.
    pub fn add_pixels(&mut self, range: PixelRange, expected: &[f32], found: &[f32]) {
        self.add(expected, found);
        let levels = expected.iter().zip(found).map(|(&a, &b)| range.to_u8(a).abs_diff(range.to_u8(b)));
        self.levels = levels.max().max(self.levels);
    }
}

/// What differences pass for rounding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// Of the largest.
    pub largest: f64,
    /// Of the mean.
    pub mean: f64,
}

impl Tolerance {
    /// That of a precision, for pixels in proportion to the way from black to white; pixels as bytes are
    /// half a level away at most.
    pub fn of(precision: Precision, pixels: Option<PixelRange>, bytes: bool) -> Tolerance {
        let span = pixels.map_or(1., |range| 1. - f64::from(range.from_u8(0)));
        let (largest, mean) = match precision {
            Precision::Fp32 => (TOLERANCE, TOLERANCE),
            // 11 bits, through four layers that add up to a thousand products.
            Precision::Fp16 => (2e-2 * span, 1e-3 * span),
            // At the edge of a stroke a pixel may take any value between black and white.
            Precision::Int8 => (0.35 * span, 5e-3 * span),
        };
        let half_a_level = if bytes { span * 0.5 / 255. } else { 0. };
        Tolerance { largest: largest + half_a_level, mean: mean + half_a_level }
    }

    /// Whether a difference is within it.
    pub fn allows(&self, difference: &Difference) -> bool {
        difference.largest <= self.largest && difference.mean <= self.mean
    }
}

/// What a network takes.
#[derive(Clone, Copy, Debug)]
pub enum Taken<'a> {
    /// Latents, as a generator's file says.
    Latents(&'a Contract),
    /// Pictures, whose black and white these are.
    Pictures(PixelRange),
}

/// What a network is given, and what Candle makes of it.
pub struct Cases {
    /// Numbers of one item that goes in, and that comes out.
    sizes: [usize; 2],
    input: Shape,
    x: Vec<f32>,
    labels: Vec<i64>,
    expected: Vec<f32>,
    /// If the network draws.
    range: Option<PixelRange>,
}

/// An engine with the file in it.
pub enum Engine {
    /// `infer`'s, with a generator.
    Generator(Box<Generator>),
    /// ONNX Runtime's, with anything.
    Session {
        /// The file.
        session: Session,
        /// What it is in.
        runtime: &'static Runtime,
        /// The names of its inputs and its output.
        names: Names<'static>,
        /// The one batch that it takes, if it is fixed.
        batch: Option<usize>,
        /// Whether pixels come as bytes.
        bytes: bool,
    },
}

impl Cases {
    /// Every label, with numbers of its own and with extreme ones: latents of the contract's streams, or
    /// pixels from black to white.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if Candle can't run the network.
    pub fn new(network: &Network, parameters: &Parameters, taken: Taken<'_>) -> Result<Cases> {
        let (distribution, range) = match taken {
            Taken::Latents(contract) => (contract.latent_distribution, Some(contract.pixel_range)),
            Taken::Pictures(_) => (LatentDistribution::Uniform, None),
        };
        let (mut x, labels) = rows(network.input().elements(), network.classes(), distribution);
        if let Taken::Pictures(PixelRange::ZeroToOne) = taken {
            x.mapv_inplace(|x| (x + 1.) / 2.);
        }
        let expected = candle(network, parameters, &x, &labels)?;
        let sizes = [network.input().elements(), network.output().elements()];
        Ok(Cases { sizes, input: network.input(), x: x.into_iter().collect(), labels, expected, range })
    }

    /// The same of a generator that something else runs: `draw` makes the pictures of latents
    /// (N, latent_dim) and their labels, one after the other, as numbers of the contract's range.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn drawn(
        contract: &Contract,
        draw: impl FnOnce(&Array2<f32>, &[i64]) -> Result<Vec<f32>>,
    ) -> Result<Cases> {
        let classes = contract.is_labelled().then_some(contract.classes.len());
        let (x, labels) = rows(contract.latent_dim, classes, contract.latent_distribution);
        let expected = draw(&x, &labels)?;
        Ok(Cases {
            sizes: [contract.latent_dim, expected.len() / x.nrows().max(1)],
            input: Shape::Vector(contract.latent_dim),
            x: x.into_iter().collect(),
            labels,
            expected,
            range: Some(contract.pixel_range),
        })
    }

    /// What an engine makes of all of them, in batches of each size of [`Engine::batches`]. A fixed batch
    /// is filled: behind the last case stand the first ones again.
    ///
    /// # Errors
    /// If the engine can't run the file.
    pub fn compare(&self, engine: &mut Engine) -> Result<Difference> {
        let mut difference = Difference::default();
        for batch in engine.batches() {
            for first in (0..self.count()).step_by(batch) {
                let end = if engine.is_fixed() { first + batch } else { self.count().min(first + batch) };
                let items: Vec<usize> = (first..end).map(|item| item % self.count()).collect();
                let found = engine.run(self, &items)?;
                let expected = take(&self.expected, self.sizes[1], &items);
                match self.range {
                    Some(range) => difference.add_pixels(range, &expected, &found),
                    None => difference.add(&expected, &found),
                }
            }
        }
        Ok(difference)
    }

    fn count(&self) -> usize {
        self.x.len() / self.sizes[0].max(1)
    }
}

impl Engine {
    /// Its name and version.
    pub fn name(&self) -> String {
        match self {
            Engine::Generator(generator) => generator.engine_name(),
            Engine::Session { runtime, .. } => format!("ONNX Runtime {}", runtime.version()),
        }
    }

    fn is_fixed(&self) -> bool {
        matches!(self, Engine::Session { batch: Some(_), .. })
    }

    /// The sizes of the batches that it runs: each of [`BATCHES`], or the one that it takes.
    pub fn batches(&self) -> Vec<usize> {
        match self {
            Engine::Session { batch: Some(batch), .. } => vec![*batch],
            _ => BATCHES.to_vec(),
        }
    }

    fn run(&mut self, cases: &Cases, items: &[usize]) -> Result<Vec<f32>> {
        let (n, size) = (items.len(), cases.sizes[0]);
        let x = take(&cases.x, size, items);
        let labels = if cases.labels.is_empty() { Vec::new() } else { take(&cases.labels, 1, items) };
        match self {
            Engine::Generator(generator) => {
                let z = ndarray::ArrayView2::from_shape((n, size), &x)
                    .map_err(|error| infer::Error::BadInput(error.to_string()))?;
                Ok(generator.run(z, &labels)?.into_iter().collect())
            }
            Engine::Session { session, runtime, names, bytes, .. } => {
                let (shape, values) = (cases.input.dims(n).into(), Values::Float32(x.into()));
                let mut inputs = vec![Input { name: names.input.into(), shape, values }];
                if !labels.is_empty() {
                    let (shape, values) = (vec![n].into(), Values::Int64(labels.into()));
                    inputs.push(Input { name: names.label.into(), shape, values });
                }
                let found = session::run(session, runtime, &inputs, names.output)?;
                Ok(match cases.range.filter(|_| *bytes) {
                    Some(range) => found.into_iter().map(|level| range.from_u8(level as u8)).collect(),
                    None => found,
                })
            }
        }
    }
}

/// The numbers of these items, each of so many.
fn take<T: Copy>(numbers: &[T], size: usize, items: &[usize]) -> Vec<T> {
    items.iter().flat_map(|item| numbers[item * size..(item + 1) * size].iter().copied()).collect()
}

/// Rows of numbers, and their labels, none in a network without. There are as many as the largest batch
/// has, or more: every label comes with numbers of its own and with those at the ends and in the middle
/// of the distribution.
fn rows(size: usize, classes: Option<usize>, distribution: LatentDistribution) -> (Array2<f32>, Vec<i64>) {
    let extremes = match distribution {
        LatentDistribution::Uniform => [-1., 0., 1.],
        // One number in 30,000 is further out.
        LatentDistribution::Normal => [-4., 0., 4.],
    };
    let kinds = classes.unwrap_or(1).max(1);
    let count = BATCHES.into_iter().fold(kinds * (1 + extremes.len()), usize::max);
    let indices: Vec<u64> = (0..count as u64).collect();
    let mut x = latent_batch(distribution, SEED, &indices, size);
    for (round, extreme) in (1..).zip(extremes) {
        x.slice_mut(ndarray::s![round * kinds..(round + 1) * kinds, ..]).fill(extreme);
    }
    let labels = match classes {
        Some(_) => (0..count).map(|i| (i % kinds) as i64).collect(),
        None => Vec::new(),
    };
    (x, labels)
}

/// The network's own output for sampling, item after item.
fn candle(network: &Network, parameters: &Parameters, x: &Array2<f32>, labels: &[i64]) -> Result<Vec<f32>> {
    let device = parameters.device();
    let x = Tensor::from_iter(x.iter().copied(), device)?.reshape(network.input().dims(x.nrows()))?;
    let label = match labels {
        [] => None,
        _ => Some(Tensor::from_iter(labels.iter().map(|&label| label as u32), device)?),
    };
    let y = network.forward(parameters, &x, label.as_ref(), Mode::Sample)?;
    Ok(y.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_comes_with_numbers_of_its_own_and_with_each_extreme() {
        for (distribution, extremes) in
            [(LatentDistribution::Uniform, [-1., 0., 1.]), (LatentDistribution::Normal, [-4., 0., 4.])]
        {
            for classes in [1, 3, 10, 40] {
                let (x, labels) = rows(5, Some(classes), distribution);
                assert_eq!(x.nrows(), labels.len());
                assert!(labels.len() >= 64, "{classes} classes");
                for class in 0..classes as i64 {
                    let of_class: Vec<_> = (x.outer_iter().zip(&labels))
                        .filter(|&(_, &label)| label == class)
                        .map(|(x, _)| x)
                        .collect();
                    for extreme in extremes {
                        assert!(
                            of_class.iter().any(|x| x.iter().all(|&x| x == extreme)),
                            "{class}: {extreme}"
                        );
                    }
                    assert!(of_class.iter().any(|x| x[0] != x[1]), "{class}: no numbers of its own");
                }
            }
        }
        let (x, labels) = rows(5, None, LatentDistribution::Uniform);
        assert_eq!((x.dim(), labels.len()), ((64, 5), 0));
    }

    #[test]
    fn a_missing_number_is_a_difference() {
        let mut difference = Difference::default();
        difference.add(&[1., 2.], &[1.]);
        assert_eq!(difference.largest, f64::INFINITY);
    }

    #[test]
    fn pixels_also_differ_in_levels() {
        let mut difference = Difference::default();
        difference.add_pixels(PixelRange::ZeroToOne, &[0., 1.], &[0.01, 1.]);
        difference.add_pixels(PixelRange::ZeroToOne, &[0.5], &[0.5]);
        assert_eq!(difference.levels, Some(3));
        let tolerance = Tolerance::of(Precision::Fp32, Some(PixelRange::ZeroToOne), true);
        assert!(!tolerance.allows(&difference));
        assert!(Tolerance::of(Precision::Int8, None, false).allows(&difference));
    }
}
