//! Which layers there are, and how large they are.

use std::collections::HashMap;

use super::super::weights::Weights;
use crate::onnx::{Graph, Node, Operator};

/// Layers of fewer products an image stay as they are: they are not what costs time. The shipped generator's
/// first layer has 102,400 and takes 1 % of the time.
pub const LEAST: usize = 1 << 18;

/// What becomes 8-bit whole: a linear layer, or all convolutions of the same input (the phases of a transposed
/// convolution).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What its nodes' names have in common.
    pub name: String,
    /// The names of its nodes.
    pub nodes: Vec<String>,
    /// Or a convolution.
    pub is_linear: bool,
}

/// The layers of [`LEAST`] products an image and more, in the graph's order.
pub fn layers(graph: &Graph) -> Vec<Layer> {
    let mut groups: Vec<(&Node, Vec<&Node>)> = Vec::new();
    let mut of_input: HashMap<&str, usize> = HashMap::new();
    for node in graph.nodes() {
        let is_conv = matches!(node.operator, Operator::Conv(_)) && Weights::of(graph, node).is_some();
        // A linear layer's summand may be a row of a table.
        let is_linear = Weights::of_large_linear(graph, node, LEAST).is_some();
        if is_conv {
            let group = *of_input.entry(&node.inputs[0]).or_insert(groups.len());
            match groups.get_mut(group) {
                Some((_, nodes)) => nodes.push(node),
                None => groups.push((node, vec![node])),
            }
        } else if is_linear {
            groups.push((node, vec![node]));
        }
    }
    let large = |nodes: &[&Node]| nodes.iter().map(|node| products(graph, node)).sum::<usize>() >= LEAST;
    let layer = |(first, nodes): (&Node, Vec<&Node>)| Layer {
        name: common(nodes.iter().map(|node| node.name.as_str())),
        nodes: nodes.iter().map(|node| node.name.clone()).collect(),
        is_linear: first.operator == Operator::Gemm,
    };
    groups.into_iter().filter(|(_, nodes)| large(nodes)).map(layer).collect()
}

/// Products of one image; none if a size isn't known.
fn products(graph: &Graph, node: &Node) -> usize {
    let weights = graph.constant(&node.inputs[1]).map_or(0, |weight| weight.elements());
    let positions = graph.value(&node.name).and_then(|value| {
        value.type_of().dims.iter().skip(2).map(|dim| dim.fixed()).product::<Option<usize>>()
    });
    weights * positions.unwrap_or(0)
}

/// What all names begin with, without a point at its end.
fn common<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let Some(first) = names.next() else { return String::new() };
    let mut length = first.len();
    for name in names {
        length = length.min(first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count());
    }
    // Phases are called h2.deconv.00 to h2.deconv.11.
    let start = first.get(..length).unwrap_or(first);
    let start =
        if length < first.len() { start.rsplit_once('.').map_or(start, |(start, _)| start) } else { start };
    start.to_string()
}

#[cfg(test)]
mod tests {
    use super::common;

    #[test]
    fn phases_are_called_by_what_they_have_in_common() {
        let names = ["h2.deconv.00", "h2.deconv.01", "h2.deconv.10"];
        assert_eq!(common(names.into_iter()), "h2.deconv");
        assert_eq!(common(["out.deconv"].into_iter()), "out.deconv");
        assert_eq!(common(["a", "b"].into_iter()), "");
    }
}
