//! The exponential moving average of the generator's weights (Yazıcı et al. 2019). Its samples are
//! right more often than those of the weights that training leaves at any one moment.

use models::ops::{Factors, kernels_for};
use models::{Parameters, Result};

/// How much of the average an iteration keeps: a horizon of a thousand iterations, about an epoch.
pub const KEEP: f64 = 0.999;

/// Moves `average` toward `parameters`, running averages included, after iteration `iteration`
/// (from 1). Early on it keeps less, so that the initial weights are soon forgotten.
///
/// # Errors
/// Candle's.
pub fn update(average: &Parameters, parameters: &Parameters, keep: f64, iteration: u64) -> Result<()> {
    let t = iteration as f64;
    let keep = keep.min((1. + t) / (10. + t));
    for ((_, average), (_, new)) in average.iter().zip(parameters.iter()) {
        match kernels_for(average, Factors::Float32) {
            Some(kernels) => kernels.blend(average, new, 1. - keep)?,
            None => average.set(&((average.as_tensor() * keep)? + (new.as_tensor() * (1. - keep))?)?)?,
        }
    }
    Ok(())
}
