//! A map that each class adds behind a convolution, as planes of one number each that the convolution takes
//! beside its input: in whole numbers there is no adding a map of its own to each item, but one more input
//! plane costs next to nothing.
//!
//! Such maps come from planes in the first place: the label's, of which [`label`](super::super::label) made
//! them. What a constant plane adds is the sum of the kernel's weights that are within the picture, so the
//! weights can be told from the map. Each class has planes of its own, mostly one. What all classes have in common is far
//! larger than where they differ; it is in planes that every class has, and what is lost there by rounding
//! is made up for in the class's own, which take smaller numbers.

use super::range::WEIGHTS;
use crate::onnx::{Sliding, Tensor};

/// Planes are made up to this multiple: ONNX Runtime's direct convolution takes 4 inputs at once.
const MULTIPLE: usize = 4;

/// How far a map may be from what planes make of it, in proportion to its largest number.
const TOLERANCE: f64 = 1e-4;

/// The weights of constant planes, one of each class, that add these maps (classes, channels, rows, columns)
/// to a convolution of a picture of so many rows and columns: (channels, classes, kernel); none if there are
/// none.
pub fn weights(maps: &Tensor, sliding: &Sliding, picture: [usize; 2]) -> Option<Vec<f64>> {
    let &[classes, channels, rows, columns] = maps.dims() else { return None };
    let [down, across] = [0, 1].map(|axis| reach(sliding, picture[axis], [rows, columns][axis], axis));
    let [from_rows, from_columns] = [inverse(&down)?, inverse(&across)?];
    let numbers: Vec<f64> = maps.floats().into_iter().map(f64::from).collect();
    let largest = numbers.iter().fold(0f64, |most, number| most.max(number.abs()));
    let kernel: usize = sliding.kernel.iter().product();
    let mut weights = vec![0.; channels * classes * kernel];
    for (at, map) in numbers.chunks(rows * columns).enumerate() {
        let (class, channel) = (at / channels, at % channels);
        let taps = both(&from_rows, map, &from_columns, columns);
        let again = both(&down, &taps, &across, sliding.kernel[1]);
        if again.iter().zip(map).any(|(a, b)| (a - b).abs() > TOLERANCE * largest) {
            return None;
        }
        weights[(channel * classes + class) * kernel..][..kernel].copy_from_slice(&taps);
    }
    Some(weights)
}

/// For each pixel of one axis, which of the kernel's places are within the picture: 1 or 0.
fn reach(sliding: &Sliding, size: usize, pixels: usize, axis: usize) -> Vec<Vec<f64>> {
    let (before, stride) = (sliding.pads[axis], sliding.strides[axis]);
    let within = |pixel: usize, tap: usize| {
        let at = pixel * stride + tap;
        f64::from(u8::from(at >= before && at - before < size))
    };
    (0..pixels).map(|pixel| (0..sliding.kernel[axis]).map(|tap| within(pixel, tap)).collect()).collect()
}

/// The matrix that gives back v, as well as can be, of a·v: (aᵀ·a)⁻¹·aᵀ.
fn inverse(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = a.first()?.len();
    // [aᵀ·a | aᵀ], made [1 | inverse] by elimination. Places that no pixel reaches get 0.
    let mut rows: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let product = |j: usize| a.iter().map(|row| row[i] * row[j]).sum::<f64>();
            let small = |j: usize| if i == j { 1e-9 } else { 0. };
            (0..n).map(|j| product(j) + small(j)).chain(a.iter().map(|row| row[i])).collect()
        })
        .collect();
    for pivot in 0..n {
        let largest = (pivot..n).max_by(|&i, &j| rows[i][pivot].abs().total_cmp(&rows[j][pivot].abs()))?;
        rows.swap(pivot, largest);
        let factor = rows[pivot][pivot];
        rows[pivot].iter_mut().for_each(|number| *number /= factor);
        let row = rows[pivot].clone();
        for (_, other) in rows.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = other[pivot];
            other.iter_mut().zip(&row).for_each(|(number, of_pivot)| *number -= factor * of_pivot);
        }
    }
    Some(rows.into_iter().map(|row| row[n..].to_vec()).collect())
}

