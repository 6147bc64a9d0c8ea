//! A graph under construction: each value is made before it is used, each name is used once, and each
//! node's output has the type that its operator makes of its inputs.

use std::collections::HashMap;

use super::operator::Operator;
use super::shape;
use super::tensor::{Tensor, Type};
use crate::{Error, Result};

/// Something that flows through the graph: an input, an initializer or a node's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    of_type: Type,
}

impl Value {
    /// Its name in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type and shape.
    pub fn type_of(&self) -> &Type {
        &self.of_type
    }
}

/// A node: an operator, and the names of what goes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, which is also that of its output.
    pub name: String,
    /// What it does.
    pub operator: Operator,
    /// Names of values, in the operator's order.
    pub inputs: Vec<String>,
}

/// A graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    name: String,
    inputs: Vec<String>,
    /// What the outside calls an output, and the value's name in here.
    outputs: Vec<(String, String)>,
    initializers: HashMap<String, Tensor>,
    nodes: Vec<Node>,
    /// Every value.
    types: HashMap<String, Type>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Graph {
        Graph { name: name.to_string(), ..Graph::default() }
    }

    /// Declares an input of the graph.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken.
    pub fn input(&mut self, name: &str, of_type: Type) -> Result<Value> {
        let value = self.claim(name, of_type)?;
        self.inputs.push(name.to_string());
        Ok(value)
    }

    /// Adds a tensor that the file carries.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken.
    pub fn initializer(&mut self, name: &str, tensor: Tensor) -> Result<Value> {
        let value = self.claim(name, tensor.type_of())?;
        self.initializers.insert(name.to_string(), tensor);
        Ok(value)
    }

    /// Adds a node and gives its output, which has the node's name.
    ///
    /// # Errors
    /// [`Error::Graph`], naming the node, if the name is taken, an input is of another graph, or the
    /// operator doesn't take these types and shapes.
    pub fn node(&mut self, name: &str, operator: Operator, inputs: &[&Value]) -> Result<Value> {
        let wrong = |message: String| Error::Graph { node: name.to_string(), message };
        if let Some(unknown) = inputs.iter().find(|input| self.types.get(&input.name) != Some(&input.of_type))
        {
            return Err(wrong(format!("its input {} is not of this graph", unknown.name)));
        }
        let types: Vec<&Type> = inputs.iter().map(|input| &input.of_type).collect();
        let value = self.claim(name, shape::output(&operator, &types).map_err(wrong)?)?;
        let inputs = inputs.iter().map(|input| input.name.clone()).collect();
        self.nodes.push(Node { name: name.to_string(), operator, inputs });
        Ok(value)
    }

    /// Makes a value an output of the graph, under `name`.
    ///
    /// # Errors
    /// [`Error::Graph`] if the name is taken or the value is of another graph.
    pub fn output(&mut self, value: &Value, name: &str) -> Result<()> {
        // An input or an initializer keeps its name, so a node has to hand it on.
        let value = match self.producer(&value.name) {
            Some(_) => value.clone(),
            None => self.node(&format!("{name}.identity"), Operator::Identity, &[value])?,
        };
        self.claim(name, value.of_type)?;
        self.outputs.push((name.to_string(), value.name));
        Ok(())
    }

    /// The graph's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its inputs.
    pub fn inputs(&self) -> impl Iterator<Item = Value> {
        self.inputs.iter().filter_map(|name| self.value(name))
    }

    /// What the outside calls each output, and the value.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, Value)> {
        self.outputs.iter().filter_map(|(name, value)| Some((name.as_str(), self.value(value)?)))
    }

    /// Its nodes, each behind those that make its inputs.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A value of this graph.
    pub fn value(&self, name: &str) -> Option<Value> {
        let of_type = self.types.get(name)?.clone();
        Some(Value { name: name.to_string(), of_type })
    }

    /// The tensor that the file carries under this name.
    pub fn constant(&self, name: &str) -> Option<&Tensor> {
        self.initializers.get(name)
    }

    /// The node that makes a value.
    pub fn producer(&self, value: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == value)
    }

    /// The nodes that a value goes into, as often as it does.
    pub fn users<'a>(&'a self, value: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes
            .iter()
            .flat_map(move |node| node.inputs.iter().filter(move |&input| input == value).map(move |_| node))
    }

    /// How often a value goes into nodes or out of the graph.
    pub fn uses(&self, value: &str) -> usize {
        self.users(value).count() + self.outputs.iter().filter(|(_, output)| output == value).count()
    }

    /// How many numbers the file carries.
    pub fn parameters(&self) -> usize {
        self.initializers.values().map(Tensor::elements).sum()
    }

    fn claim(&mut self, name: &str, of_type: Type) -> Result<Value> {
        let wrong =
            |message: &str| Err(Error::Graph { node: name.to_string(), message: message.to_string() });
        if name.is_empty() {
            // In ONNX an empty name stands for an optional input that isn't there.
            return wrong("a value needs a name");
        }
        if self.types.insert(name.to_string(), of_type.clone()).is_some() {
            return wrong("this graph has a value of that name already");
        }
        Ok(Value { name: name.to_string(), of_type })
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
        for step in 0..3 {
            let mut graph = Graph::new("g");
            let x = graph.input("x", row()).unwrap();
            let error = match step {
                0 => graph.input("x", row()).unwrap_err(),
                1 => graph.initializer("x", Tensor::int64(&[1], [1]).unwrap()).unwrap_err(),
                _ => graph.node("x", Operator::Relu, &[&x]).unwrap_err(),
            };
            assert_eq!(error.to_string(), "node x: this graph has a value of that name already");
        }
        let unnamed = Graph::new("g").input("", row()).unwrap_err();
        assert!(unnamed.to_string().contains("needs a name"), "{unnamed}");
    }

    #[test]
    fn a_value_of_another_graph_is_refused() {
        let x = Graph::new("other").input("x", row()).unwrap();
        let error = Graph::new("g").node("relu", Operator::Relu, &[&x]).unwrap_err();
        assert_eq!(error.to_string(), "node relu: its input x is not of this graph");
    }

    #[test]
    fn a_node_whose_inputs_do_not_fit_is_named() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", row()).unwrap();
        let weight = graph.initializer("w", Tensor::float32(&[2, 4], [0.0; 8]).unwrap()).unwrap();
        let error = graph.node("h0.linear", Operator::Gemm, &[&x, &weight]).unwrap_err().to_string();
        assert!(error.starts_with("node h0.linear: Gemm takes vectors"), "{error}");
        assert!(error.contains("was given float32[batch, 3], float32[2, 4]"), "{error}");
    }

    #[test]
    fn a_tensor_has_as_many_numbers_as_its_shape() {
        let error = Tensor::float32(&[2, 3], [0.0; 5]).unwrap_err();
        assert!(error.to_string().contains("5 numbers for the shape [2, 3], which has 6"), "{error}");
    }

    #[test]
    fn an_input_becomes_an_output_through_a_node() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", row()).unwrap();
        graph.output(&x, "y").unwrap();
        assert_eq!(graph.nodes()[0].operator, Operator::Identity);
        assert_eq!(
            graph.outputs().map(|(name, value)| (name.to_string(), value.of_type)).next(),
            Some(("y".into(), row()))
        );
    }
}
