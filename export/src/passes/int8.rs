//! 8-bit weights in large linear layers.
//!
//! A weight becomes a whole number from −127 to 127 times its output's own step. What goes into the
//! layer becomes one from 0 to 255, with a step that is fixed when the file is written, from the range
//! that the layer's inputs have over given latents. A range found anew at each run would be that of a
//! batch, so an image would depend on the others that are drawn with it.

use std::collections::HashMap;

use candle_core::Tensor as Numbers;

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Element, Graph, Node, Operator, Rewrite, Tensor, Value, evaluate};

/// The largest step of a weight: −127 to 127 is symmetric.
const STEPS: f32 = 127.;

/// Linear layers of fewer weights stay as they are: their weights are not what costs time.
pub const LEAST: usize = 1 << 18;

/// The graph with 8-bit weights in its linear layers of [`LEAST`] weights and more. `inputs` are those
/// from which the range of each layer's input is found.
///
/// # Errors
/// As [`evaluate::run`].
pub fn linear(graph: &Graph, inputs: HashMap<String, Numbers>) -> Result<Graph> {
    let chosen = |node: &&Node| Weights::of_large_linear(graph, node, LEAST).is_some();
    let observed = graph.nodes().iter().filter(chosen).map(|node| node.inputs[0].as_str());
    let ranges = ranges(graph, inputs, observed.collect())?;
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let range = || ranges.get(node.inputs[0].as_str());
        match Weights::of_large_linear(graph, node, LEAST).zip(range()) {
            Some((weights, &range)) => quantise(&mut rewrite, node, weights, range)?,
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

/// The least and the largest number of each of these values, 0 within.
fn ranges<'a>(
    graph: &Graph,
    inputs: HashMap<String, Numbers>,
    names: Vec<&'a str>,
) -> Result<HashMap<&'a str, (f32, f32)>> {
    let values = evaluate::values(graph, inputs)?;
    let range = |name: &'a str| {
        let numbers: Vec<f64> = match values.get(name) {
            Some(value) => value.flatten_all()?.to_vec1()?,
            None => Vec::new(),
        };
        let fold = |start: f64, f: fn(f64, f64) -> f64| numbers.iter().copied().fold(start, f) as f32;
        Ok((name, (fold(0., f64::min), fold(0., f64::max))))
    };
    names.into_iter().map(range).collect()
}

/// x·Wᵀ + C as (q − zero)·Q · steps + C.
fn quantise(
    rewrite: &mut Rewrite<'_>,
    node: &Node,
    (weight, [outputs, features]): (&Tensor, [usize; 2]),
    range: (f32, f32),
) -> Result<()> {
    let name = &node.name;
    let numbers = weight.floats();
    let step =
        |row: &[f32]| (row.iter().fold(0f32, |most, w| most.max(w.abs())) / STEPS).max(f32::MIN_POSITIVE);
    let steps: Vec<f32> = numbers.chunks(features).map(step).collect();
    // MatMulInteger takes the weight as (features, outputs).
    let quantised = (0..features * outputs).map(|at| {
        let (feature, output) = (at / outputs, at % outputs);
        (numbers[output * features + feature] / steps[output]).round() as i8
    });
    let weight = Tensor::int8(&[features, outputs], quantised)?;
    let weight = rewrite.initializer(&format!("{}.int8", node.inputs[1]), weight)?;

    let (least, largest) = range;
    let scale = ((largest - least) / 255.).max(f32::MIN_POSITIVE);
    let zero = (-least / scale).round().clamp(0., 255.) as u8;
    let x = rewrite.value(&node.inputs[0])?;
    let q = rewrite.node(&format!("{name}.quantised"), Operator::QuantizeLinear { scale, zero }, &[&x])?;
    let sums = rewrite.node(&format!("{name}.int32"), Operator::MatMulInteger { zero }, &[&q, &weight])?;
    let sums = rewrite.node(&format!("{name}.sums"), Operator::Cast { to: Element::Float32 }, &[&sums])?;
    let steps = Tensor::float32(&[outputs], steps.into_iter().map(|step| step * scale))?;
    let steps = rewrite.initializer(&format!("{}.steps", node.inputs[1]), steps)?;
    let mut y: Value = rewrite.node(&format!("{name}.scaled"), Operator::Mul, &[&sums, &steps])?;
    if let Some(summand) = node.inputs.get(2) {
        let summand = rewrite.value(summand)?;
        y = rewrite.node(name, Operator::Add, &[&y, &summand])?;
    }
    rewrite.stand_for(name, y);
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use models::{Network, Shape};

    use super::super::simplify;
    use super::super::tests::{assert_close, inputs, operators, plain};
    use super::linear;

    #[test]
    fn large_linear_layers_are_near_with_8_bits() {
        let network = Network::builder("linear", Shape::Vector(6))
            .linear("small", 520)
            .relu("relu")
            .label("h1.label", 3)
            .linear("large", 530)
            .build()
            .unwrap();
        let weights = network.initialise(3, &Device::Cpu).unwrap();
        let graph = simplify(plain(&network, &weights)).unwrap();
        assert_eq!(operators(&graph), ["Gemm", "Relu", "Gather", "Gemm"]);
        let quantised = linear(&graph, inputs(&graph, 3)).unwrap();
        let expected = ["Gemm", "Relu", "Gather", "QuantizeLinear", "MatMulInteger", "Cast", "Mul", "Add"];
        assert_eq!(operators(&quantised), expected);
        assert_close(&graph, &quantised, 1e-2);
    }
}
