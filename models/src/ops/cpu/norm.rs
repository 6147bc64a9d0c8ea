//! Batch norm (Ioffe and Szegedy 2015) with the activation after it: two passes over memory
//! forward, two backward.

use rayon::prelude::*;

use super::{Gradients, sum_by, vectorised};
use crate::Activation;
use crate::layers::batch_norm::EPSILON;

/// A batch norm over `x` (N, C, S), where S is H·W, or 1 for vectors; `after` follows it.
#[derive(Clone, Copy)]
pub struct BatchNorm<'a> {
    /// (C)
    pub weight: &'a [f32],
    /// (C)
    pub bias: &'a [f32],
    /// S
    pub pixels: usize,
    /// The activation after it, if any.
    pub after: Option<Activation>,
}

/// Channels that one thread takes at a time.
const CHANNELS: usize = 16;
/// The same for vectors, whose channels lie side by side.
const FEATURES: usize = 256;

/// Mean, variance and unbiased variance of each channel of `x`.
///
/// # Shapes
/// `x` (N, C, S) → (C) each
pub fn statistics(x: &[f32], channels: usize, pixels: usize) -> [Vec<f32>; 3] {
    let n = (x.len() / channels) as f32;
    let [mean, _] = sums(
        [x],
        (channels, pixels),
        #[inline(always)]
        |_, [x]| [x, 0.],
    );
    let mean: Vec<f32> = mean.iter().map(|s| s / n).collect();
    let [squares, _] = sums(
        [x],
        (channels, pixels),
        #[inline(always)]
        |c, [x]| [(x - mean[c]) * (x - mean[c]), 0.],
    );
    let variance: Vec<f32> = squares.iter().map(|s| s / n).collect();
    let unbiased = variance.iter().map(|v| v * (n / (n - 1.).max(1.))).collect();
    [mean, variance, unbiased]
}

/// Sums of two terms a channel, over N and S, of the numbers at the same place in `inputs`.
#[inline(always)]
fn sums<const K: usize>(
    inputs: [&[f32]; K],
    (channels, pixels): (usize, usize),
    term: impl Fn(usize, [f32; K]) -> [f32; 2] + Sync,
) -> [Vec<f32>; 2] {
    let items = inputs[0].len() / (channels * pixels);
    let [mut first, mut second] = [vec![0f32; channels], vec![0f32; channels]];
    let piece = if pixels == 1 { FEATURES } else { CHANNELS };
    let pieces = first.par_chunks_mut(piece).zip(second.par_chunks_mut(piece)).enumerate();
    pieces.for_each(|(i, (first, second))| {
        let c0 = i * piece;
        vectorised(
            #[inline(always)]
            || {
                for item in 0..items {
                    let start = (item * channels + c0) * pixels;
                    if pixels == 1 {
                        // Channels lie side by side: one lane each.
                        let run = inputs.map(|input| &input[start..start + first.len()]);
                        for (c, (first, second)) in first.iter_mut().zip(second.iter_mut()).enumerate() {
                            let [a, b] = term(c0 + c, run.map(|run| run[c]));
                            *first += a;
                            *second += b;
                        }
                        continue;
                    }
                    for (c, (first, second)) in first.iter_mut().zip(second.iter_mut()).enumerate() {
                        let start = start + c * pixels;
                        let run = inputs.map(|input| &input[start..start + pixels]);
                        let [a, b] = sum_by(
                            pixels,
                            #[inline(always)]
                            |p| term(c0 + c, run.map(|run| run[p])),
                        );
                        *first += a;
                        *second += b;
                    }
                }
            },
        );
    });
    [first, second]
}

impl BatchNorm<'_> {
    fn channels(&self) -> usize {
        self.weight.len()
    }

    /// y = f(weight · (x − mean) / √(variance + ε) + bias)
    ///
    /// # Shapes
    /// `x` (N, C, S) → (N, C, S)
    pub fn forward(&self, x: &[f32], mean: &[f32], variance: &[f32]) -> Vec<f32> {
        let scale: Vec<f32> =
            self.weight.iter().zip(variance).map(|(g, v)| g * inverse_deviation(*v)).collect();
        let shift: Vec<f32> = self.bias.iter().zip(mean).zip(&scale).map(|((o, m), s)| o - m * s).collect();
        self.each(
            [x],
            #[inline(always)]
            |c, [x]| match self.after {
                Some(f) => f.apply(x * scale[c] + shift[c]),
                None => x * scale[c] + shift[c],
            },
        )
    }

    /// The backward pass through the activation and the norm, batch statistics included.
    ///
    /// # Shapes
    /// `x`, `y`, `dy` (N, C, S); `y` is the activation's output; `mean`, `variance` (C).
    pub fn backward(&self, x: &[f32], y: &[f32], mean: &[f32], variance: &[f32], dy: &[f32]) -> Gradients {
        let inverse: Vec<f32> = variance.iter().map(|&v| inverse_deviation(v)).collect();
        // The activation's slope is written in its output.
        let [bias, weight] = sums(
            [x, y, dy],
            (self.channels(), self.pixels),
            #[inline(always)]
            |c, [x, y, dy]| {
                let d = dy * self.slope(y);
                [d, d * (x - mean[c]) * inverse[c]]
            },
        );
        // dx = weight/σ · (d − Σd/n − x̂·Σ(d·x̂)/n), written as a·d + b·x + c with one triple a channel.
        let n = (x.len() / self.channels()) as f32;
        let triples: Vec<[f32; 3]> = (0..self.channels())
            .map(|c| {
                let a = self.weight[c] * inverse[c];
                let b = -a * inverse[c] * weight[c] / n;
                [a, b, -a * bias[c] / n - b * mean[c]]
            })
            .collect();
        let dx = self.each(
            [x, y, dy],
            #[inline(always)]
            |c, [x, y, dy]| {
                let [a, b, constant] = triples[c];
                a * dy * self.slope(y) + b * x + constant
            },
        );
        Gradients { x: Some(dx), parameters: Some((weight, bias)) }
    }

    /// The activation's derivative, from its output.
    #[inline(always)]
    fn slope(&self, y: f32) -> f32 {
        match self.after {
            Some(f) => f.slope_at(y),
            None => 1.,
        }
    }

    /// (N, C, S) of what `value` makes of the numbers at the same place in `inputs`.
    #[inline(always)]
    fn each<const K: usize>(
        &self,
        inputs: [&[f32]; K],
        value: impl Fn(usize, [f32; K]) -> f32 + Sync,
    ) -> Vec<f32> {
        let (channels, pixels) = (self.channels(), self.pixels);
        let item_len = channels * pixels;
        let mut out = vec![0f32; inputs[0].len()];
        out.par_chunks_mut(item_len).enumerate().for_each(|(item, out)| {
            let item = inputs.map(|input| &input[item * item_len..(item + 1) * item_len]);
            vectorised(
                #[inline(always)]
                || {
                    if pixels == 1 {
                        for (c, out) in out.iter_mut().enumerate() {
                            *out = value(c, item.map(|input| input[c]));
                        }
                        return;
                    }
                    for (c, out) in out.chunks_exact_mut(pixels).enumerate() {
                        let run = item.map(|input| &input[c * pixels..(c + 1) * pixels]);
                        for (p, out) in out.iter_mut().enumerate() {
                            *out = value(c, run.map(|run| run[p]));
                        }
                    }
                },
            );
        });
        out
    }
}

/// 1/√(variance + ε)
fn inverse_deviation(variance: f32) -> f32 {
    1. / (variance + EPSILON as f32).sqrt()
}
