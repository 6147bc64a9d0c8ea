//! Names the shared library for the loader: programs that were linked with 0.1 load 0.1 and no other, as
//! Cargo's rules for versions have it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        let [major, minor] = ["CARGO_PKG_VERSION_MAJOR", "CARGO_PKG_VERSION_MINOR"].map(variable);
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libedgegan.so.{major}.{minor}");
    }
}
