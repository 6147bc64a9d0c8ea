//! Batch norm with running averages multiplies and adds per channel, so the weights and the bias of
//! the linear layer or convolution before it take it in.

use std::collections::HashSet;

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Node, Operator, Rewrite};

/// Folds each batch norm that stands directly behind weights, however many there are in a row, also
/// where a linear layer's numbers are taken as planes in between.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn fold(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    let mut folded = HashSet::new();
    for node in graph.nodes() {
        if folded.contains(&node.name) {
            let x = rewrite.value(&node.inputs[0])?;
            rewrite.stand_for(&node.name, x);
            continue;
        }
        let (end, points) = planes_behind(graph, node);
        let norms = norms_behind(graph, end);
        match Weights::of(graph, node).filter(|_| !norms.is_empty()) {
            None => rewrite.copy(node)?,
            Some(weights) => {
                let (mut scale, mut shift) = (vec![1.; weights.outputs()], vec![0.; weights.outputs()]);
                for norm in &norms {
                    let affine = affine(graph, norm);
                    for (output, (scale, shift)) in scale.iter_mut().zip(&mut shift).enumerate() {
                        let (factor, summand) = affine[output / points];
                        (*scale, *shift) = (*scale * factor, *shift * factor + summand);
                    }
                    folded.insert(norm.name.clone());
                }
                let (weight, bias) = weights.followed_by(&scale, &shift)?;
                let x = rewrite.value(&node.inputs[0])?;
                let weight = rewrite.initializer(&node.inputs[1], weight)?;
                let name = node.inputs.get(2).cloned().unwrap_or_else(|| format!("{}.bias", node.name));
                let bias = rewrite.initializer(&name, bias)?;
                let y = rewrite.node(&node.name, node.operator.clone(), &[&x, &weight, &bias])?;
                rewrite.stand_for(&node.name, y);
            }
        }
    }
    rewrite.finish()
}

/// Where a linear layer's numbers are taken as planes and by nothing else, that node and how many
/// numbers a plane has; else the node itself, of which each number has a channel of its own.
fn planes_behind<'a>(graph: &'a Graph, node: &'a Node) -> (&'a Node, usize) {
    let planes = graph.users(&node.name).next().filter(|_| graph.uses(&node.name) == 1);
    match planes.map(|planes| (planes, &planes.operator)) {
        Some((planes, Operator::Reshape { item })) if node.operator == Operator::Gemm => {
            (planes, item.iter().skip(1).product())
        }
        _ => (node, 1),
    }
}

/// The batch norms directly behind a node, where nothing else sees what is between them and their
/// parameters are constants.
fn norms_behind<'a>(graph: &'a Graph, node: &'a Node) -> Vec<&'a Node> {
    let mut norms: Vec<&Node> = Vec::new();
    loop {
        let end = norms.last().map_or(&node.name, |norm| &norm.name);
        let next = graph.users(end).next().filter(|next| {
            graph.uses(end) == 1
                && matches!(next.operator, Operator::BatchNormalization { .. })
                && next.inputs[1..].iter().all(|parameter| graph.constant(parameter).is_some())
        });
        match next {
            Some(norm) => norms.push(norm),
            None => return norms,
        }
    }
}

/// Factor and summand of each channel: scale · (x − mean) / √(variance + ε) + B.
fn affine(graph: &Graph, norm: &Node) -> Vec<(f64, f64)> {
    let Operator::BatchNormalization { epsilon } = norm.operator else { return Vec::new() };
    let parameter = |at: usize| -> Vec<f64> {
        let tensor = norm.inputs.get(at).and_then(|name| graph.constant(name));
        tensor.map(|tensor| tensor.floats().into_iter().map(f64::from).collect()).unwrap_or_default()
    };
    let [scale, offset, mean, variance] = [1, 2, 3, 4].map(parameter);
    (0..scale.len())
        .map(|c| {
            let factor = scale[c] / (variance[c] + f64::from(epsilon)).sqrt();
            (factor, offset[c] - mean[c] * factor)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, every_layer, operators};
    use super::fold;

    #[test]
    fn weights_take_in_the_norms_behind_them() {
        let graph = every_layer(1);
        let folded = fold(&graph).unwrap();
        let norms = |graph| operators(graph).iter().filter(|&&name| name == "BatchNormalization").count();
        // Those behind an input, an activation or a label stay.
        assert_eq!((norms(&graph), norms(&folded)), (8, 4));
        assert_same(&graph, &folded);
    }
}
