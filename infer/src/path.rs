//! Paths through the latent space: from one image's latents to another's, along one dimension, and
//! round trips. Functions from latents to latents, bit for bit the same on every machine.
//!
//! Points between two images must look like those that training drew. U(−1, 1) fills a cube evenly, and a
//! straight line between two of its points stays in it. Under N(0, 1), nearly all points of d dimensions
//! are about √d from the origin, but the middle of a straight line between two of them only √(d/2): nearer
//! than any that training drew, and what is drawn from it is blurred. So normal latents follow an arc
//! instead (Shoemake 1985, slerp; for generators White 2016, arXiv 1609.04468, section 2.1), along which
//! the length changes evenly from one end's to the other's.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use contract::LatentDistribution;

/// Below this sine of the angle between two normal latents an arc isn't defined: they lie in the same
/// direction or in opposite ones, as all of a single dimension do. Then the path is a straight line.
const SMALLEST_SINE: f64 = 1e-6;

/// How far a sweep goes to both sides of 0: to the edge of U(−1, 1), or as far as 95 in 100 numbers of
/// N(0, 1) lie.
pub fn reach(distribution: LatentDistribution) -> f32 {
    match distribution {
        LatentDistribution::Uniform => 1.0,
        LatentDistribution::Normal => 2.0,
    }
}

/// One dimension from −[`reach`] to reach in even steps, the others as they are in `z`.
///
/// # Shapes
///
/// Returns `(steps, latent_dim)` for a `z` of `latent_dim` numbers. One step alone is 0; a dimension
/// that `z` doesn't have changes nothing.
///
/// ```
/// use contract::LatentDistribution;
/// use infer::path;
///
/// let sweep = path::sweep(LatentDistribution::Normal, &[0.5, 0.25], 1, 5);
/// assert_eq!(sweep.column(0).to_vec(), [0.5; 5]);
/// assert_eq!(sweep.column(1).to_vec(), [-2.0, -1.0, 0.0, 1.0, 2.0]);
/// ```
pub fn sweep(distribution: LatentDistribution, z: &[f32], dimension: usize, steps: usize) -> Array2<f32> {
    let reach = f64::from(reach(distribution));
    Array2::from_shape_fn((steps, z.len()), |(k, d)| {
        if d != dimension {
            return z[d];
        }
        // In whole numbers first, so that both sides are the same but for the sign.
        let last = (steps - 1).max(1) as f64;
        ((2.0 * k as f64 - (steps - 1) as f64) / last * reach) as f32
    })
}

/// Both ends of each of some dimensions, −[`reach`] and reach, the others as they are in `z`: what tells how
/// much a dimension changes an image, see [`change`].
///
/// # Shapes
///
/// Returns `(2 · dimensions, latent_dim)`, row by row: the low end of the first dimension, its high end, and so
/// on. A dimension that `z` doesn't have changes nothing.
pub fn ends(distribution: LatentDistribution, z: &[f32], dimensions: Range<usize>) -> Vec<f32> {
    let reach = reach(distribution);
    let mut latents = z.repeat(2 * dimensions.len());
    for (pair, dimension) in latents.chunks_exact_mut((2 * z.len()).max(1)).zip(dimensions) {
        let (low, high) = pair.split_at_mut(z.len());
        for (end, value) in [(low, -reach), (high, reach)] {
            if let Some(number) = end.get_mut(dimension) {
                *number = value;
            }
        }
    }
    latents
}

/// How far apart two images are: the root mean square of what their pixels differ by, in levels of 255, to two
/// decimals.
///
/// ```
/// assert_eq!(infer::path::change(&[0, 10, 20], &[3, 10, 24]), 2.89);
/// ```
pub fn change(low: &[u8], high: &[u8]) -> f64 {
    let squares = low.iter().zip(high).map(|(low, high)| f64::from(low.abs_diff(*high)).powi(2));
    ((squares.sum::<f64>() / low.len().max(1) as f64).sqrt() * 100.0).round() / 100.0
}

/// From `from` to `to` in even steps, both included.
///
/// # Shapes
///
/// Returns `(steps, latent_dim)` for ends of `latent_dim` numbers each. One step alone is `from`.
///
/// ```
/// use contract::LatentDistribution;
/// use infer::path;
///
/// let line = path::between(LatentDistribution::Uniform, &[-1.0, 0.5], &[1.0, 0.0], 3);
/// assert_eq!(line.row(1).to_vec(), [0.0, 0.25]);
/// // A quarter turn: halfway, and as far from the origin as the ends.
/// let arc = path::between(LatentDistribution::Normal, &[1.0, 0.0], &[0.0, 1.0], 3);
/// assert_eq!(arc.row(1).to_vec(), [0.5f32.sqrt(); 2]);
/// ```
pub fn between(distribution: LatentDistribution, from: &[f32], to: &[f32], steps: usize) -> Array2<f32> {
    let last = steps.saturating_sub(1).max(1);
    rows(steps, from.len(), |k| point(distribution, from, to, [last - k, k].map(|n| n as f64 / last as f64)))
}

