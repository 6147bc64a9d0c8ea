//! ONNX Runtime, a library of the machine: found and loaded (`library`), and sessions in it (`session`).

mod elf;
pub mod library;
mod packages;
mod session;

pub(super) use session::load;
