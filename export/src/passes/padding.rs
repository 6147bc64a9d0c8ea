//! Transposed convolutions with as many zeros cut off before as after: their kernels get a row or column
//! of zeros on the side where less was cut off.
//!
//! SAME padding of an even stride cuts off one more after than before, and ONNX Runtime's CUDA provider
//! takes no such transposed convolution: it would run on the CPU, the pictures copied there and back
//! (microsoft/onnxruntime#11312). The zeros cost products, few where a layer has few outputs.

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Operator, Rewrite, Sliding, Tensor};

/// The graph with all its transposed convolutions like that.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn symmetric(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let Operator::ConvTranspose(sliding) = node.operator else {
            rewrite.copy(node)?;
            continue;
        };
        let [top, left, bottom, right] = sliding.pads;
        let uneven = (top, left) != (bottom, right);
        let Some(weights) = Weights::of(graph, node).filter(|_| uneven) else {
            rewrite.copy(node)?;
            continue;
        };
        let pads = [top.max(bottom), left.max(right)];
        let before = [pads[0] - top, pads[1] - left];
        let kernel =
            [0, 1].map(|axis| sliding.kernel[axis] + sliding.pads[axis].abs_diff(sliding.pads[axis + 2]));
        let even = Sliding { kernel, pads: [pads[0], pads[1], pads[0], pads[1]], ..sliding };
        let weight = widen(weights.weight, before, kernel)?;
        let mut inputs = vec![rewrite.value(&node.inputs[0])?, rewrite.initializer(&node.inputs[1], weight)?];
        if let Some(bias) = node.inputs.get(2) {
            inputs.push(rewrite.value(bias)?);
        }
        let inputs: Vec<_> = inputs.iter().collect();
        let y = rewrite.node(&node.name, Operator::ConvTranspose(even), &inputs)?;
        rewrite.stand_for(&node.name, y);
    }
    rewrite.finish()
}

/// Kernels of (rows, columns) with zeros around them, so many rows and columns of them before.
///
/// # Shapes
/// `weight` (inputs, outputs, height, width) → (inputs, outputs, rows, columns)
fn widen(weight: &Tensor, before: [usize; 2], [rows, columns]: [usize; 2]) -> Result<Tensor> {
    let &[inputs, outputs, height, width] = weight.dims() else {
        return Ok(weight.clone());
    };
    let numbers = weight.floats();
    let wider = numbers.chunks(height * width).flat_map(|kernel| {
        (0..rows * columns).map(move |at| {
            let place = [(at / columns).checked_sub(before[0]), (at % columns).checked_sub(before[1])];
            match place {
                [Some(row), Some(column)] if row < height && column < width => kernel[row * width + column],
                _ => 0.,
            }
        })
    });
    Tensor::float32(&[inputs, outputs, rows, columns], wider)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, every_layer};
    use super::super::{dead, simplify};
    use super::symmetric;
    use crate::onnx::{Graph, Operator};

    fn pads(graph: &Graph) -> Vec<[usize; 4]> {
        let pads = graph.nodes().iter().filter_map(|node| match node.operator {
            Operator::ConvTranspose(sliding) => Some(sliding.pads),
            _ => None,
        });
        pads.collect()
    }

    /// Kernels that are not square, zeros only before, only after, on both sides, and none.
    #[test]
    fn zeros_are_as_many_before_as_after_and_the_pictures_the_same() {
        let graph = simplify(every_layer(5)).unwrap();
        let is_even = |[top, left, bottom, right]: &[usize; 4]| (top, left) == (bottom, right);
        assert!(pads(&graph).iter().any(|pads| !is_even(pads)));
        let even = dead::remove(&symmetric(&graph).unwrap()).unwrap();
        assert!(pads(&even).iter().all(is_even), "{:?}", pads(&even));
        assert_eq!(pads(&even).len(), pads(&graph).len());
        assert_same(&graph, &even);
        assert_eq!(symmetric(&even).unwrap().nodes(), even.nodes());
    }
}
