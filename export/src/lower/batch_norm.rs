//! Batch norm with running averages (Ioffe and Szegedy 2015, algorithm 2): ONNX's BatchNormalization.

use models::layers::batch_norm::EPSILON;

use super::Lowering;
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Value) -> Result<Value> {
    // In the operator's order: scale, B, input_mean, input_var.
    let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_variance"]
        .map(|parameter| lowering.parameter(name, parameter));
    let operator = Operator::BatchNormalization { epsilon: EPSILON as f32 };
    lowering.graph.node(name, operator, &[x, &weight?, &bias?, &mean?, &variance?])
}
