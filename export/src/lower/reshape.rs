//! A vector as planes: ONNX's Reshape, which leaves N open.

use models::layers::Reshape;

use super::Lowering;
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(lowering: &mut Lowering<'_>, reshape: &Reshape, name: &str, x: &Value) -> Result<Value> {
    let Reshape { channels, height, width } = *reshape;
    lowering.graph.node(name, Operator::Reshape { item: vec![channels, height, width] }, &[x])
}
