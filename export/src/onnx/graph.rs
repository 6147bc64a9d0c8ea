//! A graph under construction: each value is made before it is used, and each name is used once.

use std::collections::HashSet;

use candle_onnx::onnx::{
    AttributeProto, GraphProto, NodeProto, ValueInfoProto, attribute_proto::AttributeType,
};

use super::tensor::{Tensor, Type};
use crate::{Error, Result};

/// Something that flows through the graph: an input, an initializer or a node's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    of_type: Type,
}

impl Value {
    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type and shape.
    pub fn type_of(&self) -> &Type {
        &self.of_type
    }
}

/// A node's setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A number of single precision.
    Float(f32),
    /// A whole number, or a truth value as 0 or 1.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
}

impl Attribute {
    fn into_proto(self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
        // The type is written too: proto3 leaves out a zero, which the type then tells from nothing.
        let of_type = match self {
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
        };
        proto.set_type(of_type);
        proto
    }
}

/// A node to be added: an operator of ONNX's own set, with one output named after the node.
#[derive(Clone, Debug)]
pub struct Node {
    proto: NodeProto,
    output: Type,
}

impl Node {
    /// A node of `operator` (`Gemm`, `Conv`, …) without inputs so far.
    pub fn new(operator: &str, name: &str, output: Type) -> Node {
        let proto = NodeProto {
            name: name.to_string(),
            op_type: operator.to_string(),
            output: vec![name.to_string()],
            ..NodeProto::default()
        };
        Node { proto, output }
    }

    /// Adds the next input.
    pub fn input(mut self, value: &Value) -> Node {
        self.proto.input.push(value.name.clone());
        self
    }

    /// Adds a setting.
    pub fn attribute(mut self, name: &str, value: Attribute) -> Node {
        self.proto.attribute.push(value.into_proto(name));
        self
    }
}

/// A graph under construction.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    proto: GraphProto,
    /// Every name of a value.
    names: HashSet<String>,
    parameters: usize,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Graph {
        let proto = GraphProto { name: name.to_string(), ..GraphProto::default() };
        Graph { proto, ..Graph::default() }
    }

    /// Declares an input of the graph.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken.
    pub fn input(&mut self, name: &str, of_type: Type) -> Result<Value> {
        self.claim(name)?;
        self.proto.input.push(of_type.value_info(name));
        Ok(Value { name: name.to_string(), of_type })
    }

    /// Adds a tensor that the file carries.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken.
    pub fn initializer(&mut self, name: &str, tensor: Tensor) -> Result<Value> {
        self.claim(name)?;
        self.parameters += tensor.elements();
        let of_type = tensor.type_of();
        self.proto.initializer.push(tensor.into_proto(name));
        Ok(Value { name: name.to_string(), of_type })
    }

    /// Adds a node and gives its output.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or an input is of another graph.
    pub fn node(&mut self, node: Node) -> Result<Value> {
        let Node { proto, output } = node;
        let name = proto.name.clone();
        if let Some(unknown) = proto.input.iter().find(|&input| !self.names.contains(input)) {
            return Err(Error::Graph {
                node: name,
                message: format!("its input {unknown} is not of this graph"),
            });
        }
        self.claim(&name)?;
        self.proto.value_info.push(output.value_info(&name));
        self.proto.node.push(proto);
        Ok(Value { name, of_type: output })
    }

    /// Makes a value an output of the graph, under `name`: the node that makes the value writes to
    /// that name from now on.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or the value is of another graph.
    pub fn output(&mut self, value: &Value, name: &str) -> Result<()> {
        let is_made = |info: &ValueInfoProto| info.name == value.name;
        match self.proto.value_info.iter().position(is_made) {
            Some(index) => {
                self.claim(name)?;
                // ONNX lists a value once: what is an output is no intermediate value.
                self.proto.value_info.remove(index);
                self.names.remove(&value.name);
                for node in &mut self.proto.node {
                    for used in node.input.iter_mut().chain(&mut node.output) {
                        if *used == value.name {
                            *used = name.to_string();
                        }
                    }
                }
            }
            // An input or an initializer keeps its name, so a node has to hand it on.
            None => {
                self.node(Node::new("Identity", name, value.of_type.clone()).input(value))?;
                self.proto.value_info.pop();
            }
        }
        self.proto.output.push(value.of_type.value_info(name));
        Ok(())
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.proto.node.len()
    }

    /// How many numbers its initializers hold.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// ONNX's own message.
    pub fn proto(&self) -> &GraphProto {
        &self.proto
    }

    pub(super) fn into_proto(self) -> GraphProto {
        self.proto
    }

    fn claim(&mut self, name: &str) -> Result<()> {
        let wrong =
            |message: &str| Err(Error::Graph { node: name.to_string(), message: message.to_string() });
        if name.is_empty() {
            // In ONNX an empty name stands for an optional input that isn't there.
            return wrong("a value needs a name");
        }
        if !self.names.insert(name.to_string()) {
            return wrong("this graph has a value of that name already");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensor::Dim;
    use super::*;

    fn row() -> Type {
        Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)])
    }

    #[test]
    fn a_name_is_used_once() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", row()).unwrap();
        for error in [
            graph.input("x", row()).unwrap_err(),
            graph.initializer("x", Tensor::int64(&[1], [1]).unwrap()).unwrap_err(),
            graph.node(Node::new("Relu", "x", row()).input(&x)).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), "node x: this graph has a value of that name already");
        }
        let unnamed = graph.input("", row()).unwrap_err();
        assert!(unnamed.to_string().contains("needs a name"), "{unnamed}");
    }

    #[test]
    fn a_value_of_another_graph_is_refused() {
        let x = Graph::new("other").input("x", row()).unwrap();
        let error = Graph::new("g").node(Node::new("Relu", "relu", row()).input(&x)).unwrap_err();
        assert_eq!(error.to_string(), "node relu: its input x is not of this graph");
    }

    #[test]
    fn a_tensor_has_as_many_numbers_as_its_shape() {
        let error = Tensor::float32(&[2, 3], [0.0; 5]).unwrap_err();
        assert!(error.to_string().contains("5 numbers for the shape [2, 3], which has 6"), "{error}");
    }

    #[test]
    fn an_output_takes_its_name_wherever_it_is_used() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", row()).unwrap();
        let middle = graph.node(Node::new("Relu", "middle", row()).input(&x)).unwrap();
        graph.node(Node::new("Neg", "end", row()).input(&middle)).unwrap();
        graph.output(&middle, "y").unwrap();
        let proto = graph.proto();
        assert_eq!((proto.node[0].output[0].as_str(), proto.node[1].input[0].as_str()), ("y", "y"));
        assert_eq!(proto.output[0].name, "y");
        let listed: Vec<_> = proto.value_info.iter().map(|info| info.name.as_str()).collect();
        assert_eq!(listed, ["end"]);
    }

    #[test]
    fn an_input_becomes_an_output_through_a_node() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", row()).unwrap();
        graph.output(&x, "y").unwrap();
        assert_eq!(graph.proto().node[0].op_type, "Identity");
        assert_eq!(graph.nodes(), 1);
        assert!(graph.proto().value_info.is_empty());
    }
}
