//! A forward pass that remembers what its way back needs, and the way back.
//!
//! On the CPU and on CUDA the list is walked with the kernels of [`crate::ops`], and walked back;
//! elsewhere (Metal, f64) the layers' own Candle operations run and Candle differentiates them.
//! Both give the same numbers within rounding, which tests hold them to.
//!
//! Why not Candle's differentiation everywhere: it sums every gradient into a tensor of zeros, and
//! computes the gradients of weights that nobody asked for. Both cost as much as the arithmetic.

use candle_core::{Tensor, Var};

use crate::layer::{BATCH_NORM_KEEP, Layer, Shape};
use crate::network::{Mode, NamedLayer, Network, Parameters};
use crate::ops::geometry::{Convolution, Direction, Geometry};
use crate::ops::{Kernels, Labels, Norm, Statistics, Weights, kernels_for};
use crate::{Activation, Result, layer};

/// Which gradients a way back should yield; each one costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input: the generator learns through it.
    pub input: bool,
    /// Those of the weights.
    pub parameters: bool,
}

/// What a way back yields.
#[derive(Debug)]
pub struct Gradients {
    /// Like the input, if it was wanted.
    pub input: Option<Tensor>,
    /// One for each trainable parameter in the list's order, if they were wanted.
    pub parameters: Vec<Tensor>,
}

impl Gradients {
    /// The parameters' gradients of the sum of two losses.
    ///
    /// # Errors
    /// Candle's.
    pub fn plus(self, other: &Gradients) -> Result<Gradients> {
        let pairs = self.parameters.iter().zip(&other.parameters);
        Ok(Gradients { input: None, parameters: pairs.map(|(a, b)| Ok((a + b)?)).collect::<Result<_>>()? })
    }
}

/// A forward pass in training mode, remembered.
pub struct Trace {
    /// The network's output (N, …).
    pub output: Tensor,
    record: Record,
    /// (mean, unbiased variance) of each batch norm, in the list's order.
    statistics: Vec<(Tensor, Tensor)>,
}

enum Record {
    /// The input of each layer, as the kernels left it.
    Kernels { kernels: &'static dyn Kernels, steps: Vec<Step>, label: Option<Tensor> },
    /// Candle's own graph, from this input on.
    Candle { input: Var },
}

/// A layer on its way forward, with what its way back needs.
struct Step {
    /// Where it is in the list.
    layer: usize,
    /// What came in: (N, …) without the label.
    x: Tensor,
    /// What came out, the activation included, where that is needed.
    y: Option<Tensor>,
    /// A batch norm's statistics.
    statistics: Option<Statistics>,
    /// The label was appended before this layer.
    labelled: bool,
}

impl Network {
    /// The forward pass in training mode: batch norm uses the batch's own statistics.
    ///
    /// # Shapes
    /// `x` (N, …) as [`Network::input`], `label` (N) of u32.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if `x` or `label` don't fit; Candle's.
    pub fn trace(&self, p: &Parameters, x: &Tensor, label: Option<&Tensor>) -> Result<Trace> {
        self.trace_with(self.kernels_for(x), p, x, label)
    }

    /// As [`Network::trace`], with these kernels, or in Candle's own operations.
    pub(crate) fn trace_with(
        &self,
        kernels: Option<&'static dyn Kernels>,
        p: &Parameters,
        x: &Tensor,
        label: Option<&Tensor>,
    ) -> Result<Trace> {
        self.check(x, label)?;
        if let Some(kernels) = kernels {
            let mut steps = Vec::new();
            let output = self.walk(kernels, p, &x.detach(), label, Mode::Train, Some(&mut steps))?;
            let statistics = steps.iter().filter_map(|step| step.statistics.as_ref());
            let statistics = statistics.map(|s| (s.mean.clone(), s.unbiased.clone())).collect();
            let record = Record::Kernels { kernels, steps, label: label.cloned() };
            return Ok(Trace { output, statistics, record });
        }
        let input = Var::from_tensor(&x.detach())?;
        let (output, statistics) = self.forward_with_statistics(p, &input, label, Mode::Train)?;
        Ok(Trace { output, statistics, record: Record::Candle { input } })
    }

    /// The forward pass for sampling: batch norm uses the running averages, so an image doesn't
    /// depend on the others of its batch.
    ///
    /// # Shapes
    /// `x` (N, …) as [`Network::input`], `label` (N) of u32 → (N, …) as [`Network::output`].
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if `x` or `label` don't fit; Candle's.
    pub fn sample(&self, p: &Parameters, x: &Tensor, label: Option<&Tensor>) -> Result<Tensor> {
        self.sample_with(self.kernels_for(x), p, x, label)
    }

