//! Differentiable augmentation: D sees pictures shifted and with a square cut out, real and drawn alike, so
//! that it can't learn the real ones by heart; what it says of a drawn picture goes back through the
//! change to G.
//!
//! Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"
//! (<https://arxiv.org/abs/2006.10738>), section 3.2. They change every picture. Here each change is made with
//! a probability, as in Karras et al. 2020 (<https://arxiv.org/abs/2006.06676>), section 2.2: G would learn
//! to draw shifted pictures otherwise, for D has never seen another.
//!
//! What is done to a picture depends on the seed, the iteration and its place in the batch alone, and is
//! drawn on the host.

use candle_core::{Device, Tensor};
use models::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::streams::{Purpose, random};

/// The index for which Candle's `gather` gives 0.
const NOWHERE: u32 = u32::MAX;

/// Which changes are made, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Of each change, from 0 to 1.
    pub probability: f64,
    /// The largest shift along each axis, either way, as a part of the picture's size.
    pub translation: f64,
    /// The sides of what is cut out, as a part of the picture's.
    pub cutout: f64,
}

impl Augmentation {
    /// The paper's shift.
    pub const TRANSLATION: f64 = 0.125;
    /// Half of what the paper cuts out: a digit that lacks more can be another.
    pub const CUTOUT: f64 = 0.25;
}

/// What is done to one picture: first it is shifted, then cut.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    /// Rows down and columns to the right.
    shift: [i64; 2],
    /// First row and column of the square, and those after its last.
    cut: [[i64; 2]; 2],
}

impl Change {
    fn draw(augmentation: Augmentation, random: &mut ChaCha8Rng, size: [usize; 2]) -> Change {
        let Augmentation { probability, translation, cutout } = augmentation;
        let part = |of: usize, part: f64| (of as f64 * part).round() as i64;
        let mut change = Change { shift: [0; 2], cut: [[0; 2]; 2] };
        if random.random_bool(probability) {
            change.shift = size.map(|size| {
                let most = part(size, translation);
                random.random_range(-most..=most)
            });
        }
        if random.random_bool(probability) {
            // Its centre may be any pixel, so it may lie beyond the edge in part.
            let sides = size.map(|size| part(size, cutout));
            let first = [0, 1].map(|axis| random.random_range(0..size[axis] as i64) - sides[axis] / 2);
            change.cut = [first, [first[0] + sides[0], first[1] + sides[1]]];
        }
        change
    }

    /// Where a pixel of the new picture comes from, row and column, if it is one of the old one.
    fn source(&self, pixel: [usize; 2], size: [usize; 2]) -> Option<[usize; 2]> {
        let Change { shift, cut: [first, end] } = *self;
        let pixel = pixel.map(|at| at as i64);
        if (0..2).all(|axis| (first[axis]..end[axis]).contains(&pixel[axis])) {
            return None;
        }
        let along =
            |axis: usize| usize::try_from(pixel[axis] - shift[axis]).ok().filter(|&at| at < size[axis]);
        Some([along(0)?, along(1)?])
    }
}

/// What is done to the pictures of a batch, on the device. What comes in at an edge and what is cut out is
/// 0: black, or in pictures from −1 to 1 the grey between.
///
/// A change moves pixels and copies none, so both ways are a `gather`, which sums nothing.
pub struct Changes {
    /// Where each number of a new picture comes from (N, C·H·W) of u32.
    from: Tensor,
    /// Where each number of an old picture went, the same.
    to: Tensor,
}

impl Changes {
    fn of(changes: &[Change], [c, h, w]: [usize; 3], device: &Device) -> Result<Changes> {
        let (plane, numbers) = (h * w, c * h * w);
        let mut from = vec![NOWHERE; changes.len() * numbers];
        let mut to = from.clone();
        let pictures = from.par_chunks_mut(numbers).zip(to.par_chunks_mut(numbers)).zip(changes);
        pictures.for_each(|((from, to), change)| {
            for new in 0..plane {
                let Some([row, column]) = change.source([new / w, new % w], [h, w]) else { continue };
                let old = row * w + column;
                for channel in 0..c {
                    from[channel * plane + new] = (channel * plane + old) as u32;
                    to[channel * plane + old] = (channel * plane + new) as u32;
                }
            }
        });
        let tensor = |index| Tensor::from_vec(index, (changes.len(), numbers), device);
        Ok(Changes { from: tensor(from)?, to: tensor(to)? })
    }

    /// The pictures, changed.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) → the same
    ///
    /// # Errors
    /// If it isn't the batch that this was drawn for; Candle's.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.flatten_from(1)?.contiguous()?.gather(&self.from, 1)?.reshape(x.shape())?)
    }

    /// The gradient with respect to the pictures, from that with respect to the changed ones.
    ///
    /// # Shapes
    /// `dy` (N, C, H, W) → the same
    ///
    /// # Errors
    /// As [`Changes::apply`].
    pub fn backward(&self, dy: &Tensor) -> Result<Tensor> {
        Ok(dy.flatten_from(1)?.contiguous()?.gather(&self.to, 1)?.reshape(dy.shape())?)
    }

    fn tensors(&self) -> [&Tensor; 2] {
        [&self.from, &self.to]
    }
}

/// What is done to the real pictures of an iteration, and to the drawn ones.
pub struct Pair {
    /// To the real ones.
    pub real: Changes,
    /// To the drawn ones.
    pub fake: Changes,
}

