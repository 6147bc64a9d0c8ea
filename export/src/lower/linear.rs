//! Linear: ONNX's Gemm, whose second matrix is transposed as the weight is.

use super::Lowering;
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Value) -> Result<Value> {
    lowering.weighted(name, Operator::Gemm, x)
}