    /// As [`Network::sample`], with these kernels, or in Candle's own operations.
    pub(crate) fn sample_with(
        &self,
        kernels: Option<&'static dyn Kernels>,
        p: &Parameters,
        x: &Tensor,
        label: Option<&Tensor>,
    ) -> Result<Tensor> {
        self.check(x, label)?;
        match kernels {
            Some(kernels) => self.walk(kernels, p, &x.detach(), label, Mode::Sample, None),
            None => Ok(self.forward(p, x, label, Mode::Sample)?.detach()),
        }
    }

    /// Walks the list with kernels. A label is held back until the next layer takes it; an
    /// activation is taken along with the batch norm before it.
    fn walk(
        &self,
        kernels: &dyn Kernels,
        p: &Parameters,
        x: &Tensor,
        label: Option<&Tensor>,
        mode: Mode,
        mut steps: Option<&mut Vec<Step>>,
    ) -> Result<Tensor> {
        let n = x.dim(0)?;
        let label = label.map(Tensor::contiguous).transpose()?;
        let mut h = x.contiguous()?;
        let mut labelled = false;
        let mut i = 0;
        while i < self.layers().len() {
            let NamedLayer { name, layer } = &self.layers()[i];
            let get = |parameter: &str| p.get(&format!("{name}.{parameter}"));
            let mut step = Step { layer: i, x: h.clone(), y: None, statistics: None, labelled };
            match layer {
                Layer::Label { .. } => {
                    labelled = true;
                    i += 1;
                    continue;
                }
                Layer::Reshape { .. } | Layer::Flatten => {
                    h = h.reshape(self.shapes()[i].dims(n))?;
                    i += 1;
                    continue;
                }
                Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_) => {
                    let weights = Weights { weight: get("weight")?, bias: get("bias")? };
                    let labels = self.labels(label.as_ref().filter(|_| labelled));
                    labelled = false;
                    h = match self.convolution(i) {
                        Some(convolution) => kernels.convolution(&convolution, weights, &h, labels)?,
                        None => kernels.linear(weights, &h, labels)?,
                    };
                }
                Layer::BatchNorm { .. } => {
                    let after = self.activation_after(i);
                    i += usize::from(after.is_some());
                    let norm = Norm { gain: get("gain")?, offset: get("offset")?, after };
                    h = match mode {
                        Mode::Train => {
                            let statistics = kernels.statistics(&h)?;
                            let y = kernels.norm(norm, &h, &statistics.mean, &statistics.variance)?;
                            step.statistics = Some(statistics);
                            y
                        }
                        Mode::Sample => {
                            kernels.norm(norm, &h, get("running_mean")?, get("running_variance")?)?
                        }
                    };
                    step.y = Some(h.clone());
                }
                Layer::Activation(f) => {
                    h = kernels.activation(*f, &h)?;
                    step.y = Some(h.clone());
                }
            }
            if let Some(steps) = steps.as_deref_mut() {
                steps.push(step);
            }
            i += 1;
        }
        Ok(h)
    }

    /// The kernels for this input, if there are any.
    fn kernels_for(&self, x: &Tensor) -> Option<&'static dyn Kernels> {
        kernels_for(x).filter(|_| self.suits_kernels())
    }

    /// Kernels take a label only where a layer with weights follows it.
    fn suits_kernels(&self) -> bool {
        let weighs = |l: &NamedLayer| {
            matches!(l.layer, Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_))
        };
        let mut labels =
            self.layers().iter().enumerate().filter(|(_, l)| matches!(l.layer, Layer::Label { .. }));
        labels.all(|(i, _)| self.layers().get(i + 1).is_some_and(weighs))
    }

    fn labels<'a>(&self, of: Option<&'a Tensor>) -> Option<Labels<'a>> {
        Some(Labels { of: of?, classes: self.classes()? })
    }

    /// The activation right after layer `i`, if there is one.
    fn activation_after(&self, i: usize) -> Option<Activation> {
        match self.layers().get(i + 1)?.layer {
            Layer::Activation(f) => Some(f),
            _ => None,
        }
    }

    /// Layer `i` as a convolution or transposed one between two shapes, if it is one.
    fn convolution(&self, i: usize) -> Option<Convolution> {
        let before = |i: usize| if i == 0 { self.input() } else { self.shapes()[i - 1] };
        // A label before the layer is not part of the data that it is given.
        let labelled = i > 0 && matches!(self.layers()[i - 1].layer, Layer::Label { .. });
        let input = if labelled { before(i - 1) } else { before(i) };
        let planes = |shape| match shape {
            Shape::Planes { channels, height, width } => Some((channels, (height, width))),
            Shape::Vector(_) => None,
        };
        let (input, output) = (planes(input)?, planes(self.shapes()[i])?);
        let (direction, window, on_picture, on_grid) = match self.layers()[i].layer {
            Layer::Conv2d(layer::Convolution { window, .. }) => (Direction::Gather, window, input, output),
            Layer::ConvTranspose2d(layer::Convolution { window, .. }) => {
                (Direction::Scatter, window, output, input)
            }
            _ => return None,
        };
        let ((channels, picture), (filters, grid)) = (on_picture, on_grid);
        let geometry = Geometry { channels, picture, filters, grid, window };
        Some(Convolution { direction, geometry })
    }
}