impl Pair {
    /// Those of an iteration, for batches like `x` (N, C, H, W).
    ///
    /// # Errors
    /// If `x` is no batch of pictures; Candle's.
    pub fn draw(
        augmentation: Augmentation,
        (seed, purpose, iteration): (u64, Purpose, u64),
        x: &Tensor,
    ) -> Result<Pair> {
        let (n, c, h, w) = x.dims4()?;
        let changes = |stream| {
            let mut random = random(seed, purpose, iteration, stream);
            let changes: Vec<_> = (0..n).map(|_| Change::draw(augmentation, &mut random, [h, w])).collect();
            Changes::of(&changes, [c, h, w], x.device())
        };
        Ok(Pair { real: changes(0)?, fake: changes(1)? })
    }

    /// The same, with storage of its own.
    ///
    /// # Errors
    /// Candle's.
    pub fn copy(&self) -> Result<Pair> {
        let copy = |Changes { from, to }: &Changes| -> Result<Changes> {
            Ok(Changes { from: from.copy()?, to: to.copy()? })
        };
        Ok(Pair { real: copy(&self.real)?, fake: copy(&self.fake)? })
    }

    /// All that it is on the device.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.real.tensors().into_iter().chain(self.fake.tensors())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::{Augmentation, Change, Changes, Pair};
    use crate::streams::Purpose;

    const ALWAYS: Augmentation = Augmentation { probability: 1., translation: 0.25, cutout: 0.25 };

    /// Different numbers, none of them 0.
    fn pictures(n: usize, c: usize, h: usize, w: usize) -> Tensor {
        let numbers: Vec<f32> = (0..n * c * h * w).map(|i| (i * 37 % 101 + 1) as f32 / 101.).collect();
        Tensor::from_vec(numbers, (n, c, h, w), &Device::Cpu).unwrap()
    }

    fn numbers(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn pair(augmentation: Augmentation, (seed, iteration): (u64, u64), x: &Tensor) -> Pair {
        Pair::draw(augmentation, (seed, Purpose::Augmentation, iteration), x).unwrap()
    }

    #[test]
    fn pictures_are_shifted_and_then_cut() {
        let x = Tensor::from_iter((1..=12u8).map(f32::from), &Device::Cpu).unwrap();
        let x = x.reshape((2, 1, 2, 3)).unwrap();
        let changes = [
            // A row up and a column to the right.
            Change { shift: [-1, 1], cut: [[0; 2]; 2] },
            // The lower left, and more that isn't there.
            Change { shift: [0, 0], cut: [[1, -1], [3, 2]] },
        ];
        let changes = Changes::of(&changes, [1, 2, 3], &Device::Cpu).unwrap();
        let (x, dx) = (changes.apply(&x).unwrap(), changes.backward(&x).unwrap());
        assert_eq!(numbers(&x), [0., 4., 5., 0., 0., 0., 7., 8., 9., 0., 0., 12.]);
        assert_eq!(numbers(&dx), [0., 0., 0., 2., 3., 0., 7., 8., 9., 0., 0., 12.]);
    }

    #[test]
    fn the_gradient_is_candle_s() {
        let x = Var::from_tensor(&pictures(5, 3, 8, 12)).unwrap();
        let dy = (pictures(5, 3, 8, 12).sqr().unwrap() - 0.5).unwrap();
        let changes = pair(ALWAYS, (3, 4), &x).fake;
        let loss = (changes.apply(&x).unwrap() * &dy).unwrap().sum_all().unwrap();
        let expected = loss.backward().unwrap().remove(&x).unwrap();
        assert_eq!(numbers(&changes.backward(&dy).unwrap()), numbers(&expected));
    }

    #[test]
    fn each_change_is_made_as_often_as_asked_and_no_farther() {
        let changed = |augmentation: Augmentation| {
            let x = pictures(400, 1, 8, 12);
            let changed = pair(augmentation, (0, 0), &x).real.apply(&x).unwrap();
            let (before, after) = (numbers(&x), numbers(&changed));
            before.chunks(96).zip(after.chunks(96)).filter(|(a, b)| a != b).count()
        };
        assert_eq!(changed(Augmentation { probability: 0., ..ALWAYS }), 0);
        assert_eq!(changed(Augmentation { translation: 0., ..ALWAYS }), 400);
        // Of 5 × 7 shifts one is none.
        let shifts = Augmentation { cutout: 0., ..ALWAYS };
        assert!((375..400).contains(&changed(shifts)));
        let some = changed(Augmentation { probability: 0.5, cutout: 0., ..ALWAYS });
        assert!((150..240).contains(&some), "{some}");

        let mut random = crate::streams::random(1, Purpose::Augmentation, 0, 0);
        let drawn: Vec<_> = (0..2000).map(|_| Change::draw(ALWAYS, &mut random, [8, 12])).collect();
        for axis in 0..2 {
            let most = [2, 3][axis];
            let shifts = drawn.iter().map(|change| change.shift[axis]);
            assert_eq!((shifts.clone().min(), shifts.max()), (Some(-most), Some(most)));
            assert!(drawn.iter().all(|Change { cut: [first, end], .. }| end[axis] - first[axis] == most));
        }
    }

    #[test]
    fn changes_depend_on_seed_iteration_and_place_alone() {
        let x = pictures(6, 1, 8, 12);
        let pairs = |key| pair(ALWAYS, key, &x);
        let changed = |key| numbers(&pairs(key).real.apply(&x).unwrap());
        assert_eq!(changed((1, 2)), changed((1, 2)));
        assert_ne!(changed((1, 2)), changed((1, 3)));
        assert_ne!(changed((1, 2)), changed((2, 2)));
        assert_ne!(changed((1, 2)), numbers(&pairs((1, 2)).fake.apply(&x).unwrap()));
        let fewer = x.narrow(0, 0, 4).unwrap();
        let alone = pair(ALWAYS, (1, 2), &fewer).real.apply(&fewer).unwrap();
        assert_eq!(numbers(&alone), changed((1, 2))[..4 * 96]);
    }
}
