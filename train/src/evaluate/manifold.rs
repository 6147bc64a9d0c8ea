//! Do the generated points lie where real ones do, and everywhere where real ones do?
//!
//! *Precision* and *recall* (Kynkäänniemi et al. 2019): the part of one set that lies within the
//! other's manifold, the union of balls around its points, each reaching to the third neighbour.
//! *Density* and *coverage* (Naeem et al. 2020), which an outlier's large ball spoils less: how many
//! real balls, reaching to the fifth neighbour, hold a generated point, over five; and the part of
//! the real balls that hold any.

use candle_core::Result;
use serde::Serialize;

use super::distances::Points;
use super::interval::Estimate;

/// The neighbour that balls of precision and recall reach to.
const NEIGHBOUR: usize = 3;
/// The neighbour that balls of density and coverage reach to.
const DENSITY_NEIGHBOUR: usize = 5;
/// Points that the balls need.
pub const FEWEST: usize = DENSITY_NEIGHBOUR + 1;

/// All four, each with the other set taken as it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Manifold {
    /// The part of the generated points within the real manifold.
    pub precision: Estimate,
    /// The part of the real points within the generated manifold.
    pub recall: Estimate,
    /// Real balls that hold a generated point, over what is expected of a real one.
    pub density: Estimate,
    /// The part of the real balls that hold a generated point.
    pub coverage: Estimate,
}

impl Manifold {
    /// Compares two sets, best of one size, of [`FEWEST`] points or more.
    ///
    /// # Errors
    /// Candle's, if the points are of other dimensions.
    pub fn of(real: &Points, generated: &Points) -> Result<Manifold> {
        let [real_3, real_5] = balls(real)?;
        let [generated_3, _] = balls(generated)?;
        let at_generated = generated.map_distances(real, |_, line| {
            let inside = |balls: &[f64]| line.iter().zip(balls).filter(|(d, r)| d <= r).count();
            let dense = line.iter().zip(&real_5).filter(|(d, r)| d < r).count();
            (inside(&real_3) > 0, dense as f64 / DENSITY_NEIGHBOUR as f64)
        })?;
        let at_real = real.map_distances(generated, |i, line| {
            let recalled = line.iter().zip(&generated_3).any(|(d, r)| d <= r);
            (recalled, line.iter().any(|&d| d < real_5[i]))
        })?;
        let count = |found: &mut dyn Iterator<Item = bool>| found.filter(|&inside| inside).count();
        let (n, m) = (generated.count(), real.count());
        let density: Vec<f64> = at_generated.iter().map(|&(_, density)| density).collect();
        Ok(Manifold {
            precision: Estimate::proportion(count(&mut at_generated.iter().map(|p| p.0)), n),
            recall: Estimate::proportion(count(&mut at_real.iter().map(|p| p.0)), m),
            density: Estimate::mean(&density),
            coverage: Estimate::proportion(count(&mut at_real.iter().map(|p| p.1)), m),
        })
    }
}

/// The squared radius of each point's two balls: the distances to its neighbours in the set.
fn balls(points: &Points) -> Result<[Vec<f64>; 2]> {
    let radii = points.map_distances(points, |i, line| {
        // A point is no neighbour of its own.
        line[i] = f64::INFINITY;
        let last = line.len() - 1;
        let (nearer, &mut fifth, _) =
            line.select_nth_unstable_by((DENSITY_NEIGHBOUR - 1).min(last), f64::total_cmp);
        let third = match nearer.len() >= NEIGHBOUR {
            true => *nearer.select_nth_unstable_by(NEIGHBOUR - 1, f64::total_cmp).1,
            false => fifth,
        };
        (third, fifth)
    })?;
    let (third, fifth) = radii.into_iter().unzip();
    Ok([third, fifth])
}
