//! What the end-to-end tests share: the programs as users run them, and the libraries that
//! `make setup` fetches.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Root of the checkout.
pub fn checkout() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The path of one of the workspace's programs, built the way the tests are. The first call builds
/// it, or finds it built.
///
/// # Panics
///
/// If it doesn't build.
pub fn program(name: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    built.entry(name.into()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // The workspace's features, so that what `cargo test --workspace` built serves.
    cargo.args(["build", "--workspace", "--bin", name, "--message-format", "json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = match cargo.current_dir(checkout()).output() {
        Ok(output) => output,
        Err(error) => panic!("cargo doesn't start: {error}"),
    };
    assert!(output.status.success(), "{name} doesn't build:\n{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8_lossy(&output.stdout).lines())
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(message["executable"].as_str()?.into()))
        .unwrap_or_else(|| panic!("cargo named no program {name}"))
}

/// The ONNX Runtime that `make setup` fetches, the newest.
///
/// # Panics
///
/// If it isn't there.
pub fn runtime_library() -> PathBuf {
    library_in("runtime")
}

/// The oldest ONNX Runtime that the programs support, which `scripts/setup.sh test` fetches.
///
/// # Panics
///
/// If it isn't there.
pub fn oldest_runtime_library() -> PathBuf {
    library_in("runtime/1.17")
}

fn library_in(folder: &str) -> PathBuf {
    let folder = checkout().join(folder);
    (fs::read_dir(&folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so."))
        })
        .unwrap_or_else(|| panic!("no ONNX Runtime in {}: run `scripts/setup.sh test`", folder.display()))
}
