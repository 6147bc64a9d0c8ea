//! Writes a trained network as an ONNX file that describes itself, after checking that engines make
//! the same of it as Candle does; and looks at ONNX files.
//!
//! | file | what it does |
//! |---|---|
//! | [`trained`], [`checkpoint`] | what is exported: a network, its weights, where they come from |
//! | [`lower()`](lower::lower) | a [`models::Network`] and its weights → a graph, one function a layer |
//! | [`builder`] | a graph from any network's own candle-nn modules, proven against its `forward` |
//! | [`onnx`] | graphs and files; knows no network |
//! | [`passes`] | from graph to graph: fewer steps, other precisions |
//! | [`form`], [`deconv`] | which passes go over a graph |
//! | [`from_file`] | the same from a file in single precision, where the checkpoint isn't |
//! | [`adopt`](mod@adopt) | another program's generator as a file that `infer` draws from |
//! | [`target`] | one word for the form that suits a place |
//! | [`cost`] | what 8 bits cost, layer by layer |
//! | [`proof`], `prove`, [`session`] | engines against Candle, or against the file before, elementwise |
//! | [`report`] | what is said of it |
//! | `quality` | figures that `evaluate` measured, for the file to carry |
//! | [`generator`] | what a generator's file says of itself |
//! | [`export()`](export::export) | all of it together, from checkpoint to file |
//! | [`reader`] | any ONNX file, checked before it is decoded |
//! | [`inspect`] | what such a file holds |
//! | [`diff`](mod@diff) | whether two of them are the same |
//! | [`figure`](mod@figure) | networks as a picture, from a checkpoint or such a file |
//! | [`triton`] | a model repository of NVIDIA Triton Inference Server |

pub mod adopt;
pub mod builder;
pub mod checkpoint;
pub mod cost;
pub mod deconv;
pub mod diff;
mod error;
pub mod export;
pub mod figure;
pub mod form;
pub mod from_file;
pub mod generator;
pub mod inspect;
pub mod lower;
pub mod onnx;
pub mod passes;
pub mod proof;
mod prove;
mod quality;
pub mod reader;
pub mod report;
pub mod session;
mod table;
pub mod target;
pub mod trained;
pub mod triton;

pub use error::{Error, Result};
