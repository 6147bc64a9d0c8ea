//! 8-bit linear layers and convolutions.
//!
//! What goes into a layer becomes a number from 0 to 255, with a step and a zero that are fixed when the file
//! is written, from the range that it has over given latents: a range found anew at each run would be that
//! of a batch, so an image would depend on the others that are drawn with it. A weight becomes a number from
//! −64 to 63 times its output's own step. That is 7 bits: processors without VNNI add two products of a
//! weight and an input in 16 bits, which with 8 would not hold them (onnxruntime #16105), and the same file
//! would draw something else there.
//!
//! A linear layer becomes a `MatMulInteger`. A convolution stays one, between `DequantizeLinear` and
//! `QuantizeLinear`: engines that know the pattern compute it in whole numbers (ONNX Runtime's
//! `QLinearConv`), and all others what it says. What only moves numbers stands between them in float32,
//! which every engine takes, rten too.
//!
//! | file | what it does |
//! |---|---|
//! | `layers` | which layers there are, and how large they are |
//! | `range` | what numbers a value takes; weights as whole numbers |
//! | `linear`, `convolution` | the layers |
//! | `planes` | maps that a label adds behind a convolution, as input planes before it |

mod convolution;
mod layers;
mod linear;
mod planes;
mod range;

pub use layers::{LEAST, layers};
pub use range::Ranges;

use super::{dead, deconv, unweave};
use crate::Result;
use crate::onnx::{Graph, Rewrite};

/// The graph with the transposed convolutions that are left as convolutions, of which 8 bits make more than
/// of a transposed one; and their names.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn convolutions(graph: &Graph) -> Result<(Graph, Vec<String>)> {
    let direct = dead::remove(&unweave::phases(graph)?)?;
    let names = deconv::names(&direct);
    let converted = deconv::joined(&direct, |name| names.iter().any(|other| other == name))?;
    Ok((dead::remove(&converted)?, names))
}

/// The graph with those of its [`layers`] in 8 bits that `names` has, of values in these ranges.
///
/// # Errors
/// [`Error::Graph`](crate::Error::Graph) if the ranges are of another graph.
pub fn quantise(graph: &Graph, ranges: &Ranges, names: &[String]) -> Result<Graph> {
    let chosen: Vec<_> = layers(graph).into_iter().filter(|layer| names.contains(&layer.name)).collect();
    let mut rewrite = Rewrite::new(graph)?;
    let mut pass = convolution::Pass::new(graph, ranges);
    for node in graph.nodes() {
        if pass.is_done(node) {
            continue;
        }
        match chosen.iter().find(|layer| layer.nodes.contains(&node.name)) {
            None => rewrite.copy(node)?,
            Some(layer) if layer.is_linear => {
                linear::quantise(graph, &mut rewrite, node, ranges.of(&node.inputs[0])?)?;
            }
            Some(layer) => pass.quantise(&mut rewrite, node, layer)?,
        }
    }
    dead::remove(&rewrite.finish()?)
}

#[cfg(test)]
mod tests;
