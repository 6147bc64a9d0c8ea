//! Linear: candle-nn's.

use candle_nn::Linear;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Step) -> Result<Step> {
    let [weight, bias] = ["weight", "bias"].map(|parameter| lowering.parameter(name, parameter));
    let linear = Linear::new(weight?, Some(bias?));
    lowering.graph.named(name).linear(x, &linear)
}
