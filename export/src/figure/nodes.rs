//! An ONNX file's nodes as blocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contract::onnx::Dim;
use contract::thousands;

use super::{Block, Strip};
use crate::inspect::{Node, Report, Tensor, Value};

/// A figure is to be read; what has more blocks is for `inspect`.
const MOST: usize = 64;
/// Other inputs that are told of a node, and letters of their names: a file that anyone wrote may have many.
const MOST_OTHERS: usize = 3;
const MOST_LETTERS: usize = 24;

/// What is known of a value that the graph computes.
struct Known<'a> {
    /// How many nodes lie on the longest way to it from the network's input; `None` if it doesn't depend
    /// on that.
    level: Option<usize>,
    /// The other inputs that it depends on, such as the label.
    others: BTreeSet<&'a str>,
}

/// A file's graph as the figure shows it. Its input is the first that is no scalar of a batch. Nodes that
/// are equally many nodes away from it stand together; what depends on other inputs alone is told where it
/// goes in.
///
/// # Errors
/// If the file has no input, nothing depends on it, or there are too many blocks: what was found.
pub fn of_file(report: &Report) -> Result<Strip, String> {
    let rank = |input: &&Value| input.dims.as_ref().is_some_and(|dims| dims.len() > 1);
    let input = report.inputs.iter().find(rank).or(report.inputs.first());
    let input = input.ok_or("its graph takes no input")?;
    let batch = input.dims.as_ref().and_then(|dims| dims.first());
    let weights: HashMap<&str, &Tensor> = report.tensors.iter().map(|t| (t.name.as_str(), t)).collect();

    let levels = levels(report, input);
    if levels.is_empty() {
        return Err(format!("nothing in its graph depends on the input {}", input.name));
    }
    let mut blocks = Vec::new();
    let mut last = Block { name: Some(input.name.clone()), ..Block::new(sizes(input, batch)) };
    for nodes in levels.values() {
        let made = nodes.iter().filter_map(|(node, _)| node.outputs.first());
        let made: Vec<_> = made.map(|output| sizes(output, batch)).collect();
        let shape = made.first().cloned().unwrap_or_default();
        let copies = made.iter().filter(|other| **other == shape).count().max(1);
        let weight = |node: &Node| {
            let tensors = node.inputs.iter().filter_map(|name| weights.get(name.as_str()));
            tensors.copied().find(|tensor| tensor.dims.len() > 1)
        };
        let has_weight = nodes.iter().any(|(node, _)| weight(node).is_some());
        if has_weight || (&shape, copies) != (&last.sizes, last.copies) {
            blocks.push(std::mem::replace(&mut last, Block { copies, ..Block::new(shape) }));
        }
        let told = nodes.iter().map(|(node, others)| operation(node, weight(node), others));
        let mut counts = BTreeMap::<String, usize>::new();
        told.for_each(|operation| *counts.entry(operation).or_default() += 1);
        last.operations.extend(counts.into_iter().map(|(operation, count)| match count {
            1 => operation,
            count => format!("{count} × {operation}"),
        }));
    }
    last.name = report.outputs.first().map(|output| output.name.clone());
    blocks.push(last);
    match blocks.len() {
        0..=MOST => {}
        blocks => {
            return Err(format!(
                "a figure shows up to {MOST} shapes, and this would be {blocks}; `export inspect` lists its nodes"
            ));
        }
    }
    let (nodes, parameters) = (report.nodes.len(), thousands(report.parameters));
    let name = if report.graph.is_empty() { "graph".to_string() } else { report.graph.clone() };
    Ok(Strip { name, about: format!("{nodes} nodes, {parameters} parameters"), blocks })
}

/// The nodes between the input and the first output by their level, each with the other inputs that come
/// in there.
fn levels<'a>(report: &'a Report, input: &'a Value) -> BTreeMap<usize, Vec<(&'a Node, Vec<&'a str>)>> {
    let mut known = HashMap::<&str, Known<'_>>::new();
    for other in &report.inputs {
        let is_input = other.name == input.name;
        let others = if is_input { BTreeSet::new() } else { [other.name.as_str()].into() };
        known.insert(&other.name, Known { level: is_input.then_some(0), others });
    }
    let mut placed = Vec::new();
    for node in &report.nodes {
        let taken = || node.inputs.iter().filter_map(|name| known.get(name.as_str()));
        let level = taken().filter_map(|value| value.level).max().map(|level| level + 1);
        let beside = taken().filter(|value| value.level.is_none());
        let others: BTreeSet<&str> =
            beside.flat_map(|value| value.others.iter().copied()).take(MOST_OTHERS).collect();
        for output in &node.outputs {
            // What comes in beside the input is told where it does, not after it.
            let others = if level.is_some() { BTreeSet::new() } else { others.clone() };
            known.insert(&output.name, Known { level, others });
        }
        placed.extend(level.map(|level| (level, node, others)));
    }
    // From the output back: a node whose result nobody takes is left out.
    let mut needed: BTreeSet<&str> = report.outputs.iter().map(|output| output.name.as_str()).collect();
    let mut levels = BTreeMap::<usize, Vec<_>>::new();
    for (level, node, others) in placed.into_iter().rev() {
        if node.outputs.iter().any(|output| needed.contains(output.name.as_str())) {
            needed.extend(node.inputs.iter().map(String::as_str));
            levels.entry(level).or_default().push((node, others.into_iter().collect()));
        }
    }
    levels.values_mut().for_each(|nodes| nodes.reverse());
    levels
}

/// `Conv 3×3`, `Add with label`.
fn operation(node: &Node, weight: Option<&Tensor>, others: &[&str]) -> String {
    let kernel = match weight.map(|weight| weight.dims.as_slice()) {
        Some([_, _, rows, columns]) => format!(" {rows}×{columns}"),
        _ => String::new(),
    };
    let others = others.iter().map(|other| {
        let beginning: String = other.chars().take(MOST_LETTERS).collect();
        format!(" with {beginning}")
    });
    format!("{}{kernel}{}", node.operator, others.collect::<String>())
}

/// A value's sizes without the batch, and without ones before them.
fn sizes(value: &Value, batch: Option<&Dim>) -> Vec<Option<u64>> {
    let mut dims = value.dims.clone().unwrap_or_default();
    if let Some(at) = dims.iter().position(|dim| Some(dim) == batch) {
        dims.remove(at);
    }
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => u64::try_from(*size).ok(),
        _ => None,
    };
    let sizes: Vec<_> = dims.iter().map(size).collect();
    match (sizes.as_slice(), value.dims.is_some()) {
        (_, false) => vec![None],
        ([Some(1), features], _) => vec![*features],
        _ => sizes,
    }
}
