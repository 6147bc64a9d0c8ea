//! The matrix product in bfloat16 with float32 sums: operands are rounded to eight bits of mantissa while
//! they are packed, products are exact, and sums are float32's.
//!
//! | file | what is in it |
//! |---|---|
//! | `pack` | operands, rounded and laid out as the kernels read them |
//! | `amx` | tiles of AMX: Intel's server processors since Sapphire Rapids |
//! | `avx512` | AVX512-BF16: AMD since Zen 4, Intel since Cooper Lake |
//! | `portable` | any processor: bfloat16 widened to float32 in registers |
//!
//! The left operand is packed as rows, the right one as panels of 32 columns in which two rows lie
//! interleaved: what a tile of AMX and a vector of AVX512-BF16 both take, so there is one packing.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod pack;
mod portable;

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

use half::bf16;
pub use pack::Packed;
use rayon::prelude::*;

use super::matrix::{Into, Matrix, Number, Output, Threads};

/// Columns of a packed panel of the right operand.
const PANEL: usize = 32;
/// Numbers of the inner dimension that are packed at a time, and padded to: a tile's row.
const STEP: usize = 32;
/// Numbers of the inner dimension whose panels stay in the nearer caches.
const DEPTH: usize = 512;
/// Panels that one piece of work takes.
const PANELS: usize = 4;
/// Rows that one piece of work takes, where there are too few panels for all threads.
const ROWS: usize = 128;

/// What multiplies in bfloat16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// AMX's tiles, and AVX512-BF16 at their edges.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// AVX512-BF16.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Float32's own units.
    Portable,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(target_arch = "x86_64")]
            Unit::Amx => "AMX",
            #[cfg(target_arch = "x86_64")]
            Unit::Avx512 => "AVX512-BF16",
            Unit::Portable => "float32's units, as this processor has none for it",
        })
    }
}

impl Unit {
    /// The best of this processor, found out once.
    pub fn best() -> Unit {
        static BEST: OnceLock<Unit> = OnceLock::new();
        *BEST.get_or_init(|| Unit::all().pop().unwrap_or(Unit::Portable))
    }

    /// All that this processor has, the best last.
    fn all() -> Vec<Unit> {
        let mut all = vec![Unit::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(avx512::is_here().then_some(Unit::Avx512));
            all.extend((avx512::is_here() && amx::is_here()).then_some(Unit::Amx));
        }
        all
    }
}

/// A packed piece of a product: `rows` × `depth` by `depth` × `columns`.
#[derive(Clone, Copy)]
struct Piece<'a> {
    /// (rows, depth), row by row.
    left: &'a [bf16],
    rows: usize,
    /// Panels of (depth / 2, [`PANEL`], 2).
    right: &'a [bf16],
    columns: usize,
    /// A multiple of [`STEP`].
    depth: usize,
}

/// Where a piece of a product goes: element (r, c) is at `r * stride + c`.
#[derive(Clone, Copy)]
struct Target {
    start: *mut f32,
    stride: usize,
    into: Into,
}

// SAFETY: pieces that run side by side have targets that don't overlap.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// The target of what begins at (row, column) of this one.
    ///
    /// # Safety
    /// (row, column) lies inside it.
    unsafe fn at(self, row: usize, column: usize) -> Target {
        // SAFETY: the caller's.
        Target { start: unsafe { self.start.add(row * self.stride + column) }, ..self }
    }
}

/// As [`super::matrix::product`], with both operands rounded to bfloat16.
///
/// The result doesn't depend on `threads`: the inner dimension is cut by its size alone.
///
/// # Panics
/// If the inner dimensions differ, or the output is too small.
pub fn product<A: Number, B: Number>(out: Output<'_>, a: Matrix<'_, A>, b: Matrix<'_, B>) {
    product_on(Unit::best(), out, a, b);
}

