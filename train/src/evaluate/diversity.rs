//! How much the pictures of one class differ: the mean distance of their features, each to each,
//! beside that of the real pictures of the class. A generator that draws one 5 for all is at 0.

use anyhow::Result;
use models::architectures::judge::FEATURES;
use serde::Serialize;

use super::distances::Points;
use super::interval::{Estimate, mean_and_variance};
use crate::judge::Opinion;

/// The diversity inside a class.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Diversity {
    /// Mean distance of two generated pictures.
    pub generated: Estimate,
    /// Mean distance of two real ones.
    pub real: Estimate,
    /// One over the other.
    pub ratio: Estimate,
}

/// The diversity of each class; of one with fewer than two pictures nothing is known.
///
/// # Errors
/// Candle's.
pub fn of_classes(
    generated: (&Opinion, &[u8]),
    real: (&Opinion, &[u8]),
    classes: usize,
) -> Result<Vec<Option<Diversity>>> {
    (0..classes as u8)
        .map(|class| {
            let (Some(generated), Some(real)) = (of_class(generated, class)?, of_class(real, class)?) else {
                return Ok(None);
            };
            Ok(Some(Diversity { generated, real, ratio: ratio(generated, real) }))
        })
        .collect()
}

/// The mean distance of two pictures of a class.
fn of_class((opinion, labels): (&Opinion, &[u8]), class: u8) -> Result<Option<Estimate>> {
    let members = (0..labels.len()).filter(|&i| labels[i] == class);
    let values: Vec<f64> = members.flat_map(|i| opinion.row(i)).map(|&v| f64::from(v)).collect();
    let n = values.len() / FEATURES;
    if n < 2 {
        return Ok(None);
    }
    let points = Points::new(values, FEATURES)?;
    let to_others = points.map_distances(&points, |i, line| {
        line[i] = 0.;
        line.iter().map(|d| d.sqrt()).sum::<f64>() / (n - 1) as f64
    })?;
    // A mean over pairs varies as twice the mean over points (Hoeffding 1948).
    let (mean, variance) = mean_and_variance(&to_others);
    Ok(Some(Estimate::normal(mean, 2. * (variance / n as f64).sqrt(), n)))
}

/// a / b, to the first order in their errors.
fn ratio(a: Estimate, b: Estimate) -> Estimate {
    let relative = |e: Estimate| (e.high - e.value) / e.value.max(f64::MIN_POSITIVE);
    let value = a.value / b.value.max(f64::MIN_POSITIVE);
    let half = value * relative(a).hypot(relative(b));
    let half = if half.is_finite() { half } else { 0. };
    Estimate { value, low: (value - half).max(0.), high: value + half, n: a.n }
}
