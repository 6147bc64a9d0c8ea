//! From ONNX's own messages to a graph, of files that `encode` wrote.
//!
//! The file may be anyone's. Each node becomes the operator that its name and settings say, and is then
//! written again: whatever the operator has no place for, such as an attribute that none here takes, shows as a
//! difference and is refused. So nothing of a file is dropped unseen.

use std::collections::{HashMap, HashSet};

use candle_onnx::onnx::{
    AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataLocation, tensor_shape_proto::dimension, type_proto,
};

use super::graph::{Graph, Value};
use super::operator::{Attribute, Operator, Sliding};
use super::tensor::{Dim, Element, Tensor, Type};
use crate::Error;

/// More numbers in one item of a value, or in a tensor, are a sign of a damaged file: 0.5 GB of float32.
const MOST_NUMBERS: usize = 1 << 27;
/// Kernels, strides, pads and blocks are no larger.
const LARGEST_SETTING: usize = 1 << 16;

/// What is read, or a sentence about the first thing that graphs here don't have.
type Read<T> = Result<T, String>;

/// The graph of a file that [`Model`](super::Model) wrote: encoded again, it is the same file's.
///
/// # Errors
/// A sentence about the first thing that no graph here has, naming the node or tensor.
pub fn decode(proto: &GraphProto) -> Read<Graph> {
    if !proto.sparse_initializer.is_empty() {
        return Err("it has sparse tensors".to_string());
    }
    let mut reading = Reading {
        graph: Graph::new(&proto.name),
        tensors: proto.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
        outputs: proto.output.iter().map(|output| output.name.as_str()).collect(),
        values: HashMap::new(),
    };
    if reading.tensors.len() != proto.initializer.len() {
        return Err("two of its tensors have one name".to_string());
    }
    for input in &proto.input {
        let of_type = type_of(input)?;
        check_size(&of_type).map_err(|found| format!("its input {} {found}", input.name))?;
        let value = reading.graph.input(&input.name, of_type);
        let value = value.map_err(|error| format!("its input {}: {}", input.name, message(error)))?;
        reading.values.insert(&input.name, value);
    }
    for node in &proto.node {
        reading.node(node).map_err(|found| format!("node {}: {found}", node.name))?;
    }
    for output in &proto.output {
        let made = reading.values.get(output.name.as_str()).cloned();
        let value = made.ok_or_else(|| format!("nothing makes its output {}", output.name))?;
        if *value.type_of() != type_of(output)? {
            return Err(format!("its output {} is {}, which it doesn't say", output.name, value.type_of()));
        }
        let added = reading.graph.output(&value, &output.name);
        added.map_err(|error| format!("its output {}: {}", output.name, message(error)))?;
    }
    Ok(reading.graph)
}

/// A graph on the way in.
struct Reading<'a> {
    graph: Graph,
    tensors: HashMap<&'a str, &'a TensorProto>,
    /// Names by which the outside knows values.
    outputs: HashSet<&'a str>,
    /// Values by their names in the file.
    values: HashMap<&'a str, Value>,
}

impl<'a> Reading<'a> {
    fn node(&mut self, node: &'a NodeProto) -> Read<()> {
        let [output] = node.output.as_slice() else {
            return Err(format!("it makes {} values, where nodes here make one", node.output.len()));
        };
        if *output != node.name && !self.outputs.contains(output.as_str()) {
            return Err(format!("it makes a value of another name, {output}"));
        }
        let operator = self.operator(node)?;
        let constants = self.check_the_same(node, &operator)?;
        let inputs = &node.input[..node.input.len() - constants];
        let inputs = inputs.iter().map(|name| self.value(name)).collect::<Read<Vec<_>>>()?;
        let inputs: Vec<&Value> = inputs.iter().collect();
        let value = self.graph.node(&node.name, operator, &inputs).map_err(message)?;
        check_size(value.type_of())?;
        self.values.insert(output, value);
        Ok(())
    }

