//! Large linear layers as products with weights in the order that they are used in: x·W in place of
//! x·Wᵀ, with W as a stack of one matrix, (1, inputs, outputs).
//!
//! ONNX Runtime prepacks the weights of a linear layer while it loads the file: it copies them into the
//! order that its products run through. That is most of a session's creation where one layer has most
//! of the weights, and for one image it is never paid back. Weights of more than two axes it leaves
//! where they are. As (inputs, outputs) one image runs through them in rows, from first to last;
//! for many images their part of a product is packed as it is needed, once a batch.

use std::collections::HashSet;

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Node, Operator, Rewrite, Tensor};

/// Linear layers of fewer weights, 4 MB, are quick to prepack.
pub const LEAST: usize = 1 << 20;

/// The graph with its linear layers of `least` weights and more as such products.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn products(graph: &Graph, least: usize) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some((weight, [outputs, inputs])) = Weights::of_large_linear(graph, node, least) else {
            rewrite.copy(node)?;
            continue;
        };
        let numbers = weight.floats();
        let transposed = (0..inputs * outputs).map(|at| numbers[at % outputs * inputs + at / outputs]);
        let weight = Tensor::float32(&[1, inputs, outputs], transposed)?;
        let weight = rewrite.initializer(&node.inputs[1], weight)?;
        let x = rewrite.value(&node.inputs[0])?;
        let name = &node.name;
        let y = rewrite.node(&format!("{name}.stack"), Operator::MatMul, &[&x, &weight])?; // 1, N, outputs
        let mut y = rewrite.node(&format!("{name}.product"), Operator::Squeeze { axes: vec![0] }, &[&y])?;
        if let Some(summand) = node.inputs.get(2) {
            let summand = rewrite.value(summand)?;
            y = rewrite.node(name, Operator::Add, &[&y, &summand])?;
        }
        rewrite.stand_for(name, y);
    }
    rewrite.finish()
}

/// The graph with such products as linear layers again: what [`products`] was given.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn linear(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    let mut done = HashSet::new();
    for node in graph.nodes() {
        if done.contains(&node.name) {
            continue;
        }
        let Some(Product { weight, squeeze, sum }) = Product::of(graph, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let &[_, inputs, outputs] = weight.dims() else { continue };
        let numbers = weight.floats();
        let transposed = (0..inputs * outputs).map(|at| numbers[at % inputs * outputs + at / inputs]);
        let weight = Tensor::float32(&[outputs, inputs], transposed)?;
        let mut values = vec![rewrite.value(&node.inputs[0])?, rewrite.initializer(&node.inputs[1], weight)?];
        if let Some(sum) = sum {
            values.push(rewrite.value(&sum.inputs[1])?);
        }
        let last = sum.unwrap_or(squeeze);
        let name = last.name.strip_suffix(".product").unwrap_or(&last.name);
        let y = rewrite.node(name, Operator::Gemm, &values.iter().collect::<Vec<_>>())?;
        done.extend([squeeze.name.clone(), last.name.clone()]);
        rewrite.stand_for(&last.name, y);
    }
    rewrite.finish()
}

/// A linear layer as [`products`] writes it.
struct Product<'a> {
    /// (1, inputs, outputs).
    weight: &'a Tensor,
    squeeze: &'a Node,
    /// What adds the layer's summand, if it has one.
    sum: Option<&'a Node>,
}

impl<'a> Product<'a> {
    /// That of this node, if it is the first of one.
    fn of(graph: &'a Graph, node: &'a Node) -> Option<Product<'a>> {
        let weight = graph.constant(node.inputs.get(1)?)?;
        let is_stack = node.operator == Operator::MatMul && matches!(weight.dims(), [1, _, _]);
        // A weight that something else takes too could not be transposed for one of them.
        if !is_stack || graph.uses(&node.inputs[1]) != 1 {
            return None;
        }
        let only = |value: &'a str| graph.users(value).next().filter(|_| graph.uses(value) == 1);
        let squeeze = only(&node.name).filter(|next| next.operator == Operator::Squeeze { axes: vec![0] })?;
        let is_vectors = graph.value(&node.inputs[0])?.type_of().dims.len() == 2;
        let sum = only(&squeeze.name).filter(|next| {
            // The summand has to be there already where the layer stands.
            let before = |value: &str| graph.nodes().iter().position(|node| node.name == value);
            next.operator == Operator::Add
                && next.inputs[0] == squeeze.name
                && before(&next.inputs[1]) < before(&node.name)
        });
        is_vectors.then_some(Product { weight, squeeze, sum })
    }
}

#[cfg(test)]
mod tests {
    use models::{Network, Shape};

    use super::super::simplify;
    use super::super::tests::{assert_close, operators, plain, random_weights};
    use super::{linear, products};

    #[test]
    fn large_linear_layers_are_the_same_as_products() {
        let network = Network::builder("linear", Shape::Vector(6))
            .linear("small", 9)
            .relu("relu")
            .label("h1.label", 3)
            .linear("large", 10)
            .relu("h1.relu")
            .linear("plain", 8)
            .build()
            .unwrap();
        let weights = random_weights(&network, 3);
        let graph = simplify(plain(&network, &weights)).unwrap();
        assert_eq!(operators(&graph), ["Gemm", "Relu", "Gather", "Gemm", "Relu", "Gemm"]);
        let stacked = products(&graph, 80).unwrap();
        let product = ["MatMul", "Squeeze", "Add"];
        let expected = [&["Gemm", "Relu", "Gather"][..], &product, &["Relu"], &product].concat();
        assert_eq!(operators(&stacked), expected);
        assert_close(&graph, &stacked, 1e-12);
        assert_eq!(operators(&products(&graph, 91).unwrap()), operators(&graph));
        let back = linear(&stacked).unwrap();
        assert_eq!(back.nodes(), graph.nodes());
        for weight in ["large.weight", "plain.weight"] {
            assert_eq!(back.constant(weight), graph.constant(weight), "{weight}");
        }
    }
}
