//! A graph of ONNX's operators, from a thin typed layer over ONNX's protobuf types: values, nodes,
//! attributes, initializers. It knows the file format and no network.
//!
//! ```
//! use export::onnx::{Dim, Graph, Model, Operator, Producer, Tensor, Type};
//!
//! # fn main() -> export::Result<()> {
//! let mut graph = Graph::new("twice");
//! let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)]))?;
//! let two = graph.initializer("two", Tensor::float32(&[1], [2.0])?)?;
//! let y = graph.node("double", Operator::Mul, &[&x, &two])?;
//! graph.output(&y, "y")?;
//! let producer = Producer { name: "example".into(), version: "1.0".into() };
//! let bytes = Model::new(&graph, producer)?.encode();
//! assert!(!bytes.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `tensor` | tensors, and the types of values |
//! | `operator` | the operators, their settings, and how the file has them |
//! | `shape` | the type of what an operator makes |
//! | `graph` | a graph that is correct after each step |
//! | `rewrite` | one graph from another, node by node |
//! | [`evaluate`] | what a graph computes, in double precision |
//! | `encode`, `align`, `model`, `proto` | the file |
//! | [`decode()`] | the graph of such a file |

mod align;
mod decode;
mod encode;
pub mod evaluate;
mod graph;
mod model;
mod operator;
mod proto;
mod rewrite;
mod shape;
mod tensor;

pub use decode::decode;
pub use graph::{Graph, Node, Value};
pub use model::{Model, OPSET, Producer, ir_version};
pub use operator::{Attribute, Operator, Pool, Sliding};
pub use rewrite::Rewrite;
pub use tensor::{Dim, Element, Tensor, Type};
