//! Large linear layers as products with weights in the order that they are used in: x·W in place of
//! x·Wᵀ, with W as a stack of one matrix, (1, inputs, outputs).
//!
//! ONNX Runtime prepacks the weights of a linear layer while it loads the file: it copies them into the
//! order that its products run through. That is most of a session's creation where one layer has most
//! of the weights, and for one image it is never paid back. Weights of more than two axes it leaves
//! where they are. As (inputs, outputs) one image runs through them in rows, from first to last;
//! for many images their part of a product is packed as it is needed, once a batch.

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Operator, Rewrite, Tensor};

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

#[cfg(test)]
mod tests {
    use models::{Network, Shape};

    use super::super::simplify;
    use super::super::tests::{assert_close, operators, plain, random_weights};
    use super::products;

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
    }
}
