//! Kernels for the CPU.
//!
//! | file | kernels |
//! |---|---|
//! | [`convolution`] | convolution and transposed convolution: unfold or fold, and one matrix product |
//! | [`linear`] | linear layers, the label taken as a table row |
//! | [`norm`] | batch norm with the activation after it |
//! | [`activation`] | activation functions and their derivatives |
//! | [`update`] | what changes parameters in place: Adam, moving averages |
//! | [`matrix`] | the matrix product that all of them rest on |
//! | [`bf16`] | the same with factors of bfloat16 |
//! | [`transpose`] | channels to the end and back |
//!
//! Every result is the same for any number of threads: work is cut into pieces by the shapes
//! alone, and partial sums are added in the order of the pieces.

pub mod activation;
pub mod bf16;
pub mod convolution;
mod host;
pub mod linear;
pub mod matrix;
pub mod norm;
pub mod transpose;
pub mod update;

use std::mem::MaybeUninit;

use candle_core::{Device, Result, Tensor};

use super::geometry::Convolution;
use super::{AdamStep, Changing, Kernels, Labels, Moved, Norm, Statistics, Weights, batch_dims};
use crate::{Activation, Wanted};
use host::{Host, host, host_labels};
use matrix::Products;

/// The CPU's kernels, with the matrix products of `P`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu<P>(pub P);

/// [`Labels`], read in place.
#[derive(Clone, Copy, Debug)]
pub struct HostLabels<'a> {
    /// The class of each item, below `classes`.
    pub of: &'a [u32],
    /// How many classes there are.
    pub classes: usize,
}

/// [`super::Gradients`], as the kernels leave them.
pub struct Gradients {
    /// Like the input without the label's part, if it was wanted.
    pub x: Option<Vec<f32>>,
    /// As `weight` and `bias`, if they were wanted.
    pub parameters: Option<(Vec<f32>, Vec<f32>)>,
}

impl Gradients {
    fn into_tensors(self, x: &Tensor, w: Weights<'_>) -> Result<super::Gradients> {
        let parameters = match self.parameters {
            Some((dw, db)) => Some((like(dw, w.weight)?, like(db, w.bias)?)),
            None => None,
        };
        Ok(super::Gradients { x: self.x.map(|dx| like(dx, x)).transpose()?, parameters })
    }
}

/// Labels, read in place and checked, since the kernels index with them; and how many classes there are.
struct ReadLabels<'a>(Option<(Host<'a, u32>, usize)>);

impl<'a> ReadLabels<'a> {
    fn new(labels: Option<Labels<'a>>) -> Result<ReadLabels<'a>> {
        let Some(Labels { of, classes }) = labels else { return Ok(ReadLabels(None)) };
        let of = host_labels(of)?;
        match of.iter().find(|&&class| class as usize >= classes) {
            Some(class) => {
                candle_core::bail!("label {class} is out of range: there are {classes} classes")
            }
            None => Ok(ReadLabels(Some((of, classes)))),
        }
    }

    fn get(&self) -> Option<HostLabels<'_>> {
        self.0.as_ref().map(|(of, classes)| HostLabels { of, classes: *classes })
    }
}

fn like(values: Vec<f32>, tensor: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, tensor.shape(), &Device::Cpu)
}

impl<P: Products> Kernels for Cpu<P> {
    fn linear(&self, w: Weights<'_>, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
        let (labels, weight, bias) = (ReadLabels::new(labels)?, host(w.weight)?, host(w.bias)?);
        let linear = linear::Linear { weight: &weight, bias: &bias, inputs: x.dim(1)? };
        let y = linear.forward::<P>(&host(x)?, labels.get());
        Tensor::from_vec(y, (x.dim(0)?, bias.len()), &Device::Cpu)
    }

