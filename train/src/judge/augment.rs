//! Turns, stretches, slants and shifts a picture a little, so that the judge learns digits and not
//! these 60,000 pictures of them.
//!
//! What is done to a picture depends on the seed, the iteration and its place in the batch alone.

use std::f32::consts::PI;

use contract::picture::Background;
use rand::Rng;
use rayon::prelude::*;

use crate::streams::{self, Purpose};

/// Either way, in radians: 12 degrees.
const TURN: f32 = 12. * PI / 180.;
/// Either way, as a part of the size, each axis apart.
const STRETCH: f32 = 0.12;
/// Either way: columns a row.
const SLANT: f32 = 0.15;
/// Either way, as a part of the size: two pixels of 28.
const SHIFT: f32 = 2. / 28.;

/// An affine map from a place in the new picture to one in the old, both measured from the centre.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Map {
    /// (x, y) → (a·x + b·y + dx, c·x + d·y + dy)
    linear: [[f32; 2]; 2],
    shift: [f32; 2],
}

impl Map {
    fn random(seed: u64, iteration: u64, image: u64, (height, width): (usize, usize)) -> Map {
        let mut random = streams::random(seed, Purpose::Augment, iteration, image);
        let mut within = |most: f32| random.random_range(-most..most);
        let (sin, cos) = within(TURN).sin_cos();
        let (across, down) = (1. + within(STRETCH), 1. + within(STRETCH));
        let slant = within(SLANT);
        let shift = [within(SHIFT) * width as f32, within(SHIFT) * height as f32];
        // Turn · slant, then each axis by its own factor.
        let linear = [[cos / across, (cos * slant - sin) / across], [sin / down, (sin * slant + cos) / down]];
        Map { linear, shift }
    }

    /// Draws `from` (H, W) into `to`, between the pixels linearly; outside, all is `beyond`.
    fn draw(&self, from: &[f32], to: &mut [f32], (height, width): (usize, usize), beyond: f32) {
        let Map { linear: [[a, b], [c, d]], shift: [dx, dy] } = *self;
        let (centre_x, centre_y) = ((width as f32 - 1.) / 2., (height as f32 - 1.) / 2.);
        let pixel = |x: isize, y: isize| match (0..width as isize).contains(&x)
            && (0..height as isize).contains(&y)
        {
            true => from[y as usize * width + x as usize],
            false => beyond,
        };
        for (i, to) in to.iter_mut().enumerate() {
            let (x, y) = ((i % width) as f32 - centre_x, (i / width) as f32 - centre_y);
            let (x, y) = (a * x + b * y + dx + centre_x, c * x + d * y + dy + centre_y);
            let (left, top) = (x.floor(), y.floor());
            let (right_part, lower_part) = (x - left, y - top);
            let (left, top) = (left as isize, top as isize);
            let row = |y| pixel(left, y) * (1. - right_part) + pixel(left + 1, y) * right_part;
            *to = row(top) * (1. - lower_part) + row(top + 1) * lower_part;
        }
    }
}

/// A batch, each picture changed in its own way; what comes in from outside is the background, of which
/// grey pictures take the red.
///
/// # Shapes
/// `pictures` (N, C, H, W) in [0, 1] → the same; `dims` is (C, H, W)
pub fn augment(
    pictures: &[f32],
    [c, h, w]: [usize; 3],
    background: Background,
    (seed, iteration): (u64, u64),
) -> Vec<f32> {
    let mut changed = vec![0.; pictures.len()];
    changed.par_chunks_mut(c * h * w).zip(pictures.par_chunks(c * h * w)).enumerate().for_each(
        |(image, (to, from))| {
            let map = Map::random(seed, iteration, image as u64, (h, w));
            for ((to, from), level) in to.chunks_mut(h * w).zip(from.chunks(h * w)).zip(background.0) {
                map.draw(from, to, (h, w), f32::from(level) / 255.);
            }
        },
    );
    changed
}

#[cfg(test)]
mod tests {
    use contract::picture::Background;

    use super::{Map, augment};

    #[test]
    fn a_map_draws_what_lies_where_it_points() {
        let from = [1., 2., 3., 4., 5., 6.]; // 2×3
        let mut to = [0.; 6];
        let same = Map { linear: [[1., 0.], [0., 1.]], shift: [0., 0.] };
        same.draw(&from, &mut to, (2, 3), 1.);
        assert_eq!(to, from);
        // One column to the left, half a row up: what comes in from outside is 0.
        Map { shift: [1., 0.5], ..same }.draw(&from, &mut to, (2, 3), 0.);
        assert_eq!(to, [3.5, 4.5, 0., 2.5, 3., 0.]);
        Map { shift: [1., 0.], ..same }.draw(&from, &mut to, (2, 3), 0.5);
        assert_eq!(to, [2., 3., 0.5, 5., 6., 0.5]);
        // Half a turn.
        Map { linear: [[-1., 0.], [0., -1.]], shift: [0., 0.] }.draw(&from, &mut to, (2, 3), 0.);
        assert_eq!(to, [6., 5., 4., 3., 2., 1.]);
    }

    #[test]
    fn a_change_depends_on_seed_iteration_and_place_alone() {
        let pictures: Vec<f32> = (0..3 * 8 * 6).map(|i| (i % 7) as f32 / 7.).collect();
        let augment = |pictures, key| augment(pictures, [1, 8, 6], Background::default(), key);
        let changed = augment(&pictures, (1, 2));
        assert_eq!(changed, augment(&pictures, (1, 2)));
        assert_eq!(changed[48..96], augment(&pictures[..96], (1, 2))[48..]);
        assert_ne!(changed, augment(&pictures, (1, 3)));
        assert_ne!(changed, augment(&pictures, (2, 2)));
        assert!(changed.iter().all(|p| (0. ..=1.).contains(p)));
    }
}
