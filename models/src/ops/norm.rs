//! Batch norm (Ioffe and Szegedy 2015) with the activation after it: two passes over memory
//! forward, two back.

use rayon::prelude::*;

use super::{sum_by, vectorised};
use crate::Activation;
use crate::layer::BATCH_NORM_EPSILON;

/// Mean and variance of each channel over a batch.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// (C)
    pub mean: Vec<f32>,
    /// (C), the sum of squares over n: what normalises.
    pub variance: Vec<f32>,
    /// n: N, times H·W for planes.
    pub count: usize,
}

impl Statistics {
    /// The variance over n − 1: what the running average takes.
    pub fn unbiased(&self) -> Vec<f32> {
        let n = self.count as f32;
        self.variance.iter().map(|v| v * (n / (n - 1.).max(1.))).collect()
    }
}

/// A batch norm over `x` (N, C, S), where S is H·W, or 1 for vectors; `after` follows it.
#[derive(Clone, Copy)]
pub struct BatchNorm<'a> {
    /// (C)
    pub gain: &'a [f32],
    /// (C)
    pub offset: &'a [f32],
    /// S
    pub pixels: usize,
    /// The activation after it, if any.
    pub after: Option<Activation>,
}

/// What the way back yields: `x` like the input, `gain` and `offset` (C).
pub struct Gradients {
    /// (N, C, S)
    pub x: Vec<f32>,
    /// (C)
    pub gain: Vec<f32>,
    /// (C)
    pub offset: Vec<f32>,
}

/// Channels that one thread takes at a time.
const CHANNELS: usize = 16;
/// The same for vectors, whose channels lie side by side.
const FEATURES: usize = 256;

impl BatchNorm<'_> {
    fn channels(&self) -> usize {
        self.gain.len()
    }

    /// Sums of two terms a channel, over N and S. `term(i, c)` is at index i of x and channel c.
    fn sums(&self, len: usize, term: impl Fn(usize, usize) -> (f32, f32) + Sync) -> (Vec<f32>, Vec<f32>) {
        let (channels, pixels) = (self.channels(), self.pixels);
        let n = len / (channels * pixels);
        let (mut first, mut second) = (vec![0f32; channels], vec![0f32; channels]);
        let piece = if pixels == 1 { FEATURES } else { CHANNELS };
        first.par_chunks_mut(piece).zip(second.par_chunks_mut(piece)).enumerate().for_each(
            |(i, (first, second))| {
                let c0 = i * piece;
                vectorised(
                    #[inline(always)]
                    || {
                        for item in 0..n {
                            for (c, (first, second)) in first.iter_mut().zip(second.iter_mut()).enumerate() {
                                let start = (item * channels + c0 + c) * pixels;
                                if pixels == 1 {
                                    let (a, b) = term(start, c0 + c);
                                    *first += a;
                                    *second += b;
                                } else {
                                    *first += sum_by(
                                        pixels,
                                        #[inline(always)]
                                        |p| term(start + p, c0 + c).0,
                                    );
                                    *second += sum_by(
                                        pixels,
                                        #[inline(always)]
                                        |p| term(start + p, c0 + c).1,
                                    );
                                }
                            }
                        }
                    },
                );
            },
        );
        (first, second)
    }

    /// Mean and variance of `x`, in two passes: a variance from sums of squares cancels.
    pub fn statistics(&self, x: &[f32]) -> Statistics {
        let count = x.len() / self.channels();
        let mean: Vec<f32> = {
            let (sum, _) = self.sums(
                x.len(),
                #[inline(always)]
                |i, _| (x[i], 0.),
            );
            sum.iter().map(|s| s / count as f32).collect()
        };
        let (squares, _) = self.sums(
            x.len(),
            #[inline(always)]
            |i, c| ((x[i] - mean[c]) * (x[i] - mean[c]), 0.),
        );
        Statistics { variance: squares.iter().map(|s| s / count as f32).collect(), mean, count }
    }

    /// y = f(gain · (x − mean) / √(variance + ε) + offset)
    ///
    /// # Shapes
    /// `x` (N, C, S) → (N, C, S)
    pub fn forward(&self, x: &[f32], mean: &[f32], variance: &[f32]) -> Vec<f32> {
        let scale: Vec<f32> =
            self.gain.iter().zip(variance).map(|(g, v)| g * inverse_deviation(*v)).collect();
        let shift: Vec<f32> = self.offset.iter().zip(mean).zip(&scale).map(|((o, m), s)| o - m * s).collect();
        let mut y = vec![0f32; x.len()];
        self.each_item(
            &mut y,
            #[inline(always)]
            |i, c| {
                let y = x[i] * scale[c] + shift[c];
                self.after.map_or(
                    y,
                    #[inline(always)]
                    |f| f.apply(y),
                )
            },
        );
        y
    }

    /// The way back through the activation and the norm, batch statistics included.
    ///
    /// # Shapes
    /// `x`, `y`, `dy` (N, C, S); `y` is the activation's output.
    pub fn backward(&self, x: &[f32], y: &[f32], statistics: &Statistics, dy: &[f32]) -> Gradients {
        let Statistics { mean, variance, count } = statistics;
        let inverse: Vec<f32> = variance.iter().map(|&v| inverse_deviation(v)).collect();
        // Through the activation: the slope is written in its output.
        let through = |i: usize| dy[i] * self.slope(y[i]);
        let (offset, gain) = self.sums(
            x.len(),
            #[inline(always)]
            |i, c| {
                let d = through(i);
                (d, d * (x[i] - mean[c]) * inverse[c])
            },
        );
        // dx = gain/σ · (d − Σd/n − x̂·Σ(d·x̂)/n), written as a·d + b·x + c with one triple a channel.
        let n = *count as f32;
        let triples: Vec<[f32; 3]> = (0..self.channels())
            .map(|c| {
                let a = self.gain[c] * inverse[c];
                let b = -a * inverse[c] * gain[c] / n;
                [a, b, -a * offset[c] / n - b * mean[c]]
            })
            .collect();
        let mut dx = vec![0f32; x.len()];
        self.each_item(
            &mut dx,
            #[inline(always)]
            |i, c| {
                let [a, b, constant] = triples[c];
                a * through(i) + b * x[i] + constant
            },
        );
        Gradients { x: dx, gain, offset }
    }

    /// The activation's derivative, from its output.
    #[inline(always)]
    fn slope(&self, y: f32) -> f32 {
        match self.after {
            Some(f) => f.slope_at(y),
            None => 1.,
        }
    }

    /// Fills (N, C, S), items side by side; `value(i, c)` is at index i and channel c.
    fn each_item(&self, out: &mut [f32], value: impl Fn(usize, usize) -> f32 + Sync) {
        let (channels, pixels) = (self.channels(), self.pixels);
        out.par_chunks_mut(channels * pixels).enumerate().for_each(|(item, out)| {
            let start = item * channels * pixels;
            vectorised(
                #[inline(always)]
                || {
                    for (c, run) in out.chunks_exact_mut(pixels).enumerate() {
                        for (p, out) in run.iter_mut().enumerate() {
                            *out = value(start + c * pixels + p, c);
                        }
                    }
                },
            );
        });
    }
}

/// 1/√(variance + ε)
fn inverse_deviation(variance: f32) -> f32 {
    1. / (variance + BATCH_NORM_EPSILON as f32).sqrt()
}
