//! Kernels for NVIDIA GPUs: `kernels.cu` around cuBLAS's matrix products.
//!
//! Nothing here waits for the GPU: every call only queues work. A label that is out of range is
//! drawn as none, since checking it would mean waiting.
//!
//! The tests run the same file on the CPU, compiled as C, thread by thread: see `emulator.h`.

#[cfg(test)]
mod emulator;
mod launch;

use candle_core::{Result, Tensor};

use super::geometry::{Convolution, Direction, Geometry};
use super::{
    AdamStep, Gradients, Kernels, Labels, Moved, Norm, NormGradients, Statistics, Weights, batch_dims,
};
use crate::layers::{Window, batch_norm::EPSILON};
use crate::{Activation, Wanted};
use launch::{Blocks, change, fill};

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

/// Channels last, the label behind them: (N, C, …) → (N·P, C + classes).
fn rows(x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
    let (n, c, p) = batch_dims(x)?;
    if p == 1 && labels.is_none() {
        return x.reshape((n, c));
    }
    let (label, classes) = labels.map_or((x, 0), |l| (l.of, l.classes));
    let columns = c + classes;
    let blocks = Blocks::Each(n * p * columns);
    fill("rows", (n * p, columns), &[x, label], &[n, c, p, classes], &[], blocks)
}

/// Channels first, a bias added: (N·P, columns) → `shape` (N, C, …); columns beyond C are dropped.
fn planes(rows: &Tensor, bias: Option<&Tensor>, shape: &[usize]) -> Result<Tensor> {
    let (n, c, p) = (shape[0], shape[1], shape[2..].iter().product());
    let integers = [n, c, p, rows.dim(1)?, usize::from(bias.is_some())];
    fill("planes", shape, &[rows, bias.unwrap_or(rows)], &integers, &[], Blocks::Each(n * c * p))
}

/// im2col of `x` and the label's planes: (N, C, H, W) → (N·grid, (C + classes)·k·k).
fn unfold(g: &Geometry, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
    let n = x.dim(0)?;
    let (label, classes) = labels.map_or((x, 0), |l| (l.of, l.classes));
    let shape = (n * g.points(), (g.channels + classes) * g.taps());
    let integers = [&[n, g.channels, classes][..], &window_numbers(g)].concat();
    fill("unfold", shape, &[x, label], &integers, &[], Blocks::Each(shape.0 * shape.1))
}

/// col2im, a bias added: (N·grid, row) → (N, C, H, W); columns beyond C·k·k are dropped.
fn fold(g: &Geometry, rows: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let n = rows.dim(0)? / g.points();
    let shape = (n, g.channels, g.picture.0, g.picture.1);
    let integers = [n, g.channels, rows.dim(1)?, usize::from(bias.is_some())];
    let integers = [&integers[..], &window_numbers(g)].concat();
    let blocks = Blocks::Each(n * g.picture_len());
    fill("fold", shape, &[rows, bias.unwrap_or(rows)], &integers, &[], blocks)
}

/// Σ over N and pixels: (N, C, …) → (C)
fn channel_sums(x: &Tensor) -> Result<Tensor> {
    let (n, c, p) = batch_dims(x)?;
    let width = width(p);
    fill("channel_sums", c, &[x], &[n, c, p, width], &[], Blocks::Channels { channels: c, width })
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

    fn statistics(&self, x: &Tensor) -> Result<Statistics> {
        let (n, c, p) = batch_dims(x)?;
        let width = width(p);
        let blocks = Blocks::Channels { channels: c, width };
        let all = fill("statistics", (3, c), &[x], &[n, c, p, width], &[], blocks)?;
        Ok(Statistics { mean: all.get(0)?, variance: all.get(1)?, unbiased: all.get(2)? })
    }

    fn norm(&self, norm: Norm<'_>, x: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let (n, c, p) = batch_dims(x)?;
        let (function, slope) = code(norm.after);
        let inputs = [x, mean, variance, norm.weight, norm.bias];
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
    ) -> Result<NormGradients> {
        let (n, c, p) = batch_dims(x)?;
        let (function, slope) = code(norm.after);
        let floats = [slope, EPSILON as f32];
        let inputs = [x, y, dy, mean, variance];
        let width = width(p);
        let blocks = Blocks::Channels { channels: c, width };
        let sums = fill("norm_back_sums", (2, c), &inputs, &[n, c, p, width, function], &floats, blocks)?;
        let inputs = [x, y, dy, mean, variance, norm.weight, &sums];
        let dx =
            fill("norm_back", x.dims(), &inputs, &[n, c, p, function], &floats, Blocks::Each(n * c * p))?;
        Ok(NormGradients { x: dx, bias: sums.get(0)?, weight: sums.get(1)? })
    }

    fn activation(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        let ((function, slope), count) = (code(Some(f)), x.elem_count());
        fill("activation", x.dims(), &[x], &[count, function], &[slope], Blocks::Each(count))
    }

    fn activation_backward(&self, f: Activation, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        let ((function, slope), count) = (code(Some(f)), y.elem_count());
        fill("activation_back", y.dims(), &[y, dy], &[count, function], &[slope], Blocks::Each(count))
    }

    fn blend(&self, old: &Tensor, new: &Tensor, take: f64) -> Result<()> {
        let count = old.elem_count();
        change("blend", &[old, new], &[count], &[take as f32], Blocks::Each(count))
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
        let integers = [count, usize::from(second.is_some())];
        let floats = [step.step, step.root, step.beta1, step.beta2, step.epsilon].map(|number| number as f32);
        change("adam", &tensors, &integers, &floats, Blocks::Each(count))
    }
}
