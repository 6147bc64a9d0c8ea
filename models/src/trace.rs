//! A forward pass that remembers what its way back needs, and the way back.
//!
//! On the CPU the list is walked with the kernels of [`crate::ops`], and walked back; elsewhere
//! (CUDA, Metal, f64) the layers' own Candle operations run and Candle differentiates them. Both
//! give the same numbers within rounding, which tests hold them to.
//!
//! Why not Candle's differentiation everywhere: it sums every gradient into a tensor of zeros, and
//! computes the gradients of weights that nobody asked for. Both cost as much as the arithmetic.

use candle_core::{Device, Tensor, Var};

use crate::layer::{BATCH_NORM_KEEP, Layer, Shape};
use crate::network::{Mode, NamedLayer, Network, Parameters};
use crate::ops::convolution::{Direction, Geometry, Kernel};
use crate::ops::linear::Linear;
use crate::ops::norm::{BatchNorm, Statistics};
use crate::ops::{self, Labels, activation, host, host_labels};
use crate::{Activation, Convolution, Error, Result};

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

/// A forward pass in training mode, remembered.
pub struct Trace {
    /// The network's output (N, …).
    pub output: Tensor,
    record: Record,
    /// (mean, unbiased variance) of each batch norm.
    statistics: Vec<(Tensor, Tensor)>,
}

enum Record {
    /// The input of each layer, as the kernels left it.
    Kernels { steps: Vec<Step>, label: Option<Tensor> },
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
    /// [`Error::Input`] if `x` or `label` don't fit; Candle's.
    pub fn trace(&self, p: &Parameters, x: &Tensor, label: Option<&Tensor>) -> Result<Trace> {
        self.check(x, label)?;
        if self.has_kernels(x) {
            let mut steps = Vec::new();
            let output = self.walk(p, &x.detach(), label, Mode::Train, Some(&mut steps))?;
            let statistics = steps.iter().filter_map(|step| step.statistics.as_ref());
            let statistics = statistics.map(|s| {
                let vector = |values: &[f32]| Tensor::new(values, &Device::Cpu);
                Ok((vector(&s.mean)?, vector(&s.unbiased())?))
            });
            let statistics = statistics.collect::<Result<_>>()?;
            return Ok(Trace {
                output,
                statistics,
                record: Record::Kernels { steps, label: label.cloned() },
            });
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
    /// [`Error::Input`] if `x` or `label` don't fit; Candle's.
    pub fn sample(&self, p: &Parameters, x: &Tensor, label: Option<&Tensor>) -> Result<Tensor> {
        self.check(x, label)?;
        match self.has_kernels(x) {
            true => self.walk(p, &x.detach(), label, Mode::Sample, None),
            false => Ok(self.forward(p, x, label, Mode::Sample)?.detach()),
        }
    }

    /// Walks the list with the CPU kernels. A label is held back until the next layer takes it; an
    /// activation is taken along with the batch norm before it.
    fn walk(
        &self,
        p: &Parameters,
        x: &Tensor,
        label: Option<&Tensor>,
        mode: Mode,
        mut steps: Option<&mut Vec<Step>>,
    ) -> Result<Tensor> {
        let n = x.dim(0)?;
        let labels = label.map(|l| self.host_labels(l)).transpose()?;
        let mut h = x.contiguous()?;
        let mut labelled = false;
        let mut i = 0;
        while i < self.layers().len() {
            let NamedLayer { name, layer } = &self.layers()[i];
            let mut step = Step { layer: i, x: h.clone(), y: None, statistics: None, labelled };
            let values = match layer {
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
                    let weight = host(p.get(&format!("{name}.weight"))?)?;
                    let bias = host(p.get(&format!("{name}.bias"))?)?;
                    let labels = labels.as_deref().filter(|_| labelled).map(|of| self.labels(of));
                    labelled = false;
                    let x = host(&h)?;
                    match self.kernel(i, &weight, &bias) {
                        Some(kernel) => kernel.forward(&x, labels),
                        None => {
                            Linear { weight: &weight, bias: &bias, inputs: h.dim(1)? }.forward(&x, labels)
                        }
                    }
                }
                Layer::BatchNorm { .. } => {
                    let gain = host(p.get(&format!("{name}.gain"))?)?;
                    let offset = host(p.get(&format!("{name}.offset"))?)?;
                    let after = self.activation_after(i);
                    let norm =
                        BatchNorm { gain: &gain, offset: &offset, pixels: pixels(self.shapes()[i]), after };
                    i += usize::from(after.is_some());
                    let x = host(&h)?;
                    match mode {
                        Mode::Train => {
                            let statistics = norm.statistics(&x);
                            let y = norm.forward(&x, &statistics.mean, &statistics.variance);
                            step.statistics = Some(statistics);
                            y
                        }
                        Mode::Sample => {
                            let mean = host(p.get(&format!("{name}.running_mean"))?)?;
                            let variance = host(p.get(&format!("{name}.running_variance"))?)?;
                            norm.forward(&x, &mean, &variance)
                        }
                    }
                }
                Layer::Activation(f) => activation::forward(*f, &host(&h)?),
            };
            h = Tensor::from_vec(values, self.shapes()[i].dims(n), &Device::Cpu)?;
            if matches!(layer, Layer::BatchNorm { .. } | Layer::Activation(_)) {
                step.y = Some(h.clone());
            }
            if let Some(steps) = steps.as_deref_mut() {
                steps.push(step);
            }
            i += 1;
        }
        Ok(h)
    }

    /// The kernels take f32 on the CPU, and a label where a layer with weights follows it.
    fn has_kernels(&self, x: &Tensor) -> bool {
        let weighs = |l: Option<&NamedLayer>| {
            matches!(
                l.map(|l| l.layer),
                Some(Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_))
            )
        };
        let mut labels =
            self.layers().iter().enumerate().filter(|(_, l)| matches!(l.layer, Layer::Label { .. }));
        ops::has_kernels(x) && labels.all(|(i, _)| weighs(self.layers().get(i + 1)))
    }

