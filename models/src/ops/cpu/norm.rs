//! Batch norm (Ioffe and Szegedy 2015) with the activation after it: one pass over memory forward, one
//! backward. The passes over a few channels' numbers for their sums, and the one that writes, meet them in
//! the cache.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::activation::{Function, with_function};
use super::{Gradients, columns, sum_by, vectorised, write_each, written};
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

/// Bytes of a piece of work: what a pass over some channels reads or writes stays in the nearer caches until
/// the next pass over them.
const PIECE: usize = 512 * 1024;
/// The same for vectors, in channels: theirs lie side by side.
const FEATURES: usize = 256;

/// The mean, variance and unbiased variance of each channel, and what they normalise `x` to.
pub struct Normalised {
    /// Like the input.
    pub y: Vec<f32>,
    /// (C)
    pub mean: Vec<f32>,
    /// (C)
    pub variance: Vec<f32>,
    /// (C)
    pub unbiased: Vec<f32>,
}

/// Some channels of (N, C, S) numbers: `count` of them, from `first`.
#[derive(Clone, Copy)]
struct Piece {
    first: usize,
    count: usize,
    channels: usize,
    pixels: usize,
}

impl Piece {
    /// The numbers of item `item` in this piece.
    #[inline(always)]
    fn of<'a>(&self, numbers: &'a [f32], item: usize) -> &'a [f32] {
        let start = (item * self.channels + self.first) * self.pixels;
        &numbers[start..start + self.count * self.pixels]
    }

    /// Sums of two terms a channel, over N and S, of the numbers at the same place in `inputs` and those of
    /// the channel in `given` (C).
    #[inline(always)]
    fn sums<const K: usize, const G: usize>(
        &self,
        inputs: [&[f32]; K],
        given: [&[f32]; G],
        terms: impl Fn([f32; K], [f32; G]) -> [f32; 2],
    ) -> [Vec<f32>; 2] {
        let Piece { count, channels, pixels, .. } = *self;
        let [mut first, mut second] = [vec![0f32; count], vec![0f32; count]];
        let given = given.map(|given| &given[..count]);
        for item in 0..inputs[0].len() / (channels * pixels) {
            let run = inputs.map(|input| self.of(input, item));
            if pixels == 1 {
                // Channels lie side by side: one lane each.
                let run = run.map(|run| &run[..count]);
                let (first, second) = (&mut first[..count], &mut second[..count]);
                for c in 0..count {
                    let [a, b] = terms(run.map(|run| run[c]), given.map(|given| given[c]));
                    first[c] += a;
                    second[c] += b;
                }
                continue;
            }
            for c in 0..count {
                let (run, given) = (run.map(|run| &run[c * pixels..][..pixels]), given.map(|given| given[c]));
                let [a, b] = sum_by(
                    run,
                    #[inline(always)]
                    |run| terms(run, given),
                );
                first[c] += a;
                second[c] += b;
            }
        }
        [first, second]
    }

    /// Writes what `value` makes of the numbers at the same place in `inputs` and those of the channel in
    /// `given` (C).
    #[inline(always)]
    fn write<const K: usize, const G: usize>(
        &self,
        out: Vec<&mut [MaybeUninit<f32>]>,
        inputs: [&[f32]; K],
        given: [&[f32]; G],
        value: impl Fn([f32; K], [f32; G]) -> f32,
    ) {
        let Piece { count, pixels, .. } = *self;
        let given = given.map(|given| &given[..count]);
        for (item, out) in out.into_iter().enumerate() {
            let run = inputs.map(|input| self.of(input, item));
            if pixels == 1 {
                let (run, out) = (run.map(|run| &run[..count]), &mut out[..count]);
                for c in 0..count {
                    out[c].write(value(run.map(|run| run[c]), given.map(|given| given[c])));
                }
                continue;
            }
            for (c, out) in out.chunks_exact_mut(pixels).enumerate() {
                let given = given.map(|given| given[c]);
                write_each(
                    out,
                    run.map(|run| &run[c * pixels..]),
                    #[inline(always)]
                    |run| value(run, given),
                );
            }
        }
    }
}

