//! Passes: each a small function from a graph to another that says the same with fewer or other
//! steps. They know operators and no network.
//!
//! | file | what it does |
//! |---|---|
//! | [`batch_norm`] | batch norm into the weights before it |
//! | [`label`] | what depends on the label alone into tables, one row a class |
//! | [`constants`] | what depends on nothing into initializers |
//! | [`dead`] | drops what no output needs |
//! | [`deconv`] | transposed convolutions into convolutions, one a phase of the picture |
//! | [`padding`] | transposed convolutions that CUDA takes too |
//! | [`half`] | half precision, to compute in or to store in |
//! | [`unweave`] | a transposed convolution of a woven picture, as one of its phases |
//! | [`int8`] | 8-bit linear layers and convolutions |
//! | [`in_place`] | weights of large linear layers in the order that they are used in |
//! | [`interface`] | pixels as bytes, a fixed batch |

pub mod batch_norm;
pub mod constants;
pub mod dead;
pub mod deconv;
pub mod half;
pub mod in_place;
pub mod int8;
pub mod interface;
pub mod label;
pub mod padding;
pub mod unweave;
mod weights;

use crate::Result;
use crate::onnx::Graph;

/// All passes that leave the graph's numbers alone but for rounding, and serve every engine.
///
/// # Errors
/// [`Error::Graph`](crate::Error::Graph), naming a node that a pass got wrong.
pub fn simplify(graph: Graph) -> Result<Graph> {
    let passes = [batch_norm::fold, label::tabulate, constants::fold, dead::remove];
    passes.into_iter().try_fold(graph, |graph, pass| pass(&graph))
}

#[cfg(test)]
pub(crate) mod tests;
