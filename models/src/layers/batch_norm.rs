//! Batch norm (Ioffe and Szegedy 2015): y = γ · (x − mean) / √(variance + ε) + β, channel by channel.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::parameter::{Initial, ParameterSpec};
use super::{Activation, Shape, Site};
use crate::Result;
use crate::ops::{Gradients, Norm, Statistics};

/// ε, added to the variance (DCGAN, Radford et al. 2015, as DCGAN-tensorflow has it).
pub const EPSILON: f64 = 1e-5;
/// How far the running averages go toward each training batch's statistics: they keep 0.9 of the old value.
pub const MOMENTUM: f64 = 1. - 0.9;

/// Whether batch norm uses the batch's own statistics or the running averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch's own mean and variance.
    Train,
    /// The running averages: an image doesn't depend on the others of its batch.
    Sample,
}

/// Batch norm over N (and H, W): `weight` (γ), `bias` (β), `running_mean`, `running_variance`, (features)
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Channels of planes, or features of a vector.
    pub features: usize,
}

impl BatchNorm {
    pub(super) fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |name, value| ParameterSpec::trained(name, &[self.features], Initial::Constant(value));
        let average = |name, value| ParameterSpec { trainable: false, ..spec(name, value) };
        vec![
            spec("weight", 1.),
            spec("bias", 0.),
            average("running_mean", 0.),
            average("running_variance", 1.),
        ]
    }

    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        match input.channels() == self.features {
            true => Ok(input),
            false => Err(format!("{} channels", self.features)),
        }
    }

    /// `statistics` receives (mean, unbiased variance) of the batch in [`Mode::Train`].
    pub(super) fn forward<'a>(
        &self,
        get: impl Fn(&str) -> Result<&'a Tensor>,
        x: &Tensor,
        mode: Mode,
        statistics: &mut Vec<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let (mean, variance) = match mode {
            Mode::Sample => (get("running_mean")?.clone(), get("running_variance")?.clone()),
            Mode::Train => {
                let (mean, variance, unbiased) = batch_statistics(x)?;
                statistics.push((mean.detach(), unbiased.detach()));
                (mean, variance)
            }
        };
        let planes = |t: &Tensor| match x.rank() {
            4 => t.reshape((1, (), 1, 1)),
            _ => t.reshape((1, ())),
        };
        let scale = (get("weight")? / (variance + EPSILON)?.sqrt()?)?;
        Ok(x.broadcast_sub(&planes(&mean)?)?
            .broadcast_mul(&planes(&scale)?)?
            .broadcast_add(&planes(get("bias")?)?)?)
    }

    /// With the activation that follows it: one pass over memory less.
    pub(crate) fn forward_with(
        &self,
        site: &Site<'_>,
        x: &Tensor,
        after: Option<Activation>,
        mode: Mode,
    ) -> Result<(Tensor, Option<Statistics>)> {
        let norm = norm(site, after)?;
        Ok(match mode {
            Mode::Train => {
                let (y, statistics) = site.kernels.norm_batch(norm, x)?;
                (y, Some(statistics))
            }
            Mode::Sample => {
                let (mean, variance) = (site.get("running_mean")?, site.get("running_variance")?);
                (site.kernels.norm(norm, x, mean, variance)?, None)
            }
        })
    }

    /// `y` and `statistics` as [`BatchNorm::forward_with`] gave them.
    pub(crate) fn backward(
        &self,
        site: &Site<'_>,
        (x, y, statistics): (&Tensor, &Tensor, &Statistics),
        after: Option<Activation>,
        dy: &Tensor,
    ) -> Result<Gradients> {
        Ok(site.kernels.norm_backward(norm(site, after)?, x, y, statistics, dy)?)
    }
}

fn norm<'a>(site: &Site<'a>, after: Option<Activation>) -> Result<Norm<'a>> {
    Ok(Norm { weight: site.get("weight")?, bias: site.get("bias")?, after })
}

/// Mean, variance (÷ n) and unbiased variance (÷ n − 1) of each channel, over N (and H, W).
fn batch_statistics(x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    // (channels, everything else)
    let rows = x.transpose(0, 1)?.flatten_from(1)?;
    let n = rows.dim(1)? as f64;
    let mean = rows.mean(1)?;
    let variance = rows.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.mean(1)?;
    let unbiased = (&variance * (n / (n - 1.).max(1.)))?;
    Ok((mean, variance, unbiased))
}
