//! What becomes of each number: candle-nn's activations, and softmax.

use candle_core::Tensor as Numbers;
use candle_core::shape::Dim;
use candle_nn::{Activation, Module, PReLU, ops};

use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Operator, Value};

impl Builder {
    /// Any of candle-nn's activations.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x is no float32, or of `Swiglu` if its last axis can't be halved.
    pub fn activation(&self, x: &Step, activation: &Activation) -> Result<Step> {
        let kind = match activation {
            Activation::Gelu | Activation::NewGelu | Activation::GeluPytorchTanh => "gelu",
            Activation::Relu => "relu",
            Activation::Relu2 => "relu2",
            Activation::Relu6 => "relu6",
            Activation::Silu | Activation::Swish => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::Swiglu => "swiglu",
            Activation::Mish => "mish",
            Activation::HardSwish => "hard_swish",
            Activation::Elu(_) => "elu",
            Activation::LeakyRelu(_) => "leaky_relu",
        };
        let features = x.item().last().copied().unwrap_or_default();
        let last = x.rank().saturating_sub(1);
        let lower = |nodes: &mut Nodes<'_>| lower(nodes, activation, &x.value, last, features);
        self.step(kind, &[x], lower, |x| activation.forward(x[0]))
    }

    /// max(x, 0).
    ///
    /// # Errors
    /// As [`Builder::activation`].
    pub fn relu(&self, x: &Step) -> Result<Step> {
        self.activation(x, &Activation::Relu)
    }

    /// x · Φ(x), as `Tensor::gelu_erf` and PyTorch's GELU; `Tensor::gelu` is [`Activation::NewGelu`].
    ///
    /// # Errors
    /// As [`Builder::activation`].
    pub fn gelu_erf(&self, x: &Step) -> Result<Step> {
        self.activation(x, &Activation::Gelu)
    }

    /// x · σ(x).
    ///
    /// # Errors
    /// As [`Builder::activation`].
    pub fn silu(&self, x: &Step) -> Result<Step> {
        self.activation(x, &Activation::Silu)
    }

    /// 1 / (1 + e⁻ˣ).
    ///
    /// # Errors
    /// As [`Builder::activation`].
    pub fn sigmoid(&self, x: &Step) -> Result<Step> {
        self.activation(x, &Activation::Sigmoid)
    }

    /// The hyperbolic tangent.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x is of another graph.
    pub fn tanh(&self, x: &Step) -> Result<Step> {
        self.node("tanh", Operator::Tanh, &[x], |x| x[0].tanh())
    }

    /// x, and slope · x below 0, the slope one number or one a channel.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other channels.
    pub fn prelu(&self, x: &Step, prelu: &PReLU) -> Result<Step> {
        let weight = prelu.weight();
        let same =
            x.dims().iter().map(crate::onnx::Dim::fixed).eq(weight.dims().iter().map(|&size| Some(size)));
        let dims = match (prelu.is_scalar(), same) {
            (true, _) => vec![1],
            (false, true) => weight.dims().to_vec(),
            // One a channel, which is axis 1.
            (false, false) => [vec![weight.elem_count()], vec![1; x.rank().saturating_sub(2)]].concat(),
        };
        let lower = |nodes: &mut Nodes<'_>| {
            let slope = nodes.weight("weight", &weight.reshape(dims)?)?;
            nodes.last(Operator::PRelu, &[&x.value, &slope])
        };
        self.step("prelu", &[x], lower, |x| prelu.forward(x[0]))
    }

    /// Positive numbers that add up to 1 along one axis.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if there is no such axis, or it counts items.
    pub fn softmax(&self, x: &Step, axis: impl Dim) -> Result<Step> {
        let axis = self.axis("softmax", x, axis)?;
        let is_last = axis + 1 == x.rank();
        self.node("softmax", Operator::Softmax { axis }, &[x], |x| softmax(x[0], axis, is_last))
    }
}

/// As Candle's users have it: along the last axis by a kernel of its own.
pub(super) fn softmax(x: &Numbers, axis: usize, is_last: bool) -> candle_core::Result<Numbers> {
    match is_last {
        true => ops::softmax_last_dim(&x.contiguous()?),
        false => ops::softmax(x, axis),
    }
}

