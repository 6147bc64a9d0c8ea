//! Draws labelled pictures from an edgegan generator: an ONNX file that says itself how to sample
//! it, run by whatever ONNX Runtime is on the machine, or by rten, which is part of this crate.
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

mod animation;
mod caption;
mod class;
mod device;
mod engine;
mod error;
mod file;
mod generator;
mod judge;
mod picture;
mod source;

pub mod command;
pub mod look;
pub mod path;
pub mod terminal;
pub mod verify;

pub use class::find_class;
pub use device::Device;
pub use engine::onnx_runtime::library::{self as runtime, Runtime};
pub use engine::{Engine, LOADING_WEIGHTS_PAYS, Placement, Skipped};
pub use error::{Error, OLDEST_RUNTIME, Refusal};
pub use file::check_inputs;
pub use generator::{Generator, Options, Sample};
pub use judge::{Judge, Reading};
pub use picture::Picture;
pub use source::{ModelFile, ModelSource};
