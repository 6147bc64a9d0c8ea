//! `kernels.cu` on the CPU, for the tests: compiled as C by the system's compiler, run thread by
//! thread.

use std::ffi::c_void;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{Result, bail};
use half::bf16;
use libloading::{Library, Symbol};

use super::product::{Factor, Gemm};

/// The emulated GPU has one set of registers.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Compiles the kernels, once.
fn library() -> Result<&'static Library> {
    static LIBRARY: OnceLock<Result<Library>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir()?;
        let [source, library] = ["kernels.cu", "libkernels.so"].map(|name| folder.path().join(name));
        std::fs::write(&source, include_str!("kernels.cu"))?;
        std::fs::write(folder.path().join("emulator.h"), include_str!("emulator.h"))?;
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-x", "c"]);
        let output = cc.arg(&source).arg("-o").arg(&library).arg("-lm").output()?;
        if !output.status.success() {
            bail!("cc can't compile kernels.cu: {}", String::from_utf8_lossy(&output.stderr))
        }
        // SAFETY: our own library, without initialisers.
        unsafe { Library::new(&library) }.map_err(candle_core::Error::wrap)
    });
    match library {
        Ok(library) => Ok(library),
        Err(error) => bail!("{error}"),
    }
}

/// Runs a kernel on arguments whose addresses are of this process.
pub fn run(kernel: &str, arguments: &[u64; 16], blocks: u32, threads: u32) -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: `emulator.h` gives every kernel this signature. The kernel writes through addresses
    // of tensors whose storage nobody reads meanwhile: the caller holds them, and this one lock.
    unsafe {
        let kernel: Symbol<'_, unsafe extern "C" fn(u32, u32, *const c_void)> =
            library()?.get(kernel.as_bytes()).map_err(candle_core::Error::wrap)?;
        kernel(blocks, threads, arguments.as_ptr().cast());
    }
    Ok(())
}

/// What cuBLAS computes on a GPU.
///
/// # Safety
/// The addresses are of this process, with as many numbers as the sizes say, which nobody writes to.
pub unsafe fn gemm(Gemm { m, n, k, a, b, c }: &Gemm) {
    let at = |factor: &Factor, row: usize, column: usize| {
        let (down, along) = if factor.transposed { (factor.leading, 1) } else { (1, factor.leading) };
        // SAFETY: as the caller says.
        unsafe { (*(factor.address as *const bf16).add(row * down + column * along)).to_f32() }
    };
    for row in 0..*m {
        for column in 0..*n {
            let sum: f32 = (0..*k).map(|i| at(a, row, i) * at(b, i, column)).sum();
            // SAFETY: as the caller says.
            unsafe { *(*c as *mut f32).add(row + column * m) = sum };
        }
    }
}
