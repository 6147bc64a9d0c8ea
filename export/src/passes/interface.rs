//! What a graph looks like from outside: pixels as bytes, a batch of fixed size.

use contract::PixelRange;

use crate::Result;
use crate::onnx::{Dim, Element, Graph, Operator, Rewrite, Tensor};

/// The graph with 8-bit pixels as its output: ⌊255 · (x − black) / (1 − black) + ½⌋, limited to 0…255.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn bytes(graph: &Graph, range: PixelRange) -> Result<Graph> {
    let black = range.from_u8(0);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        rewrite.copy(node)?;
    }
    for (name, value) in graph.outputs() {
        let mut y = rewrite.value(value.name())?;
        let number = |value: f32| Tensor::float32(&[], [value]);
        if black != 0. {
            let summand = rewrite.initializer(&format!("{name}.minus_black"), number(-black)?)?;
            y = rewrite.node(&format!("{name}.from_black"), Operator::Add, &[&y, &summand])?;
        }
        let factor = rewrite.initializer(&format!("{name}.levels"), number(255. / (1. - black))?)?;
        let half = rewrite.initializer(&format!("{name}.half_a_level"), number(0.5)?)?;
        y = rewrite.node(&format!("{name}.scaled"), Operator::Mul, &[&y, &factor])?;
        y = rewrite.node(&format!("{name}.rounded"), Operator::Add, &[&y, &half])?;
        y = rewrite.node(&format!("{name}.limited"), Operator::Clip { least: 0., largest: 255. }, &[&y])?;
        // A cast to a whole number truncates, which for numbers from 0 on is the floor.
        y = rewrite.node(&format!("{name}.bytes"), Operator::Cast { to: Element::Uint8 }, &[&y])?;
        rewrite.stand_for(value.name(), y);
    }
    rewrite.finish()
}

/// The graph for batches of exactly `n`.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn fixed_batch(graph: &Graph, n: usize) -> Result<Graph> {
    let mut rewrite = Rewrite::with_inputs(graph, |_, mut of_type| {
        for dim in &mut of_type.dims {
            if matches!(dim, Dim::Symbol(_)) {
                *dim = Dim::Fixed(n);
            }
        }
        of_type
    })?;
    for node in graph.nodes() {
        rewrite.copy(node)?;
    }
    rewrite.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{Device, Tensor as Numbers};

    use super::super::simplify;
    use super::super::tests::{assert_close, every_layer};
    use super::{PixelRange, bytes, fixed_batch};
    use crate::onnx::{Dim, Element, Graph, Operator, Type, evaluate};

    #[test]
    fn pixels_are_rounded_and_limited() {
        for (range, numbers, expected) in [
            (PixelRange::ZeroToOne, [-0.1, 0., 0.5, 0.998, 1., 7.], [0., 0., 128., 254., 255., 255.]),
            (PixelRange::MinusOneToOne, [-2., -1., 0., 0.5, 1., 1.5], [0., 0., 128., 191., 255., 255.]),
        ] {
            let mut graph = Graph::new("g");
            let dims = vec![Dim::Symbol("batch".into()), Dim::Fixed(6)];
            let x = graph.input("x", Type::float32(dims)).unwrap();
            let y = graph.node("same", Operator::Identity, &[&x]).unwrap();
            graph.output(&y, "y").unwrap();
            let graph = bytes(&graph, range).unwrap();
            assert_eq!(graph.outputs().next().unwrap().1.type_of().element, Element::Uint8);
            let x = Numbers::new(&[numbers], &Device::Cpu).unwrap();
            let y = evaluate::run(&graph, HashMap::from([("x".to_string(), x)])).unwrap();
            assert_eq!(y[0].flatten_all().unwrap().to_vec1::<f64>().unwrap(), expected);
        }
    }

    #[test]
    fn a_fixed_batch_is_fixed_everywhere() {
        let graph = simplify(every_layer(6)).unwrap();
        let fixed = fixed_batch(&graph, 4).unwrap();
        let values = fixed.nodes().iter().map(|node| fixed.value(&node.name).unwrap());
        for value in values.chain(fixed.inputs()) {
            assert_eq!(value.type_of().dims[0], Dim::Fixed(4), "{}", value.name());
        }
        assert_close(&graph, &fixed, 1e-12);
    }
}