/// Past all stops in turn and back to the first, `steps` rows from one to the next; the first of these
/// is the stop. Each stretch begins and ends slowly (smoothstep, 3t² − 2t³), so that no stop is a corner.
///
/// # Shapes
///
/// `stops` is `(N, latent_dim)`; returns `(N · steps, latent_dim)`. The row after the last would be the
/// first again.
pub fn walk(distribution: LatentDistribution, stops: ArrayView2<'_, f32>, steps: usize) -> Array2<f32> {
    let (count, dim) = stops.dim();
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    rows(count * steps, dim, |row| {
        let (stop, k) = (row / steps, row % steps);
        let [from, to] = [stop, (stop + 1) % count].map(|stop| stops.row(stop).to_vec());
        point(distribution, &from, &to, [steps - k, k].map(|n| smooth(n as f64 / steps as f64)))
    })
}

/// The point that is `share[0]` of `from` and `share[1]` of `to`; the shares sum to 1. With a share of 1 it
/// is that end, exactly.
fn point(distribution: LatentDistribution, from: &[f32], to: &[f32], share: [f64; 2]) -> Vec<f32> {
    let [of_from, of_to] = match distribution {
        LatentDistribution::Uniform => share,
        LatentDistribution::Normal => {
            let angle = angle(from, to);
            let sine = libm::sin(angle);
            match sine > SMALLEST_SINE {
                true => share.map(|share| libm::sin(share * angle) / sine),
                false => share,
            }
        }
    };
    let mix = |(&a, &b): (&f32, &f32)| (of_from * f64::from(a) + of_to * f64::from(b)) as f32;
    from.iter().zip(to).map(mix).collect()
}

/// The angle at the origin between two points, 0 to π; 0 if one of them is the origin.
fn angle(a: &[f32], b: &[f32]) -> f64 {
    let product =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { libm::acos((product(a, b) / lengths).clamp(-1.0, 1.0)) } else { 0.0 }
}

fn rows(count: usize, dim: usize, row: impl Fn(usize) -> Vec<f32>) -> Array2<f32> {
    let mut rows = Array2::zeros((count, dim));
    for (i, mut place) in rows.rows_mut().into_iter().enumerate() {
        place.iter_mut().zip(row(i)).for_each(|(place, value)| *place = value);
    }
    rows
}

#[cfg(test)]
mod tests {
    use LatentDistribution::{Normal, Uniform};
    use contract::{files::sha256, latent::latent_batch};

    use super::*;

    const DIM: usize = 100;

    fn stops(distribution: LatentDistribution, count: u64) -> Array2<f32> {
        latent_batch(distribution, 7, &(0..count).collect::<Vec<_>>(), DIM)
    }

    fn ends(distribution: LatentDistribution) -> [Vec<f32>; 2] {
        let stops = stops(distribution, 2);
        [0, 1].map(|stop| stops.row(stop).to_vec())
    }

    fn length(z: impl IntoIterator<Item = f32>) -> f64 {
        z.into_iter().map(|z| f64::from(z) * f64::from(z)).sum::<f64>().sqrt()
    }

    #[test]
    fn a_sweep_moves_one_dimension_from_edge_to_edge_and_is_symmetric() {
        for (distribution, edge) in [(Uniform, 1.0), (Normal, 2.0)] {
            let [z, _] = ends(distribution);
            for steps in [2, 7, 10] {
                let sweep = sweep(distribution, &z, 3, steps);
                assert_eq!(sweep.dim(), (steps, DIM));
                let values = sweep.column(3).to_vec();
                assert_eq!((values[0], values[steps - 1]), (-edge, edge));
                assert!(values.is_sorted());
                let mirrored: Vec<f32> = values.iter().rev().map(|value| -value).collect();
                assert_eq!(values, mirrored);
                for (d, column) in sweep.columns().into_iter().enumerate().filter(|(d, _)| *d != 3) {
                    assert!(column.iter().all(|value| *value == z[d]), "dimension {d}");
                }
            }
            assert_eq!(sweep(distribution, &z, 3, 1)[[0, 3]], 0.0);
        }
    }

    #[test]
    fn both_ends_of_a_dimension_are_those_of_its_sweep() {
        let [z, _] = ends(Normal);
        let both = super::ends(Normal, &z, 3..5);
        for (pair, dimension) in both.chunks_exact(2 * DIM).zip(3..) {
            let sweep = sweep(Normal, &z, dimension, 2);
            assert_eq!(pair, sweep.as_slice().unwrap_or_default());
        }
        assert_eq!(super::ends(Uniform, &[0.5], 1..2), [0.5, 0.5]);
        assert!(super::ends(Uniform, &[], 0..1).is_empty());
    }

    #[test]
    fn the_way_between_two_ends_holds_both_and_is_the_same_backwards() {
        for distribution in [Uniform, Normal] {
            let [a, b] = ends(distribution);
            for steps in [2, 3, 10] {
                let there = between(distribution, &a, &b, steps);
                assert_eq!(there.row(0).to_vec(), a);
                assert_eq!(there.row(steps - 1).to_vec(), b);
                let mut back = between(distribution, &b, &a, steps);
                back.invert_axis(ndarray::Axis(0));
                assert_eq!(there, back);
            }
            assert_eq!(between(distribution, &a, &b, 1).row(0).to_vec(), a);
        }
    }

