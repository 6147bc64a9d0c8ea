//! Kernels for NVIDIA GPUs: `kernels.cu` around cuBLAS's matrix products (`product.rs`).
//!
//! Factors of bfloat16 are rounded by the kernels that gather them; what is not gathered, the weights
//! above all, by a kernel of its own. All else is float32: sums, weights, their gradients.
//!
//! Nothing here waits for the GPU: every call only queues work. A label that is out of range counts as
//! no label, since checking it would mean waiting.
//!
//! The tests run the same file on the CPU, compiled as C, thread by thread: see `emulator.h`.

#[cfg(test)]
mod emulator;
mod launch;
mod product;

use candle_core::{DType, Result, Tensor};

use super::geometry::{Convolution, Direction, Geometry};
use super::{
    AdamStep, Changing, Factors, Gradients, Kernels, Labels, Moved, Norm, Statistics, Weights, batch_dims,
};
use crate::layers::{Window, batch_norm::EPSILON};
use crate::{Activation, Wanted};
use launch::{Blocks, Given, change, fill, unfilled};
use product::product;

/// The kernels of NVIDIA GPUs, with matrix products of these factors.
#[derive(Clone, Copy, Debug)]
pub struct Cuda(pub Factors);

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

/// So many numbers that are on the device, and that they are; without them, a tensor that isn't read.
fn changing<'a>(any: &'a Tensor, on_device: Option<&'a Tensor>, count: usize) -> (Given<'a>, usize) {
    on_device.map_or((all(any), 0), |numbers| ((numbers, count), 1))
}

