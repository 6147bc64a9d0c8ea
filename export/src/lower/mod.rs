//! Lowers a network's list of layers to an ONNX graph, a file a layer: each is a step of
//! [`crate::builder`], as any other network's.
//!
//! The graph is for sampling, and says the same as the forward pass in [`models::Mode::Sample`], step
//! by step; [`crate::passes`] make fewer steps of it. Nodes are named after layers, and initializers
//! after parameters.

mod activation;
mod batch_norm;
mod conv2d;
mod conv_transpose2d;
mod flatten;
mod label;
mod linear;
mod reshape;

use candle_core::Tensor;
use models::layers::{Layer, Shape, Window};
use models::{NamedLayer, Network, Parameters};

use crate::Result;
use crate::builder::{BATCH, Builder, Kernels, Step};
use crate::onnx::{Dim, Graph, Sliding, Type};

/// Names of the graph's inputs and its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// The network's input, float32, (batch, …).
    pub input: &'a str,
    /// Class indices, int64, (batch); unused by a network without labels.
    pub label: &'a str,
    /// The network's output, float32, (batch, …).
    pub output: &'a str,
}

/// The graph of a network with these weights.
///
/// ```
/// use export::lower::{Names, lower};
/// use models::{Network, Shape};
///
/// # fn main() -> export::Result<()> {
/// let network = Network::builder("tiny", Shape::Vector(4))
///     .label("h0.label", 3)
///     .linear("h0.linear", 6)
///     .batch_norm("h0.norm")
///     .relu("h0.relu")
///     .build()?;
/// let weights = network.initialise(7, &candle_core::Device::Cpu)?;
/// let names = Names { input: "z", label: "label", output: "h" };
/// let graph = lower(&network, &weights, &names)?;
/// let operators = |graph: &export::onnx::Graph| {
///     graph.nodes().iter().map(|node| node.operator.name()).collect::<Vec<_>>()
/// };
/// assert_eq!(operators(&graph), ["Gather", "Concat", "Gemm", "BatchNormalization", "Relu"]);
///
/// // The label's row of a table, the linear layer that adds it, ReLU.
/// let graph = export::passes::simplify(graph)?;
/// assert_eq!(operators(&graph), ["Gather", "Gemm", "Relu"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`crate::Error::Model`] if the weights are not the network's, [`crate::Error::Graph`] if a name stands twice.
pub fn lower(network: &Network, parameters: &Parameters, names: &Names<'_>) -> Result<Graph> {
    let graph = Builder::new(network.name());
    let mut value = graph.input(names.input, type_of(network.input()))?;
    let label = match network.classes() {
        Some(_) => Some(graph.input(names.label, Type::int64(vec![Dim::Symbol(BATCH.into())]))?),
        None => None,
    };
    let mut lowering = Lowering { graph, parameters, label };
    for layer in network.layers() {
        value = lowering.layer(layer, &value)?;
    }
    let graph = lowering.graph;
    graph.output(&value, names.output)?;
    Ok(graph.finish())
}

/// A walk over the layers.
struct Lowering<'a> {
    graph: Builder,
    parameters: &'a Parameters,
    /// The graph's input of that name.
    label: Option<Step>,
}

impl Lowering<'_> {
    /// Every kind of layer, by name: one that isn't here doesn't compile.
    fn layer(&mut self, NamedLayer { name, layer }: &NamedLayer, x: &Step) -> Result<Step> {
        match layer {
            Layer::Label(layer) => label::lower(self, layer, name, x),
            Layer::Linear(_) => linear::lower(self, name, x),
            Layer::Conv2d(convolution) => conv2d::lower(self, convolution, name, x),
            Layer::ConvTranspose2d(convolution) => conv_transpose2d::lower(self, convolution, name, x),
            Layer::BatchNorm(_) => batch_norm::lower(self, name, x),
            Layer::Activation(activation) => activation::lower(self, *activation, name, x),
            Layer::Reshape(reshape) => reshape::lower(self, reshape, name, x),
            Layer::Flatten => flatten::lower(self, name, x),
        }
    }

    /// A convolution's numbers.
    fn kernels(&self, name: &str, window: Window) -> Result<Kernels> {
        let (weight, bias) = (self.parameter(name, "weight")?, self.parameter(name, "bias")?);
        Ok(Kernels { weight, bias: Some(bias), sliding: sliding(window) })
    }

    /// A layer's parameter.
    fn parameter(&self, layer: &str, parameter: &str) -> Result<Tensor> {
        Ok(self.parameters.get(&format!("{layer}.{parameter}"))?.as_tensor().clone())
    }
}

/// The zeros may differ between the sides: ONNX has them above, left, below, right.
fn sliding(window: Window) -> Sliding {
    Sliding {
        kernel: [window.kernel; 2],
        strides: [window.stride; 2],
        pads: [window.rows.0, window.columns.0, window.rows.1, window.columns.1],
    }
}

/// float32, (batch, …).
fn type_of(shape: Shape) -> Type {
    let item: &[usize] = match shape {
        Shape::Vector(features) => &[features],
        Shape::Planes { channels, height, width } => &[channels, height, width],
    };
    let dims = item.iter().map(|&size| Dim::Fixed(size));
    Type::float32([Dim::Symbol(BATCH.into())].into_iter().chain(dims).collect())
}
