//! Transposes, rounding on the way: pictures are (C, H, W), matrix products want channels last.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

#[cfg(target_arch = "x86_64")]
use half::bf16;

use super::matrix::Number;

/// Rows and columns that are transposed at a time: both sides' lines stay in the nearest cache.
pub(super) const LANES: usize = 16;

/// `to` (columns × rows, rows `to_stride` apart) = transpose of `from` (rows × columns, rows
/// `from_stride` apart), rounded to the numbers of `to`.
///
/// # Panics
/// If there are fewer numbers than that.
pub fn transpose<T: Number>(
    from: &[f32],
    from_stride: usize,
    (rows, columns): (usize, usize),
    to: &mut [T],
    to_stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    let is_wide = is_x86_feature_detected!("avx512f");
    for row in (0..rows).step_by(LANES) {
        let rows = LANES.min(rows - row);
        for column in (0..columns).step_by(LANES) {
            let columns = LANES.min(columns - column);
            let from = &from[row * from_stride + column..][..(rows - 1) * from_stride + columns];
            let to = &mut to[column * to_stride + row..][..(columns - 1) * to_stride + rows];
            #[cfg(target_arch = "x86_64")]
            if is_wide {
                let (from, to) = ((from.as_ptr(), from_stride), (to.as_mut_ptr(), to_stride));
                // SAFETY: the processor has AVX-512; the slices hold these rows and columns.
                unsafe {
                    match (rows, columns) {
                        (LANES, LANES) => block::<T, true>(from, (LANES, LANES), to),
                        edge => block::<T, false>(from, edge, to),
                    }
                }
                continue;
            }
            for c in 0..columns {
                for r in 0..rows {
                    to[c * to_stride + r] = T::of(from[r * from_stride + c]);
                }
            }
        }
    }
}

/// How sixteen numbers are written.
#[cfg(target_arch = "x86_64")]
pub trait Written {
    /// Writes the lanes that the mask has, rounded.
    ///
    /// # Safety
    /// The processor has AVX-512, and `to` room for those lanes.
    unsafe fn write(lanes: __m512, mask: __mmask16, to: *mut Self);
}

/// How sixteen numbers are written.
#[cfg(not(target_arch = "x86_64"))]
pub trait Written {}

#[cfg(not(target_arch = "x86_64"))]
impl<T> Written for T {}

#[cfg(target_arch = "x86_64")]
impl Written for f32 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write(lanes: __m512, mask: __mmask16, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { _mm512_mask_storeu_ps(to, mask, lanes) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Written for bf16 {
    /// As [`Number::of`]: to nearest, ties to even; NaN stays one.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write(lanes: __m512, mask: __mmask16, to: *mut bf16) {
        let bits = _mm512_castps_si512(lanes);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        let upper = _mm512_srli_epi32::<16>(rounded);
        let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(lanes, lanes);
        let upper = _mm512_mask_mov_epi32(upper, is_nan, _mm512_set1_epi32(0x7fc0));
        // SAFETY: the caller's.
        unsafe { _mm512_mask_cvtepi32_storeu_epi16(to.cast(), mask, upper) }
    }
}

/// Sixteen rows of sixteen numbers of 32 bits.
#[cfg(target_arch = "x86_64")]
pub(super) type Block = [__m512i; LANES];

/// A mask of the first `n` lanes, or of all.
#[cfg(target_arch = "x86_64")]
pub(super) fn first(n: usize) -> __mmask16 {
    if n >= LANES { !0 } else { (1 << n) - 1 }
}

/// Numbers of each row from those that are read to those that are asked for meanwhile. Rows are often a
/// page apart, which is too far for the processor to guess.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 4 * LANES;

/// Up to sixteen rows and columns; `WHOLE`: just so many, which then stay in registers.
///
/// # Safety
/// The processor has AVX-512; `from` has these rows and columns, and `to` room for their transpose.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn block<T: Written, const WHOLE: bool>(
    (from, from_stride): (*const f32, usize),
    (rows, columns): (usize, usize),
    (to, to_stride): (*mut T, usize),
) {
    let (rows, columns) = if WHOLE { (LANES, LANES) } else { (rows, columns) };
    let mut block = [_mm512_setzero_si512(); LANES];
    let mask = first(columns);
    for (r, row) in block.iter_mut().enumerate().take(rows) {
        let from = from.wrapping_add(r * from_stride);
        // SAFETY: of a row that there is, only columns that there are. What is beyond them is only asked for.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(AHEAD).cast());
            *row = _mm512_castps_si512(_mm512_maskz_loadu_ps(mask, from));
        }
    }
    let mask = first(rows);
    for (c, column) in transposed(block).into_iter().enumerate().take(columns) {
        // SAFETY: there is room for so many rows of each column.
        unsafe { T::write(_mm512_castsi512_ps(column), mask, to.add(c * to_stride)) };
    }
}

