//! With the feature `cuda`: compiles `kernels.cu` to PTX, which the driver turns into code for the
//! GPU that it finds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const SOURCE: &str = "src/ops/cuda/kernels.cu";
/// The oldest GPUs that CUDA 13 knows; PTX for them runs on all later ones.
const ARCHITECTURE: &str = "compute_75";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCE}");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("kernels.ptx");
    let nvcc = nvcc();
    let status =
        Command::new(&nvcc).args(["--ptx", "-O3", "-arch", ARCHITECTURE, SOURCE, "-o"]).arg(&out).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{} can't compile {SOURCE}: {status}", nvcc.display())),
        Err(error) => fail(&format!(
            "can't run {}: {error}; install the CUDA toolkit, or set CUDA_HOME to its folder",
            nvcc.display()
        )),
    }
}

/// The toolkit's compiler: $NVCC, that of $CUDA_HOME or its like, else the one in PATH.
fn nvcc() -> PathBuf {
    println!("cargo::rerun-if-env-changed=NVCC");
    if let Some(nvcc) = env::var_os("NVCC") {
        return nvcc.into();
    }
    for variable in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR"] {
        println!("cargo::rerun-if-env-changed={variable}");
        if let Some(nvcc) = env::var_os(variable).map(|home| Path::new(&home).join("bin/nvcc"))
            && nvcc.is_file()
        {
            return nvcc;
        }
    }
    "nvcc".into()
}

fn fail(message: &str) {
    println!("cargo::error={message}");
    exit(1);
}
