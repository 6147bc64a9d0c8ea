//! Writes a trained network as an ONNX file that describes itself, after checking that engines make
//! the same of it as Candle does; and looks at ONNX files.
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
//! | `quality` | figures that `evaluate` measured, for the file to carry |
//! | [`generator`] | what a generator's file says of itself |
//! | [`export()`](export::export) | all of it together, from checkpoint to file |
//! | [`reader`] | any ONNX file, checked before it is decoded |
//! | [`inspect`] | what such a file holds |
//! | [`diff`](mod@diff) | whether two of them are the same |
//! | [`figure`](mod@figure) | networks as a picture, from a checkpoint or such a file |
//! | [`triton`] | a model repository of NVIDIA Triton Inference Server |

pub mod checkpoint;
pub mod deconv;
pub mod diff;
mod error;
pub mod export;
pub mod figure;
pub mod form;
pub mod generator;
pub mod inspect;
pub mod lower;
pub mod onnx;
pub mod passes;
pub mod proof;
mod quality;
pub mod reader;
pub mod report;
pub mod session;
mod table;
pub mod trained;
pub mod triton;

pub use error::{Error, Result};
