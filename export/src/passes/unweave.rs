//! A transposed convolution of a picture that was just woven of phases, as one of the phases themselves.
//!
//! Fine pixel b·J + p is phase p of coarse pixel J. A kernel with stride s that reads it at its place k
//! therefore reads phase p of J at place k + s·p of a kernel with stride s·b: as large as
//! K + s·(b − 1), with the same zeros around. The picture in between is never made.

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Node, Operator, Rewrite, Sliding, Tensor};

/// Outputs, over all phases, up to which it is worth it: the larger kernel has b² zeros for each weight, but of
/// so few outputs most of an engine's vectors were idle.
const MOST_OUTPUTS: usize = 64;

/// The graph with such transposed convolutions; leaves nodes that [`dead`](super::dead) drops.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn phases(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Some((woven, block, sliding, weights)) = of(graph, node) else {
            rewrite.copy(node)?;
            continue;
        };
        let stride = sliding.strides[0];
        let kernel = sliding.kernel.map(|size| size + stride * (block - 1));
        let weight = rewrite.initializer(&node.inputs[1], unwoven(&weights, block, stride, kernel)?)?;
        let mut inputs = vec![rewrite.value(&woven.inputs[0])?, weight];
        if let Some(bias) = node.inputs.get(2) {
            inputs.push(rewrite.value(bias)?);
        }
        let sliding = Sliding { kernel, strides: [stride * block; 2], pads: sliding.pads };
        let y =
            rewrite.node(&node.name, Operator::ConvTranspose(sliding), &inputs.iter().collect::<Vec<_>>())?;
        rewrite.stand_for(&node.name, y);
    }
    rewrite.finish()
}

/// The node that weaves what this one takes, its block, and this one's setting and weights.
fn of<'a>(graph: &'a Graph, node: &'a Node) -> Option<(&'a Node, usize, Sliding, Weights<'a>)> {
    let Operator::ConvTranspose(sliding) = node.operator else { return None };
    let weights = Weights::of(graph, node)?;
    let woven = graph.producer(&node.inputs[0])?;
    let Operator::DepthToSpace { block } = woven.operator else { return None };
    let [rows, columns] = sliding.strides;
    let outputs = weights.outputs() * (rows * block) * (columns * block);
    let is_it = rows == columns && outputs <= MOST_OUTPUTS && graph.uses(&node.inputs[1]) == 1;
    is_it.then_some((woven, block, sliding, weights))
}

/// The weights, (phases · inputs, outputs, kernel).
fn unwoven(weights: &Weights<'_>, block: usize, stride: usize, kernel: [usize; 2]) -> Result<Tensor> {
    let numbers = weights.weight.floats();
    let &[inputs, outputs, height, width] = weights.weight.dims() else {
        return Tensor::float32(&[0], []);
    };
    let dims = [block * block * inputs, outputs, kernel[0], kernel[1]];
    let mut unwoven = vec![0.; dims.iter().product()];
    for (at, &weight) in numbers.iter().enumerate() {
        let (input, output) = (at / (outputs * height * width), at / (height * width) % outputs);
        let (row, column) = (at / width % height, at % width);
        for phase in 0..block * block {
            let channel = phase * inputs + input;
            let (row, column) = (row + stride * (phase / block), column + stride * (phase % block));
            unwoven[((channel * outputs + output) * kernel[0] + row) * kernel[1] + column] = weight;
        }
    }
    Tensor::float32(&dims, unwoven)
}

#[cfg(test)]
mod tests {
    use super::super::dead;
    use super::super::tests::{assert_same, operators};
    use super::phases;
    use crate::onnx::{Dim, Graph, Operator, Sliding, Tensor, Type};

    /// Of a picture that isn't square, with kernels that are not, and more zeros on one side.
    #[test]
    fn the_phases_give_the_same_picture() {
        for (block, kernel, stride, pads) in [
            (2, [5, 3], 2, [1, 0, 2, 1]),
            (3, [3, 4], 1, [1, 1, 1, 2]),
            (2, [1, 2], 2, [0, 0, 0, 1]),
            (2, [6, 6], 2, [2, 2, 2, 2]),
        ] {
            let mut graph = Graph::new("g");
            let dims = [None, Some(3 * block * block), Some(3), Some(5)];
            let dims = dims.map(|size| size.map_or(Dim::Symbol("batch".into()), Dim::Fixed)).to_vec();
            let x = graph.input("x", Type::float32(dims)).unwrap();
            let numbers = |n: usize| (0..n).map(|i| (i * 37 % 101) as f32 / 50. - 1.);
            let dims = [3, 2, kernel[0], kernel[1]];
            let weight = Tensor::float32(&dims, numbers(dims.iter().product())).unwrap();
            let weight = graph.initializer("w", weight).unwrap();
            let bias = graph.initializer("b", Tensor::float32(&[2], numbers(2)).unwrap()).unwrap();
            let woven = graph.node("woven", Operator::DepthToSpace { block }, &[&x]).unwrap();
            let sliding = Sliding { kernel, strides: [stride; 2], pads };
            let y = graph.node("y", Operator::ConvTranspose(sliding), &[&woven, &weight, &bias]).unwrap();
            graph.output(&y, "out").unwrap();
            let direct = dead::remove(&phases(&graph).unwrap()).unwrap();
            assert_eq!(operators(&direct), ["ConvTranspose"]);
            assert_same(&graph, &direct);
        }
    }

    #[test]
    fn of_many_outputs_the_picture_is_made() {
        let mut graph = Graph::new("g");
        let dims = vec![Dim::Symbol("batch".into()), Dim::Fixed(4), Dim::Fixed(3), Dim::Fixed(5)];
        let x = graph.input("x", Type::float32(dims)).unwrap();
        let weight = Tensor::float32(&[1, 5, 2, 2], vec![1.; 20]).unwrap();
        let weight = graph.initializer("w", weight).unwrap();
        let woven = graph.node("woven", Operator::DepthToSpace { block: 2 }, &[&x]).unwrap();
        let sliding = Sliding { kernel: [2; 2], strides: [2; 2], pads: [0; 4] };
        let y = graph.node("y", Operator::ConvTranspose(sliding), &[&woven, &weight]).unwrap();
        graph.output(&y, "out").unwrap();
        assert_eq!(phases(&graph).unwrap().nodes(), graph.nodes());
    }
}
