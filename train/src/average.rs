//! The exponential moving average of the generator's weights (Yazıcı et al. 2019). Its samples are
//! right more often than those of the weights that training leaves at any one moment.

use candle_core::{Tensor, Var};
use models::ops::{Changing, Factors, kernels_for};
use models::{Parameters, Result};

/// How much of the average an iteration keeps: a horizon of a thousand iterations, about an epoch.
pub const KEEP: f64 = 0.999;

/// What the average takes of the weights after iteration `iteration` (from 1), the rest being kept. Early on
/// it keeps less, so that the initial weights are soon forgotten.
pub fn take(keep: f64, iteration: u64) -> f64 {
    let t = iteration as f64;
    1. - keep.min((1. + t) / (10. + t))
}

/// Moves `average` toward `parameters`, running averages included.
///
/// # Errors
/// Candle's.
pub fn update(average: &Parameters, parameters: &Parameters, take: Changing<'_>) -> Result<()> {
    average.iter().zip(parameters.iter()).try_for_each(|((_, average), (_, new))| toward(average, new, take))
}

/// Moves one average toward what is averaged.
///
/// # Errors
/// Candle's.
pub fn toward(average: &Var, new: &Tensor, take: Changing<'_>) -> Result<()> {
    match kernels_for(average, Factors::Float32) {
        Some(kernels) => kernels.blend(average, new, take)?,
        None => {
            let Changing { value, .. } = take;
            average.set(&((average.as_tensor() * (1. - value))? + (new * value)?)?)?;
        }
    }
    Ok(())
}