#[cfg(target_arch = "x86_64")]
/// The transpose of 16 × 16 numbers of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transposed(block: Block) -> Block {
    // Pairs of rows exchange numbers of 32 bits, then of 64, of 128 and of 256.
    let mut a = block;
    for i in (0..LANES).step_by(2) {
        let [x, y] = [block[i], block[i + 1]];
        (a[i], a[i + 1]) = (_mm512_unpacklo_epi32(x, y), _mm512_unpackhi_epi32(x, y));
    }
    let mut b = a;
    for i in (0..LANES).step_by(4) {
        let [x, y, z, w] = [a[i], a[i + 1], a[i + 2], a[i + 3]];
        (b[i], b[i + 1]) = (_mm512_unpacklo_epi64(x, z), _mm512_unpackhi_epi64(x, z));
        (b[i + 2], b[i + 3]) = (_mm512_unpacklo_epi64(y, w), _mm512_unpackhi_epi64(y, w));
    }
    // b[4q + c] has, in its lane l of 128 bits, column 4l + c of rows 4q to 4q + 3.
    let mut out = block;
    for c in 0..4 {
        let [x, y, z, w] = [b[c], b[c + 4], b[c + 8], b[c + 12]];
        let (xy, zw) = (_mm512_shuffle_i32x4::<0x44>(x, y), _mm512_shuffle_i32x4::<0x44>(z, w));
        (out[c], out[c + 4]) = (_mm512_shuffle_i32x4::<0x88>(xy, zw), _mm512_shuffle_i32x4::<0xdd>(xy, zw));
        let (xy, zw) = (_mm512_shuffle_i32x4::<0xee>(x, y), _mm512_shuffle_i32x4::<0xee>(z, w));
        (out[c + 8], out[c + 12]) =
            (_mm512_shuffle_i32x4::<0x88>(xy, zw), _mm512_shuffle_i32x4::<0xdd>(xy, zw));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Odd sizes inside wider rows: what lies beyond them stays.
    #[test]
    fn a_transpose_of_any_size_stays_inside_its_rows() {
        for (rows, columns) in [(1, 1), (16, 16), (17, 33), (128, 14), (5, 40), (50, 7)] {
            let (from_stride, to_stride) = (columns + 3, rows + 5);
            let from: Vec<f32> = (0..rows * from_stride).map(|i| i as f32 / 7.).collect();
            let mut floats = vec![-1f32; columns * to_stride];
            let mut rounded = vec![half::bf16::of(-1.); columns * to_stride];
            transpose(&from, from_stride, (rows, columns), &mut floats, to_stride);
            transpose(&from, from_stride, (rows, columns), &mut rounded, to_stride);
            for c in 0..columns {
                for r in 0..to_stride {
                    let expected = if r < rows { from[r * from_stride + c] } else { -1. };
                    assert_eq!(floats[c * to_stride + r], expected, "({r}, {c}) of {rows}×{columns}");
                    assert_eq!(rounded[c * to_stride + r], half::bf16::of(expected));
                }
            }
        }
    }

    #[test]
    fn numbers_are_rounded_alike_alone_and_in_a_transpose() {
        let from: Vec<f32> = (0..1u32 << 16).map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9))).collect();
        let mut to = vec![half::bf16::ZERO; from.len()];
        transpose(&from, 256, (256, 256), &mut to, 256);
        for (i, x) in from.iter().enumerate() {
            let found = to[i % 256 * 256 + i / 256];
            assert_eq!(found.to_bits(), half::bf16::of(*x).to_bits(), "{x}");
        }
    }
}
