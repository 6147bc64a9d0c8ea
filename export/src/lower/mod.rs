//! Lowers a network's list of layers to an ONNX graph, one function a layer.
//!
//! The graph is for sampling, and says the same as the forward pass in [`models::Mode::Sample`] with
//! fewer steps:
//!
//! - Batch norm with running averages multiplies and adds per channel, so the weights and the bias
//!   of the layer before it take it in.
//! - A label is one of few, so what its planes or numbers add to a linear layer or a convolution is
//!   worked out here and becomes a row of a table (`Gather`); the weights lose those inputs.
//!
//! Nodes are named after layers, and initializers after the parameters that they stand for.

mod affine;
mod convolution;
mod label;
mod linear;
mod norm;
mod stages;

use candle_core::{DType, Device};
use models::{Activation, Layer, NamedLayer, Network, Parameters, Shape};

use crate::onnx::{Attribute, Dim, Graph, Node, Tensor, Type, Value};
use crate::{Error, Result};
use affine::Affine;
use stages::{Stage, stages};

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
/// let graph = lower(&network, &weights, &Names { input: "z", label: "label", output: "h" })?;
/// // The label's row of a table, the linear layer that adds it, ReLU.
/// let operators: Vec<_> = graph.proto().node.iter().map(|node| node.op_type.as_str()).collect();
/// assert_eq!(operators, ["Gather", "Gemm", "Relu"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Model`] if the weights are not the network's, [`Error::Graph`] if a name stands twice.
pub fn lower(network: &Network, parameters: &Parameters, names: &Names<'_>) -> Result<Graph> {
    let mut graph = Graph::new(network.name());
    let value = graph.input(names.input, type_of(network.input()))?;
    let label = match network.classes() {
        Some(_) => Some(graph.input(names.label, Type::int64(vec![Dim::Symbol(BATCH.into())]))?),
        None => None,
    };
    let mut lowering = Lowering { graph, parameters, label, value, shape: network.input() };
    for stage in stages(network) {
        lowering.stage(&stage)?;
    }
    let Lowering { mut graph, value, .. } = lowering;
    graph.output(&value, names.output)?;
    Ok(graph)
}

/// A walk over the layers.
struct Lowering<'a> {
    graph: Graph,
    parameters: &'a Parameters,
    /// The graph's input of that name.
    label: Option<Value>,
    /// What the layers so far made.
    value: Value,
    /// Its shape, without N.
    shape: Shape,
}

impl Lowering<'_> {
    /// Every kind of layer, by name: one that isn't here doesn't compile.
    fn stage(&mut self, stage: &Stage<'_>) -> Result<()> {
        let NamedLayer { name, layer } = stage.layer;
        self.value = match *layer {
            Layer::Label { classes } => self.append_label(name, classes, stage.output)?,
            Layer::Linear { outputs, .. } => self.linear(stage, outputs)?,
            Layer::Conv2d(settings) => self.convolution(stage, &settings, convolution::Direction::Forward)?,
            Layer::ConvTranspose2d(settings) => {
                self.convolution(stage, &settings, convolution::Direction::Transposed)?
            }
            Layer::BatchNorm { .. } => self.batch_norm(name, stage.output)?,
            Layer::Activation(activation) => self.activation(name, activation)?,
            Layer::Reshape { channels, height, width } => {
                self.reshape(name, [channels, height, width], stage.output)?
            }
            Layer::Flatten => self.flatten(name, stage.output)?,
        };
        self.shape = stage.output;
        Ok(())
    }

    /// Relu-14, LeakyRelu-16, Sigmoid-13, Tanh-13.
    fn activation(&mut self, name: &str, activation: Activation) -> Result<Value> {
        let node = |operator| Node::new(operator, name, self.value.type_of().clone()).input(&self.value);
        let node = match activation {
            Activation::Relu => node("Relu"),
            Activation::LeakyRelu { slope } => node("LeakyRelu").attribute("alpha", Attribute::Float(slope)),
            Activation::Sigmoid => node("Sigmoid"),
            Activation::Tanh => node("Tanh"),
        };
        self.graph.node(node)
    }

    /// Reshape-14; a 0 in the shape keeps that dimension, here N.
    fn reshape(&mut self, name: &str, [c, h, w]: [usize; 3], output: Shape) -> Result<Value> {
        let shape = Tensor::int64(&[4], [0, c as i64, h as i64, w as i64])?;
        let shape = self.graph.initializer(&format!("{name}.shape"), shape)?;
        let node = Node::new("Reshape", name, type_of(output)).input(&self.value).input(&shape);
        self.graph.node(node)
    }

    /// Flatten-13: N stays, the rest becomes one dimension.
    fn flatten(&mut self, name: &str, output: Shape) -> Result<Value> {
        let node = Node::new("Flatten", name, type_of(output));
        self.graph.node(node.input(&self.value).attribute("axis", Attribute::Int(1)))
    }

    /// The graph's label input, for the layer `name`.
    fn label_input(&self, name: &str) -> Result<Value> {
        self.label.clone().ok_or_else(|| Error::Graph {
            node: name.to_string(),
            message: "takes labels, but the network has none".to_string(),
        })
    }

    /// A parameter's numbers on the host, row by row, in double precision.
    fn parameter(&self, layer: &str, parameter: &str) -> Result<Vec<f64>> {
        let tensor = self.parameters.get(&format!("{layer}.{parameter}"))?;
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    }

    /// What the batch norms behind a layer of `channels` outputs do, all together.
    fn norms(&self, stage: &Stage<'_>, channels: usize) -> Result<Affine> {
        let mut affine = Affine::identity(channels);
        for norm in &stage.norms {
            affine = affine.then(&self.running_norm(&norm.name)?);
        }
        Ok(affine)
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

/// Double precision, rounded once, as the file holds it.
fn float32(dims: &[usize], values: impl IntoIterator<Item = f64>) -> Result<Tensor> {
    Tensor::float32(dims, values.into_iter().map(|value| value as f32))
}