impl BatchNorm<'_> {
    fn channels(&self) -> usize {
        self.weight.len()
    }

    /// Runs `work` on pieces of the channels, side by side, each with its part of every item of a new
    /// (N, C, S), all of which it writes; and gives those numbers and what `work` gave, in order. `arrays`
    /// such arrays are what the passes over a piece go through.
    fn pieces<R: Send>(
        &self,
        len: usize,
        arrays: usize,
        work: impl Fn(Piece, Vec<&mut [MaybeUninit<f32>]>) -> R + Sync,
    ) -> (Vec<f32>, Vec<R>) {
        let (channels, pixels) = (self.channels(), self.pixels);
        let bytes = arrays * len / channels * size_of::<f32>();
        let size = if pixels == 1 { FEATURES } else { (PIECE / bytes.max(1)).max(1) };
        let mut results = Vec::new();
        let write = |out: &mut [MaybeUninit<f32>]| {
            let parts = columns(out, channels * pixels, size * pixels).into_par_iter().enumerate().map(
                |(i, part)| {
                    let first = i * size;
                    work(Piece { first, count: size.min(channels - first), channels, pixels }, part)
                },
            );
            results = parts.collect();
        };
        // SAFETY: the pieces cover all channels of all items, and each is written.
        let out = unsafe { written(len, write) };
        (out, results)
    }

    /// y = f(weight · (x − mean) / √(variance + ε) + bias), with the mean and variance of `x` itself.
    ///
    /// # Shapes
    /// `x` (N, C, S) → (N, C, S)
    pub fn forward_batch(&self, x: &[f32]) -> Normalised {
        let n = (x.len() / self.channels()) as f32;
        let (y, statistics) = self.pieces(x.len(), 2, |piece, out| {
            vectorised(
                #[inline(always)]
                || {
                    let [mean, _] = piece.sums(
                        [x],
                        [],
                        #[inline(always)]
                        |[x], []| [x, 0.],
                    );
                    let mean: Vec<f32> = mean.iter().map(|s| s / n).collect();
                    let [squares, _] = piece.sums(
                        [x],
                        [&mean],
                        #[inline(always)]
                        |[x], [mean]| [(x - mean) * (x - mean), 0.],
                    );
                    let variance: Vec<f32> = squares.iter().map(|s| s / n).collect();
                    self.write(piece, out, x, &mean, &variance);
                    (mean, variance)
                },
            )
        });
        let (mean, variance): (Vec<_>, Vec<_>) = statistics.into_iter().unzip();
        let (mean, variance) = (mean.concat(), variance.concat());
        let unbiased = variance.iter().map(|v| v * (n / (n - 1.).max(1.))).collect();
        Normalised { y, mean, variance, unbiased }
    }

    /// The same with a given mean and variance of each channel.
    ///
    /// # Shapes
    /// `x` (N, C, S) → (N, C, S)
    pub fn forward(&self, x: &[f32], mean: &[f32], variance: &[f32]) -> Vec<f32> {
        let (y, _) = self.pieces(x.len(), 2, |piece, out| {
            vectorised(
                #[inline(always)]
                || self.write(piece, out, x, &mean[piece.first..], &variance[piece.first..]),
            );
        });
        y
    }

    /// The output of a piece, whose channels have this mean and variance.
    #[inline(always)]
    fn write(
        &self,
        piece: Piece,
        out: Vec<&mut [MaybeUninit<f32>]>,
        x: &[f32],
        mean: &[f32],
        variance: &[f32],
    ) {
        let (weight, bias) = (&self.weight[piece.first..], &self.bias[piece.first..]);
        let scale: Vec<f32> = (0..piece.count).map(|c| weight[c] * inverse_deviation(variance[c])).collect();
        let shift: Vec<f32> = (0..piece.count).map(|c| bias[c] - mean[c] * scale[c]).collect();
        with_function!(self.after, |f| piece.write(
            out,
            [x],
            [&scale, &shift],
            #[inline(always)]
            |[x], [scale, shift]| f.apply(x * scale + shift),
        ));
    }

    /// The backward pass through the activation and the norm, batch statistics included.
    ///
    /// # Shapes
    /// `x`, `y`, `dy` (N, C, S); `y` is the activation's output; `mean`, `variance` (C).
    pub fn backward(&self, x: &[f32], y: &[f32], mean: &[f32], variance: &[f32], dy: &[f32]) -> Gradients {
        with_function!(self.after, |f| self.backward_through(f, [x, y, dy], mean, variance))
    }

    fn backward_through(
        &self,
        f: impl Function,
        inputs: [&[f32]; 3],
        mean: &[f32],
        variance: &[f32],
    ) -> Gradients {
        let n = (inputs[0].len() / self.channels()) as f32;
        let (dx, parameters) = self.pieces(inputs[0].len(), 4, |piece, out| {
            let [weight, mean, variance] =
                [self.weight, mean, variance].map(|all| &all[piece.first..piece.first + piece.count]);
            let inverse: Vec<f32> = variance.iter().map(|&v| inverse_deviation(v)).collect();
            vectorised(
                #[inline(always)]
                || {
                    let [db, dw] = piece.sums(
                        inputs,
                        [mean, &inverse],
                        #[inline(always)]
                        |[x, y, dy], [mean, inverse]| {
                            let d = dy * f.slope(y);
                            [d, d * (x - mean) * inverse]
                        },
                    );
                    // dx = weight/σ · (d − Σd/n − x̂·Σ(d·x̂)/n), written as a·d + b·x + constant.
                    let channels = 0..piece.count;
                    let a: Vec<f32> = channels.clone().map(|c| weight[c] * inverse[c]).collect();
                    let b: Vec<f32> = channels.clone().map(|c| -a[c] * inverse[c] * dw[c] / n).collect();
                    let constant: Vec<f32> = channels.map(|c| -a[c] * db[c] / n - b[c] * mean[c]).collect();
                    piece.write(
                        out,
                        inputs,
                        [&a, &b, &constant],
                        #[inline(always)]
                        |[x, y, dy], [a, b, constant]| a * dy * f.slope(y) + b * x + constant,
                    );
                    (dw, db)
                },
            )
        });
        let (dw, db): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
        Gradients { x: Some(dx), parameters: Some((dw.concat(), db.concat())) }
    }
}

/// 1/√(variance + ε)
fn inverse_deviation(variance: f32) -> f32 {
    1. / (variance + EPSILON as f32).sqrt()
}
