//! What crosses from one program to another: what an ONNX file says of itself, how image `i` of seed `s`
//! comes out of it, how files are written, locked and named, how text that anyone may have written is
//! shown, how one program's messages name another, and how each is asked to stop. Every other crate may
//! depend on this one, and it on none of them; it knows no tensor library, no inference engine, no command
//! line and no terminal.
//!
//! | module | what it says |
//! |---|---|
//! | [`metadata`] | the ONNX file's interface and metadata: [`Contract`] |
//! | [`onnx`] | an ONNX file's header, read without running it |
//! | [`latent`] | latents: a pure function of seed and index |
//! | [`PixelRange`] | a network's output as 8-bit pixels |
//! | [`Golden`] | pictures that a file promises to draw |
//! | [`dataset`] | data sets' formats: what each holds, its writer and its reader |
//! | [`picture`] | pictures: grids, captions, PNG and GIF |
//! | [`strings`] | several characters as one picture, with the place of each |
//! | [`noise`] | what a camera makes of a picture |
//! | [`stream`] | the random numbers of both |
//! | [`files`] | writing, locking, digests |
//! | [`number`] | whole numbers, as command lines take them |
//! | [`memory`] | how much a process may still take |
//! | [`run`] | the names in a run's folder |
//!
//! ```
//! use contract::{Contract, Golden, PixelRange};
//! # use contract::{LatentDistribution, Training};
//! # let mut contract = Contract {
//! #     architecture: "labelled-dcgan".into(),
//! #     dataset: "mnist".into(),
//! #     classes: vec!["0".into(), "1".into()],
//! #     latent_dim: 100,
//! #     latent_distribution: LatentDistribution::Uniform,
//! #     pixel_range: PixelRange::ZeroToOne,
//! #     training: Training::default(),
//! #     quality: Default::default(),
//! #     golden: None,
//! # };
//! // What an exporter does: record what the model draws, beside what the model is.
//! let images = ndarray::Array4::from_elem((2, 1, 28, 28), 0.5);
//! let pixels = contract.pixel_range.quantize(&images);
//! contract.golden = Some(Golden::new(7, vec![0, 1], &pixels, 1));
//! let metadata = contract.to_metadata();
//!
//! // What whoever draws from the file does.
//! let lookup = |key: &str| {
//!     let entry = metadata.iter().find(|(name, _)| name == key)?;
//!     Some(entry.1.as_str())
//! };
//! assert_eq!(Contract::from_metadata(lookup), Ok(contract));
//! ```

mod class;
mod command;
pub mod dataset;
pub mod files;
mod golden;
mod interval;
pub mod latent;
pub mod memory;
pub mod metadata;
pub mod noise;
pub mod number;
pub mod onnx;
pub mod picture;
mod pixels;
pub mod run;
mod stdout;
#[cfg(any(unix, windows))]
mod stop;
pub mod stream;
pub mod strings;
mod text;

pub use command::command;
pub use golden::{Comparison, Golden};
pub use interval::Interval;
pub use metadata::{Contract, LatentDistribution, Training, tensor};
pub use picture::Picture;
pub use pixels::PixelRange;
pub use stdout::print;
#[cfg(any(unix, windows))]
pub use stop::stop_flag;
pub use text::{few, one_line, printable, sentence, shown, thousands, visible};
