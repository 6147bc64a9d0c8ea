//! Kernels for NVIDIA GPUs: `kernels.cu` around cuBLAS's matrix products.
//!
//! Nothing here waits for the GPU: every call only queues work. A label that is out of range counts as
//! no label, since checking it would mean waiting.
//!
//! The tests run the same file on the CPU, compiled as C, thread by thread: see `emulator.h`.

#[cfg(test)]
mod emulator;
mod launch;

use candle_core::{Result, Tensor};

use super::geometry::{Convolution, Direction, Geometry};
use super::{AdamStep, Gradients, Kernels, Labels, Moved, Norm, Statistics, Weights, batch_dims};
use crate::layers::{Window, batch_norm::EPSILON};
use crate::{Activation, Wanted};
use launch::{Blocks, Given, change, fill};

/// The kernels of NVIDIA GPUs.
#[derive(Clone, Copy, Debug)]
pub struct Cuda;

/// Channels that a block sums side by side: neighbours in memory where they are vectors'.
fn width(pixels: usize) -> usize {
    if pixels == 1 { 32 } else { 1 }
}

/// An activation as the kernels take it: which function, and its slope.
fn code(f: Option<Activation>) -> (usize, f32) {
    match f {
        None => (0, 0.),
        Some(Activation::Relu) => (1, 0.),
        Some(Activation::LeakyRelu { slope }) => (2, slope),
        Some(Activation::Sigmoid) => (3, 0.),
        Some(Activation::Tanh) => (4, 0.),
    }
}

fn window_numbers(g: &Geometry) -> [usize; 8] {
    let Window { kernel, stride, rows, columns } = g.window;
    [g.picture.0, g.picture.1, kernel, stride, rows.0, columns.0, g.grid.0, g.grid.1]
}

/// A tensor that says its own size.
fn all(tensor: &Tensor) -> Given<'_> {
    (tensor, tensor.elem_count())
}

/// The labels of N items, and how many classes they have; without them, a tensor that isn't read.
fn label<'a>(x: &'a Tensor, n: usize, labels: Option<Labels<'a>>) -> (Given<'a>, usize) {
    labels.map_or((all(x), 0), |labels| ((labels.of, n), labels.classes))
}

/// The bias of so many channels; without it, a tensor that isn't read.
fn bias_of<'a>(rows: &'a Tensor, channels: usize, bias: Option<&'a Tensor>) -> Given<'a> {
    bias.map_or(all(rows), |bias| (bias, channels))
}

/// Channels last, the label behind them: (N, C, …) → (N·P, C + classes).
fn rows(x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
    let (n, c, p) = batch_dims(x)?;
    if p == 1 && labels.is_none() {
        return x.reshape((n, c));
    }
    let (label, classes) = label(x, n, labels);
    let columns = c + classes;
    let blocks = Blocks::Each(n * p * columns);
    fill("rows", (n * p, columns), &[all(x), label], &[n, c, p, classes], &[], blocks)
}

/// Channels first, a bias added: (N·P, columns) → `shape` (N, C, …); columns beyond C are dropped.
fn planes(rows: &Tensor, bias: Option<&Tensor>, shape: &[usize]) -> Result<Tensor> {
    let (n, c, p) = (shape[0], shape[1], shape[2..].iter().product::<usize>());
    let columns = rows.dim(1)?;
    if columns < c {
        candle_core::bail!("planes: rows of {columns} numbers, where {c} channels were expected")
    }
    let inputs = [(rows, n * p * columns), bias_of(rows, c, bias)];
    let integers = [n, c, p, columns, usize::from(bias.is_some())];
    fill("planes", shape, &inputs, &integers, &[], Blocks::Each(n * c * p))
}

/// im2col of `x` and the label's planes: (N, C, H, W) → (N·grid, (C + classes)·k·k).
fn unfold(g: &Geometry, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
    let n = x.dim(0)?;
    let (label, classes) = label(x, n, labels);
    let shape = (n * g.points(), (g.channels + classes) * g.taps());
    let integers = [&[n, g.channels, classes][..], &window_numbers(g)].concat();
    let inputs = [(x, n * g.picture_len()), label];
    fill("unfold", shape, &inputs, &integers, &[], Blocks::Each(shape.0 * shape.1))
}