    /// What the node does, by its name, its attributes and its constant inputs.
    fn operator(&self, node: &NodeProto) -> Read<Operator> {
        if !node.domain.is_empty() {
            return Err(format!("its operator {} is of another set, {}", node.op_type, node.domain));
        }
        let attributes = Attributes { node };
        Ok(match node.op_type.as_str() {
            "Add" => Operator::Add,
            "BatchNormalization" => Operator::BatchNormalization { epsilon: attributes.float("epsilon")? },
            "Cast" => Operator::Cast { to: attributes.element("to")? },
            "Clip" => Operator::Clip { least: self.number(node, 1)?, largest: self.number(node, 2)? },
            "Concat" => Operator::Concat { axis: attributes.int("axis")? },
            "Conv" => Operator::Conv(attributes.sliding()?),
            "ConvTranspose" => Operator::ConvTranspose(attributes.sliding()?),
            "DepthToSpace" => Operator::DepthToSpace { block: attributes.int("blocksize")? },
            "DequantizeLinear" if attributes.get("axis").is_ok() => Operator::DequantizeChannels,
            "DequantizeLinear" => {
                Operator::DequantizeLinear { scale: self.number(node, 1)?, zero: self.byte(node, 2)? }
            }
            "Expand" => Operator::Expand { dims: self.sizes(node)? },
            "Flatten" => Operator::Flatten,
            "Gather" => Operator::Gather,
            "Gemm" => Operator::Gemm,
            "Identity" => Operator::Identity,
            "LeakyRelu" => Operator::LeakyRelu { alpha: attributes.float("alpha")? },
            "MatMul" => Operator::MatMul,
            "MatMulInteger" => Operator::MatMulInteger { zero: self.byte(node, 2)? },
            "Mul" => Operator::Mul,
            "QuantizeLinear" => {
                Operator::QuantizeLinear { scale: self.number(node, 1)?, zero: self.byte(node, 2)? }
            }
            "Relu" => Operator::Relu,
            // The first dimension is the batch and stays.
            "Reshape" => Operator::Reshape { item: self.sizes(node)?.split_off(1) },
            "Sigmoid" => Operator::Sigmoid,
            "Slice" => match self.integers(node, 2)?.as_slice() {
                &[height, width] => Operator::Crop { height, width },
                _ => return Err("it cuts other axes than rows and columns".to_string()),
            },
            "Squeeze" => Operator::Squeeze { axes: self.integers(node, 1)? },
            "Tanh" => Operator::Tanh,
            "Unsqueeze" => Operator::Unsqueeze { axes: self.integers(node, 1)? },
            other => return Err(format!("its operator {other} is none that is written here")),
        })
    }

    /// Checks that the operator, written again, is this node; gives how many inputs are its constants.
    fn check_the_same(&self, node: &NodeProto, operator: &Operator) -> Read<usize> {
        let attributes = operator.attributes();
        for attribute in &node.attribute {
            let ours = attributes.iter().find(|(name, _)| *name == attribute.name);
            if !ours.is_some_and(|(_, ours)| is_same(ours, attribute)) {
                return Err(format!(
                    "its attribute {} is none that {} has here",
                    attribute.name,
                    operator.name()
                ));
            }
        }
        if node.attribute.len() != attributes.len() {
            return Err(format!("it lacks attributes that {} has here", operator.name()));
        }
        let constants = operator.constants().map_err(message)?;
        let first = node.input.len().checked_sub(constants.len());
        let first = first.ok_or_else(|| "it lacks inputs".to_string())?;
        for (at, (what, ours)) in (first..).zip(&constants) {
            if self.tensor(&node.input[at])? != *ours {
                return Err(format!("its {what} are none that {} has here", operator.name()));
            }
        }
        Ok(constants.len())
    }

    /// A value of the file; a tensor becomes one when it is first asked for.
    fn value(&mut self, name: &'a str) -> Read<Value> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let tensor = self.tensor(name)?;
        let value = self.graph.initializer(name, tensor).map_err(message)?;
        self.values.insert(name, value.clone());
        Ok(value)
    }

    fn tensor(&self, name: &str) -> Read<Tensor> {
        let tensor = self.tensors.get(name).ok_or_else(|| format!("nothing before it makes {name}"))?;
        tensor_of(tensor).map_err(|found| format!("its tensor {name} {found}"))
    }

    /// The tensor that goes in at this place.
    fn input(&self, node: &NodeProto, at: usize) -> Read<Tensor> {
        self.tensor(node.input.get(at).ok_or_else(|| format!("it has no input {at}"))?)
    }

    fn integers(&self, node: &NodeProto, at: usize) -> Read<Vec<usize>> {
        let numbers = self.input(node, at)?.integers().into_iter();
        numbers.map(|number| usize::try_from(number).map_err(|_| format!("{number} is no size"))).collect()
    }

    /// The shape that goes in second.
    fn sizes(&self, node: &NodeProto) -> Read<Vec<usize>> {
        let sizes = self.integers(node, 1)?;
        // A 0 keeps a dimension.
        match sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size.max(1))) {
            Some(0..=MOST_NUMBERS) if !sizes.is_empty() => Ok(sizes),
            _ => Err(format!("its shape {sizes:?} is none of a file from here")),
        }
    }

    fn number(&self, node: &NodeProto, at: usize) -> Read<f32> {
        one(&self.input(node, at)?)
    }

    fn byte(&self, node: &NodeProto, at: usize) -> Read<u8> {
        Ok(one(&self.input(node, at)?)? as u8)
    }
}

/// A node's settings.
struct Attributes<'a> {
    node: &'a NodeProto,
}

