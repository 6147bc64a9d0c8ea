//! Convolution: ONNX's Conv, whose weight has the same shape.

use models::layers::Conv2d;

use super::{Lowering, sliding};
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(lowering: &mut Lowering<'_>, conv: &Conv2d, name: &str, x: &Value) -> Result<Value> {
    lowering.weighted(name, Operator::Conv(sliding(conv.window)), x)
}
