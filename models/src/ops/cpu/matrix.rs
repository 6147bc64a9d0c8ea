//! The matrix product behind checked views: of float32 by the `gemm` crate, of bfloat16 by
//! [`bf16`](super::bf16).

use std::mem::MaybeUninit;
use std::ops::Range;

use half::bf16;

use super::bf16::Panels;

/// A matrix in a slice: element (r, c) is at `r * row_stride + c * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T = f32> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    /// 1, or that of the rows is.
    pub(super) column_stride: usize,
}

/// What a factor's numbers may be.
pub trait Number: Copy + Send + Sync + super::bf16::Packed + super::transpose::Written {
    /// The nearest of a float32, ties to even.
    fn of(x: f32) -> Self;

    /// Room for numbers of this kind in that of float32s: as many as there are of those.
    fn room(floats: &mut [f32]) -> &mut [Self];
}

impl Number for f32 {
    #[inline(always)]
    fn of(x: f32) -> f32 {
        x
    }

    fn room(floats: &mut [f32]) -> &mut [f32] {
        floats
    }
}

impl Number for bf16 {
    /// As [`bf16::from_f32`], in operations that compilers make vectors of.
    #[inline(always)]
    fn of(x: f32) -> bf16 {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        bf16::from_bits(if x.is_nan() { 0x7fc0 } else { (rounded >> 16) as u16 })
    }

    fn room(floats: &mut [f32]) -> &mut [bf16] {
        // SAFETY: these are half of the floats' bytes, all of which any pattern may have on either side, and
        // the slice keeps the floats borrowed.
        unsafe { std::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), floats.len()) }
    }
}

