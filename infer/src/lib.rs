//! Draws labelled pictures from an edgegan generator: an ONNX file that says itself how to sample
//! it, run by whatever ONNX Runtime is on the machine, or by rten, which is part of this crate.
//!
//! ```
//! use infer::contract::{Contract, Golden, PixelRange};
//! # use infer::contract::{LatentDistribution, Training};
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
//! // What this crate does with the file.
//! let lookup = |key: &str| {
//!     let entry = metadata.iter().find(|(name, _)| name == key)?;
//!     Some(entry.1.as_str())
//! };
//! assert_eq!(Contract::from_metadata(lookup), Ok(contract));
//! ```
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
mod header;
mod interface;
mod judge;
mod picture;
mod protobuf;
mod source;
mod weights;

pub mod command;
pub mod contract;
pub mod latent;
pub mod look;
pub mod runtime;
pub mod terminal;
pub mod verify;

pub use device::Device;
pub use engine::{Engine, LOADING_WEIGHTS_PAYS, Placement, Skipped};
pub use error::{Error, OLDEST_RUNTIME, Refusal};
pub use generator::{Generator, Options, Sample};
pub use judge::{Judge, Reading};
pub use picture::Picture;
pub use runtime::Runtime;
pub use source::{ModelFile, ModelSource};
