//! The kernels under training and sampling, each the counterpart of a [`crate::Layer`]'s forward
//! pass in Candle's own operations, and each with its backward pass.
//!
//! | file | what is in it |
//! |---|---|
//! | [`cpu`] | kernels for the CPU: blocks that stay in the cache, wide vectors, all threads |
//! | `cuda` | kernels for NVIDIA GPUs: `kernels.cu`, and how they are launched |
//! | [`geometry`] | the two sides of a convolution, which both rest on |
//!
//! [`kernels_for`] says which of them takes a tensor. Where none does (Metal, double precision),
//! Candle's own operations serve.

pub mod cpu;
#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
pub mod cuda;
pub mod geometry;

use candle_core::{DType, Device, Result, Tensor};

use crate::{Activation, Wanted};
use geometry::Convolution;

/// The labels of a batch, as a layer with weights takes them along with its input.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// (N) of u32, each below `classes`.
    pub of: &'a Tensor,
    /// How many classes there are.
    pub classes: usize,
}

/// The weights of a linear layer, a convolution or a transposed one.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// As the layer has it, the label's part included.
    pub weight: &'a Tensor,
    /// One number an output channel.
    pub bias: &'a Tensor,
}

/// The gradients of a layer with weights.
pub struct Gradients {
    /// Like the input without the label's part, if it was wanted.
    pub x: Option<Tensor>,
    /// As `weight` and `bias`, if they were wanted.
    pub parameters: Option<(Tensor, Tensor)>,
}

/// A batch norm (Ioffe and Szegedy 2015) with the activation after it.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// (C)
    pub weight: &'a Tensor,
    /// (C)
    pub bias: &'a Tensor,
    /// The activation after it, if any.
    pub after: Option<Activation>,
}

/// Mean and variance of each channel over N (and H, W): (C) each.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// What is subtracted.
    pub mean: Tensor,
    /// The sum of squares over the count: what normalises.
    pub variance: Tensor,
    /// The sum of squares over the count less one: what the running average takes.
    pub unbiased: Tensor,
}

/// One step of Adam on one parameter: algorithm 1 of Kingma and Ba 2015, the bias corrections
/// folded into two numbers.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<'a> {
    /// learning rate / (1 − β₁ᵗ)
    pub step: f64,
    /// 1/√(1 − β₂ᵗ)
    pub root: f64,
    /// β₁
    pub beta1: f64,
    /// β₂
    pub beta2: f64,
    /// ε
    pub epsilon: f64,
    /// `step` and `root` again, (2), where a CUDA graph is to read them: see [`Changing`].
    pub on_device: Option<&'a Tensor>,
}

/// A number that changes from iteration to iteration. A value becomes part of a CUDA graph and stays
/// as it was when the graph was recorded; what is on the device is read whenever the graph runs.
#[derive(Clone, Copy, Debug)]
pub struct Changing<'a> {
    /// The number.
    pub value: f64,
    /// The same as f32, (1), where a CUDA graph is to read it. Other kernels take the value.
    pub on_device: Option<&'a Tensor>,
}

impl From<f64> for Changing<'_> {
    fn from(value: f64) -> Self {
        Changing { value, on_device: None }
    }
}

/// A parameter under Adam, with its moments; all three are changed in place.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// The weights.
    pub parameter: &'a Tensor,
    /// The running mean of the gradient.
    pub first: &'a Tensor,
    /// The running mean of its square.
    pub second: &'a Tensor,
}

/// What a device computes by kernels of ours, on contiguous f32 tensors.
///
/// Vectors are (N, C), planes (N, C, H, W). An error is Candle's: no room, a tensor of another
/// device, type or layout.
#[allow(clippy::missing_errors_doc)] // Said once, above.
pub trait Kernels: Sync {
    /// y = (x ⊕ label)·Wᵀ + b: (N, inputs) → (N, outputs).
    fn linear(&self, w: Weights<'_>, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor>;

    /// The backward pass of [`Kernels::linear`]; `dy` like its output.
    fn linear_backward(
        &self,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients>;

    /// A convolution or transposed convolution of x ⊕ label: (N, C, H, W) → (N, C′, H′, W′).
    fn convolution(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
    ) -> Result<Tensor>;

    /// The backward pass of [`Kernels::convolution`]; `dy` like its output.
    fn convolution_backward(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients>;

    /// y = f(weight · (x − mean) / √(variance + ε) + bias), like x, with the mean and variance of each channel
    /// of `x`, taken in two passes: a variance from sums of squares cancels.
    fn norm_batch(&self, norm: Norm<'_>, x: &Tensor) -> Result<(Tensor, Statistics)>;

    /// The same with a given mean and variance.
    fn norm(&self, norm: Norm<'_>, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor>;

    /// The backward pass of [`Kernels::norm_batch`], which gave `y` and `statistics`. Yields all gradients.
    fn norm_backward(
        &self,
        norm: Norm<'_>,
        x: &Tensor,
        y: &Tensor,
        statistics: &Statistics,
        dy: &Tensor,
    ) -> Result<Gradients>;

    /// y = f(x)
    fn activation(&self, f: Activation, x: &Tensor) -> Result<Tensor>;

    /// dx = dy · f′(x), from y = f(x).
    fn activation_backward(&self, f: Activation, y: &Tensor, dy: &Tensor) -> Result<Tensor>;

    /// Moves `old` toward `new` in place: old += take · (new − old).
    fn blend(&self, old: &Tensor, new: &Tensor, take: Changing<'_>) -> Result<()>;

    /// Adam's step along a gradient, or the sum of two: those of real and of fake images, say.
    fn adam(
        &self,
        moved: Moved<'_>,
        gradient: &Tensor,
        second: Option<&Tensor>,
        step: AdamStep<'_>,
    ) -> Result<()>;
}

/// What the factors of matrix products are rounded to; their sums, and all else, are float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Factors {
    /// Nothing: 24 bits of mantissa.
    #[default]
    Float32,
    /// 8 bits of mantissa, float32's range.
    Bfloat16,
}

/// The kernels that take this tensor, if any do.
pub fn kernels_for(tensor: &Tensor, factors: Factors) -> Option<&'static dyn Kernels> {
    match tensor.device() {
        _ if tensor.dtype() != DType::F32 => None,
        Device::Cpu => Some(match factors {
            Factors::Float32 => &cpu::Cpu(cpu::matrix::Float32),
            Factors::Bfloat16 => &cpu::Cpu(cpu::matrix::Bfloat16),
        }),
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => Some(match factors {
            Factors::Float32 => &cuda::Cuda(Factors::Float32),
            Factors::Bfloat16 => &cuda::Cuda(Factors::Bfloat16),
        }),
        _ => None,
    }
}

/// N, C and S of a tensor (N, C) or (N, C, H, W), where S is H·W, or 1 for vectors.
fn batch_dims(x: &Tensor) -> Result<(usize, usize, usize)> {
    match *x.dims() {
        [n, c] => Ok((n, c, 1)),
        [n, c, h, w] => Ok((n, c, h * w)),
        _ => candle_core::bail!("vectors (N, C) or planes (N, C, H, W) expected, {:?} given", x.dims()),
    }
}