fn product_on<A: Number, B: Number>(unit: Unit, out: Output<'_>, a: Matrix<'_, A>, b: Matrix<'_, B>) {
    let (m, n, k) = out.fit(&a, &b);
    if m == 0 || n == 0 {
        return;
    }
    let Output { numbers: out, stride, into, threads } = out;
    if k == 0 && into == Into::Replace {
        out.chunks_mut(stride).take(m).for_each(|row| row[..n].fill(MaybeUninit::new(0.)));
    }
    let (groups, parts) = (n.div_ceil(PANELS * PANEL), m.div_ceil(ROWS));
    // Where there are fewer groups of panels than threads, each is packed by several, for some rows each.
    let parts = if threads == Threads::All && groups < rayon::current_num_threads() { parts } else { 1 };
    let target = Target { start: out.as_mut_ptr().cast(), stride, into };
    let mut left = Vec::new();
    for start in (0..k).step_by(DEPTH) {
        let inner = start..(start + DEPTH).min(k);
        let depth = inner.len().next_multiple_of(STEP);
        left.resize(m * depth, bf16::ZERO);
        let pack = |(i, left): (usize, &mut [bf16])| {
            pack::left(unit, a.part(range(i, m, ROWS), inner.clone()), left, depth);
        };
        match threads {
            Threads::One => left.chunks_mut(ROWS * depth).enumerate().for_each(pack),
            Threads::All => left.par_chunks_mut(ROWS * depth).enumerate().for_each(pack),
        }
        let work = |right: &mut Vec<bf16>, i: usize| {
            let (columns, rows) =
                (range(i / parts, n, PANELS * PANEL), range(i % parts, m, m.div_ceil(parts)));
            right.resize(columns.len().next_multiple_of(PANEL) * depth, bf16::ZERO);
            pack::right(unit, b.part(inner.clone(), columns.clone()), right, depth);
            let left = &left[rows.start * depth..rows.end * depth];
            let piece = Piece { left, rows: rows.len(), right, columns: columns.len(), depth };
            let into = if start == 0 { into } else { Into::Add };
            // SAFETY: the piece lies inside the output, which was checked above, and no other one overlaps it.
            let to = Target { into, ..unsafe { target.at(rows.start, columns.start) } };
            match unit {
                // SAFETY: such a unit is only one that is here; the target is as large as the piece.
                #[cfg(target_arch = "x86_64")]
                Unit::Amx => unsafe { amx::multiply(piece, to) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Unit::Avx512 => unsafe { avx512::multiply(piece, to) },
                // SAFETY: as above.
                Unit::Portable => unsafe { portable::multiply(piece, to) },
            }
        };
        match threads {
            Threads::One => {
                let mut right = Vec::new();
                (0..groups * parts).for_each(|i| work(&mut right, i));
            }
            Threads::All => (0..groups * parts).into_par_iter().for_each_init(Vec::new, work),
        }
    }
}

/// The i-th of the ranges of `size` numbers that cover 0 up to `whole`; the last may be shorter.
fn range(i: usize, whole: usize, size: usize) -> Range<usize> {
    (i * size).min(whole)..((i + 1) * size).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Odd sizes, and some beyond what is packed at a time, by each unit that is here, with both factors as
    /// they are and transposed, replacing and adding.
    #[test]
    fn products_of_odd_sizes_are_those_of_the_rounded_factors() {
        let sizes = [(1, 1, 1), (5, 7, 3), (33, 65, 47), (70, 1030, 129), (17, 31, 200), (2, 0, 3)];
        for (m, k, n) in sizes {
            let numbers = |length: usize, step: usize| -> Vec<f32> {
                (0..length).map(|i| (i * step % 1000) as f32 / 500. - 1.).collect()
            };
            let (a, b) = (numbers(m * k, 7919), numbers(k * n, 104_729));
            let (a_t, b_t) = (transposed(&a, (m, k)), transposed(&b, (k, n)));
            let exact = |r: usize, c: usize| -> f64 {
                (0..k).map(|i| bf16::of(a[r * k + i]).to_f64() * bf16::of(b[i * n + c]).to_f64()).sum()
            };
            let a = [Matrix::new(&a, m, k), Matrix::new(&a_t, k, m).t()];
            let b = [Matrix::new(&b, k, n), Matrix::new(&b_t, n, k).t()];
            for unit in Unit::all() {
                for (i, threads) in [Threads::One, Threads::All].into_iter().cycle().enumerate().take(8) {
                    let into = if i & 4 == 0 { Into::Replace } else { Into::Add };
                    let mut out = vec![2f32; m * (n + 1)];
                    let to = match into {
                        Into::Replace => Output::replace(&mut out, n + 1, threads),
                        Into::Add => Output::add(&mut out, n + 1, threads),
                    };
                    product_on(unit, to, a[i & 1], b[i >> 1 & 1]);
                    for (r, row) in out.chunks(n + 1).enumerate() {
                        let before = if into == Into::Add { 2. } else { 0. };
                        for (c, found) in row[..n].iter().enumerate() {
                            let expected = exact(r, c) + before;
                            let error = (f64::from(*found) - expected).abs();
                            assert!(error < 1e-3, "{unit:?}, {m}×{k}×{n}, ({r}, {c}): {found}, {expected}");
                        }
                        assert_eq!(row[n], 2., "{unit:?} writes beyond its columns");
                    }
                }
            }
        }
    }

    fn transposed(from: &[f32], (rows, columns): (usize, usize)) -> Vec<f32> {
        let mut to = vec![0.; from.len()];
        super::super::transpose::transpose(from, columns, (rows, columns), &mut to, rows);
        to
    }

    /// Bfloat16 in, as it is gathered from pictures.
    #[test]
    fn factors_that_are_rounded_already_are_taken_as_they_are() {
        let a: Vec<bf16> = (0..35 * 40).map(|i| bf16::of((i * 37 % 101) as f32 - 50.)).collect();
        let floats: Vec<f32> = a.iter().map(|x| x.to_f32()).collect();
        for unit in Unit::all() {
            let product = |threads, is_rounded: bool| {
                let mut out = vec![0f32; 35 * 35];
                match is_rounded {
                    true => {
                        let a = Matrix::new(&a, 35, 40);
                        product_on(unit, Output::replace(&mut out, 35, threads), a, a.t());
                    }
                    false => {
                        let a = Matrix::new(&floats, 35, 40);
                        product_on(unit, Output::replace(&mut out, 35, threads), a, a.t());
                    }
                }
                out
            };
            // Whole numbers, whose sums are exact.
            assert_eq!(product(Threads::One, true), product(Threads::All, false));
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_ties_to_even() {
        let mut random = 1u32;
        for _ in 0..100_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = f32::from_bits(random);
            let expected = bf16::from_f32(x);
            assert!(bf16::of(x) == expected || x.is_nan() && bf16::of(x).is_nan(), "{x}");
        }
        for (x, expected) in [(f32::MAX, f32::INFINITY), (f32::INFINITY, f32::INFINITY), (-0., -0.)] {
            assert_eq!(bf16::of(x).to_f32().to_bits(), expected.to_bits());
        }
    }
}
