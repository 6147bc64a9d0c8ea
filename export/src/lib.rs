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
//! | [`reader`] | any ONNX file, checked before it is decoded |
//! | [`inspect`] | what such a file holds |
//! | [`diff`](mod@diff) | whether two of them are the same |
//! | [`triton`] | a model repository of NVIDIA Triton Inference Server |

pub mod checkpoint;
pub mod diff;
mod error;
pub mod generator;
pub mod inspect;
pub mod lower;
pub mod onnx;
pub mod proof;
pub mod reader;
mod table;
pub mod triton;

pub use error::{Error, Result};