/// How factors are multiplied; sums are float32's.
pub trait Products: Copy + Default + Send + Sync + 'static {
    /// What the factors are rounded to when they are gathered.
    type Number: Number;

    /// Pictures that a convolution unfolds at a time, or more where grids are small: few, so that their rows
    /// stay in the nearer caches, but enough to read the weight for.
    const PICTURES: usize;

    /// A right factor that many products take.
    type Factor<'a>: Sync;

    /// Makes a factor for many products.
    fn factor(b: Matrix<'_, Self::Number>) -> Self::Factor<'_>;

    /// [`product`] with such a factor.
    fn product_of(out: Output<'_>, a: Matrix<'_, Self::Number>, b: &Self::Factor<'_>);

    /// [`product`] of such numbers.
    fn product(out: Output<'_>, a: Matrix<'_, Self::Number>, b: Matrix<'_, Self::Number>);

    /// [`product`] of numbers that are rounded on the way.
    fn of_floats(out: Output<'_>, a: Matrix<'_>, b: Matrix<'_>);
}

/// Nothing is rounded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Float32;

impl Products for Float32 {
    type Number = f32;
    type Factor<'a> = Matrix<'a>;

    /// The weight is packed again for each few.
    const PICTURES: usize = 4;

    fn factor(b: Matrix<'_>) -> Matrix<'_> {
        b
    }

    fn product_of(out: Output<'_>, a: Matrix<'_>, b: &Matrix<'_>) {
        product(out, a, *b);
    }

    fn product(out: Output<'_>, a: Matrix<'_>, b: Matrix<'_>) {
        product(out, a, b);
    }

    fn of_floats(out: Output<'_>, a: Matrix<'_>, b: Matrix<'_>) {
        product(out, a, b);
    }
}

/// Factors of eight bits of mantissa.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bfloat16;

impl Products for Bfloat16 {
    type Number = bf16;
    type Factor<'a> = Panels;

    const PICTURES: usize = 1;

    fn factor(b: Matrix<'_, bf16>) -> Panels {
        Panels::new(b)
    }

    fn product_of(out: Output<'_>, a: Matrix<'_, bf16>, b: &Panels) {
        super::bf16::product_of_panels(out, a, b);
    }

    fn product(out: Output<'_>, a: Matrix<'_, bf16>, b: Matrix<'_, bf16>) {
        super::bf16::product(out, a, b);
    }

    fn of_floats(out: Output<'_>, a: Matrix<'_>, b: Matrix<'_>) {
        super::bf16::product(out, a, b);
    }
}

/// Who computes a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread: for pieces of work that run side by side already.
    One,
    /// All of rayon's.
    All,
}

impl<'a, T: Copy> Matrix<'a, T> {
    /// `rows` rows of `columns` numbers, one row after the other.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Matrix<'a, T> {
        Matrix::strided(data, rows, columns, columns)
    }

    /// As [`Matrix::new`], with rows `row_stride` numbers apart.
    ///
    /// # Panics
    /// If these are more numbers than there are.
    pub fn strided(data: &'a [T], rows: usize, columns: usize, row_stride: usize) -> Matrix<'a, T> {
        let fits = extent(rows, columns, row_stride).is_some_and(|needed| needed <= data.len());
        assert!(fits, "a {rows}×{columns} matrix in {} numbers", data.len());
        Matrix { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose, in place.
    pub fn t(self) -> Matrix<'a, T> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The part of these rows and columns, which are among its own.
    pub(super) fn part(self, rows: Range<usize>, columns: Range<usize>) -> Matrix<'a, T> {
        let start = rows.start * self.row_stride + columns.start * self.column_stride;
        Matrix { data: &self.data[start..], rows: rows.len(), columns: columns.len(), ..self }
    }

    /// The number at (r, c), if there is one.
    pub(super) fn get(&self, r: usize, c: usize) -> Option<T> {
        let is_inside = r < self.rows && c < self.columns;
        is_inside.then(|| self.data[r * self.row_stride + c * self.column_stride])
    }
}

/// Numbers from a matrix's first to its last; `None` if `usize` can't hold them.
fn extent(rows: usize, columns: usize, row_stride: usize) -> Option<usize> {
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    (rows - 1).checked_mul(row_stride)?.checked_add(columns)
}

/// What becomes of the numbers already in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// Where a product goes, and who computes it.
pub struct Output<'a> {
    /// Room for it; what is there already are numbers if the product is added to them.
    pub(super) numbers: &'a mut [MaybeUninit<f32>],
    pub(super) stride: usize,
    pub(super) into: Into,
    pub(super) threads: Threads,
}

impl<'a> Output<'a> {
    /// Into room that nothing was written to yet, rows `stride` numbers apart.
    pub fn write(numbers: &'a mut [MaybeUninit<f32>], stride: usize, threads: Threads) -> Output<'a> {
        Output { numbers, stride, into: Into::Replace, threads }
    }

    /// In place of these numbers, rows `stride` apart.
    pub fn replace(numbers: &'a mut [f32], stride: usize, threads: Threads) -> Output<'a> {
        Output { into: Into::Replace, ..Output::add(numbers, stride, threads) }
    }

    /// Added to these numbers, rows `stride` apart.
    pub fn add(numbers: &'a mut [f32], stride: usize, threads: Threads) -> Output<'a> {
        // SAFETY: the same numbers; products write numbers alone.
        let numbers = unsafe { &mut *(std::ptr::from_mut(numbers) as *mut [MaybeUninit<f32>]) };
        Output { numbers, stride, into: Into::Add, threads }
    }

    /// Rows, columns and inner dimension of a product by so many rows and columns that goes here.
    ///
    /// # Panics
    /// If the inner dimensions differ, or there is too little room.
    pub(super) fn fit<A>(&self, a: &Matrix<'_, A>, (rows, n): (usize, usize)) -> (usize, usize, usize) {
        let (m, k) = (a.rows, a.columns);
        assert_eq!(k, rows, "inner dimensions of a product");
        let fits = extent(m, n, self.stride).is_some_and(|needed| needed <= self.numbers.len());
        assert!(m == 0 || n == 0 || self.stride >= n && fits, "a {m}×{n} product in {}", self.numbers.len());
        (m, n, k)
    }
}

/// out (a.rows × b.columns) = a·b, or += a·b.
///
/// The result doesn't depend on `threads`: `gemm` never splits the inner dimension among them.
///
/// # Panics
/// If the inner dimensions differ, or the output is too small.
pub fn product(out: Output<'_>, a: Matrix<'_>, b: Matrix<'_>) {
    let (m, n, k) = out.fit(&a, (b.rows, b.columns));
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match out.threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(rayon::current_num_threads()),
    };
    // SAFETY: every element of the three matrices lies inside its slice: `Matrix` checked the
    // operands when it was made, `fit` checked the output, and it is borrowed
    // mutably, so it overlaps neither operand. A stride that is no `isize` is that of a matrix of one
    // row, or of no numbers: it is multiplied by 0 alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.numbers.as_mut_ptr().cast(),
            1,
            out.stride as isize,
            out.into == Into::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.,
            1.,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// Sizes whose product or extent is beyond `usize` hold no matrix, however they wrap.
    #[test]
    fn sizes_that_wrap_are_refused() {
        for (rows, columns, stride) in [
            (1 << 32, 1 << 32, 0),
            (1 << 32, 1, 1 << 32),
            ((1 << 63) + 1, 2, 2),
            (2, usize::MAX, 1),
            (usize::MAX, usize::MAX, usize::MAX),
        ] {
            assert!(catch_unwind(|| Matrix::strided(&[0f32; 0], rows, columns, stride)).is_err());
            assert!(catch_unwind(|| Matrix::strided(&[0.; 4], rows, columns, stride)).is_err());
        }
        let empty = Matrix::new(&[], 1 << 32, 0);
        let written = catch_unwind(|| {
            let mut out = [0.; 4];
            product(Output::replace(&mut out, 1 << 32, Threads::One), empty, empty.t());
        });
        assert!(written.is_err(), "2⁶⁴ numbers were written into 4");
    }

    #[test]
    fn a_row_or_nothing_has_any_stride() {
        let row = Matrix::strided(&[1., 2.], 1, 2, usize::MAX);
        let mut out = [0.; 1];
        product(Output::replace(&mut out, 1, Threads::One), row, row.t());
        assert_eq!(out, [5.]);
        let none = Matrix::strided(&[], 3, 0, usize::MAX);
        let mut out = [7.; 9];
        product(Output::replace(&mut out, 3, Threads::One), none, none.t());
        assert_eq!(out, [0.; 9]);
    }
}
