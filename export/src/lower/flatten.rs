//! Planes as a vector: ONNX's Flatten.

use super::Lowering;
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Value) -> Result<Value> {
    lowering.graph.node(name, Operator::Flatten, &[x])
}
