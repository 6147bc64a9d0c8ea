//! Lowers a network's list of layers to an ONNX graph, one function a layer.
//!
//! The graph is for sampling, and says the same as the forward pass in [`models::Mode::Sample`], step
//! by step; [`crate::passes`] make fewer steps of it. Nodes are named after layers, and initializers
//! after parameters.

use candle_core::{DType, Device};
use models::layers::batch_norm::EPSILON;
use models::layers::{Activation, Layer, Reshape, Shape, Window};
use models::{NamedLayer, Network, Parameters};

use crate::onnx::{Dim, Graph, Operator, Sliding, Tensor, Type, Value};
use crate::{Error, Result};

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

/// The symbolic dimension N.
const BATCH: &str = "batch";

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
/// [`Error::Model`] if the weights are not the network's, [`Error::Graph`] if a name stands twice.
pub fn lower(network: &Network, parameters: &Parameters, names: &Names<'_>) -> Result<Graph> {
    let mut graph = Graph::new(network.name());
    let mut value = graph.input(names.input, type_of(network.input()))?;
    let label = match network.classes() {
        Some(_) => Some(graph.input(names.label, Type::int64(vec![Dim::Symbol(BATCH.into())]))?),
        None => None,
    };
    let mut lowering = Lowering { graph, parameters, label };
    for (layer, &output) in network.layers().iter().zip(network.shapes()) {
        value = lowering.layer(layer, &value, output)?;
    }
    let mut graph = lowering.graph;
    graph.output(&value, names.output)?;
    Ok(graph)
}

/// A walk over the layers.
struct Lowering<'a> {
    graph: Graph,
    parameters: &'a Parameters,
    /// The graph's input of that name.
    label: Option<Value>,
}

impl Lowering<'_> {
    /// Every kind of layer, by name: one that isn't here doesn't compile. `output` is its shape.
    fn layer(&mut self, NamedLayer { name, layer }: &NamedLayer, x: &Value, output: Shape) -> Result<Value> {
        match *layer {
            Layer::Label(label) => self.append_label(name, label.classes, x, output),
            Layer::Linear(_) => self.weighted(name, Operator::Gemm, x),
            Layer::Conv2d(conv) => self.weighted(name, Operator::Conv(sliding(conv.window)), x),
            Layer::ConvTranspose2d(conv) => {
                self.weighted(name, Operator::ConvTranspose(sliding(conv.window)), x)
            }
            Layer::BatchNorm(_) => self.batch_norm(name, x),
            Layer::Activation(activation) => self.graph.node(name, operator(activation), &[x]),
            Layer::Reshape(Reshape { channels, height, width }) => {
                self.graph.node(name, Operator::Reshape { item: vec![channels, height, width] }, &[x])
            }
            Layer::Flatten => self.graph.node(name, Operator::Flatten, &[x]),
        }
    }

    /// A linear layer or a convolution: x, `weight`, `bias`.
    fn weighted(&mut self, name: &str, operator: Operator, x: &Value) -> Result<Value> {
        let [weight, bias] = ["weight", "bias"].map(|parameter| self.parameter(name, parameter));
        self.graph.node(name, operator, &[x, &weight?, &bias?])
    }

    /// Batch norm with running averages (Ioffe and Szegedy 2015, algorithm 2).
    fn batch_norm(&mut self, name: &str, x: &Value) -> Result<Value> {
        // In the operator's order: scale, B, input_mean, input_var.
        let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_variance"]
            .map(|parameter| self.parameter(name, parameter));
        let operator = Operator::BatchNormalization { epsilon: EPSILON as f32 };
        self.graph.node(name, operator, &[x, &weight?, &bias?, &mean?, &variance?])
    }

    /// ⊕ y: a row of the identity for each label, as constant planes behind feature maps.
    fn append_label(&mut self, name: &str, classes: usize, x: &Value, output: Shape) -> Result<Value> {
        let label = self.label.clone().ok_or_else(|| Error::Graph {
            node: name.to_string(),
            message: "takes labels, but the network has none".to_string(),
        })?;
        let identity = (0..classes * classes).map(|i| if i % (classes + 1) == 0 { 1. } else { 0. });
        let identity = Tensor::float32(&[classes, classes], identity)?;
        let identity = self.graph.initializer(&format!("{name}.identity"), identity)?;
        let mut y = self.graph.node(&format!("{name}.one_hot"), Operator::Gather, &[&identity, &label])?;
        if let Shape::Planes { height, width, .. } = output {
            let points = Operator::Unsqueeze { axes: vec![2, 3] };
            y = self.graph.node(&format!("{name}.points"), points, &[&y])?; // N, classes, 1, 1
            let planes = Operator::Expand { dims: vec![1, classes, height, width] };
            y = self.graph.node(&format!("{name}.planes"), planes, &[&y])?; // N, classes, H, W
        }
        self.graph.node(name, Operator::Concat { axis: 1 }, &[x, &y])
    }

    /// A parameter as an initializer.
    fn parameter(&mut self, layer: &str, parameter: &str) -> Result<Value> {
        let name = format!("{layer}.{parameter}");
        let numbers = self.parameters.get(&name)?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let tensor = Tensor::float32(numbers.dims(), numbers.flatten_all()?.to_vec1::<f32>()?)?;
        self.graph.initializer(&name, tensor)
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

fn operator(activation: Activation) -> Operator {
    match activation {
        Activation::Relu => Operator::Relu,
        Activation::LeakyRelu { slope } => Operator::LeakyRelu { alpha: slope },
        Activation::Sigmoid => Operator::Sigmoid,
        Activation::Tanh => Operator::Tanh,
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
