//! Layers, a file each: what it is, its parameters, the shape that it makes, its forward pass, and its
//! backward pass.
//!
//! The forward pass in Candle's own tensor operations runs on any device and in any precision, and Candle
//! differentiates it. It is the definition of the layer; the kernels of [`crate::ops`], which
//! `forward_with` and `backward` call, are measured against it.
//!
//! To add a layer: a file here, and a line in each match below; the walks of `trace` and the exporter don't
//! compile before they know it too.

mod activation;
pub mod batch_norm;
mod conv2d;
mod conv_transpose2d;
mod flatten;
mod label;
mod linear;
mod parameter;
mod reshape;
mod shape;
mod site;
mod window;

use std::fmt;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::{Error, Parameters, Result};

pub use activation::Activation;
pub use batch_norm::{BatchNorm, Mode};
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use label::Label;
pub use linear::Linear;
pub use parameter::{INITIAL_DEVIATION, Initial, ParameterSpec};
pub use reshape::Reshape;
pub use shape::Shape;
pub(crate) use site::Site;
pub use window::Window;

/// A layer. [`Network`](crate::Network) is a list of these; whoever walks the list matches on all
/// of them, so a layer that the exporter can't lower doesn't compile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Layer {
    /// ⊕ y
    Label(Label),
    /// y = x·Wᵀ + b
    Linear(Linear),
    /// Convolution.
    Conv2d(Conv2d),
    /// Transposed convolution.
    ConvTranspose2d(ConvTranspose2d),
    /// Batch norm.
    BatchNorm(BatchNorm),
    /// An activation function.
    Activation(Activation),
    /// A vector taken as planes.
    Reshape(Reshape),
    /// Planes taken as a vector.
    Flatten,
}

impl Layer {
    /// The layer's parameters, in a fixed order.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        match self {
            Layer::Linear(linear) => linear.parameters(),
            Layer::Conv2d(convolution) => convolution.parameters(),
            Layer::ConvTranspose2d(convolution) => convolution.parameters(),
            Layer::BatchNorm(norm) => norm.parameters(),
            Layer::Label(_) | Layer::Activation(_) | Layer::Reshape(_) | Layer::Flatten => vec![],
        }
    }

    /// The shape that this layer makes of `input`.
    ///
    /// # Errors
    /// [`Error::Shape`], naming `name`, if the layer doesn't take that shape.
    pub fn output(&self, name: &str, input: Shape) -> Result<Shape> {
        let output = match self {
            Layer::Label(label) => Ok(label.output(input)),
            Layer::Linear(linear) => linear.output(input),
            Layer::Conv2d(convolution) => convolution.output(input),
            Layer::ConvTranspose2d(convolution) => convolution.output(input),
            Layer::BatchNorm(norm) => norm.output(input),
            Layer::Activation(_) => Ok(input),
            Layer::Reshape(reshape) => reshape.output(input),
            Layer::Flatten => flatten::output(input),
        };
        output.map_err(|takes| wrong(name, &takes, input))
    }

    /// The forward pass in Candle's own operations.
    ///
    /// `statistics` receives (mean, variance) of a batch norm in [`Mode::Train`]; the variance is
    /// the unbiased one that the running average takes.
    ///
    /// # Shapes
    /// `x` (N, features) or (N, C, H, W) as [`Layer::output`] describes; `label` (N) of u32.
    ///
    /// # Errors
    /// Candle's, if a tensor is of another shape, type or device.
    pub fn forward(
        &self,
        parameters: &Parameters,
        name: &str,
        x: &Tensor,
        label: Option<&Tensor>,
        mode: Mode,
        statistics: &mut Vec<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let get = |parameter: &str| parameters.get(&format!("{name}.{parameter}")).map(Var::as_tensor);
        match self {
            Layer::Label(layer) => {
                let label = label.ok_or_else(|| Error::Shape {
                    layer: name.to_string(),
                    message: "takes labels, was given none".to_string(),
                })?;
                layer.forward(x, label)
            }
            Layer::Linear(linear) => linear.forward(x, get("weight")?, get("bias")?),
            Layer::Conv2d(convolution) => convolution.forward(name, x, get("weight")?, get("bias")?),
            Layer::ConvTranspose2d(convolution) => convolution.forward(name, x, get("weight")?, get("bias")?),
            Layer::BatchNorm(norm) => norm.forward(get, x, mode, statistics),
            Layer::Activation(activation) => activation.forward(x),
            Layer::Reshape(reshape) => reshape.forward(x),
            Layer::Flatten => flatten::forward(x),
        }
    }
}

/// What the layer does, in the words of the paper's tables: `conv 5×5 stride 2 SAME, 74 filters`.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut convolution = |name: &str, outputs: usize, window: Window| {
            let filters = if outputs == 1 { "filter" } else { "filters" };
            let Window { kernel, stride, .. } = window;
            write!(f, "{name} {kernel}×{kernel} stride {stride} SAME, {outputs} {filters}")
        };
        match self {
            Layer::Label(label) => write!(f, "⊕ y of {} classes", label.classes),
            Layer::Linear(linear) => write!(f, "linear to {}", linear.outputs),
            Layer::Conv2d(conv) => convolution("conv", conv.outputs, conv.window),
            Layer::ConvTranspose2d(conv) => convolution("transposed conv", conv.outputs, conv.window),
            Layer::BatchNorm(_) => f.write_str("batch norm"),
            Layer::Activation(Activation::Relu) => f.write_str("ReLU"),
            Layer::Activation(Activation::LeakyRelu { slope }) => write!(f, "LeakyReLU {slope}"),
            Layer::Activation(Activation::Sigmoid) => f.write_str("sigmoid"),
            Layer::Activation(Activation::Tanh) => f.write_str("tanh"),
            Layer::Reshape(_) => f.write_str("reshape"),
            Layer::Flatten => f.write_str("flatten"),
        }
    }
}

/// A layer that doesn't take what it was given.
fn wrong(layer: &str, takes: &str, given: Shape) -> Error {
    Error::Shape { layer: layer.to_string(), message: format!("takes {takes}, was given {given}") }
}