    #[test]
    fn uniform_latents_stay_in_their_cube_on_a_straight_line() {
        let [a, b] = ends(Uniform);
        let line = between(Uniform, &a, &b, 5);
        for (d, column) in line.columns().into_iter().enumerate() {
            for (k, value) in column.iter().enumerate() {
                let expected = a[d] + (b[d] - a[d]) * k as f32 / 4.0;
                assert!((value - expected).abs() < 1e-6, "dimension {d}, step {k}");
            }
        }
    }

    #[test]
    fn normal_latents_keep_their_length_on_an_arc() {
        let [a, b] = ends(Normal);
        let lengths = [length(a.clone()), length(b.clone())];
        let arc = between(Normal, &a, &b, 9);
        for (k, z) in arc.rows().into_iter().enumerate() {
            let share = k as f64 / 8.0;
            let expected = lengths[0] * (1.0 - share) + lengths[1] * share;
            assert!((length(z.iter().copied()) / expected - 1.0).abs() < 0.02, "step {k}");
        }
        // What a straight line would do.
        let middle = a.iter().zip(&b).map(|(a, b)| (a + b) / 2.0);
        assert!(length(middle) < 0.8 * lengths[0].min(lengths[1]));
        // Even angles from step to step.
        let angles: Vec<f64> =
            (1..9).map(|k| angle(&arc.row(k - 1).to_vec(), &arc.row(k).to_vec())).collect();
        assert!(angles.iter().all(|angle| (angle - angles[0]).abs() < 0.02), "{angles:?}");
    }

    #[test]
    fn ends_in_one_line_with_the_origin_have_no_arc() {
        for (a, b, middle) in [
            ([1.0, 2.0], [2.0, 4.0], [1.5, 3.0]),
            ([1.0, 2.0], [-2.0, -4.0], [-0.5, -1.0]),
            ([1.0, 2.0], [1.0, 2.0], [1.0, 2.0]),
            ([0.0, 0.0], [1.0, 2.0], [0.5, 1.0]),
        ] {
            assert_eq!(between(Normal, &a, &b, 3).row(1).to_vec(), middle, "{a:?} to {b:?}");
        }
        assert_eq!(between(Normal, &[-1.5], &[0.5], 3).row(1).to_vec(), [-0.5]);
    }

    #[test]
    fn a_walk_passes_every_stop_and_closes_without_a_jump() {
        for distribution in [Uniform, Normal] {
            let stops = stops(distribution, 5);
            for steps in [1, 4, 12] {
                let walk = walk(distribution, stops.view(), steps);
                assert_eq!(walk.dim(), (5 * steps, DIM));
                for (stop, z) in stops.rows().into_iter().enumerate() {
                    assert_eq!(walk.row(stop * steps), z, "stop {stop}");
                }
                let strides: Vec<f64> = (0..walk.nrows())
                    .map(|row| {
                        let next = (row + 1) % walk.nrows();
                        length(&walk.row(next) - &walk.row(row))
                    })
                    .collect();
                // From the last row to the first as from any stop to the next.
                for k in 0..steps {
                    let mean = (0..5).map(|stop| strides[stop * steps + k]).sum::<f64>() / 5.0;
                    assert!((strides[4 * steps + k] / mean - 1.0).abs() < 0.5, "{strides:?}");
                }
                // Slow at the stops.
                if steps == 12 {
                    assert!(
                        (0..5).all(|stop| strides[stop * 12] < strides[stop * 12 + 6] / 2.0),
                        "{strides:?}"
                    );
                }
            }
        }
    }

    /// What the test below found where it was written; sweep, between, walk.
    const UNIFORM_BITS: [&str; 3] = ["da0aa7cbc3c1b149", "2ed6aa5d97c06a22", "861e9d2398986c3a"];
    const NORMAL_BITS: [&str; 3] = ["9f9365803b0455d5", "cc372a772a75b2a5", "f598542fac36791c"];

    /// SHA-256 of the bits, its first 8 bytes: a machine that adds or rounds in another way would show
    /// here.
    #[test]
    fn the_bits_are_those_of_every_machine() {
        let digest = |points: Array2<f32>| {
            let bytes: Vec<u8> = points.iter().flat_map(|z| z.to_le_bytes()).collect();
            sha256(&bytes)[..16].to_string()
        };
        let digests = [Uniform, Normal].map(|distribution| {
            let [a, b] = ends(distribution);
            let stops = stops(distribution, 3);
            [
                digest(sweep(distribution, &a, 3, 7)),
                digest(between(distribution, &a, &b, 7)),
                digest(walk(distribution, stops.view(), 7)),
            ]
        });
        assert_eq!(digests, [UNIFORM_BITS, NORMAL_BITS]);
    }
}