/// col2im, a bias added: (N·grid, row) → (N, C, H, W); columns beyond C·k·k are dropped.
fn fold(g: &Geometry, rows: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (points, row) = rows.dims2()?;
    let n = points / g.points();
    if row < g.row() {
        candle_core::bail!("fold: rows of {row} numbers, where {} were expected", g.row())
    }
    let shape = (n, g.channels, g.picture.0, g.picture.1);
    let inputs = [(rows, n * g.points() * row), bias_of(rows, g.channels, bias)];
    let integers = [n, g.channels, row, usize::from(bias.is_some())];
    let integers = [&integers[..], &window_numbers(g)].concat();
    fill("fold", shape, &inputs, &integers, &[], Blocks::Each(n * g.picture_len()))
}

/// Σ over N and pixels: (N, C, …) → (C)
fn channel_sums(x: &Tensor) -> Result<Tensor> {
    let (n, c, p) = batch_dims(x)?;
    let width = width(p);
    fill("channel_sums", c, &[all(x)], &[n, c, p, width], &[], Blocks::Channels { channels: c, width })
}

impl Kernels for Cuda {
    fn linear(&self, w: Weights<'_>, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
        let y = rows(x, labels)?.matmul(&w.weight.t()?)?;
        planes(&y, Some(w.bias), y.dims())
    }

