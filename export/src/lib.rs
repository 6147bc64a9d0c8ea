//! Writes a trained generator as an ONNX file that describes itself, after checking that ONNX
//! Runtime draws the same from it as Candle does.
//!
//! | file | what it does |
//! |---|---|
//! | [`onnx`] | a thin typed layer over ONNX's protobuf types; knows no network |
//! | [`lower`] | a [`models::Network`] and its weights → a graph, one function a layer |
//! | [`proof`] | ONNX Runtime against Candle, elementwise |
//! | [`checkpoint`] | which file to export: a run, or the newest one |
//! | [`generator`] | all of it together, from checkpoint to file |

pub mod checkpoint;
mod error;
pub mod generator;
pub mod lower;
pub mod onnx;
pub mod passes;
pub mod proof;

pub use error::{Error, Result};