    /// The labels on the host, checked: the kernels index with them.
    fn host_labels(&self, label: &Tensor) -> Result<Vec<u32>> {
        let of = host_labels(&label.contiguous()?)?.to_vec();
        let classes = self.classes().unwrap_or(u32::MAX as usize);
        match of.iter().find(|&&class| class as usize >= classes) {
            Some(class) => Err(Error::Input {
                network: self.name().to_string(),
                message: format!("label {class} is out of range: there are {classes} classes"),
            }),
            None => Ok(of),
        }
    }

    fn labels<'a>(&self, of: &'a [u32]) -> Labels<'a> {
        Labels { of, classes: self.classes().unwrap_or(0) }
    }

    /// The activation right after layer `i`, if there is one.
    fn activation_after(&self, i: usize) -> Option<Activation> {
        match self.layers().get(i + 1)?.layer {
            Layer::Activation(f) => Some(f),
            _ => None,
        }
    }

    /// Layer `i` as a convolution kernel, if it is one.
    fn kernel<'a>(&self, i: usize, weight: &'a [f32], bias: &'a [f32]) -> Option<Kernel<'a>> {
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
            Layer::Conv2d(Convolution { window, .. }) => (Direction::Gather, window, input, output),
            Layer::ConvTranspose2d(Convolution { window, .. }) => (Direction::Scatter, window, output, input),
            _ => return None,
        };
        let ((channels, picture), (filters, grid)) = (on_picture, on_grid);
        let geometry = Geometry { channels, picture, filters, grid, window };
        Some(Kernel { weight, bias, direction, geometry })
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
            Record::Kernels { steps, label } => walk_back(network, p, steps, label.as_ref(), dy, wanted),
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
                old.set(&((old.as_tensor() * BATCH_NORM_KEEP)? + (new * (1. - BATCH_NORM_KEEP))?)?)?;
            }
        }
        Ok(())
    }
}

/// Walks the steps back with the CPU kernels.
fn walk_back(
    network: &Network,
    p: &Parameters,
    steps: &[Step],
    label: Option<&Tensor>,
    dy: &Tensor,
    wanted: Wanted,
) -> Result<Gradients> {
    let labels = label.map(|l| network.host_labels(l)).transpose()?;
    let mut parameters: Vec<Tensor> = Vec::new();
    let mut dh: Vec<f32> = host(&dy.contiguous()?)?.to_vec();
    for (i, step) in steps.iter().enumerate().rev() {
        let NamedLayer { name, layer } = &network.layers()[step.layer];
        // The first layer's input gradient is the network's: often nobody asks for it.
        let wanted = Wanted { input: wanted.input || i > 0, ..wanted };
        let x = host(&step.x)?;
        let labels = labels.as_deref().filter(|_| step.labelled).map(|of| network.labels(of));
        let get = |parameter: &str| p.get(&format!("{name}.{parameter}"));
        let mut keep = |names: [&str; 2], gradients: (Vec<f32>, Vec<f32>)| -> Result<()> {
            // Last in the list comes first: `parameters` is reversed at the end.
            for (name, gradient) in names.into_iter().zip([gradients.0, gradients.1]).rev() {
                parameters.push(Tensor::from_vec(gradient, get(name)?.dims(), &Device::Cpu)?);
            }
            Ok(())
        };
        match layer {
            Layer::Linear { .. } | Layer::Conv2d(_) | Layer::ConvTranspose2d(_) => {
                let (weight, bias) = (host(get("weight")?)?, host(get("bias")?)?);
                let back = match network.kernel(step.layer, &weight, &bias) {
                    Some(kernel) => kernel.backward(&x, labels, &dh, wanted),
                    None => {
                        let linear = Linear { weight: &weight, bias: &bias, inputs: step.x.dim(1)? };
                        linear.backward(&x, labels, &dh, wanted)
                    }
                };
                if let Some(gradients) = back.parameters {
                    keep(["weight", "bias"], gradients)?;
                }
                dh = back.x.unwrap_or_default();
            }
            Layer::BatchNorm { .. } => {
                let (gain, offset) = (host(get("gain")?)?, host(get("offset")?)?);
                let after = network.activation_after(step.layer);
                let shape = network.shapes()[step.layer];
                let norm = BatchNorm { gain: &gain, offset: &offset, pixels: pixels(shape), after };
                if let (Some(y), Some(statistics)) = (&step.y, &step.statistics) {
                    let back = norm.backward(&x, &host(y)?, statistics, &dh);
                    if wanted.parameters {
                        keep(["gain", "offset"], (back.gain, back.offset))?;
                    }
                    dh = back.x;
                }
            }
            Layer::Activation(f) => {
                if let Some(y) = &step.y {
                    dh = activation::backward(*f, &host(y)?, &dh);
                }
            }
            // These change no numbers, and leave no step.
            Layer::Label { .. } | Layer::Reshape { .. } | Layer::Flatten => {}
        }
    }
    parameters.reverse();
    let n = dy.dim(0)?;
    let input = match wanted.input {
        true => Some(Tensor::from_vec(dh, network.input().dims(n), &Device::Cpu)?),
        false => None,
    };
    Ok(Gradients { input, parameters })
}

/// H·W of planes, 1 of a vector.
fn pixels(shape: Shape) -> usize {
    match shape {
        Shape::Vector(_) => 1,
        Shape::Planes { height, width, .. } => height * width,
    }
}
