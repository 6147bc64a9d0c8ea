//! Batch norm with running averages (Ioffe and Szegedy 2015, algorithm 2): candle-nn's.

use candle_nn::BatchNorm;
use models::layers::batch_norm::EPSILON;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(lowering: &mut Lowering<'_>, name: &str, x: &Step) -> Result<Step> {
    let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_variance"]
        .map(|parameter| lowering.parameter(name, parameter));
    let (weight, bias, mean, variance) = (weight?, bias?, mean?, variance?);
    let norm = BatchNorm::new(weight.elem_count(), mean, variance, weight, bias, EPSILON)?;
    lowering.graph.named(name).batch_norm(x, &norm)
}
