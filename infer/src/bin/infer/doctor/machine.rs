//! What the machine is: its system, its GPU and the GPU's driver.

use std::{ffi::CStr, fs, os::raw::c_char, path::Path};

use libloading::{Library, Symbol};
use serde::Serialize;

/// The machine that this program runs on.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Such as `x86_64`.
    pub architecture: &'static str,
    /// The distribution's name for itself.
    pub system: Option<String>,
    /// Version of the C library, if it is glibc.
    pub glibc: Option<String>,
    /// Version of NVIDIA's Linux for Tegra, on a Jetson, such as `36.4.0`.
    pub l4t: Option<String>,
    /// The JetPack that this Linux for Tegra is part of.
    pub jetpack: Option<&'static str>,
    /// Whether there is an NVIDIA GPU.
    pub nvidia_gpu: bool,
    /// Version of NVIDIA's kernel driver.
    pub driver: Option<String>,
    /// The newest CUDA that the driver can serve, such as `13.0`.
    pub driver_cuda: Option<String>,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let l4t = read("/etc/nv_tegra_release").and_then(|text| l4t(&text));
        let driver = read("/proc/driver/nvidia/version").and_then(|text| driver(&text));
        Self {
            architecture: std::env::consts::ARCH,
            system: read("/etc/os-release").and_then(|text| pretty_name(&text)),
            glibc: glibc(),
            jetpack: l4t.as_deref().and_then(jetpack),
            nvidia_gpu: l4t.is_some() || driver.is_some() || on_pci(),
            driver,
            driver_cuda: driver_cuda(),
            l4t,
        }
    }
}

/// `PRETTY_NAME` of os-release(5).
fn pretty_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').into())
}

/// `# R36 (release), REVISION: 4.0, GCID: …` is 36.4.0.
fn l4t(text: &str) -> Option<String> {
    let (major, rest) = text.trim_start_matches(['#', ' ']).strip_prefix('R')?.split_once(' ')?;
    let (_, rest) = rest.split_once("REVISION: ")?;
    let revision: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Some(format!("{major}.{revision}"))
}

/// From NVIDIA's JetPack archive: L4T's major version determines JetPack's.
fn jetpack(l4t: &str) -> Option<&'static str> {
    match l4t.split('.').next()? {
        "32" => Some("4"),
        "34" | "35" => Some("5"),
        "36" => Some("6"),
        "38" => Some("7"),
        _ => None,
    }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  …`: the first word that is a version.
fn driver(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version"))?;
    let version = |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    line.split_whitespace().find(version).map(Into::into)
}

/// Whether a display controller of NVIDIA (vendor 0x10de, class 03) is on the PCI bus.
fn on_pci() -> bool {
    let devices = fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten();
    devices.map(|device| device.path()).any(|device| {
        let starts = |file: &str, start: &str| {
            fs::read_to_string(Path::new(&device).join(file)).is_ok_and(|text| text.starts_with(start))
        };
        starts("vendor", "0x10de") && starts("class", "0x03")
    })
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn glibc() -> Option<String> {
    let program = libloading::os::unix::Library::this();
    // SAFETY: gnu/libc-version.h declares `const char *gnu_get_libc_version(void)`, and what it gives
    // lives as long as the process.
    unsafe {
        let version: libloading::os::unix::Symbol<unsafe extern "C" fn() -> *const c_char> =
            program.get(c"gnu_get_libc_version").ok()?;
        Some(CStr::from_ptr(version()).to_string_lossy().into_owned())
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn glibc() -> Option<String> {
    None
}

fn driver_cuda() -> Option<String> {
    let name = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
    let mut version = 0;
    // SAFETY: loading NVIDIA's driver library runs its initialisers; cuda.h declares
    // `CUresult cuDriverGetVersion(int *)`, which needs no `cuInit` before it, and 0 is success.
    let status = unsafe {
        let driver = Library::new(name).ok()?;
        let get: Symbol<unsafe extern "C" fn(*mut i32) -> i32> = driver.get(c"cuDriverGetVersion").ok()?;
        get(&mut version)
    };
    // 13000 is 13.0, 12080 is 12.8.
    (status == 0).then(|| format!("{}.{}", version / 1000, version % 1000 / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_files_that_have_them() {
        let release = "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64";
        assert_eq!(l4t(release).as_deref(), Some("36.4.0"));
        assert_eq!(jetpack("36.4.0"), Some("6"));
        assert_eq!(jetpack("35.1"), Some("5"));
        assert_eq!(jetpack("99.1"), None);
        assert_eq!(l4t("something else"), None);
        let version =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 2025\nGCC version: 13";
        assert_eq!(driver(version).as_deref(), Some("580.65.06"));
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build";
        assert_eq!(driver(open).as_deref(), Some("570.86.15"));
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"Debian 13\"\n").as_deref(), Some("Debian 13"));
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn glibc_says_its_version() {
        assert!(glibc().is_some_and(|version| version.starts_with("2.")));
    }
}
