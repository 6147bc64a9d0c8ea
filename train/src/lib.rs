//! Trains the labelled DCGAN on MNIST or on anyone's labelled pictures, and the unlabelled one on any
//! pictures.
//!
//! | file | what it does |
//! |---|---|
//! | [`sources`] | reads pictures, labelled or not; fetches MNIST |
//! | [`dataset`] | which of them a run learns from |
//! | [`options`] | what a run can be told: by flags, a file or a recipe |
//! | [`settings`] | what these come to |
//! | [`recipe`] | the named sets of options |
//! | [`batches`] | which pictures each iteration sees, and its latents |
//! | [`loss`] | binary cross-entropy on logits, in the stable form |
//! | [`lecam`] | keeps D's logits of real and of drawn pictures near each other |
//! | [`adam`] | the optimiser, whose state can be saved |
//! | [`average`] | the exponential moving average of the generator |
//! | [`schedule`] | how the learning rates change over a run |
//! | [`networks`] | the networks' sizes for the data |
//! | [`augmentation`] | shifts and cuts the pictures that D sees |
//! | [`guide`], [`projected`] | a classifier that the generator learns from too; discriminators of what it sees |
//! | [`trainer`], [`figures`] | one iteration: D once, then G; what it says of itself |
//! | [`replay`], [`graph`], [`numbers`] | the same through a CUDA graph; such graphs; what changes from one to the next |
//! | [`samples`] | the fixed-noise grid |
//! | [`animation`] | the grids of all epochs as a GIF |
//! | [`metrics`] | what is measured every few iterations |
//! | [`watch`] | notices training that has gone wrong |
//! | [`evaluate`] | how good are the digits? |
//! | [`judge`] | trains the classifier that checks what was drawn |
//! | [`tensorboard`] | the same, the grids and histograms for TensorBoard |
//! | [`run`] | a run's folder: configuration, checkpoints, lines of figures |
//! | [`training_loop`] | batch, iteration, log, sample, measure, save |
//! | [`plan`] | what a run would be, without starting it |
//! | [`failure`] | what to do about an error while training |
//! | [`memory`] | the allocator: freed memory is kept for the next iteration |
//!
//! The programs are `src/bin/train` and `src/bin/evaluate`.

pub mod adam;
pub mod animation;
pub mod augmentation;
pub mod average;
pub mod batches;
pub mod console;
pub mod dataset;
pub mod device;
pub mod evaluate;
pub mod failure;
pub mod figures;
pub mod graph;
pub mod guide;
pub mod judge;
pub mod lecam;
pub mod loss;
pub mod memory;
pub mod metrics;
pub mod networks;
pub mod numbers;
pub mod options;
pub mod plan;
pub mod projected;
pub mod recipe;
pub mod replay;
pub mod room;
pub mod run;
pub mod samples;
pub mod schedule;
pub mod settings;
pub mod sources;
pub mod streams;
pub mod tensorboard;
pub mod trainer;
pub mod training_loop;
pub mod watch;
