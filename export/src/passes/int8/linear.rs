//! Linear layers: x·Wᵀ + C as (q − zero)·Q · steps + C.

use super::super::weights::Weights;
use super::range::{Range, steps, whole};
use crate::Result;
use crate::onnx::{Element, Graph, Node, Operator, Rewrite, Tensor, Value};

/// Writes a linear layer in 8 bits; its input is of this range.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn quantise(graph: &Graph, rewrite: &mut Rewrite<'_>, node: &Node, range: Range) -> Result<()> {
    let Some((weight, [outputs, features])) = Weights::of_large_linear(graph, node, 0) else {
        return rewrite.copy(node);
    };
    let name = &node.name;
    let numbers = weight.floats();
    let steps = steps(&numbers, features);
    // MatMulInteger takes the weight as (features, outputs).
    let quantised = (0..features * outputs).map(|at| {
        let (feature, output) = (at / outputs, at % outputs);
        whole(numbers[output * features + feature], steps[output])
    });
    let weight = Tensor::int8(&[features, outputs], quantised)?;
    let of_weight = rewrite.unused(&node.inputs[1], ".int8");
    let weight = rewrite.initializer(&format!("{of_weight}.int8"), weight)?;

    let (scale, zero) = (range.scale(), range.zero());
    let x = rewrite.value(&node.inputs[0])?;
    let q = rewrite.node(&format!("{name}.quantised"), Operator::QuantizeLinear { scale, zero }, &[&x])?;
    let sums = rewrite.node(&format!("{name}.int32"), Operator::MatMulInteger { zero }, &[&q, &weight])?;
    let sums = rewrite.node(&format!("{name}.sums"), Operator::Cast { to: Element::Float32 }, &[&sums])?;
    let steps = Tensor::float32(&[outputs], steps.into_iter().map(|step| step * scale))?;
    let steps = rewrite.initializer(&format!("{of_weight}.steps"), steps)?;
    let mut y: Value = rewrite.node(&format!("{name}.scaled"), Operator::Mul, &[&sums, &steps])?;
    if let Some(summand) = node.inputs.get(2) {
        let summand = rewrite.value(summand)?;
        y = rewrite.node(name, Operator::Add, &[&y, &summand])?;
    }
    rewrite.stand_for(name, y);
    Ok(())
}
