//! Writes a trained generator as an ONNX file that describes itself, after checking that ONNX
//! Runtime draws the same from it as Candle does.
//!
//! | file | what it does |
//! |---|---|
//! | [`trained`], [`checkpoint`] | what is exported: a network, its weights, where they come from |
//! | [`lower()`](lower::lower) | a [`models::Network`] and its weights → a graph, one function a layer |
//! | [`onnx`] | graphs and files; knows no network |
//! | [`passes`] | from graph to graph: fewer steps, other precisions |
//! | [`form`], [`deconv`] | which passes go over a graph |
//! | [`proof`], [`session`] | engines against Candle, elementwise |
//! | [`report`] | what is said of it |
//! | [`generator`] | what a generator's file says of itself |
//! | [`export()`](export::export) | all of it together, from checkpoint to file |

pub mod checkpoint;
pub mod deconv;
mod error;
pub mod export;
pub mod form;
pub mod generator;
pub mod lower;
pub mod onnx;
pub mod passes;
pub mod proof;
pub mod report;
pub mod session;
pub mod trained;

pub use error::{Error, Result};