    fn linear_backward(
        &self,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients> {
        let mut gradients = Gradients { x: None, parameters: None };
        if wanted.input {
            let dx = dy.matmul(w.weight)?;
            gradients.x = Some(if labels.is_some() { planes(&dx, None, x.dims())? } else { dx });
        }
        if wanted.parameters {
            gradients.parameters = Some((dy.t()?.matmul(&rows(x, labels)?)?, channel_sums(dy)?));
        }
        Ok(gradients)
    }

    fn convolution(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
    ) -> Result<Tensor> {
        let weight = w.weight.flatten_from(1)?;
        match c.direction {
            Direction::Gather => {
                let y = unfold(&c.geometry, x, labels)?.matmul(&weight.t()?)?;
                let (n, channels, height, width) = c.output(x.dim(0)?);
                planes(&y, Some(w.bias), &[n, channels, height, width])
            }
            Direction::Scatter => fold(&c.geometry, &rows(x, labels)?.matmul(&weight)?, Some(w.bias)),
        }
    }

    fn convolution_backward(
        &self,
        c: &Convolution,
        w: Weights<'_>,
        x: &Tensor,
        labels: Option<Labels<'_>>,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients> {
        let weight = w.weight.flatten_from(1)?;
        let mut gradients = Gradients { x: None, parameters: None };
        let dw = match c.direction {
            Direction::Gather => {
                let dy = rows(dy, None)?;
                if wanted.input {
                    gradients.x = Some(fold(&c.geometry, &dy.matmul(&weight)?, None)?);
                }
                match wanted.parameters {
                    true => Some(dy.t()?.matmul(&unfold(&c.geometry, x, labels)?)?),
                    false => None,
                }
            }
            Direction::Scatter => {
                let dy = unfold(&c.geometry, dy, None)?;
                if wanted.input {
                    // Without the label's rows: it has no gradient.
                    let weight = weight.narrow(0, 0, c.geometry.filters)?;
                    gradients.x = Some(planes(&dy.matmul(&weight.t()?)?, None, x.dims())?);
                }
                match wanted.parameters {
                    true => Some(rows(x, labels)?.t()?.matmul(&dy)?),
                    false => None,
                }
            }
        };
        if let Some(dw) = dw {
            gradients.parameters = Some((dw.reshape(w.weight.shape())?, channel_sums(dy)?));
        }
        Ok(gradients)
    }

    fn norm_batch(&self, norm: Norm<'_>, x: &Tensor) -> Result<(Tensor, Statistics)> {
        let (n, c, p) = batch_dims(x)?;
        let width = width(p);
        let blocks = Blocks::Channels { channels: c, width };
        let found = fill("statistics", (3, c), &[all(x)], &[n, c, p, width], &[], blocks)?;
        let statistics = Statistics { mean: found.get(0)?, variance: found.get(1)?, unbiased: found.get(2)? };
        Ok((self.norm(norm, x, &statistics.mean, &statistics.variance)?, statistics))
    }

    fn norm(&self, norm: Norm<'_>, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let (n, c, p) = batch_dims(x)?;
        let (function, slope) = code(norm.after);
        let inputs = [all(x), (mean, c), (variance, c), (norm.weight, c), (norm.bias, c)];
        let floats = [slope, EPSILON as f32];
        fill("norm_forward", x.dims(), &inputs, &[n, c, p, function], &floats, Blocks::Each(n * c * p))
    }

    fn norm_backward(
        &self,
        norm: Norm<'_>,
        x: &Tensor,
        y: &Tensor,
        Statistics { mean, variance, .. }: &Statistics,
        dy: &Tensor,
    ) -> Result<Gradients> {
        let (n, c, p) = batch_dims(x)?;
        let (function, slope) = code(norm.after);
        let floats = [slope, EPSILON as f32];
        let count = x.elem_count();
        let inputs = [(x, count), (y, count), (dy, count), (mean, c), (variance, c)];
        let width = width(p);
        let blocks = Blocks::Channels { channels: c, width };
        let sums = fill("norm_back_sums", (2, c), &inputs, &[n, c, p, width, function], &floats, blocks)?;
        let inputs = [&inputs[..], &[(norm.weight, c), (&sums, 2 * c)]].concat();
        let dx = fill("norm_back", x.dims(), &inputs, &[n, c, p, function], &floats, Blocks::Each(count))?;
        Ok(Gradients { x: Some(dx), parameters: Some((sums.get(1)?, sums.get(0)?)) })
    }

    fn activation(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        let ((function, slope), count) = (code(Some(f)), x.elem_count());
        fill("activation", x.dims(), &[all(x)], &[count, function], &[slope], Blocks::Each(count))
    }

    fn activation_backward(&self, f: Activation, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let ((function, slope), count) = (code(Some(f)), y.elem_count());
        let inputs = [(y, count), (dy, count)];
        fill("activation_back", y.dims(), &inputs, &[count, function], &[slope], Blocks::Each(count))
    }

    fn blend(&self, old: &Tensor, new: &Tensor, take: f64) -> Result<()> {
        let count = old.elem_count();
        change("blend", &[(old, count), (new, count)], &[count], &[take as f32], Blocks::Each(count))
    }

    fn adam(
        &self,
        moved: Moved<'_>,
        gradient: &Tensor,
        second: Option<&Tensor>,
        step: AdamStep,
    ) -> Result<()> {
        let count = moved.parameter.elem_count();
        let tensors = [moved.parameter, moved.first, moved.second, gradient, second.unwrap_or(gradient)];
        let tensors = tensors.map(|tensor| (tensor, count));
        let integers = [count, usize::from(second.is_some())];
        let floats = [step.step, step.root, step.beta1, step.beta2, step.epsilon].map(|number| number as f32);
        change("adam", &tensors, &integers, &floats, Blocks::Each(count))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    /// A kernel counts on what its arguments say: a tensor of another size is refused before it starts.
    #[test]
    fn a_tensor_of_another_size_is_refused() {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        let (x, four, five) = (zeros(&[3, 4]), zeros(&[4]), zeros(&[5]));
        let is_refused = |error: candle_core::Error| {
            let error = error.to_string();
            assert!(error.contains("expected"), "{error}");
        };
        is_refused(Cuda.activation_backward(Activation::Relu, &x, &zeros(&[3, 3])).unwrap_err());
        is_refused(Cuda.blend(&five, &four, 0.5).unwrap_err());
        let norm = |weight, bias| Norm { weight, bias, after: None };
        assert!(Cuda.norm(norm(&four, &four), &x, &four, &four).is_ok());
        is_refused(Cuda.norm(norm(&four, &five), &x, &four, &four).unwrap_err());
        is_refused(Cuda.norm(norm(&four, &four), &x, &four, &zeros(&[3])).unwrap_err());
        let moved = Moved { parameter: &five, first: &five, second: &four };
        let step = AdamStep { step: 1., root: 1., beta1: 0.5, beta2: 0.5, epsilon: 1e-8 };
        is_refused(Cuda.adam(moved, &five, None, step).unwrap_err());
        let weights = Weights { weight: &zeros(&[2, 7]), bias: &zeros(&[2]) };
        let [three, two] = [3, 2].map(|n| Tensor::zeros(n, DType::U32, &Device::Cpu).unwrap());
        assert!(Cuda.linear(weights, &x, Some(Labels { of: &three, classes: 3 })).is_ok());
        is_refused(Cuda.linear(weights, &x, Some(Labels { of: &two, classes: 3 })).unwrap_err());
    }
}
