//! What depends on no input of the graph is worked out once and becomes an initializer.

use std::collections::HashMap;

use candle_core::Tensor as Numbers;

use crate::Result;
use crate::onnx::{Graph, Operator, Rewrite, evaluate};

/// Folds every node whose inputs are constants, in double precision: what remains of a whole row of
/// them is rounded once.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn fold(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    let mut folded: HashMap<&str, Numbers> = HashMap::new();
    for node in graph.nodes() {
        let is_constant =
            |name: &String| folded.contains_key(name.as_str()) || graph.constant(name).is_some();
        if may_fold(&node.operator) && node.inputs.iter().all(is_constant) {
            let number = |name: &String| match (folded.get(name.as_str()), graph.constant(name)) {
                (Some(value), _) => Some(Ok(value.clone())),
                (None, initializer) => initializer.map(evaluate::numbers),
            };
            let inputs = node.inputs.iter().filter_map(number).collect::<Result<Vec<_>>>()?;
            folded.insert(&node.name, evaluate::evaluate(node, &inputs.iter().collect::<Vec<_>>())?);
            continue;
        }
        for name in &node.inputs {
            materialise(&mut rewrite, &folded, name)?;
        }
        rewrite.copy(node)?;
    }
    for (_, value) in graph.outputs() {
        materialise(&mut rewrite, &folded, value.name())?;
    }
    rewrite.finish()
}

/// Makes a folded value an initializer, once something uses it.
fn materialise(rewrite: &mut Rewrite<'_>, folded: &HashMap<&str, Numbers>, name: &str) -> Result<()> {
    if let Some(value) = folded.get(name).filter(|_| !rewrite.has(name)) {
        let value = rewrite.initializer(name, evaluate::tensor(value)?)?;
        rewrite.stand_for(name, value);
    }
    Ok(())
}

/// A cast of a constant is there so that the file holds it in fewer bits.
fn may_fold(operator: &Operator) -> bool {
    !matches!(operator, Operator::Cast { .. })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, operators};
    use super::fold;
    use crate::onnx::{Dim, Graph, Operator, Tensor, Type};

    #[test]
    fn a_row_of_constants_becomes_one() {
        let mut graph = Graph::new("g");
        let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)])).unwrap();
        let [a, b] = [("a", [0.1, -2., 3.]), ("b", [1., 0.5, 7.])]
            .map(|(name, row)| graph.initializer(name, Tensor::float32(&[1, 3], row).unwrap()).unwrap());
        let sum = graph.node("sum", Operator::Add, &[&a, &b]).unwrap();
        let curve = graph.node("curve", Operator::Tanh, &[&sum]).unwrap();
        let y = graph.node("y", Operator::Mul, &[&x, &curve]).unwrap();
        let again = graph.node("again", Operator::Mul, &[&y, &curve]).unwrap();
        graph.output(&again, "out").unwrap();
        let folded = fold(&graph).unwrap();
        assert_eq!(operators(&folded), ["Mul", "Mul"]);
        assert_eq!(folded.constant("curve").unwrap().floats()[1], (-1.5f64).tanh() as f32);
        assert_same(&graph, &folded);
    }
}
