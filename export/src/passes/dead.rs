//! Drops the nodes and initializers that no output needs.

use std::collections::HashSet;

use crate::Result;
use crate::onnx::{Graph, Rewrite};

/// The graph without them.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn remove(graph: &Graph) -> Result<Graph> {
    let mut needed: HashSet<String> = graph.outputs().map(|(_, value)| value.name().to_string()).collect();
    for node in graph.nodes().iter().rev() {
        if needed.contains(&node.name) {
            needed.extend(node.inputs.iter().cloned());
        }
    }
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        if needed.contains(&node.name) {
            rewrite.copy(node)?;
        }
    }
    rewrite.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, operators};
    use super::remove;
    use crate::onnx::{Dim, Graph, Operator, Tensor, Type};

    #[test]
    fn what_no_output_needs_is_dropped() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)])).unwrap();
        let two = graph.initializer("two", Tensor::float32(&[1], [2.]).unwrap()).unwrap();
        let three = graph.initializer("three", Tensor::float32(&[1], [3.]).unwrap()).unwrap();
        let twice = graph.node("twice", Operator::Mul, &[&x, &two]).unwrap();
        let thrice = graph.node("thrice", Operator::Mul, &[&x, &three]).unwrap();
        graph.node("dead", Operator::Add, &[&twice, &thrice]).unwrap();
        let end = graph.node("end", Operator::Tanh, &[&twice]).unwrap();
        graph.output(&end, "y").unwrap();
        let alive = remove(&graph).unwrap();
        assert_eq!(operators(&alive), ["Mul", "Tanh"]);
        assert!(alive.constant("three").is_none());
        assert_same(&graph, &alive);
    }
}
