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
pub mod update;

use candle_core::{Device, Result, Tensor};

use super::geometry::Convolution;
use super::{AdamStep, Kernels, Labels, Moved, Norm, Statistics, Weights, batch_dims};
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

    fn statistics(&self, x: &Tensor) -> Result<Statistics> {
        let (_, channels, pixels) = batch_dims(x)?;
        let [mean, variance, unbiased] = norm::statistics(&host(x)?, channels, pixels);
        let vector = |values| Tensor::from_vec(values, channels, &Device::Cpu);
        Ok(Statistics { mean: vector(mean)?, variance: vector(variance)?, unbiased: vector(unbiased)? })
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

    fn blend(&self, old: &Tensor, new: &Tensor, take: f64) -> Result<()> {
        let new = host(new)?;
        host::update(old, |old| update::blend(old, &new, take as f32))
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

/// Sums of T terms over a short run, in sixteen lanes each: the order of additions is fixed by the
/// length alone.
#[inline(always)]
pub(crate) fn sum_by<const T: usize>(n: usize, term: impl Fn(usize) -> [f32; T]) -> [f32; T] {
    const LANES: usize = 16;
    let mut sums = [[0f32; LANES]; T];
    let mut add = |start: usize, lanes: usize| {
        for lane in 0..lanes {
            let terms = term(start + lane);
            sums.iter_mut().zip(terms).for_each(|(sums, term)| sums[lane] += term);
        }
    };
    let whole = n / LANES * LANES;
    (0..whole).step_by(LANES).for_each(|start| add(start, LANES));
    add(whole, n - whole);
    sums.map(|lanes| lanes.iter().sum())
}