/// The nodes of an activation. Those that ONNX has in later operator sets alone are written out.
fn lower(
    nodes: &mut Nodes<'_>,
    activation: &Activation,
    x: &Value,
    last: usize,
    features: usize,
) -> Result<Value> {
    let operator = match *activation {
        Activation::Relu => Operator::Relu,
        Activation::Relu6 => Operator::Clip { least: 0., largest: 6. },
        Activation::Sigmoid => Operator::Sigmoid,
        Activation::HardSigmoid => HARD_SIGMOID,
        Activation::Elu(alpha) => Operator::Elu { alpha: alpha as f32 },
        Activation::LeakyRelu(slope) => Operator::LeakyRelu { alpha: slope as f32 },
        Activation::Relu2 => {
            let relu = nodes.node("relu", Operator::Relu, &[x])?;
            return nodes.last(Operator::Mul, &[&relu, &relu]);
        }
        Activation::Silu | Activation::Swish => {
            let gate = nodes.node("gate", Operator::Sigmoid, &[x])?;
            return nodes.last(Operator::Mul, &[x, &gate]);
        }
        Activation::HardSwish => {
            let gate = nodes.node("gate", HARD_SIGMOID, &[x])?;
            return nodes.last(Operator::Mul, &[x, &gate]);
        }
        Activation::Mish => {
            let plus = nodes.node("plus", Operator::Softplus, &[x])?;
            let gate = nodes.node("gate", Operator::Tanh, &[&plus])?;
            return nodes.last(Operator::Mul, &[x, &gate]);
        }
        Activation::Swiglu => {
            let half = features / 2;
            let part = |start, end| Operator::SliceAlong { axis: last, start, end };
            let [a, b] = [("a", part(0, half)), ("b", part(half, features))]
                .map(|(name, operator)| nodes.node(name, operator, &[x]));
            let (a, b) = (a?, b?);
            let gate = nodes.node("gate", Operator::Sigmoid, &[&a])?;
            let a = nodes.node("silu", Operator::Mul, &[&a, &gate])?;
            return nodes.last(Operator::Mul, &[&a, &b]);
        }
        // ½ x (1 + erf(x / √2)).
        Activation::Gelu => {
            let scale = nodes.number("scale", std::f64::consts::FRAC_1_SQRT_2)?;
            let scaled = nodes.node("scaled", Operator::Mul, &[x, &scale])?;
            let curve = nodes.node("erf", Operator::Erf, &[&scaled])?;
            return half_of_one_more(nodes, x, &curve);
        }
        // ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
        Activation::NewGelu | Activation::GeluPytorchTanh => {
            let square = nodes.node("square", Operator::Mul, &[x, x])?;
            let cube = nodes.node("cube", Operator::Mul, &[&square, x])?;
            let factor = nodes.number("factor", 0.044715)?;
            let cube = nodes.node("of_cube", Operator::Mul, &[&cube, &factor])?;
            let sum = nodes.node("sum", Operator::Add, &[x, &cube])?;
            let scale = nodes.number("scale", (2. / std::f64::consts::PI).sqrt())?;
            let scaled = nodes.node("scaled", Operator::Mul, &[&sum, &scale])?;
            let curve = nodes.node("tanh", Operator::Tanh, &[&scaled])?;
            return half_of_one_more(nodes, x, &curve);
        }
    };
    nodes.last(operator, &[x])
}

/// (x + 3) / 6, limited.
const HARD_SIGMOID: Operator = Operator::HardSigmoid { alpha: 1. / 6., beta: 0.5 };

/// ½ x (1 + curve).
fn half_of_one_more(nodes: &mut Nodes<'_>, x: &Value, curve: &Value) -> Result<Value> {
    let one = nodes.number("one", 1.)?;
    let more = nodes.node("one_more", Operator::Add, &[curve, &one])?;
    let product = nodes.node("of_x", Operator::Mul, &[x, &more])?;
    let half = nodes.number("half", 0.5)?;
    nodes.last(Operator::Mul, &[&product, &half])
}
