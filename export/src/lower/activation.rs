//! Activation functions: candle-nn's of the same names.

use candle_nn::Activation as Candles;
use models::Activation;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    activation: Activation,
    name: &str,
    x: &Step,
) -> Result<Step> {
    let graph = lowering.graph.named(name);
    match activation {
        Activation::Relu => graph.relu(x),
        Activation::LeakyRelu { slope } => graph.activation(x, &Candles::LeakyRelu(slope.into())),
        Activation::Sigmoid => graph.sigmoid(x),
        Activation::Tanh => graph.tanh(x),
    }
}
