//! AVX512-BF16: two products and two sums a lane and instruction.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::bf16;

use super::super::matrix::{Into, Matrix};
use super::super::transpose::{Block, LANES, first, transposed};
use super::{PANEL, Piece, STEP, Target};

/// Rows of the output that stay in registers, of a panel's two vectors each: 24 sums.
const ROWS: usize = 12;

/// Whether this processor, and the system on it, has the instructions.
pub fn is_here() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16")
}

/// # Safety
/// [`is_here`]; the target has room for the piece's rows and columns.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn multiply(piece: Piece<'_>, to: Target) {
    let Piece { left, stride, rows, right, columns, depth } = piece;
    piece.check();
    for (panel, right) in right.chunks_exact(PANEL * depth).enumerate() {
        let column = panel * PANEL;
        for row in (0..rows).step_by(ROWS) {
            let left = (&left[row * stride..], stride);
            // SAFETY: the piece has these rows and columns, and the target room for them.
            unsafe {
                let to = to.at(row, column);
                let columns = columns - column;
                match rows - row {
                    1 => tile::<1>(left, right, depth, to, columns),
                    2 => tile::<2>(left, right, depth, to, columns),
                    3 => tile::<3>(left, right, depth, to, columns),
                    4 => tile::<4>(left, right, depth, to, columns),
                    5 => tile::<5>(left, right, depth, to, columns),
                    6 => tile::<6>(left, right, depth, to, columns),
                    7 => tile::<7>(left, right, depth, to, columns),
                    8 => tile::<8>(left, right, depth, to, columns),
                    9 => tile::<9>(left, right, depth, to, columns),
                    10 => tile::<10>(left, right, depth, to, columns),
                    11 => tile::<11>(left, right, depth, to, columns),
                    _ => tile::<ROWS>(left, right, depth, to, columns),
                }
            }
        }
    }
}

/// R rows of up to [`PANEL`] columns.
///
/// # Safety
/// `left` has R rows of `depth` numbers, a stride apart, `right` a panel of them; the target has room for R
/// rows of `columns`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn tile<const R: usize>(
    (left, stride): (&[bf16], usize),
    right: &[bf16],
    depth: usize,
    to: Target,
    columns: usize,
) {
    let (left, right) = (left.as_ptr(), right.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for pair in 0..depth / 2 {
        // SAFETY: the caller's. A pair is two numbers of 16 bits, read as one of 32.
        unsafe {
            let right = right.add(2 * PANEL * pair);
            let halves: [__m512bh; 2] = [
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.cast())),
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(right.add(PANEL).cast())),
            ];
            for (r, sums) in sums.iter_mut().enumerate() {
                let left: *const i32 = left.add(r * stride + 2 * pair).cast();
                let left: __m512bh = transmute(_mm512_set1_epi32(left.read_unaligned()));
                sums[0] = _mm512_dpbf16_ps(sums[0], left, halves[0]);
                sums[1] = _mm512_dpbf16_ps(sums[1], left, halves[1]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (half, sum) in sums.iter().enumerate() {
            let mask = first(columns.saturating_sub(half * LANES));
            // SAFETY: the caller's; lanes beyond the columns are neither read nor written.
            unsafe {
                let to_row = to.start.add(r * to.stride).wrapping_add(half * LANES);
                let sum = match to.into {
                    Into::Replace => *sum,
                    Into::Add => _mm512_add_ps(*sum, _mm512_maskz_loadu_ps(mask, to_row)),
                };
                _mm512_mask_storeu_ps(to_row, mask, sum);
            }
        }
    }
}

/// What operands may be made of.
pub trait Load: Copy {
    /// Sixteen numbers from `low` and sixteen from `high`, rounded; only those that the masks have are read,
    /// the others are 0.
    ///
    /// # Safety
    /// [`is_here`]; what the masks have can be read.
    unsafe fn load(low: (*const Self, __mmask16), high: (*const Self, __mmask16)) -> __m512i;
}

impl Load for f32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn load(low: (*const f32, __mmask16), high: (*const f32, __mmask16)) -> __m512i {
        // SAFETY: the caller's.
        unsafe {
            let (low, high) = (_mm512_maskz_loadu_ps(low.1, low.0), _mm512_maskz_loadu_ps(high.1, high.0));
            transmute(_mm512_cvtne2ps_pbh(high, low))
        }
    }
}