/// a·m·bᵀ, m in rows of so many numbers.
fn both(a: &[Vec<f64>], m: &[f64], b: &[Vec<f64>], columns: usize) -> Vec<f64> {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let right: Vec<Vec<f64>> =
        m.chunks(columns).map(|row| b.iter().map(|weights| dot(row, weights)).collect()).collect();
    let cell = |row: &[f64], column: usize| row.iter().zip(&right).map(|(a, right)| a * right[column]).sum();
    a.iter().flat_map(|row| (0..b.len()).map(move |column| cell(row, column))).collect()
}

/// The planes of a group of convolutions with the same input, as whole numbers.
pub struct Planes {
    layout: Layout,
    /// What a class's own planes are made of.
    value: u8,
    /// For each convolution, (channels, planes, kernel).
    pub weights: Vec<Vec<i8>>,
}

/// How many planes there are: the classes' own, one class after the other, then those that every class has.
#[derive(Clone, Copy)]
struct Layout {
    classes: usize,
    /// Planes of each class.
    own: usize,
    common: usize,
}

/// One convolution's share.
pub struct Share {
    /// What planes are to add, in steps of weight and input: (channels, classes, kernel).
    pub target: Vec<f64>,
    /// Numbers of a kernel.
    pub kernel: usize,
}

/// The largest number of a class's own planes: half of it is what rounding may lose.
const LARGEST_VALUE: f64 = 128.;

impl Planes {
    /// As few planes as do for convolutions of so many inputs; none if many would not.
    pub fn new(shares: &[Share], inputs: usize, classes: usize) -> Option<Planes> {
        (1..=4).flat_map(|own| (0..4).map(move |more| (own, more))).find_map(|(own, more)| {
            let common = MULTIPLE - (inputs + classes * own) % MULTIPLE + MULTIPLE * more;
            Planes::of(shares, Layout { classes, own, common })
        })
    }

    /// Planes of this layout, if they reach.
    fn of(shares: &[Share], layout: Layout) -> Option<Planes> {
        let mut parts: Vec<(Vec<i8>, Vec<f64>)> = shares.iter().map(|share| layout.split(share)).collect();
        let most = parts.iter().flat_map(|(_, rest)| rest).fold(0f64, |most, rest| most.max(rest.abs()));
        let value = (most / (f64::from(WEIGHTS[1]) * layout.own as f64)).ceil().max(1.);
        if value > LARGEST_VALUE {
            return None;
        }
        for ((weights, rest), share) in parts.iter_mut().zip(shares) {
            layout.give_classes(weights, rest, share.kernel, value);
        }
        let weights = parts.into_iter().map(|(weights, _)| weights).collect();
        Some(Planes { layout, value: value as u8, weights })
    }

    /// The planes of each class, (classes, planes, rows, columns), as numbers of this step.
    ///
    /// # Errors
    /// None.
    pub fn table(&self, scale: f32, [rows, columns]: [usize; 2]) -> crate::Result<Tensor> {
        let Layout { classes, own, .. } = self.layout;
        let of = |class: usize, plane: usize| match plane / own {
            of_class if of_class >= classes => 255.,
            of_class if of_class == class => f32::from(self.value),
            _ => 0.,
        };
        let count = self.layout.count();
        let planes = (0..classes).flat_map(|class| (0..count).map(move |plane| (class, plane)));
        let numbers =
            planes.flat_map(|(class, plane)| std::iter::repeat_n(of(class, plane) * scale, rows * columns));
        Tensor::float32(&[classes, count, rows, columns], numbers)
    }
}

impl Layout {
    /// How many planes there are.
    fn count(self) -> usize {
        self.classes * self.own + self.common
    }

    /// The weights of the planes that every class has, the others 0, and what is left to do for each class.
    fn split(self, Share { target, kernel }: &Share) -> (Vec<i8>, Vec<f64>) {
        let (classes, mut rest) = (self.classes, target.clone());
        let channels = target.len() / (classes * kernel);
        let mut weights = vec![0; channels * self.count() * kernel];
        for (channel, target) in target.chunks(classes * kernel).enumerate() {
            for tap in 0..*kernel {
                let of_class = |class: usize| target[class * kernel + tap];
                let mean = (0..classes).map(of_class).sum::<f64>() / classes as f64;
                let first = channel * self.count() + classes * self.own;
                let given = give(&mut weights, (mean / 255.).round(), self.common, |plane| {
                    (first + plane) * kernel + tap
                });
                for class in 0..classes {
                    rest[(channel * classes + class) * kernel + tap] -= 255. * given;
                }
            }
        }
        (weights, rest)
    }