impl Trace {
    /// The way back: from the gradient of a loss with respect to [`Trace::output`] to those that
    /// are `wanted`. `p` must be as it was on the way forward.
    ///
    /// # Shapes
    /// `dy` like the output; the gradients like the input and the parameters.
    ///
    /// # Errors
    /// Candle's.
    pub fn backward(
        &self,
        network: &Network,
        p: &Parameters,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients> {
        match &self.record {
            Record::Kernels { kernels, steps, label } => {
                walk_back(*kernels, network, p, steps, label.as_ref(), dy, wanted)
            }
            Record::Candle { input } => {
                let gradients = (&self.output * dy.detach())?.sum_all()?.backward()?;
                let of = |t: &Tensor| match gradients.get(t) {
                    Some(gradient) => Ok(gradient.clone()),
                    None => t.zeros_like(),
                };
                let input = wanted.input.then(|| of(input)).transpose()?;
                let parameters = match wanted.parameters {
                    true => p.trainable().map(|(_, v)| Ok(of(v)?)).collect::<Result<_>>()?,
                    false => Vec::new(),
                };
                Ok(Gradients { input, parameters })
            }
        }
    }

    /// Moves the running averages of every batch norm toward this pass's statistics.
    ///
    /// # Errors
    /// Candle's.
    pub fn update_running_averages(&self, network: &Network, p: &Parameters) -> Result<()> {
        let norms = network.layers().iter().filter(|l| matches!(l.layer, Layer::BatchNorm { .. }));
        for (norm, (mean, variance)) in norms.zip(&self.statistics) {
            for (name, new) in [("running_mean", mean), ("running_variance", variance)] {
                let old = p.get(&format!("{}.{name}", norm.name))?;
                match &self.record {
                    Record::Kernels { kernels, .. } => kernels.blend(old, new, 1. - BATCH_NORM_KEEP)?,
                    Record::Candle { .. } => {
                        old.set(&((old.as_tensor() * BATCH_NORM_KEEP)? + (new * (1. - BATCH_NORM_KEEP))?)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Walks the steps back with kernels.
fn walk_back(
    kernels: &dyn Kernels,
    network: &Network,
    p: &Parameters,
    steps: &[Step],
    label: Option<&Tensor>,
    dy: &Tensor,
    wanted: Wanted,
) -> Result<Gradients> {
    let n = dy.dim(0)?;
    let label = label.map(Tensor::contiguous).transpose()?;
    let mut parameters: Vec<Tensor> = Vec::new();
    let mut dh = dy.contiguous()?;
    for (i, step) in steps.iter().enumerate().rev() {
        let NamedLayer { name, layer } = &network.layers()[step.layer];
        // The first layer's input gradient is the network's: often nobody asks for it.
        let wanted = Wanted { input: wanted.input || i > 0, ..wanted };
        let get = |parameter: &str| p.get(&format!("{name}.{parameter}"));
        // Steps that change no numbers were left out on the way forward, their shapes with them.
        dh = dh.reshape(network.shapes()[step.layer].dims(n))?;
        match layer {
            Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_) => {
                let weights = Weights { weight: get("weight")?, bias: get("bias")? };
                let labels = network.labels(label.as_ref().filter(|_| step.labelled));
                let back = match network.convolution(step.layer) {
                    Some(convolution) => {
                        kernels.convolution_back(&convolution, weights, &step.x, labels, &dh, wanted)?
                    }
                    None => kernels.linear_back(weights, &step.x, labels, &dh, wanted)?,
                };
                // Last in the list comes first: `parameters` is reversed at the end.
                parameters.extend(back.parameters.into_iter().flat_map(|(weight, bias)| [bias, weight]));
                match back.x {
                    Some(dx) => dh = dx,
                    None => break,
                }
            }
            Layer::BatchNorm { .. } => {
                let after = network.activation_after(step.layer);
                let norm = Norm { gain: get("gain")?, offset: get("offset")?, after };
                if let (Some(y), Some(statistics)) = (&step.y, &step.statistics) {
                    let back = kernels.norm_back(norm, &step.x, y, statistics, &dh)?;
                    if wanted.parameters {
                        parameters.extend([back.offset, back.gain]);
                    }
                    dh = back.x;
                }
            }
            Layer::Activation(f) => {
                if let Some(y) = &step.y {
                    dh = kernels.activation_back(*f, y, &dh)?;
                }
            }
            // These change no numbers, and leave no step.
            Layer::Label { .. } | Layer::Reshape { .. } | Layer::Flatten => {}
        }
    }
    parameters.reverse();
    let input = match wanted.input {
        true => Some(dh.reshape(network.input().dims(n))?),
        false => None,
    };
    Ok(Gradients { input, parameters })
}

#[cfg(test)]
mod tests;
