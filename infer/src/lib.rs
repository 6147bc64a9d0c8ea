//! Draws labelled pictures from an edgegan generator: an ONNX file that says itself how to sample
//! it, run by whatever ONNX Runtime is on the machine, or by rten, which is part of this crate.
//!
//! | feature | what it brings |
//! |---|---|
//! | `onnxruntime` | the engine that is loaded from the machine's library |
//! | `rten` | the engine in pure Rust; with it alone the library builds for wasm32 |
//! | `protocol` | [`protocol`], the messages of the Open Inference Protocol, version 2 |
//! | `cli` | [`cli`], what command lines that draw have in common, and the program `infer` |
//! | `serve` | the program's server, `infer serve` |
//!
//! A generator draws on any engine, from a file or from bytes:
//!
//! ```
//! use infer::{Engine, Generator, ModelSource, Options};
//!
//! # fn main() -> Result<(), infer::Error> {
//! let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/mnist-generator.onnx");
//! let source = ModelSource::File(file.as_ref());
//! # #[cfg(feature = "rten")] {
//! let options = Options { engine: Engine::Rten, ..Options::default() };
//! let mut generator = Generator::load(&source, &options)?;
//! // Images 0, 1 and 2 of seed 7: (3, 1, 28, 28) bytes.
//! let images = generator.images(&[5, 5, 0], 7, 0)?;
//! assert_eq!(images.dim(), (3, 1, 28, 28));
//! let picture = infer::Picture::grid(&images, 3);
//! assert_eq!((picture.width(), picture.height()), (84, 28));
//! # }
//! # Ok(())
//! # }
//! ```

mod class;
#[cfg(feature = "cli")]
pub mod cli;
mod description;
mod device;
mod engine;
mod error;
mod generator;
mod judge;
pub mod look;
pub mod path;
#[cfg(feature = "protocol")]
pub mod protocol;
mod source;
pub mod verify;

pub use class::find_class;
pub use contract::Picture;
pub use description::Description;
pub use device::Device;
#[cfg(feature = "rten")]
pub use engine::RtenSession;
#[cfg(feature = "onnxruntime")]
pub use engine::onnx_runtime::library::{self as runtime, Runtime};
#[cfg(feature = "onnxruntime")]
pub use engine::onnx_runtime::session::Session;
pub use engine::{Engine, Input, LOADING_WEIGHTS_PAYS, Options, Placement, Skipped, Values};
pub use error::{Error, OLDEST_RUNTIME, Refusal};
pub use generator::{Generator, Sample};
pub use judge::{Judge, Reading};
pub use source::{ModelFile, ModelSource};