impl Attributes<'_> {
    fn get(&self, name: &str) -> Read<&AttributeProto> {
        let found = self.node.attribute.iter().find(|attribute| attribute.name == name);
        found.ok_or_else(|| format!("it has no attribute {name}"))
    }

    fn float(&self, name: &str) -> Read<f32> {
        Ok(self.get(name)?.f)
    }

    fn int(&self, name: &str) -> Read<usize> {
        setting(name, self.get(name)?.i)
    }

    fn element(&self, name: &str) -> Read<Element> {
        let number = self.get(name)?.i;
        let element = i32::try_from(number).ok().and_then(Element::of_data_type);
        element.ok_or_else(|| format!("its {name} is {number}, no type of number that is written here"))
    }

    fn ints<const COUNT: usize>(&self, name: &str) -> Read<[usize; COUNT]> {
        let ints = self.get(name)?.ints.iter().map(|&int| setting(name, int)).collect::<Read<Vec<_>>>()?;
        ints.try_into().map_err(|ints: Vec<_>| format!("its {name} has {} numbers, not {COUNT}", ints.len()))
    }

    fn sliding(&self) -> Read<Sliding> {
        let [kernel, strides] = [self.ints("kernel_shape")?, self.ints("strides")?];
        if kernel.contains(&0) || strides.contains(&0) {
            return Err("its kernel or stride is 0".to_string());
        }
        Ok(Sliding { kernel, strides, pads: self.ints("pads")? })
    }
}

/// What is wrong, without the node's name, which stands before it here.
fn message(error: Error) -> String {
    match error {
        Error::Graph { message, .. } => message,
        other => other.to_string(),
    }
}

/// A whole number that a node is told.
fn setting(name: &str, number: i64) -> Read<usize> {
    let found = usize::try_from(number).ok().filter(|&number| number <= LARGEST_SETTING);
    found.ok_or_else(|| format!("its {name} has {number}"))
}

/// Whether the file's attribute is this one.
fn is_same(ours: &Attribute, theirs: &AttributeProto) -> bool {
    match ours {
        Attribute::Float(value) => {
            theirs.r#type() == AttributeType::Float && theirs.f.to_bits() == value.to_bits()
        }
        Attribute::Int(value) => theirs.r#type() == AttributeType::Int && theirs.i == *value,
        Attribute::Ints(values) => theirs.r#type() == AttributeType::Ints && theirs.ints == *values,
        Attribute::String(word) => theirs.r#type() == AttributeType::String && theirs.s == word.as_bytes(),
    }
}

/// The only number of a tensor.
fn one(tensor: &Tensor) -> Read<f32> {
    match tensor.floats().as_slice() {
        [number] => Ok(*number),
        other => Err(format!("a setting has {} numbers, not one", other.len())),
    }
}

/// A tensor of the file; an error is a phrase that follows its name.
fn tensor_of(proto: &TensorProto) -> Read<Tensor> {
    let element = Element::of_data_type(proto.data_type);
    let element = element.ok_or_else(|| "holds no type of number that is written here".to_string())?;
    if proto.data_location() == DataLocation::External {
        return Err("lies in another file".to_string());
    }
    let dims = proto.dims.iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|_| "has a size below 0".to_string())?;
    let count = dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match count.filter(|&count| count <= MOST_NUMBERS) {
        Some(count) if proto.raw_data.len() == count * element.bytes() => {
            Tensor::new(element, &dims, proto.raw_data.clone()).map_err(message)
        }
        _ => Err(format!("has {} bytes for the shape {dims:?}", proto.raw_data.len())),
    }
}

/// Refuses a value that no machine has room for, before anything is computed with its size.
fn check_size(of_type: &Type) -> Read<()> {
    let sizes = of_type.dims.iter().map(|dim| dim.fixed().unwrap_or(1));
    match sizes.into_iter().try_fold(1usize, |product, size| product.checked_mul(size)) {
        Some(0..=MOST_NUMBERS) => Ok(()),
        _ => Err(format!("is {of_type}, larger than anything that is written here")),
    }
}

/// The type that the file states of an input or output.
fn type_of(info: &ValueInfoProto) -> Read<Type> {
    let wrong = || format!("{} is no tensor of a type and shape that are written here", info.name);
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|of| of.value.as_ref())
    else {
        return Err(wrong());
    };
    let element = Element::of_data_type(tensor.elem_type).ok_or_else(wrong)?;
    let dim = |value: &Option<dimension::Value>| match value {
        Some(dimension::Value::DimValue(size)) => usize::try_from(*size).ok().map(Dim::Fixed),
        Some(dimension::Value::DimParam(name)) if !name.is_empty() => Some(Dim::Symbol(name.clone())),
        _ => None,
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim).map(|found| dim(&found.value));
    Ok(Type { element, dims: dims.collect::<Option<_>>().ok_or_else(wrong)? })
}

#[cfg(test)]
mod tests;
