//! Activation functions are operators of ONNX by the same names.

use models::Activation;

use super::Lowering;
use crate::Result;
use crate::onnx::{Operator, Value};

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    activation: Activation,
    name: &str,
    x: &Value,
) -> Result<Value> {
    let operator = match activation {
        Activation::Relu => Operator::Relu,
        Activation::LeakyRelu { slope } => Operator::LeakyRelu { alpha: slope },
        Activation::Sigmoid => Operator::Sigmoid,
        Activation::Tanh => Operator::Tanh,
    };
    lowering.graph.node(name, operator, &[x])
}
