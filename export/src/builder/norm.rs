//! Normalisation: by running averages, by layer, by root mean square, by groups of channels.

use candle_core::{DType, Device, Tensor as Numbers};
use candle_nn::{BatchNorm, GroupNorm, LayerNorm, Module, ModuleT, RmsNorm};

use super::group_norm::Found;
use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Operator, Tensor, Value};

impl Builder {
    /// Batch norm with its running averages, as `forward_t(x, false)` (Ioffe and Szegedy 2015, algorithm 2).
    ///
    /// # Shapes
    /// (N, C, …) → the same
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other channels.
    pub fn batch_norm(&self, x: &Step, norm: &BatchNorm) -> Result<Step> {
        let (mean, variance) = (norm.running_mean(), norm.running_var());
        let affine = match norm.weight_and_bias() {
            Some((weight, bias)) => (weight.clone(), bias.clone()),
            None => (variance.ones_like()?, variance.zeros_like()?),
        };
        let lower = |nodes: &mut Nodes<'_>| {
            // In the operator's order: scale, B, input_mean, input_var.
            let parameters = [
                ("weight", &affine.0),
                ("bias", &affine.1),
                ("running_mean", mean),
                ("running_variance", variance),
            ];
            let parameters = parameters.map(|(name, numbers)| nodes.weight(name, numbers));
            let parameters = parameters.into_iter().collect::<Result<Vec<_>>>()?;
            let inputs: Vec<&Value> = [&x.value].into_iter().chain(&parameters).collect();
            nodes.last(Operator::BatchNormalization { epsilon: norm.eps() as f32 }, &inputs)
        };
        self.step("batch_norm", &[x], lower, |x| norm.forward_t(x[0], false))
    }

    /// Each row by its own mean and variance (Ba et al. 2016); by its root mean square alone where the
    /// module doesn't remove the mean.
    ///
    /// # Shapes
    /// (N, …, features) → the same
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other features.
    pub fn layer_norm(&self, x: &Step, norm: &LayerNorm) -> Result<Step> {
        let lower = |nodes: &mut Nodes<'_>| match norm.remove_mean() {
            false => rms(nodes, x, norm.weight(), norm.bias(), norm.eps()),
            true => {
                let weight = nodes.weight("weight", norm.weight())?;
                let bias = norm.bias().map(|bias| nodes.weight("bias", bias)).transpose()?;
                let inputs: Vec<&Value> = [&x.value, &weight].into_iter().chain(&bias).collect();
                nodes.last(Operator::LayerNormalization { epsilon: norm.eps() as f32 }, &inputs)
            }
        };
        self.step("layer_norm", &[x], lower, |x| norm.forward(x[0]))
    }

    /// Each row by its root mean square (Zhang and Sennrich 2019).
    ///
    /// # Shapes
    /// (N, …, features) → the same
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other features.
    pub fn rms_norm(&self, x: &Step, norm: &RmsNorm) -> Result<Step> {
        let lower = |nodes: &mut Nodes<'_>| rms(nodes, x, norm.weight(), None, norm.eps());
        self.step("rms_norm", &[x], lower, |x| norm.forward(x[0]))
    }

    /// Groups of channels, each by its own mean and variance (Wu and He 2018).
    ///
    /// candle-nn keeps all numbers of this module to itself, so they are found by what the module makes of
    /// a few chosen inputs, and checked on others.
    ///
    /// # Shapes
    /// (N, C, …) → the same
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other channels, or the numbers can't be found.
    pub fn group_norm(&self, x: &Step, norm: &GroupNorm) -> Result<Step> {
        let item = x.item();
        let Some(&channels) = item.first().filter(|_| item.len() > 1) else {
            return self.refuse("group_norm", format!("takes planes, was given {}", x.value.type_of()));
        };
        let device = x.tensor().map_or(Device::Cpu, |tensor| tensor.device().clone());
        let found = match Found::of(norm, channels, &device) {
            Ok(found) => found,
            Err(message) => return self.refuse("group_norm", message),
        };
        let lower = |nodes: &mut Nodes<'_>| grouped(nodes, x, &item, &found);
        self.step("group_norm", &[x], lower, |x| norm.forward(x[0]))
    }
}

/// x / √(mean of x² + ε) · weight, and the bias if there is one.
fn rms(
    nodes: &mut Nodes<'_>,
    x: &Step,
    weight: &Numbers,
    bias: Option<&Numbers>,
    epsilon: f64,
) -> Result<Value> {
    let square = nodes.node("square", Operator::Mul, &[&x.value, &x.value])?;
    let mean = Operator::ReduceMean { axes: vec![x.rank().saturating_sub(1)], keep: true };
    let mean = nodes.node("mean", mean, &[&square])?;
    let epsilon = nodes.number("epsilon", epsilon)?;
    let sum = nodes.node("sum", Operator::Add, &[&mean, &epsilon])?;
    let root = nodes.node("root", Operator::Sqrt, &[&sum])?;
    let normal = nodes.node("normal", Operator::Div, &[&x.value, &root])?;
    let weight = nodes.weight("weight", weight)?;
    match bias {
        None => nodes.last(Operator::Mul, &[&normal, &weight]),
        Some(bias) => {
            let bias = nodes.weight("bias", bias)?;
            let scaled = nodes.node("scaled", Operator::Mul, &[&normal, &weight])?;
            nodes.last(Operator::Add, &[&scaled, &bias])
        }
    }
}

/// Groups as the planes of an instance norm: ONNX has none of groups before operator set 18.
fn grouped(nodes: &mut Nodes<'_>, x: &Step, item: &[usize], found: &Found) -> Result<Value> {
    let Found { groups, epsilon, weight, bias } = found;
    let channels = item[0];
    let operator = Operator::InstanceNormalization { epsilon: *epsilon as f32 };
    if *groups == channels {
        let weight = nodes.weight("weight", weight)?;
        let bias = nodes.weight("bias", bias)?;
        return nodes.last(operator, &[&x.value, &weight, &bias]);
    }
    let numbers = item.iter().product::<usize>() / groups;
    let planes = Operator::Reshape { item: vec![*groups, numbers] };
    let planes = nodes.node("groups", planes, &[&x.value])?;
    let plain = |number: f32| Tensor::float32(&[*groups], vec![number; *groups]);
    let ones = nodes.initializer("ones", plain(1.)?)?;
    let zeros = nodes.initializer("zeros", plain(0.)?)?;
    let normal = nodes.node("normal", operator, &[&planes, &ones, &zeros])?;
    let normal = nodes.node("channels", Operator::Reshape { item: item.to_vec() }, &[&normal])?;
    let of_channel = [&[channels], vec![1; item.len() - 1].as_slice()].concat();
    let of_channel = |numbers: &Numbers| numbers.to_dtype(DType::F32)?.reshape(of_channel.as_slice());
    let weight = nodes.weight("weight", &of_channel(weight)?)?;
    let scaled = nodes.node("scaled", Operator::Mul, &[&normal, &weight])?;
    let bias = nodes.weight("bias", &of_channel(bias)?)?;
    nodes.last(Operator::Add, &[&scaled, &bias])
}
