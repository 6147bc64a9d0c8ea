//! The exponential moving average of the generator's weights (Yazıcı et al. 2019). Its samples are
//! right more often than those of the weights that training leaves at any one moment.

use models::{Parameters, Result, ops};
use rayon::prelude::*;

/// How much of the average an iteration keeps: a horizon of a thousand iterations, about an epoch.
pub const KEEP: f64 = 0.999;

/// Moves `average` toward `parameters`, running averages included, after iteration `iteration`
/// (from 1). Early on it keeps less, so that the initial weights are soon forgotten.
///
/// # Errors
/// Candle's.
pub fn update(average: &Parameters, parameters: &Parameters, keep: f64, iteration: u64) -> Result<()> {
    const PIECE: usize = 32 * 1024;
    let t = iteration as f64;
    let keep = keep.min((1. + t) / (10. + t));
    for ((_, average), (_, new)) in average.iter().zip(parameters.iter()) {
        if ops::has_kernels(average) {
            let new = ops::host(new)?;
            let take = (1. - keep) as f32;
            ops::update(average, |average| {
                average.par_chunks_mut(PIECE).zip(new.par_chunks(PIECE)).for_each(|(average, new)| {
                    ops::vectorised(
                        #[inline(always)]
                        || average.iter_mut().zip(new).for_each(|(a, n)| *a += take * (n - *a)),
                    );
                });
            })?;
        } else {
            average.set(&((average.as_tensor() * keep)? + (new.as_tensor() * (1. - keep))?)?)?;
        }
    }
    Ok(())
}
