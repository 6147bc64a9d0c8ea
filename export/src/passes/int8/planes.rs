//! A map that each class adds behind a convolution, as planes of one number each that the convolution takes
//! beside its input: in whole numbers there is no adding a map of its own to each item, but one more input
//! plane costs next to nothing.
//!
//! Such maps come from planes in the first place: the label's, of which [`label`](super::super::label) made
//! them. What a constant plane adds is the sum of the kernel's weights that are within the picture, so the
//! weights can be told from the map. Each class has a plane of its own. What all classes have in common is far
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
    /// Those that every class has.
    common: usize,
    classes: usize,
    /// What a class's own plane is made of.
    value: u8,
    /// For each convolution, (channels, classes + common, kernel).
    pub weights: Vec<Vec<i8>>,
}

/// One convolution's share.
pub struct Share {
    /// What planes are to add, in steps of weight and input: (channels, classes, kernel).
    pub target: Vec<f64>,
    /// Numbers of a kernel.
    pub kernel: usize,
}

impl Planes {
    /// Planes for convolutions of so many inputs; none if whole numbers don't reach.
    pub fn new(shares: &[Share], inputs: usize, classes: usize) -> Option<Planes> {
        let common = MULTIPLE - (inputs + classes) % MULTIPLE;
        let [least, largest] = WEIGHTS.map(f64::from);
        let mut weights = Vec::new();
        let mut left: Vec<Vec<f64>> = Vec::new();
        for Share { target, kernel } in shares {
            let channels = target.len() / (classes * kernel);
            let mut of_all = vec![0i8; channels * (classes + common) * kernel];
            let mut rest = target.clone();
            for (at, channel) in target.chunks(classes * kernel).enumerate() {
                for tap in 0..*kernel {
                    let mean =
                        (0..classes).map(|class| channel[class * kernel + tap]).sum::<f64>() / classes as f64;
                    let mut to_give = (mean / 255.).round();
                    for plane in 0..common {
                        let given = to_give.clamp(least, largest);
                        of_all[(at * (classes + common) + classes + plane) * kernel + tap] = given as i8;
                        to_give -= given;
                        for class in 0..classes {
                            rest[(at * classes + class) * kernel + tap] -= 255. * given;
                        }
                    }
                }
            }
            weights.push(of_all);
            left.push(rest);
        }
        let most = left.iter().flatten().fold(0f64, |most, rest| most.max(rest.abs()));
        let value = (most / largest).ceil().max(1.);
        if value > 255. {
            return None;
        }
        for ((weights, rest), Share { kernel, .. }) in weights.iter_mut().zip(&left).zip(shares) {
            for (at, rest) in rest.iter().enumerate() {
                let (channel, class, tap) = (at / (classes * kernel), at / kernel % classes, at % kernel);
                let weight = (rest / value).round().clamp(least, largest);
                weights[(channel * (classes + common) + class) * kernel + tap] = weight as i8;
            }
        }
        Some(Planes { common, classes, value: value as u8, weights })
    }

    /// How many planes there are.
    pub fn count(&self) -> usize {
        self.classes + self.common
    }

    /// The planes of each class, (classes, planes, rows, columns), as numbers of this step.
    pub fn table(&self, scale: f32, [rows, columns]: [usize; 2]) -> crate::Result<Tensor> {
        let of = |class: usize, plane: usize| match plane {
            plane if plane >= self.classes => 255.,
            plane if plane == class => f32::from(self.value),
            _ => 0.,
        };
        let planes = (0..self.classes).flat_map(|class| (0..self.count()).map(move |plane| (class, plane)));
        let numbers =
            planes.flat_map(|(class, plane)| std::iter::repeat_n(of(class, plane) * scale, rows * columns));
        Tensor::float32(&[self.classes, self.count(), rows, columns], numbers)
    }
}
