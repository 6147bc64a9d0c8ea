//! An ONNX file's header, read without loading or running it, and the encoding beneath it.
//!
//! The walker is this crate's own: readers of the field that are made for trusted files add up lengths
//! without checks and take a file that is cut short for one that ends there, and these files may be anyone's.

mod header;
mod interface;
mod outlet;
pub mod protobuf;
mod unpacked;

pub use header::Header;
pub use interface::{check, check_judge, declared_shape};
pub use outlet::{Dim, Outlet, element, element_name};
pub use unpacked::unpacked;
