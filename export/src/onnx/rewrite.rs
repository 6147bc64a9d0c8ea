//! One graph from another: a pass walks the old graph's nodes and writes the new graph, copying what
//! it leaves alone. What nothing uses is not copied.

use std::collections::HashMap;

use super::graph::{Graph, Node, Value};
use super::operator::Operator;
use super::tensor::{Tensor, Type};
use crate::{Error, Result};

/// A new graph in the making, beside the old one.
pub struct Rewrite<'a> {
    old: &'a Graph,
    new: Graph,
    /// Names of the old graph's values, and what stands for them.
    values: HashMap<String, Value>,
}

impl<'a> Rewrite<'a> {
    /// A graph with the old one's inputs and nothing else.
    ///
    /// # Errors
    /// None for a graph that [`Graph`] accepted.
    pub fn new(old: &'a Graph) -> Result<Rewrite<'a>> {
        Rewrite::with_inputs(old, |_, of_type| of_type)
    }

    /// The same with other types of inputs.
    ///
    /// # Errors
    /// None for a graph that [`Graph`] accepted.
    pub fn with_inputs(old: &'a Graph, type_of: impl Fn(&str, Type) -> Type) -> Result<Rewrite<'a>> {
        let mut new = Graph::new(old.name());
        let mut values = HashMap::new();
        for input in old.inputs() {
            let of_type = type_of(input.name(), input.type_of().clone());
            values.insert(input.name().to_string(), new.input(input.name(), of_type)?);
        }
        Ok(Rewrite { old, new, values })
    }

    /// What stands for a value of the old graph. An initializer is copied when it is first asked for.
    ///
    /// # Errors
    /// [`Error::Graph`] if the pass has dropped the node that makes it.
    pub fn value(&mut self, old: &str) -> Result<Value> {
        if let Some(value) = self.values.get(old) {
            return Ok(value.clone());
        }
        let tensor = self.old.constant(old).ok_or_else(|| Error::Graph {
            node: old.to_string(),
            message: "this value is used, but a pass has dropped it".to_string(),
        })?;
        let value = self.new.initializer(old, tensor.clone())?;
        self.values.insert(old.to_string(), value.clone());
        Ok(value)
    }

    /// Whether the new graph has something that stands for this value already.
    pub fn has(&self, old: &str) -> bool {
        self.values.contains_key(old)
    }

    /// Lets `value` of the new graph stand for a value of the old one.
    pub fn stand_for(&mut self, old: &str, value: Value) {
        self.values.insert(old.to_string(), value);
    }

    /// Copies a node of the old graph.
    ///
    /// # Errors
    /// [`Error::Graph`] if an input was dropped, or what stands for it has another shape.
    pub fn copy(&mut self, node: &Node) -> Result<()> {
        let inputs = node.inputs.iter().map(|name| self.value(name)).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<&Value> = inputs.iter().collect();
        let value = self.new.node(&node.name, node.operator.clone(), &inputs)?;
        self.stand_for(&node.name, value);
        Ok(())
    }

    /// Adds a node to the new graph.
    ///
    /// # Errors
    /// As [`Graph::node`].
    pub fn node(&mut self, name: &str, operator: Operator, inputs: &[&Value]) -> Result<Value> {
        self.new.node(name, operator, inputs)
    }

    /// `name`, or with a number behind it, so that nothing of the new graph is called by it and `ending`: layers
    /// may share a weight that each makes something else of.
    pub fn unused(&self, name: &str, ending: &str) -> String {
        let is_free = |name: &String| self.new.value(&format!("{name}{ending}")).is_none();
        let mut numbered = (2..).map(|n| format!("{name}.{n}"));
        Some(name.to_string()).filter(is_free).or_else(|| numbered.find(is_free)).unwrap_or_default()
    }

    /// Adds an initializer to the new graph.
    ///
    /// # Errors
    /// As [`Graph::initializer`].
    pub fn initializer(&mut self, name: &str, tensor: Tensor) -> Result<Value> {
        self.new.initializer(name, tensor)
    }

    /// The new graph, with the old one's outputs.
    ///
    /// # Errors
    /// [`Error::Graph`] if an output's value was dropped.
    pub fn finish(mut self) -> Result<Graph> {
        for (name, value) in self.old.outputs() {
            let value = self.value(value.name())?;
            self.new.output(&value, name)?;
        }
        Ok(self.new)
    }
}
