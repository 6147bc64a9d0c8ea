//! From a graph to ONNX's own messages.

use candle_onnx::onnx::attribute_proto::AttributeType;

use super::graph::Graph;
use super::operator::{Attribute, Operator};
use super::proto::{AttributeProto, GraphProto, NodeProto};
use super::tensor::Tensor;
use crate::{Error, Result};

type Attributes = Vec<(&'static str, Attribute)>;
type Constants = Vec<(&'static str, Tensor)>;

/// The graph as ONNX has it. Initializers stand in the order in which nodes use them, and each value
/// between nodes has its type and shape listed.
///
/// # Errors
/// [`Error::Graph`] for an operator that this version of the operator set doesn't have.
pub fn encode(graph: &Graph, opset: i64) -> Result<GraphProto> {
    let mut proto = GraphProto { name: graph.name().to_string(), ..GraphProto::default() };
    let outputs: Vec<_> = graph.outputs().collect();
    // The node that makes an output writes to the name by which the outside knows it.
    let outside = |name: &String| match outputs.iter().find(|(_, value)| value.name() == name) {
        Some((outside, _)) => (*outside).to_string(),
        None => name.clone(),
    };
    for input in graph.inputs() {
        proto.input.push(input.type_of().value_info(input.name()));
    }
    for node in graph.nodes() {
        let operator = &node.operator;
        if operator.since() > opset {
            let (name, since) = (operator.name(), operator.since());
            let message =
                format!("ONNX has {name} from operator set {since} on; export with --opset {since}");
            return Err(Error::Graph { node: node.name.clone(), message });
        }
        let (attributes, constants) = settings(operator, opset)?;
        let mut inputs: Vec<String> = node.inputs.iter().map(outside).collect();
        for name in &node.inputs {
            let there = proto.initializer.iter().any(|tensor| tensor.name == *name);
            if let Some(tensor) = graph.constant(name).filter(|_| !there) {
                proto.initializer.push(tensor.to_proto(name));
            }
        }
        for (what, tensor) in constants {
            let name = format!("{}.{what}", node.name);
            proto.initializer.push(tensor.to_proto(&name));
            inputs.push(name);
        }
        // ONNX lists a value once, so an output is not also listed as a value between nodes.
        if let Some(value) = graph.value(&node.name).filter(|_| outside(&node.name) == node.name) {
            proto.value_info.push(value.type_of().value_info(&node.name));
        }
        proto.node.push(NodeProto {
            name: node.name.clone(),
            op_type: operator.name().to_string(),
            input: inputs,
            output: vec![outside(&node.name)],
            attribute: attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        });
    }
    for (name, value) in outputs {
        proto.output.push(value.type_of().value_info(name));
    }
    Ok(proto)
}

/// An operator's settings, as attributes and as constant inputs.
fn settings(operator: &Operator, opset: i64) -> Result<(Attributes, Constants)> {
    let (mut attributes, mut constants) = (operator.attributes(), operator.constants()?);
    if let (Operator::ReduceMean { axes, .. }, 18..) = (operator, opset) {
        // They became an input in operator set 18.
        attributes.retain(|(name, _)| *name != "axes");
        let axes = Tensor::int64(&[axes.len()], axes.iter().map(|&axis| axis as i64))?;
        constants.push(("axes", axes));
    }
    Ok((attributes, constants))
}

fn attribute(name: &str, value: Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    // The type is written too: proto3 leaves out a zero, which the type then tells from nothing.
    let of_type = match value {
        Attribute::Float(value) => {
            proto.f = value;
            AttributeType::Float
        }
        Attribute::Int(value) => {
            proto.i = value;
            AttributeType::Int
        }
        Attribute::Ints(values) => {
            proto.ints = values;
            AttributeType::Ints
        }
        Attribute::String(word) => {
            proto.s = word.as_bytes().to_vec();
            AttributeType::String
        }
    };
    proto.r#type = of_type.into();
    proto
}
