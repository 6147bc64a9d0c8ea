//! A thin typed layer over ONNX's protobuf types: values, nodes, attributes, initializers. It knows
//! the file format and no network.
//!
//! ```
//! use export::onnx::{Dim, Graph, Model, Node, Producer, Tensor, Type};
//!
//! # fn main() -> export::Result<()> {
//! let mut graph = Graph::new("twice");
//! let row = Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(3)]);
//! let x = graph.input("x", row.clone())?;
//! let two = graph.initializer("two", Tensor::float32(&[1], [2.0])?)?;
//! let y = graph.node(Node::new("Mul", "double", row).input(&x).input(&two))?;
//! graph.output(&y, "y")?;
//! let bytes = Model::new(graph, Producer { name: "example".into(), version: "1.0".into() }).encode();
//! assert!(!bytes.is_empty());
//! # Ok(())
//! # }
//! ```

mod align;
mod graph;
mod model;
mod tensor;

pub use graph::{Attribute, Graph, Node, Value};
pub use model::{IR_VERSION, Model, OPSET, Producer};
pub use tensor::{Dim, Element, Tensor, Type};
