//! Any processor: bfloat16 is the upper half of a float32, so widening it is a shift.

use half::bf16;

use super::super::matrix::Into;
use super::super::vectorised;
use super::{PANEL, Piece, Target};

/// Rows and columns of the output that stay in registers.
const ROWS: usize = 4;
const COLUMNS: usize = 16;

/// # Safety
/// The target has room for the piece's rows and columns.
pub unsafe fn multiply(piece: Piece<'_>, to: Target) {
    let Piece { left, stride, rows, right, columns, depth } = piece;
    for row in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - row);
        // Rows beyond the last are the last once more, and aren't written.
        let left = std::array::from_fn(|r| {
            let row = row + r.min(count - 1);
            &left[row * stride..row * stride + depth]
        });
        for column in (0..columns).step_by(COLUMNS) {
            let panel = &right[column / PANEL * PANEL * depth..][..PANEL * depth];
            let sums = tile(left, panel, column % PANEL);
            for (r, sums) in sums.iter().enumerate().take(count) {
                for (c, sum) in sums.iter().enumerate().take(columns - column) {
                    // SAFETY: (row + r, column + c) is of the piece, for which there is room.
                    let out = unsafe { &mut *to.at(row + r, column + c).start };
                    *out = if to.into == Into::Add { *out + sum } else { *sum };
                }
            }
        }
    }
}

fn tile(left: [&[bf16]; ROWS], panel: &[bf16], column: usize) -> [[f32; COLUMNS]; ROWS] {
    vectorised(
        #[inline(always)]
        || {
            let mut sums = [[0f32; COLUMNS]; ROWS];
            for (pair, right) in panel.chunks_exact(2 * PANEL).enumerate() {
                let right = &right[2 * column..2 * column + 2 * COLUMNS];
                for (sums, left) in sums.iter_mut().zip(left) {
                    let [even, odd] = [left[2 * pair].to_f32(), left[2 * pair + 1].to_f32()];
                    for (sum, right) in sums.iter_mut().zip(right.as_chunks::<2>().0) {
                        *sum += even * widen(right[0]);
                        *sum += odd * widen(right[1]);
                    }
                }
            }
            sums
        },
    )
}

/// Exactly, without a look at what is no number.
#[inline(always)]
fn widen(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}