    /// Sets the weights of each class's own planes to what is left.
    fn give_classes(self, weights: &mut [i8], rest: &[f64], kernel: usize, value: f64) {
        for (at, rest) in rest.iter().enumerate() {
            let (channel, class, tap) =
                (at / (self.classes * kernel), at / kernel % self.classes, at % kernel);
            let first = channel * self.count() + class * self.own;
            give(weights, (rest / value).round(), self.own, |plane| (first + plane) * kernel + tap);
        }
    }
}

/// Spreads a whole number over the weights of so many planes; says how much of it they took.
fn give(weights: &mut [i8], number: f64, planes: usize, at: impl Fn(usize) -> usize) -> f64 {
    let [least, largest] = WEIGHTS.map(f64::from);
    let mut left = number;
    for plane in 0..planes {
        let part = left.clamp(least, largest);
        weights[at(plane)] = part as i8;
        left -= part;
    }
    number - left
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_VALUE, Planes, Share, weights};
    use crate::onnx::{Sliding, Tensor};

    /// Two classes' maps of one channel, as a kernel of 2×3 makes them of constant planes.
    #[test]
    fn a_kernel_is_told_from_its_map() {
        let sliding = Sliding { kernel: [2, 3], strides: [1; 2], pads: [1, 1, 0, 1] };
        let kernels = [[1., -2., 3., 0.5, 4., -1.], [0., 1., 0., 2., 0., 7.]];
        let (rows, columns) = (3, 4);
        let map = |kernel: [f32; 6]| {
            let at = move |row: usize, column: usize| {
                let within = |at: usize, size: usize| (1..=size).contains(&at);
                (0..6)
                    .filter(|tap| within(row + tap / 3, rows) && within(column + tap % 3, columns))
                    .map(|tap| kernel[tap])
                    .sum::<f32>()
            };
            (0..rows * columns).map(move |pixel| at(pixel / columns, pixel % columns))
        };
        let maps: Vec<f32> = kernels.into_iter().flat_map(map).collect();
        let found = weights(
            &Tensor::float32(&[2, 1, rows, columns], maps.clone()).unwrap(),
            &sliding,
            [rows, columns],
        );
        for (found, expected) in found.unwrap().iter().zip(kernels.concat()) {
            assert!((found - f64::from(expected)).abs() < 1e-6, "{found}, expected {expected}");
        }
        // A map that no constant plane makes.
        let mut other = maps;
        other[5] += 1.;
        assert!(
            weights(&Tensor::float32(&[2, 1, rows, columns], other).unwrap(), &sliding, [rows, columns])
                .is_none()
        );
    }

    /// Whatever is to be added, planes and weights give it but for half of a plane's number.
    #[test]
    fn planes_add_up_to_what_was_asked_for() {
        for size in [100., 5_000., 20_000., 30_000.] {
            let (classes, kernel, channels) = (3, 2, 4);
            let target: Vec<f64> =
                (0..channels * classes * kernel).map(|i| size * ((i * 37 % 101) as f64 / 50. - 1.)).collect();
            let planes = Planes::new(&[Share { target: target.clone(), kernel }], 12, classes).unwrap();
            let table = planes.table(1., [1, 1]).unwrap();
            let count = table.dims()[1];
            assert!((12 + count).is_multiple_of(4) && table.dims() == [classes, count, 1, 1]);
            let table = table.floats();
            for (at, target) in target.iter().enumerate() {
                let (channel, class, tap) = (at / (classes * kernel), at / kernel % classes, at % kernel);
                let of_plane = |plane: usize| {
                    let weight = planes.weights[0][(channel * count + plane) * kernel + tap];
                    f64::from(weight) * f64::from(table[class * count + plane])
                };
                let sum: f64 = (0..count).map(of_plane).sum();
                assert!((sum - target).abs() <= LARGEST_VALUE / 2. + 1e-6, "{sum}, expected {target}");
            }
        }
        assert!(Planes::new(&[Share { target: vec![1e7, -1e7], kernel: 1 }], 12, 2).is_none());
    }
}
