//! Half precision: as what a graph computes in, or only as what its numbers are stored in.

use half::f16;

use crate::Result;
use crate::onnx::{Element, Graph, Operator, Rewrite, Tensor, Value};

/// Initializers of fewer numbers are stored as they are: a cast costs more than it saves.
const LEAST: usize = 64;

/// A graph that computes in half precision: its inputs and outputs stay in single precision, and are
/// cast behind and before.
///
/// # Errors
/// [`Error::Graph`](crate::Error::Graph) if a weight is beyond what half precision holds (65,504).
pub fn compute(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for input in graph.inputs().filter(|input| input.type_of().element == Element::Float32) {
        let x = rewrite.value(input.name())?;
        let name = format!("{}.half", input.name());
        let x = rewrite.node(&name, Operator::Cast { to: Element::Float16 }, &[&x])?;
        rewrite.stand_for(input.name(), x);
    }
    for node in graph.nodes() {
        for name in node.inputs.iter() {
            if let Some(tensor) = graph.constant(name).filter(|tensor| tensor.element() == Element::Float32)
                && !rewrite.has(name)
            {
                let value = rewrite.initializer(name, halved(name, tensor)?)?;
                rewrite.stand_for(name, value);
            }
        }
        rewrite.copy(node)?;
    }
    for (name, value) in graph.outputs().filter(|(_, value)| value.type_of().element == Element::Float32) {
        let y = rewrite.value(value.name())?;
        let y = rewrite.node(&format!("{name}.single"), Operator::Cast { to: Element::Float32 }, &[&y])?;
        rewrite.stand_for(value.name(), y);
    }
    rewrite.finish()
}

/// A graph whose float32 initializers are stored in half precision, and cast where they are used.
///
/// # Errors
/// As [`compute`].
pub fn store(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        // The steps of whole numbers are read by what fuses them with a layer: they stay as they are.
        let inputs = if node.operator == Operator::DequantizeChannels { &[] } else { node.inputs.as_slice() };
        for name in inputs {
            let large = graph
                .constant(name)
                .filter(|tensor| tensor.element() == Element::Float32 && tensor.elements() >= LEAST);
            if let Some(tensor) = large
                && !rewrite.has(name)
            {
                let stored: Value = rewrite.initializer(&format!("{name}.half"), halved(name, tensor)?)?;
                let value = rewrite.node(name, Operator::Cast { to: Element::Float32 }, &[&stored])?;
                rewrite.stand_for(name, value);
            }
        }
        rewrite.copy(node)?;
    }
    rewrite.finish()
}

/// The same numbers rounded to half precision.
fn halved(name: &str, tensor: &Tensor) -> Result<Tensor> {
    let numbers: Vec<f16> = tensor.floats().into_iter().map(f16::from_f32).collect();
    match numbers.iter().all(|number| number.is_finite()) {
        true => Tensor::float16(tensor.dims(), numbers),
        false => Err(crate::Error::Graph {
            node: name.to_string(),
            message:
                "holds numbers beyond 65504, the largest of half precision; export it in single precision"
                    .to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::simplify;
    use super::super::tests::{assert_close, every_layer, operators};
    use super::{compute, store};
    use crate::onnx::{Element, Graph, Operator};

    fn elements(graph: &Graph) -> Vec<Element> {
        graph.nodes().iter().map(|node| graph.value(&node.name).unwrap().type_of().element).collect()
    }

    /// Double precision computes the same from rounded weights: half has 11 bits.
    #[test]
    fn half_precision_is_near() {
        let graph = simplify(every_layer(5)).unwrap();
        let half = compute(&graph).unwrap();
        let (first, last) = (elements(&half)[0], *elements(&half).last().unwrap());
        assert_eq!((first, last), (Element::Float16, Element::Float32));
        assert!(elements(&half)[1..elements(&half).len() - 1].iter().all(|&e| e == Element::Float16));
        assert_close(&graph, &half, 1e-2);

        let stored = store(&graph).unwrap();
        let casts = operators(&stored).iter().filter(|&&name| name == "Cast").count();
        assert!(casts > 5, "{casts}");
        assert!(elements(&stored).iter().all(|&element| element == Element::Float32));
        assert_close(&graph, &stored, 1e-2);
    }

    #[test]
    fn weights_that_half_precision_does_not_hold_are_refused() {
        use crate::onnx::{Dim, Tensor, Type};
        let mut graph = Graph::new("g");
        let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(64)])).unwrap();
        let w = graph.initializer("w", Tensor::float32(&[1, 64], [70_000.; 64]).unwrap()).unwrap();
        let y = graph.node("y", Operator::Gemm, &[&x, &w]).unwrap();
        graph.output(&y, "out").unwrap();
        for error in [compute(&graph).unwrap_err(), store(&graph).unwrap_err()] {
            assert!(error.to_string().contains("w: holds numbers beyond 65504"), "{error}");
        }
    }
}
