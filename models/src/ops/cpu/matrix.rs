//! The matrix product, by the `gemm` crate, behind checked views.

/// A matrix in a slice: element (r, c) is at `r * row_stride + c * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// Who computes a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread: for pieces of work that run side by side already.
    One,
    /// All of rayon's.
    All,
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `columns` numbers, one row after the other.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix::strided(data, rows, columns, columns)
    }

    /// As [`Matrix::new`], with rows `row_stride` numbers apart.
    ///
    /// # Panics
    /// If these are more numbers than there are.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Matrix<'a> {
        let fits = extent(rows, columns, row_stride).is_some_and(|needed| needed <= data.len());
        assert!(fits, "a {rows}×{columns} matrix in {} numbers", data.len());
        Matrix { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose, in place.
    pub fn t(self) -> Matrix<'a> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
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

/// out (a.rows × b.columns, rows `out_stride` apart) = a·b, or += a·b.
///
/// The result doesn't depend on `threads`: `gemm` never splits the inner dimension among them.
///
/// # Panics
/// If the inner dimensions differ, or the output is too small.
pub fn product(
    out: &mut [f32],
    out_stride: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    into: Into,
    threads: Threads,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(a.columns, b.rows, "inner dimensions of a product");
    if m == 0 || n == 0 {
        return;
    }
    let fits = extent(m, n, out_stride).is_some_and(|needed| needed <= out.len());
    assert!(out_stride >= n && fits, "a {m}×{n} product in {}", out.len());
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(rayon::current_num_threads()),
    };
    // SAFETY: every element of the three matrices lies inside its slice: `Matrix` checked the
    // operands when it was made, the assertion above checks the output, and `out` is borrowed
    // mutably, so it overlaps neither operand. A stride that is no `isize` is that of a matrix of one
    // row, or of no numbers: it is multiplied by 0 alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            into == Into::Add,
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

/// `to` (columns × rows, rows `to_stride` apart) = transpose of `from` (rows × columns, rows
/// `from_stride` apart).
#[inline]
pub fn transpose(
    from: &[f32],
    from_stride: usize,
    (rows, columns): (usize, usize),
    to: &mut [f32],
    to_stride: usize,
) {
    // Tiles keep the lines of both sides in the nearest cache.
    const TILE: usize = 16;
    for r0 in (0..rows).step_by(TILE) {
        let r1 = (r0 + TILE).min(rows);
        for c0 in (0..columns).step_by(TILE) {
            for c in c0..(c0 + TILE).min(columns) {
                let line = &mut to[c * to_stride + r0..c * to_stride + r1];
                for (to, r) in line.iter_mut().zip(r0..r1) {
                    *to = from[r * from_stride + c];
                }
            }
        }
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
            assert!(catch_unwind(|| Matrix::strided(&[], rows, columns, stride)).is_err());
            assert!(catch_unwind(|| Matrix::strided(&[0.; 4], rows, columns, stride)).is_err());
        }
        let empty = Matrix::new(&[], 1 << 32, 0);
        let written = catch_unwind(|| {
            let mut out = [0.; 4];
            product(&mut out, 1 << 32, empty, empty.t(), Into::Replace, Threads::One);
        });
        assert!(written.is_err(), "2⁶⁴ numbers were written into 4");
    }

    #[test]
    fn a_row_or_nothing_has_any_stride() {
        let row = Matrix::strided(&[1., 2.], 1, 2, usize::MAX);
        let mut out = [0.; 1];
        product(&mut out, 1, row, row.t(), Into::Replace, Threads::One);
        assert_eq!(out, [5.]);
        let none = Matrix::strided(&[], 3, 0, usize::MAX);
        let mut out = [7.; 9];
        product(&mut out, 3, none, none.t(), Into::Replace, Threads::One);
        assert_eq!(out, [0.; 9]);
    }
}
