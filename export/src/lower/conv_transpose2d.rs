//! Transposed convolution: ONNX's ConvTranspose, whose weight has the same shape.

use models::layers::ConvTranspose2d;

use super::{Lowering, sliding};
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    conv: &ConvTranspose2d,
    name: &str,
    x: &Value,
) -> Result<Value> {
    lowering.weighted(name, Operator::ConvTranspose(sliding(conv.window)), x)
}
