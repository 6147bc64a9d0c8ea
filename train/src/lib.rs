//! Trains the labelled DCGAN on MNIST, or on anyone's labelled pictures.
//!
//! | file | what it does |
//! |---|---|
//! | [`data`] | reads labelled pictures; fetches MNIST |
//! | [`batches`] | which pictures each iteration sees, and its latents |
//! | [`loss`] | binary cross-entropy on logits, in the stable form |
//! | [`adam`] | the optimiser, whose state can be saved |
//! | [`average`] | the exponential moving average of the generator |
//! | [`networks`] | the networks' sizes for the data |
//! | [`trainer`] | one iteration: D once, G twice |
//! | [`samples`] | the fixed-noise grid |
//! | [`animation`] | the grids of all epochs as a GIF |
//! | [`metrics`] | what is measured every few iterations |
//! | [`evaluate`] | how good are the digits? Second program of this crate |
//! | [`judge`] | trains the classifier that checks what was drawn |
//! | [`tensorboard`] | the same, the grids and histograms for TensorBoard |
//! | [`run`] | a run's folder: settings, checkpoints, metrics |
//! | [`memory`] | the allocator: freed memory is kept for the next iteration |
//! | [`cli`] | the command line, and the loop over iterations |

pub mod adam;
pub mod animation;
pub mod average;
pub mod batches;
pub mod cli;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod judge;
pub mod loss;
pub mod memory;
pub mod metrics;
pub mod networks;
pub mod run;
pub mod samples;
pub mod tensorboard;
pub mod trainer;
