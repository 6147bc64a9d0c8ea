//! The networks of edgegan, as data.
//!
//! A [`Network`] is an ordered list of named [`Layer`]s. The forward pass walks the list, training
//! walks it backward, and the ONNX exporter walks the same list again, so the three can't disagree.
//! [`architectures`] holds the lists themselves; a new network is a new file there.
//!
//! | file | what it says |
//! |---|---|
//! | [`architectures`] | a file each: generator and discriminator, reading like the paper's table; the judge |
//! | [`layers`] | a file each: what the layer is, its parameters, its output shape, its forward and backward pass |
//! | [`network`] | the list: shapes, initial weights, the forward pass for sampling |
//! | `folded` | a network for sampling alone, whose weights have taken over its batch norms |
//! | `parameters`, `gradients` | weights by name; what a backward pass yields |
//! | [`trace`] | a forward pass that remembers what the backward pass needs, and the backward pass |
//! | [`checkpoint`] | weights, configuration and provenance in one safetensors file |
//! | [`judge`] | the trained classifier that checks what a generator drew, and its file |
//! | `sealed` | safetensors files that are to the bit what was written, or refused |
//! | [`ops`] | the kernels under training, for CPU and CUDA: unfold and fold, batch norm, Adam |
//!
//! Letters, here and in every comment: N batch, C channels, H height, W width, z latent, y label.

pub mod architectures;
pub mod checkpoint;
mod error;
mod folded;
pub mod gradients;
pub mod judge;
pub mod layers;
pub mod network;
pub mod ops;
mod parameters;
mod sealed;
pub mod trace;

pub use architectures::{Architecture, Sizes};
pub use error::{Error, Result};
pub use gradients::{Gradients, Wanted};
pub use layers::{Activation, Layer, Mode, Shape, Window};
pub use network::{Builder, NamedLayer, Network};
pub use parameters::Parameters;
pub use trace::Trace;