/// The bias of so many channels; without it, a tensor that isn't read.
fn bias_of<'a>(rows: &'a Tensor, channels: usize, bias: Option<&'a Tensor>) -> Given<'a> {
    bias.map_or(all(rows), |bias| (bias, channels))
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

impl Cuda {
    /// What the factors of its products are.
    fn dtype(self) -> DType {
        match self.0 {
            Factors::Float32 => DType::F32,
            Factors::Bfloat16 => DType::BF16,
        }
    }

    /// Whether they are rounded, as the kernels are told.
    fn rounds(self) -> usize {
        usize::from(self.0 == Factors::Bfloat16)
    }

    /// A tensor of f32 as a factor.
    fn factor(self, x: &Tensor) -> Result<Tensor> {
        if self.0 == Factors::Float32 {
            return Ok(x.clone());
        }
        let (out, count) = (unfilled(x.shape(), self.dtype(), x.device())?, x.elem_count());
        change("rounded", &[all(&out), all(x)], &[count], &[], Blocks::Each(count))?;
        Ok(out)
    }

    /// A factor, channels last, the label behind them: (N, C, …) → (N·P, C + classes).
    fn rows(self, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
        let (n, c, p) = batch_dims(x)?;
        if p == 1 && labels.is_none() {
            return self.factor(x)?.reshape((n, c));
        }
        let (label, classes) = label(x, n, labels);
        let columns = c + classes;
        let out = unfilled((n * p, columns), self.dtype(), x.device())?;
        let blocks = Blocks::Each(n * p * columns);
        change("rows", &[all(&out), all(x), label], &[n, c, p, classes, self.rounds()], &[], blocks)?;
        Ok(out)
    }

    /// A factor, im2col of `x` and the label's planes: (N, C, H, W) → (N·grid, (C + classes)·k·k).
    fn unfold(self, g: &Geometry, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
        let n = x.dim(0)?;
        let (label, classes) = label(x, n, labels);
        let shape = (n * g.points(), (g.channels + classes) * g.taps());
        let out = unfilled(shape, self.dtype(), x.device())?;
        let integers = [&[n, g.channels, classes, self.rounds()][..], &window_numbers(g)].concat();
        let tensors = [all(&out), (x, n * g.picture_len()), label];
        change("unfold", &tensors, &integers, &[], Blocks::Each(shape.0 * shape.1))?;
        Ok(out)
    }
}

impl Kernels for Cuda {
    fn linear(&self, w: Weights<'_>, x: &Tensor, labels: Option<Labels<'_>>) -> Result<Tensor> {
        let y = product(&self.rows(x, labels)?, &self.factor(w.weight)?.t()?)?;
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
        let factor = self.factor(dy)?;
        if wanted.input {
            let dx = product(&factor, &self.factor(w.weight)?)?;
            gradients.x = Some(if labels.is_some() { planes(&dx, None, x.dims())? } else { dx });
        }
        if wanted.parameters {
            let dw = product(&factor.t()?, &self.rows(x, labels)?)?;
            gradients.parameters = Some((dw, channel_sums(dy)?));
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
        let weight = self.factor(&w.weight.flatten_from(1)?)?;
        match c.direction {
            Direction::Gather => {
                let y = product(&self.unfold(&c.geometry, x, labels)?, &weight.t()?)?;
                let (n, channels, height, width) = c.output(x.dim(0)?);
                planes(&y, Some(w.bias), &[n, channels, height, width])
            }
            Direction::Scatter => fold(&c.geometry, &product(&self.rows(x, labels)?, &weight)?, Some(w.bias)),
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
                let dy = self.rows(dy, None)?;
                if wanted.input {
                    let rows = product(&dy, &self.factor(&weight)?)?;
                    gradients.x = Some(fold(&c.geometry, &rows, None)?);
                }
                match wanted.parameters {
                    true => Some(product(&dy.t()?, &self.unfold(&c.geometry, x, labels)?)?),
                    false => None,
                }
            }
            Direction::Scatter => {
                let dy = self.unfold(&c.geometry, dy, None)?;
                if wanted.input {
                    // Without the label's rows: it has no gradient.
                    let weight = self.factor(&weight.narrow(0, 0, c.geometry.filters)?)?;
                    gradients.x = Some(planes(&product(&dy, &weight.t()?)?, None, x.dims())?);
                }
                match wanted.parameters {
                    true => Some(product(&self.rows(x, labels)?.t()?, &dy)?),
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

    fn blend(&self, old: &Tensor, new: &Tensor, take: Changing<'_>) -> Result<()> {
        let count = old.elem_count();
        let (changing, changes) = changing(old, take.on_device, 1);
        let tensors = [(old, count), (new, count), changing];
        change("blend", &tensors, &[count, changes], &[take.value as f32], Blocks::Each(count))
    }

    fn adam(
        &self,
        moved: Moved<'_>,
        gradient: &Tensor,
        second: Option<&Tensor>,
        step: AdamStep<'_>,
    ) -> Result<()> {
        let count = moved.parameter.elem_count();
        let tensors = [moved.parameter, moved.first, moved.second, gradient, second.unwrap_or(gradient)];
        let (changing, changes) = changing(gradient, step.on_device, 2);
        let tensors = [&tensors.map(|tensor| (tensor, count))[..], &[changing]].concat();
        let integers = [count, usize::from(second.is_some()), changes];
        let floats = [step.step, step.root, step.beta1, step.beta2, step.epsilon].map(|number| number as f32);
        change("adam", &tensors, &integers, &floats, Blocks::Each(count))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    const CUDA: Cuda = Cuda(Factors::Float32);

    /// A kernel counts on what its arguments say: a tensor of another size is refused before it starts.
    #[test]
    fn a_tensor_of_another_size_is_refused() {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        let (x, four, five) = (zeros(&[3, 4]), zeros(&[4]), zeros(&[5]));
        let is_refused = |error: candle_core::Error| {
            let error = error.to_string();
            assert!(error.contains("expected"), "{error}");
        };
        is_refused(CUDA.activation_backward(Activation::Relu, &x, &zeros(&[3, 3])).unwrap_err());
        is_refused(CUDA.blend(&five, &four, 0.5.into()).unwrap_err());
        let norm = |weight, bias| Norm { weight, bias, after: None };
        assert!(CUDA.norm(norm(&four, &four), &x, &four, &four).is_ok());
        is_refused(CUDA.norm(norm(&four, &five), &x, &four, &four).unwrap_err());
        is_refused(CUDA.norm(norm(&four, &four), &x, &four, &zeros(&[3])).unwrap_err());
        let moved = Moved { parameter: &five, first: &five, second: &four };
        let step = AdamStep { step: 1., root: 1., beta1: 0.5, beta2: 0.5, epsilon: 1e-8, on_device: None };
        is_refused(CUDA.adam(moved, &five, None, step).unwrap_err());
        let moved = Moved { parameter: &five, first: &five, second: &five };
        assert!(CUDA.adam(moved, &five, None, step).is_ok());
        is_refused(CUDA.adam(moved, &five, None, AdamStep { on_device: Some(&four), ..step }).unwrap_err());
        let take = Changing { value: 0.5, on_device: Some(&four) };
        is_refused(CUDA.blend(&five, &five, take).unwrap_err());
        let weights = Weights { weight: &zeros(&[2, 7]), bias: &zeros(&[2]) };
        let [three, two] = [3, 2].map(|n| Tensor::zeros(n, DType::U32, &Device::Cpu).unwrap());
        assert!(CUDA.linear(weights, &x, Some(Labels { of: &three, classes: 3 })).is_ok());
        is_refused(CUDA.linear(weights, &x, Some(Labels { of: &two, classes: 3 })).unwrap_err());
    }
}