    fn linear_backward(
        &self,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<super::Gradients> {
        let (labels, weight, bias) = (ReadLabels::new(labels)?, host(w.weight)?, host(w.bias)?);
        let linear = linear::Linear { weight: &weight, bias: &bias, inputs: x.dim(1)? };
        linear.backward::<P>(&host(x)?, labels.get(), &host(dy)?, wanted).into_tensors(x, w)
    }

    fn convolution(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
    ) -> Result<Tensor> {
        let (labels, weight, bias) = (ReadLabels::new(labels)?, host(w.weight)?, host(w.bias)?);
        let kernel = convolution::Kernel::new(c, &weight, &bias);
        let y = kernel.forward::<P>(&host(x)?, labels.get());
        Tensor::from_vec(y, c.output(x.dim(0)?), &Device::Cpu)
    }

    fn convolution_backward(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<super::Gradients> {
        let (labels, weight, bias) = (ReadLabels::new(labels)?, host(w.weight)?, host(w.bias)?);
        let kernel = convolution::Kernel::new(c, &weight, &bias);
        kernel.backward::<P>(&host(x)?, labels.get(), &host(dy)?, wanted).into_tensors(x, w)
    }

    fn norm_batch(&self, norm: Norm<'_>, x: &Tensor) -> Result<(Tensor, Statistics)> {
        let (weight, bias, pixels) = (host(norm.weight)?, host(norm.bias)?, batch_dims(x)?.2);
        let kernel = norm::BatchNorm { weight: &weight, bias: &bias, pixels, after: norm.after };
        let norm::Normalised { y, mean, variance, unbiased } = kernel.forward_batch(&host(x)?);
        let vector = |values| like(values, norm.weight);
        let (mean, variance, unbiased) = (vector(mean)?, vector(variance)?, vector(unbiased)?);
        Ok((like(y, x)?, Statistics { mean, variance, unbiased }))
    }

    fn norm(&self, norm: Norm<'_>, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let (weight, bias, pixels) = (host(norm.weight)?, host(norm.bias)?, batch_dims(x)?.2);
        let norm = norm::BatchNorm { weight: &weight, bias: &bias, pixels, after: norm.after };
        like(norm.forward(&host(x)?, &host(mean)?, &host(variance)?), x)
    }

    fn norm_backward(
        &self,
        norm: Norm<'_>,
        x: &Tensor,
        y: &Tensor,
        statistics: &Statistics,
        dy: &Tensor,
    ) -> Result<super::Gradients> {
        let (weight, bias, pixels) = (host(norm.weight)?, host(norm.bias)?, batch_dims(x)?.2);
        let kernel = norm::BatchNorm { weight: &weight, bias: &bias, pixels, after: norm.after };
        let (mean, variance) = (host(&statistics.mean)?, host(&statistics.variance)?);
        let gradients = kernel.backward(&host(x)?, &host(y)?, &mean, &variance, &host(dy)?);
        gradients.into_tensors(x, Weights { weight: norm.weight, bias: norm.bias })
    }

    fn activation(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        like(activation::forward(f, &host(x)?), x)
    }

    fn activation_backward(&self, f: Activation, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        like(activation::backward(f, &host(y)?, &host(dy)?), y)
    }

    fn blend(&self, old: &Tensor, new: &Tensor, take: Changing<'_>) -> Result<()> {
        let new = host(new)?;
        host::update(old, |old| update::blend(old, &new, take.value as f32))
    }

    fn adam(
        &self,
        moved: Moved<'_>,
        gradient: &Tensor,
        second: Option<&Tensor>,
        step: AdamStep,
    ) -> Result<()> {
        let (gradient, second) = (host(gradient)?, second.map(host).transpose()?);
        let gradients = (&*gradient, second.as_deref());
        host::update(moved.parameter, |p| {
            host::update(moved.first, |m| {
                host::update(moved.second, |v| update::adam((p, m, v), gradients, step))
            })
        })??
    }
}

/// Runs `kernel` compiled for the widest vectors that this processor has. The binary itself is
/// built for any x86-64 (or aarch64); what `kernel` calls must be inlined into it to take part.
#[inline(always)]
pub fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(kernel)
}

/// Sums over a run of T terms of the numbers at the same place in `inputs`, in sixteen lanes each: the order
/// of additions is fixed by the length alone.
#[inline(always)]
pub(crate) fn sum_by<const K: usize, const T: usize>(
    inputs: [&[f32]; K],
    terms: impl Fn([f32; K]) -> [f32; T],
) -> [f32; T] {
    const LANES: usize = 16;
    let mut sums = [[0f32; LANES]; T];
    let inputs = inputs.map(|input| input.as_chunks::<LANES>());
    let whole = inputs[0].0.len();
    let chunks = inputs.map(|(chunks, _)| &chunks[..whole]);
    for i in 0..whole {
        let chunk = chunks.map(|chunks| &chunks[i]);
        let terms: [[f32; T]; LANES] = std::array::from_fn(
            #[inline(always)]
            |lane| terms(chunk.map(|chunk| chunk[lane])),
        );
        for (t, sums) in sums.iter_mut().enumerate() {
            for (sum, terms) in sums.iter_mut().zip(&terms) {
                *sum += terms[t];
            }
        }
    }
    for lane in 0..inputs[0].1.len() {
        let terms = terms(inputs.map(|(_, rest)| rest[lane]));
        (0..T).for_each(|t| sums[t][lane] += terms[t]);
    }
    sums.map(|lanes| lanes.iter().sum())
}

/// `n` new numbers. They aren't set to 0 first, which takes as long as many a kernel.
///
/// # Safety
/// `write` writes all of them.
pub(crate) unsafe fn written(n: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(n);
    write(&mut numbers.spare_capacity_mut()[..n]);
    // SAFETY: there is room for them, and the caller's.
    unsafe { numbers.set_len(n) };
    numbers
}

/// Rows of `width` numbers, cut into pieces of so many columns: of each piece its part of every row.
pub(crate) fn columns<T>(rows: &mut [T], width: usize, size: usize) -> Vec<Vec<&mut [T]>> {
    let mut pieces: Vec<Vec<&mut [T]>> = Vec::new();
    pieces.resize_with(width.div_ceil(size), Vec::new);
    for row in rows.chunks_exact_mut(width) {
        pieces.iter_mut().zip(row.chunks_mut(size)).for_each(|(piece, part)| piece.push(part));
    }
    pieces
}

/// Writes what `value` makes of the numbers at the same place in `inputs`.
#[inline(always)]
pub(crate) fn write_each<const K: usize>(
    out: &mut [MaybeUninit<f32>],
    inputs: [&[f32]; K],
    value: impl Fn([f32; K]) -> f32,
) {
    // Of one length, which the compiler sees: no checks are left in the loop.
    let n = out.len();
    let inputs = inputs.map(|input| &input[..n]);
    for i in 0..n {
        out[i].write(value(inputs.map(|input| input[i])));
    }
}
