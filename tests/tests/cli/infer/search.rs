//! Where `infer` looks for ONNX Runtime when nothing names one.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Shell, bad_runtime};

/// A checkout of its own, with a copy of the program where cargo would build it.
struct Checkout {
    root: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("target/debug")).unwrap();
        fs::create_dir_all(root.path().join("runtime/1.17")).unwrap();
        fs::write(root.path().join("Cargo.lock"), "").unwrap();
        let program = root.path().join("target/debug/infer");
        // Far quicker than a copy, where the file system has it.
        let built = tests::program("infer");
        if fs::hard_link(&built, &program).is_err() {
            fs::copy(&built, &program).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    /// A shell whose user has no Python and no home, where pip might have put a library.
    fn shell(&self) -> Shell {
        let nowhere =
            ["PATH", "HOME", "VIRTUAL_ENV", "CONDA_PREFIX"].map(|name| (name, self.path("nowhere")));
        Shell::with_program(self.path("target/debug/infer"), nowhere.into())
    }

    /// Links the fetched library to this name.
    fn link(&self, name: &str) -> PathBuf {
        symlink(tests::runtime_library(), self.path(name)).unwrap();
        self.path(name)
    }

    /// Asserts that `infer` runs with this library.
    #[track_caller]
    fn finds(&self, library: &Path) {
        let said = self.shell().succeed(&["--digit", "5", "--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["runtime"]["library"].as_str(), library.to_str());
    }
}

/// Whether the system itself has a library that `infer` would find in the end.
fn system_has_one() -> bool {
    let known = Command::new("/sbin/ldconfig").arg("-p").output();
    known.is_ok_and(|known| String::from_utf8_lossy(&known.stdout).contains("libonnxruntime.so"))
        || packages_of(Path::new("/usr"))
        || packages_of(Path::new("/usr/local"))
}

/// Whether pip has put ONNX Runtime beneath this prefix.
fn packages_of(prefix: &Path) -> bool {
    let versions = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    versions.map(|version| version.path()).any(|version| {
        let has = |packages: &str| version.join(packages).join("onnxruntime/capi").is_dir();
        has("site-packages") || has("dist-packages")
    })
}

#[test]
fn no_library_anywhere() {
    let checkout = Checkout::new();
    // The tests' oldest library is not for use.
    checkout.link("runtime/1.17/libonnxruntime.so.1.17.0");
    let shell = checkout.shell();
    if system_has_one() {
        let said = shell.succeed(&["--digit", "5"]);
        return assert!(!said.contains("1.17/"), "{said}");
    }
    let beside = checkout.path("target/debug");
    let runtime = checkout.path("runtime");
    let looked = format!("looked in {}, in {}, and asked the system", beside.display(), runtime.display());
    let get = ["make setup", "pip download --no-deps onnxruntime", "beside the program", "--runtime"];
    let parts = [&["no ONNX Runtime found", &looked], get.as_slice()].concat();
    shell.fail(&["--digit", "5", "--engine", "onnxruntime"], 2, &parts);
    shell.fail(&["--digit", "5", "--device", "cuda"], 2, &parts);
    // The engine that is part of the program draws it all the same, and says why it does.
    let said = shell.succeed(&["--digit", "5"]);
    for part in ["\nrten ", "\nnote: ONNX Runtime can't be used, so rten is: no ONNX Runtime found", &looked]
    {
        assert!(said.contains(part), "expected {part:?} in {said:?}");
    }
    assert_eq!(shell.files(), ["digit-5.png"]);
    assert!(shell.succeed(&["self-test", "--engine", "rten"]).starts_with("self-test passed: "));
}

#[test]
fn a_library_beside_the_program_comes_before_the_checkout_s() {
    let checkout = Checkout::new();
    let runtime = checkout.link("runtime/libonnxruntime.so.1.32.0");
    checkout.finds(&runtime);
    let beside = checkout.link("target/debug/libonnxruntime.so.1.20.0");
    checkout.finds(&beside);
}

#[test]
fn the_checkout_that_cargo_names_serves_a_program_built_elsewhere() {
    let (checkout, elsewhere) = (Checkout::new(), Checkout::new());
    fs::remove_file(elsewhere.path("Cargo.lock")).unwrap();
    let library = checkout.link("runtime/libonnxruntime.so.1.32.0");
    fs::create_dir(checkout.path("infer")).unwrap();
    let mut shell = elsewhere.shell();
    shell.variables.push(("CARGO_MANIFEST_DIR", checkout.path("infer")));
    let said = shell.succeed(&["--digit", "5"]);
    assert!(said.contains(library.to_str().unwrap()), "{said}");
}

#[test]
fn the_system_s_loader_is_asked_last() {
    let checkout = Checkout::new();
    let system = tempfile::tempdir().unwrap();
    let library = system.path().canonicalize().unwrap().join("libonnxruntime.so.1");
    symlink(tests::runtime_library(), &library).unwrap();
    let mut shell = checkout.shell();
    shell.variables.push(("LD_LIBRARY_PATH", system.path().into()));
    let said = shell.succeed(&["--digit", "5"]);
    // The loader follows the link, and so names the file behind it.
    assert!(said.contains(tests::runtime_library().to_str().unwrap()), "{said}");
}

#[test]
fn a_library_that_cannot_serve_is_passed_over_and_named_if_nothing_else_is_found() {
    let checkout = Checkout::new();
    let shell = checkout.shell();
    let old = bad_runtime::stand_in(&shell, "old.so", "1.16.3");
    let beside = checkout.path("target/debug/libonnxruntime.so.1.16.3");
    fs::rename(old, &beside).unwrap();
    fs::write(checkout.path("target/debug/libonnxruntime.so"), "not a library").unwrap();
    if !system_has_one() {
        let named = format!("{} is ONNX Runtime 1.16.3, which is too old", beside.display());
        shell.fail(
            &["--digit", "5", "--engine", "onnxruntime"],
            2,
            &["no ONNX Runtime found", &named, "libonnxruntime.so is not a library"],
        );
    }
    let good = checkout.link("runtime/libonnxruntime.so.1.32.0");
    checkout.finds(&good);
}

#[test]
fn a_cuda_provider_that_does_not_work_leaves_auto_to_the_cpu_and_says_so() {
    let checkout = Checkout::new();
    // ONNX Runtime looks beside the file itself, so a link won't do.
    let library = checkout.path("runtime/libonnxruntime.so.1.32.0");
    fs::copy(tests::runtime_library(), &library).unwrap();
    fs::write(checkout.path("runtime/libonnxruntime_providers_cuda.so"), "not a library").unwrap();
    let shell = checkout.shell();
    let many = ["dataset", "--count", "2000", "--threads", "1", "--format", "raw", "--out", "digits.raw"];
    let said = shell.succeed(&many);
    for part in ["device: cpu, CPUExecutionProvider", "note: CUDA can't be used, so the CPU is: "] {
        assert!(said.contains(part), "expected {part:?} in {said:?}");
    }
    // For one picture it isn't even tried.
    let shell = checkout.shell();
    let said = shell.succeed(&["--digit", "5", "--verbose"]);
    let reason = "skipped CUDA: it would start for longer than these images take; --device cuda does";
    assert!(said.contains(reason) && !said.contains("note:"), "{said}");
    // A machine without a GPU need not hear of it each time.
    let said = shell.succeed(&["--digit", "5"]);
    assert!(!said.contains("skipped"), "{said}");
    let shell = checkout.shell();
    shell.fail(&["--digit", "5", "--device", "cuda"], 2, &["--device cuda:0 is not available", "CUDA"]);
}

#[test]
fn what_pip_installed_is_found_last() {
    let checkout = Checkout::new();
    let capi = "lib/python3.11/site-packages/onnxruntime/capi";
    for prefix in ["environment", "python"] {
        fs::create_dir_all(checkout.path(prefix).join(capi)).unwrap();
    }
    let mut shell = checkout.shell();
    let library = checkout.link(&format!("python/{capi}/libonnxruntime.so.1.32.0"));
    // The `python3` that a user starts, and then the virtual environment that is active.
    fs::create_dir(checkout.path("python/bin")).unwrap();
    fs::write(checkout.path("python/bin/python3"), "").unwrap();
    shell.variables.push(("PATH", checkout.path("python/bin")));
    let finds = |shell: &Shell, library: &Path| {
        let said = shell.succeed(&["--digit", "5"]);
        assert!(said.contains(library.to_str().unwrap()), "{said}");
    };
    finds(&shell, &library);
    let library = checkout.link(&format!("environment/{capi}/libonnxruntime.so.1.32.0"));
    shell.variables.push(("VIRTUAL_ENV", checkout.path("environment")));
    finds(&shell, &library);
    let library = checkout.link("runtime/libonnxruntime.so.1.32.0");
    finds(&shell, &library);
}