impl Load for bf16 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx512vl")]
    unsafe fn load(low: (*const bf16, __mmask16), high: (*const bf16, __mmask16)) -> __m512i {
        // SAFETY: the caller's.
        unsafe {
            let low = _mm256_maskz_loadu_epi16(low.1, low.0.cast());
            let high = _mm256_maskz_loadu_epi16(high.1, high.0.cast());
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
        }
    }
}

/// The block at (row, column), a row a vector; beyond the matrix there are zeros.
///
/// # Safety
/// [`is_here`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx512vl")]
unsafe fn rows<T: Load>(a: Matrix<'_, T>, row: usize, column: usize) -> Block {
    if a.column_stride != 1 {
        // SAFETY: the caller's.
        return transposed(unsafe { interleaved(a, row, column) });
    }
    let columns = a.columns.saturating_sub(column);
    let masks = [first(columns), first(columns.saturating_sub(LANES))];
    let mut block = [_mm512_setzero_si512(); LANES];
    for (r, pairs) in block.iter_mut().enumerate().take(a.rows.saturating_sub(row)) {
        let from = a.data.as_ptr().wrapping_add((row + r) * a.row_stride + column);
        // SAFETY: of the row, only columns that there are.
        *pairs = unsafe { T::load((from, masks[0]), (from.wrapping_add(LANES), masks[1])) };
    }
    block
}

/// The same block, a column of pairs a vector.
///
/// # Safety
/// [`is_here`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx512vl")]
unsafe fn interleaved<T: Load>(a: Matrix<'_, T>, row: usize, column: usize) -> Block {
    if a.row_stride != 1 {
        // SAFETY: the caller's.
        return transposed(unsafe { rows(a, row, column) });
    }
    const ORDER: [u16; 2 * LANES] = {
        let mut order = [0; 2 * LANES];
        let mut i = 0;
        while i < 2 * LANES {
            order[i] = (i / 2 + i % 2 * LANES) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: ORDER is as long as a vector.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    let mask = first(a.rows.saturating_sub(row));
    let one = |column: usize| {
        let from = a.data.as_ptr().wrapping_add(column * a.column_stride + row);
        (from, if column < a.columns { mask } else { 0 })
    };
    let mut block = [_mm512_setzero_si512(); LANES];
    for (pair, rows) in block.iter_mut().enumerate() {
        let column = column + 2 * pair;
        // SAFETY: of the columns that there are, only rows that there are.
        let both = unsafe { T::load(one(column), one(column + 1)) };
        *rows = _mm512_permutexvar_epi16(order, both);
    }
    block
}

/// See [`super::pack::left`].
///
/// # Safety
/// [`is_here`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx512vl")]
pub unsafe fn pack_left<T: Load>(a: Matrix<'_, T>, to: &mut [bf16], depth: usize) {
    for (i, to) in to.chunks_mut(LANES * depth).enumerate() {
        for k in (0..depth).step_by(STEP) {
            // SAFETY: the caller's.
            let block = unsafe { rows(a, i * LANES, k) };
            for (to, pairs) in to.chunks_exact_mut(depth).zip(block) {
                // SAFETY: a row's sixteen pairs are STEP numbers, for which there is room: it is sliced.
                unsafe { _mm512_storeu_si512(to[k..k + STEP].as_mut_ptr().cast(), pairs) };
            }
        }
    }
}

/// See [`super::pack::right`].
///
/// # Safety
/// [`is_here`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx512vl")]
pub unsafe fn pack_right<T: Load>(b: Matrix<'_, T>, to: &mut [bf16], depth: usize) {
    for (panel, to) in to.chunks_exact_mut(PANEL * depth).enumerate() {
        for (k, to) in to.chunks_exact_mut(STEP * PANEL).enumerate() {
            for half in 0..2 {
                // SAFETY: the caller's.
                let block = unsafe { interleaved(b.t(), panel * PANEL + half * LANES, k * STEP) };
                for (to, columns) in to.chunks_exact_mut(2 * PANEL).zip(block) {
                    let to = &mut to[half * PANEL..(half + 1) * PANEL];
                    // SAFETY: half a panel's pair is a vector.
                    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), columns) };
                }
            }
        }
    }
}
