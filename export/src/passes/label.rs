//! A label is one of few, so what depends on the label alone is worked out for every class and becomes
//! a table, of which each item takes its row.
//!
//! That includes what a label adds behind weights: W·(x ⊕ y) is W₁·x + W₂·y. The second summand is a
//! row of a table behind a linear layer, and a constant map behind a convolution; the weights lose the
//! label's inputs.

use std::collections::HashMap;

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Element, Graph, Node, Operator, Rewrite, Tensor, Type, Value};

/// The graph with such tables, each as nodes on constants that [`constants`](super::constants) folds,
/// and with nodes that [`dead`](super::dead) drops.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn tabulate(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    let Some((label, classes)) = label_of(graph) else {
        for node in graph.nodes() {
            rewrite.copy(node)?;
        }
        return rewrite.finish();
    };
    let all = Tensor::int64(&[classes], 0..classes as i64)?;
    let all = rewrite.initializer(&format!("{label}.classes"), all)?;
    let indices = rewrite.value(&label)?;
    // What depends on the label alone, worked out for all classes: (classes, …).
    let mut tables = HashMap::from([(label.clone(), all)]);
    for node in graph.nodes() {
        let of_label = |name: &String| tables.contains_key(name) || graph.constant(name).is_some();
        if let Some(table) = table_of(graph, node, &label, classes) {
            rewrite.copy(node)?;
            tables.insert(node.name.clone(), rewrite.value(table)?);
        } else if node.inputs.iter().all(of_label) && node.inputs.iter().any(|name| tables.contains_key(name))
        {
            let inputs = node.inputs.iter().map(|name| match tables.get(name) {
                Some(table) => Ok(table.clone()),
                None => rewrite.value(name),
            });
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let name = format!("{}.classes", node.name);
            let table = rewrite.node(&name, node.operator.clone(), &inputs.iter().collect::<Vec<_>>())?;
            tables.insert(node.name.clone(), table.clone());
            let row = rewrite.node(&format!("{}.row", node.name), Operator::Gather, &[&table, &indices])?;
            rewrite.stand_for(&node.name, row);
        } else if let Some(concat) = label_before(graph, node, &tables) {
            split(&mut rewrite, graph, node, concat, &tables[&concat.inputs[1]], &indices)?;
        } else {
            rewrite.copy(node)?;
        }
    }
    rewrite.finish()
}

/// The input of the graph, one number an item, that indexes tables alone, and how many rows the shortest of
/// them has.
fn label_of(graph: &Graph) -> Option<(String, usize)> {
    let is_label = |of: &Type| of.element == Element::Int64 && of.dims.len() == 1;
    let label = graph.inputs().find(|input| is_label(input.type_of()))?;
    let rows = graph.users(label.name()).map(|user| match user.operator {
        Operator::Gather => graph.constant(&user.inputs[0])?.dims().first().copied(),
        _ => None,
    });
    let classes = rows.collect::<Option<Vec<_>>>()?.into_iter().min()?;
    Some((label.name().to_string(), classes))
}

/// The table of one row a class that a node takes the label's row of.
fn table_of<'a>(graph: &Graph, node: &'a Node, label: &str, classes: usize) -> Option<&'a str> {
    let [table, indices] = node.inputs.as_slice() else { return None };
    let rows = graph.constant(table)?.dims().first().copied();
    (node.operator == Operator::Gather && indices == label && rows == Some(classes)).then_some(table)
}

/// The x ⊕ y that goes into a node with weights.
fn label_before<'a>(graph: &'a Graph, node: &Node, tables: &HashMap<String, Value>) -> Option<&'a Node> {
    let concat = graph.producer(&node.inputs[0])?;
    let is_it = concat.operator == Operator::Concat { axis: 1 }
        && concat.inputs.len() == 2
        && tables.contains_key(&concat.inputs[1])
        && Weights::of(graph, node).is_some();
    is_it.then_some(concat)
}

/// W·(x ⊕ y) + b as W₁·x + (W₂·y + b), the second summand from a table.
fn split(
    rewrite: &mut Rewrite<'_>,
    graph: &Graph,
    node: &Node,
    concat: &Node,
    labels: &Value,
    indices: &Value,
) -> Result<()> {
    let Some(weights) = Weights::of(graph, node) else { return rewrite.copy(node) };
    let is_linear = node.operator == Operator::Gemm;
    let what = if is_linear { "table" } else { "maps" };
    let x = rewrite.value(&concat.inputs[0])?;
    let features = x.type_of().dims.get(1).and_then(|dim| dim.fixed()).unwrap_or_default();
    let (of_features, of_label) = weights.split_inputs(features)?;

    let of_label = rewrite.initializer(&format!("{}.label", node.inputs[1]), of_label)?;
    let bias = node.inputs.get(2).map(|bias| rewrite.value(bias)).transpose()?;
    let inputs: Vec<&Value> = [labels, &of_label].into_iter().chain(&bias).collect();
    let table = rewrite.node(&format!("{}.{what}", concat.name), node.operator.clone(), &inputs)?;
    let row = rewrite.node(&format!("{}.{what}.row", concat.name), Operator::Gather, &[&table, indices])?;

    let of_features = rewrite.initializer(&node.inputs[1], of_features)?;
    let sum = match is_linear {
        // Gemm adds by itself.
        true => rewrite.node(&node.name, Operator::Gemm, &[&x, &of_features, &row])?,
        false => {
            let y = rewrite.node(&node.name, node.operator.clone(), &[&x, &of_features])?;
            // A label that stood before this one may have been taken out already.
            let name = format!("{}.sum", node.name);
            let name = if graph.value(&name).is_some() { format!("{}.sum", concat.name) } else { name };
            rewrite.node(&name, Operator::Add, &[&y, &row])?
        }
    };
    rewrite.stand_for(&node.name, sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, every_layer, operators};
    use super::super::{constants, dead};
    use super::tabulate;
    use crate::onnx::{Dim, Graph, Operator, Tensor, Type};

    #[test]
    fn labels_become_tables() {
        let graph = every_layer(2);
        let tabled = dead::remove(&constants::fold(&tabulate(&graph).unwrap()).unwrap()).unwrap();
        let operators = operators(&tabled);
        let count = |name| operators.iter().filter(|&&operator| operator == name).count();
        assert_eq!((count("Unsqueeze"), count("Expand")), (0, 0));
        // A table for each of six labels, one of which has another one between itself and the weights.
        assert_eq!(count("Gather"), 6);
        assert_same(&graph, &tabled);
        // Where two labels were before weights, the first is taken out by a second round; then nothing is left.
        let again = |graph| dead::remove(&constants::fold(&tabulate(graph).unwrap()).unwrap()).unwrap();
        let twice = again(&tabled);
        assert_same(&graph, &twice);
        assert_eq!(again(&twice).nodes(), twice.nodes());
    }

    #[test]
    fn a_label_that_does_other_things_too_is_left_alone() {
        let mut graph = Graph::new("g");
        let of_type = Type::int64(vec![Dim::Symbol("batch".into()), Dim::Fixed(1)]);
        let label = graph.input("label", of_type).unwrap();
        let table = graph.initializer("t", Tensor::float32(&[2, 1], [3., 4.]).unwrap()).unwrap();
        let row = graph.node("row", Operator::Gather, &[&table, &label]).unwrap();
        let whole = graph.node("whole", Operator::Flatten, &[&label]).unwrap();
        graph.output(&row, "y").unwrap();
        graph.output(&whole, "z").unwrap();
        assert_eq!(tabulate(&graph).unwrap().nodes(), graph.nodes());
    }
}
