//! AMX: eight tiles of 16 rows of 64 bytes, and their products.
//!
//! Rust has no intrinsics for it (rust-lang/rust#107795), so the instructions are written out.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use half::bf16;

use super::super::matrix::Into;
use super::{PANEL, Piece, STEP, Target, avx512};

/// Rows of a tile, and columns of one of sums.
const TILE: usize = 16;
/// Rows of the output that stay in tiles, of a panel's two tiles each.
const ROWS: usize = 2 * TILE;

/// Whether this processor has the tiles and Linux lets this process use them, which it is asked here:
/// once before the first thread does (Documentation/arch/x86/xstate.rst).
pub fn is_here() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    let features = __cpuid_count(7, 0).edx;
    features & (AMX_BF16 | AMX_TILE) == AMX_BF16 | AMX_TILE && is_permitted()
}

#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let failed: isize;
    // SAFETY: a system call that reads and writes no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => failed,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    failed == 0
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What `ldtilecfg` reads: how large each tile is.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

const CONFIGURATION: Configuration = {
    let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
    let mut tile = 0;
    while tile < 8 {
        (row_bytes[tile], rows[tile]) = (64, TILE as u8);
        tile += 1;
    }
    Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

/// # Safety
/// [`is_here`], and [`avx512::is_here`]; the target has room for the piece's rows and columns.
pub unsafe fn multiply(piece: Piece<'_>, to: Target) {
    let Piece { left, stride, rows, right, columns, depth } = piece;
    piece.check();
    // What is left of the rows is too little for tiles.
    let whole = rows / ROWS * ROWS;
    // SAFETY: the processor has tiles, and the system lets us.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &CONFIGURATION, options(nostack, readonly)) };
    for (panel, right) in right.chunks_exact(PANEL * depth).enumerate() {
        for row in (0..whole).step_by(ROWS) {
            let mut sums = [0f32; ROWS * PANEL];
            // SAFETY: the tiles are configured; there are ROWS rows and a panel of `depth` numbers.
            unsafe { tiles((&left[row * stride..], stride), right, depth, &mut sums) };
            let columns = PANEL.min(columns - panel * PANEL);
            for (r, sums) in sums.chunks_exact(PANEL).enumerate() {
                // SAFETY: row and columns are of the piece, for which there is room.
                let out =
                    unsafe { std::slice::from_raw_parts_mut(to.at(row + r, panel * PANEL).start, columns) };
                match to.into {
                    Into::Replace => out.copy_from_slice(&sums[..columns]),
                    Into::Add => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                }
            }
        }
    }
    // SAFETY: as above. Tiles in use make every switch of threads dearer.
    unsafe { asm!("tilerelease", options(nomem, nostack)) };
    if whole < rows {
        let rest = Piece { left: &left[whole * stride..], rows: rows - whole, ..piece };
        // SAFETY: the caller's.
        unsafe { avx512::multiply(rest, to.at(whole, 0)) };
    }
}

/// The sums of [`ROWS`] rows and a panel, row by row.
///
/// # Safety
/// The tiles are configured; `left` has [`ROWS`] rows of `depth` numbers, a stride apart, `right` a panel of
/// them.
unsafe fn tiles(
    (left, stride): (&[bf16], usize),
    right: &[bf16],
    depth: usize,
    sums: &mut [f32; ROWS * PANEL],
) {
    // SAFETY: the caller's; each step reads STEP numbers of each row and STEP / 2 pairs of the panel.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{upper} + {row}]",
            "tileloadd tmm6, [{right} + {pair}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{right} + {pair} + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower} + {row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {upper}, 64",
            "add {lower}, 64",
            "add {right}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {pair}], tmm0",
            "tilestored [{sums} + {pair} + 64], tmm1",
            "tilestored [{sums} + {pair} + 2048], tmm2",
            "tilestored [{sums} + {pair} + 2112], tmm3",
            upper = inout(reg) left.as_ptr() => _,
            lower = inout(reg) left.as_ptr().add(TILE * stride) => _,
            right = inout(reg) right.as_ptr() => _,
            steps = inout(reg) depth / STEP => _,
            row = in(reg) 2 * stride,
            // A panel's pair, and a row of the sums: 2 · PANEL · 2 bytes, PANEL · 4.
            pair = in(reg) 4 * PANEL,
            sums = in(reg) sums.as_mut_ptr(),
            options(nostack),
        );
    }
}
