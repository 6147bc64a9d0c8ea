//! Operands, rounded to bfloat16 (to nearest, ties to even) and laid out as the kernels read them.
//!
//! Both layouts are made of blocks of 16 × 16 pairs of neighbours in the inner dimension: sixteen rows of
//! the left operand, or sixteen columns of the right one, by sixteen pairs. In the left one a row's pairs lie
//! side by side, in the right one a pair's columns do. So one is the other's transpose, and each operand is
//! read along the dimension in which its numbers are neighbours.

use half::bf16;

use super::super::matrix::{Matrix, Number};
use super::{PANEL, Unit};

/// How a factor's numbers are packed.
#[cfg(target_arch = "x86_64")]
pub trait Packed: super::avx512::Load {
    /// The nearest bfloat16.
    fn rounded(self) -> bf16;

    /// The same matrix, if its numbers are bfloat16 already.
    fn as_rounded(matrix: Matrix<'_, Self>) -> Option<Matrix<'_, bf16>>
    where
        Self: Sized;
}

/// How a factor's numbers are packed.
#[cfg(not(target_arch = "x86_64"))]
pub trait Packed {
    /// The nearest bfloat16.
    fn rounded(self) -> bf16;

    /// The same matrix, if its numbers are bfloat16 already.
    fn as_rounded(matrix: Matrix<'_, Self>) -> Option<Matrix<'_, bf16>>
    where
        Self: Sized;
}

impl Packed for f32 {
    fn rounded(self) -> bf16 {
        bf16::of(self)
    }

    fn as_rounded(_: Matrix<'_, f32>) -> Option<Matrix<'_, bf16>> {
        None
    }
}

impl Packed for bf16 {
    fn rounded(self) -> bf16 {
        self
    }

    fn as_rounded(matrix: Matrix<'_, bf16>) -> Option<Matrix<'_, bf16>> {
        Some(matrix)
    }
}

/// Rows of `a`, each padded with zeros to `depth` numbers.
pub fn left<T: Number>(unit: Unit, a: Matrix<'_, T>, to: &mut [bf16], depth: usize) {
    #[cfg(target_arch = "x86_64")]
    if unit != Unit::Portable {
        // SAFETY: the other units have AVX512-BF16.
        return unsafe { super::avx512::pack_left(a, to, depth) };
    }
    let _ = unit;
    for (r, to) in to.chunks_mut(depth).enumerate() {
        for (k, to) in to.iter_mut().enumerate() {
            *to = a.get(r, k).map_or(bf16::ZERO, Packed::rounded);
        }
    }
}

/// Panels of [`PANEL`] columns of `b`; rows are padded with zeros to `depth`, columns to a whole panel.
pub fn right<T: Number>(unit: Unit, b: Matrix<'_, T>, to: &mut [bf16], depth: usize) {
    #[cfg(target_arch = "x86_64")]
    if unit != Unit::Portable {
        // SAFETY: the other units have AVX512-BF16.
        return unsafe { super::avx512::pack_right(b, to, depth) };
    }
    let _ = unit;
    for (panel, to) in to.chunks_mut(PANEL * depth).enumerate() {
        for (pair, to) in to.chunks_mut(2 * PANEL).enumerate() {
            for (i, to) in to.iter_mut().enumerate() {
                *to = b.get(2 * pair + i % 2, panel * PANEL + i / 2).map_or(bf16::ZERO, Packed::rounded);
            }
        }
    }
}
