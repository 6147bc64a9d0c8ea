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
    /// (rows, depth), rows `stride` numbers apart.
    left: &'a [bf16],
    stride: usize,
    rows: usize,
    /// Panels of (depth / 2, [`PANEL`], 2).
    right: &'a [bf16],
    columns: usize,
    /// A multiple of [`STEP`].
    depth: usize,
}

impl Piece<'_> {
    /// # Panics
    /// If there are fewer numbers than it says.
    fn check(&self) {
        let Piece { left, stride, rows, right, columns, depth } = *self;
        assert!(rows == 0 || left.len() >= (rows - 1) * stride + depth);
        assert!(right.len() >= columns.next_multiple_of(PANEL) * depth);
    }
}

/// A right operand that is packed: for one that many products take.
pub struct Panels {
    numbers: Vec<bf16>,
    rows: usize,
    columns: usize,
}

impl Panels {
    /// Packs `b`, with all threads.
    pub fn new<B: Number>(b: Matrix<'_, B>) -> Panels {
        let (unit, rows, columns) = (Unit::best(), b.rows, b.columns);
        let width = columns.next_multiple_of(PANEL);
        let mut numbers = vec![bf16::ZERO; width * rows.next_multiple_of(STEP)];
        numbers.par_chunks_mut(width.max(1) * DEPTH).enumerate().for_each(|(i, chunk)| {
            let inner = range(i, rows, DEPTH);
            let depth = inner.len().next_multiple_of(STEP);
            chunk.par_chunks_mut(PANELS * PANEL * depth).enumerate().for_each(|(i, to)| {
                let columns = range(i, columns, PANELS * PANEL);
                pack::right(unit, b.part(inner.clone(), columns), to, depth);
            });
        });
        Panels { numbers, rows, columns }
    }

    /// The panels of these columns, and of the `depth` rows from `start`.
    fn part(&self, start: usize, depth: usize, columns: Range<usize>) -> &[bf16] {
        let first = start * self.columns.next_multiple_of(PANEL) + columns.start * depth;
        &self.numbers[first..first + columns.len().next_multiple_of(PANEL) * depth]
    }
}

/// The right operand of a product.
#[derive(Clone, Copy)]
enum Right<'a, B> {
    /// It's packed piece by piece.
    Matrix(Matrix<'a, B>),
    /// It is packed.
    Panels(&'a Panels),
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
    product_on(Unit::best(), out, a, Right::Matrix(b));
}

/// The same of a right operand that is packed.
///
/// # Panics
/// As [`product`].
pub fn product_of_panels<A: Number>(out: Output<'_>, a: Matrix<'_, A>, b: &Panels) {
    product_on(Unit::best(), out, a, Right::<A>::Panels(b));
}

fn product_on<A: Number, B: Number>(unit: Unit, out: Output<'_>, a: Matrix<'_, A>, b: Right<'_, B>) {
    let (m, n, k) = match b {
        Right::Matrix(b) => out.fit(&a, (b.rows, b.columns)),
        Right::Panels(b) => out.fit(&a, (b.rows, b.columns)),
    };
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
    // Rows that are as the kernels read them stay where they are.
    let rows = A::as_rounded(a).filter(|a| a.column_stride == 1 && k.is_multiple_of(STEP));
    let mut packed = Vec::new();
    for start in (0..k).step_by(DEPTH) {
        let inner = start..(start + DEPTH).min(k);
        let depth = inner.len().next_multiple_of(STEP);
        let (left, left_stride) = match rows {
            Some(rows) => (&rows.data[start..], rows.row_stride),
            None => {
                packed.resize(m * depth, bf16::ZERO);
                let pack = |(i, left): (usize, &mut [bf16])| {
                    pack::left(unit, a.part(range(i, m, ROWS), inner.clone()), left, depth);
                };
                match threads {
                    Threads::One => packed.chunks_mut(ROWS * depth).enumerate().for_each(pack),
                    Threads::All => packed.par_chunks_mut(ROWS * depth).enumerate().for_each(pack),
                }
                (&packed[..], depth)
            }
        };
        let work = |room: &mut Vec<bf16>, i: usize| {
            let (columns, rows) =
                (range(i / parts, n, PANELS * PANEL), range(i % parts, m, m.div_ceil(parts)));
            if rows.is_empty() {
                return;
            }
            let right = match b {
                Right::Panels(panels) => panels.part(start, depth, columns.clone()),
                Right::Matrix(b) => {
                    room.resize(columns.len().next_multiple_of(PANEL) * depth, bf16::ZERO);
                    pack::right(unit, b.part(inner.clone(), columns.clone()), room, depth);
                    room
                }
            };
            let left = &left[rows.start * left_stride..];
            let piece =
                Piece { left, stride: left_stride, rows: rows.len(), right, columns: columns.len(), depth };
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
                let mut room = Vec::new();
                (0..groups * parts).for_each(|i| work(&mut room, i));
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
                    product_on(unit, to, a[i & 1], Right::Matrix(b[i >> 1 & 1]));
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

    /// Bfloat16 in, as it is gathered from pictures: rows that are read where they are, and such as are packed;
    /// right operands packed before and on the way.
    #[test]
    fn factors_that_are_rounded_or_packed_already_are_taken_as_they_are() {
        for (m, k, n) in [(35, 40, 35), (50, 64, 35), (13, 1056, 300)] {
            let whole = |length: usize| -> Vec<bf16> {
                (0..length).map(|i| bf16::of((i * 37 % 101) as f32 - 50.)).collect()
            };
            let floats = |rounded: &[bf16]| -> Vec<f32> { rounded.iter().map(|x| x.to_f32()).collect() };
            let (a, b) = (whole(m * (k + 32)), whole(n * k));
            let (a_floats, b_floats) = (floats(&a), floats(&b));
            let (a, a_floats) = (Matrix::strided(&a, m, k, k + 32), Matrix::strided(&a_floats, m, k, k + 32));
            let (b, b_floats) = (Matrix::new(&b, n, k).t(), Matrix::new(&b_floats, n, k).t());
            // Whole numbers, whose sums are exact.
            let mut expected = vec![0f32; m * n];
            super::super::matrix::product(
                Output::replace(&mut expected, n, Threads::One),
                a_floats,
                b_floats,
            );
            let panels = Panels::new(b_floats);
            for unit in Unit::all() {
                for (i, threads) in [Threads::One, Threads::All].into_iter().cycle().enumerate().take(8) {
                    let mut found = vec![f32::NAN; m * n];
                    let out = Output::replace(&mut found, n, threads);
                    match i / 2 {
                        0 => product_on(unit, out, a, Right::Matrix(b)),
                        1 => product_on(unit, out, a_floats, Right::Matrix(b_floats)),
                        2 => product_on(unit, out, a, Right::<f32>::Panels(&panels)),
                        _ => product_on(unit, out, a_floats, Right::<f32>::Panels(&panels)),
                    }
                    assert_eq!(found, expected, "{unit:?}, {m}×{k}×{n}, {i}");
                }
            }
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
