//! A forward pass that remembers what the backward pass needs, and the backward pass.
//!
//! On the CPU and on CUDA the list is walked with the kernels of [`crate::ops`], forward and backward;
//! elsewhere (Metal, f64) the layers' own Candle operations run and Candle differentiates them.
//! Both give the same numbers within rounding, which tests hold them to.
//!
//! Why not Candle's differentiation everywhere: it sums every gradient into a tensor of zeros, and
//! computes the gradients of weights that nobody asked for. Both cost as much as the arithmetic.

use candle_core::{Tensor, Var};

use crate::layers::batch_norm::MOMENTUM;
use crate::layers::{Activation, Layer, Mode, Site};
use crate::network::{NamedLayer, Network};
use crate::ops::{Factors, Kernels, Labels, Statistics, kernels_for};
use crate::{Gradients, Parameters, Result, Wanted};

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

/// A layer in the forward pass, with what the backward pass needs.
struct Step {
    /// Where it is in the list.
    layer: usize,
    /// What came in: (N, …) without the label.
    x: Tensor,
    /// What came out, the activation included, where that is needed.
    y: Option<Tensor>,
    /// A batch norm's statistics.
    statistics: Option<Statistics>,
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
        self.trace_with(self.kernels_for(x, self.factors()), p, x, label)
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
        self.sample_with(self.kernels_for(x, Factors::Float32), p, x, label)
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
        let mut i = 0;
        while i < self.layers().len() {
            let site = self.site(i, kernels, p, label.as_ref());
            let mut step = Step { layer: i, x: h.clone(), y: None, statistics: None };
            match &self.layers()[i].layer {
                Layer::Label(_) => {
                    i += 1;
                    continue;
                }
                Layer::Reshape(_) | Layer::Flatten => {
                    h = h.reshape(self.shapes()[i].dims(n))?;
                    i += 1;
                    continue;
                }
                Layer::Linear(linear) => h = linear.forward_with(&site, &h)?,
                Layer::Conv2d(convolution) => h = convolution.forward_with(&site, &h)?,
                Layer::ConvTranspose2d(convolution) => h = convolution.forward_with(&site, &h)?,
                Layer::BatchNorm(norm) => {
                    let after = self.activation_after(i);
                    i += usize::from(after.is_some());
                    (h, step.statistics) = norm.forward_with(&site, &h, after, mode)?;
                    step.y = Some(h.clone());
                }
                Layer::Activation(f) => {
                    h = f.forward_with(&site, &h)?;
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

    /// Layer `i`, with the labels if they are appended right before it.
    fn site<'a>(
        &'a self,
        i: usize,
        kernels: &'a dyn Kernels,
        parameters: &'a Parameters,
        label: Option<&'a Tensor>,
    ) -> Site<'a> {
        let before = |i: usize| if i == 0 { self.input() } else { self.shapes()[i - 1] };
        let labelled = i > 0 && matches!(self.layers()[i - 1].layer, Layer::Label(_));
        Site {
            name: &self.layers()[i].name,
            kernels,
            parameters,
            labels: label.filter(|_| labelled).and_then(|of| Some(Labels { of, classes: self.classes()? })),
            input: if labelled { before(i - 1) } else { before(i) },
            output: self.shapes()[i],
        }
    }

    /// The kernels for this input, if there are any.
    fn kernels_for(&self, x: &Tensor, factors: Factors) -> Option<&'static dyn Kernels> {
        kernels_for(x, factors).filter(|_| self.suits_kernels())
    }

    /// Whether all layers have kernels. They take a label only where a layer with weights follows it.
    fn suits_kernels(&self) -> bool {
        let weighs = |l: &NamedLayer| {
            matches!(l.layer, Layer::Linear(_) | Layer::Conv2d(_) | Layer::ConvTranspose2d(_))
        };
        self.layers().iter().enumerate().all(|(i, l)| match l.layer {
            Layer::Label(_) => self.layers().get(i + 1).is_some_and(weighs),
            Layer::Linear(_) | Layer::Conv2d(_) | Layer::ConvTranspose2d(_) | Layer::BatchNorm(_) => true,
            Layer::Activation(_) | Layer::Reshape(_) | Layer::Flatten => true,
        })
    }

    /// The activation right after layer `i`, if there is one.
    fn activation_after(&self, i: usize) -> Option<Activation> {
        match self.layers().get(i + 1)?.layer {
            Layer::Activation(f) => Some(f),
            _ => None,
        }
    }
}

impl Trace {
    /// The backward pass: from the gradient of a loss with respect to [`Trace::output`] to those that
    /// are `wanted`. `p` must be as it was in the forward pass.
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
                walk_backward(*kernels, network, p, steps, label.as_ref(), dy, wanted)
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
        let norms = network.layers().iter().filter(|l| matches!(l.layer, Layer::BatchNorm(_)));
        for (norm, (mean, variance)) in norms.zip(&self.statistics) {
            for (name, new) in [("running_mean", mean), ("running_variance", variance)] {
                let old = p.get(&format!("{}.{name}", norm.name))?;
                match &self.record {
                    Record::Kernels { kernels, .. } => kernels.blend(old, new, MOMENTUM.into())?,
                    Record::Candle { .. } => {
                        old.set(&((old.as_tensor() * (1. - MOMENTUM))? + (new * MOMENTUM)?)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Walks the steps backward with kernels.
fn walk_backward(
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
        let site = network.site(step.layer, kernels, p, label.as_ref());
        // The first layer's input gradient is the network's: often nobody asks for it.
        let wanted = Wanted { input: wanted.input || i > 0, ..wanted };
        // Steps that change no numbers were left out in the forward pass, their shapes with them.
        dh = dh.reshape(site.output.dims(n))?;
        let gradients = match &network.layers()[step.layer].layer {
            Layer::Linear(linear) => linear.backward(&site, &step.x, &dh, wanted)?,
            Layer::Conv2d(convolution) => convolution.backward(&site, &step.x, &dh, wanted)?,
            Layer::ConvTranspose2d(convolution) => convolution.backward(&site, &step.x, &dh, wanted)?,
            Layer::BatchNorm(norm) => {
                let (Some(y), Some(statistics)) = (&step.y, &step.statistics) else { continue };
                let after = network.activation_after(step.layer);
                norm.backward(&site, (&step.x, y, statistics), after, &dh)?
            }
            Layer::Activation(f) => {
                if let Some(y) = &step.y {
                    dh = f.backward(&site, y, &dh)?;
                }
                continue;
            }
            // These change no numbers and record no step.
            Layer::Label(_) | Layer::Reshape(_) | Layer::Flatten => continue,
        };
        // Last in the list comes first: `parameters` is reversed at the end.
        if wanted.parameters {
            parameters.extend(gradients.parameters.into_iter().flat_map(|(weight, bias)| [bias, weight]));
        }
        match gradients.x {
            Some(dx) => dh = dx,
            None => break,
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
