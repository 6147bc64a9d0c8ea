//! What the end-to-end tests share: the programs as users run them, in a folder of their own, and
//! the libraries that `make setup` fetches.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;

/// A user's shell in an empty folder, about to run one program.
pub struct Shell {
    folder: TempDir,
    /// The program that it runs.
    pub program: PathBuf,
    /// Environment variables that it sets.
    pub variables: Vec<(&'static str, PathBuf)>,
}

impl Shell {
    /// A program of the workspace, with the ONNX Runtime that `make setup` fetched.
    pub fn new(name: &str) -> Shell {
        Shell::with_program(program(name), vec![("ORT_DYLIB_PATH", runtime_library())])
    }

    /// Any program with these environment variables, and none that point it to a library.
    pub fn with_program(program: PathBuf, variables: Vec<(&'static str, PathBuf)>) -> Shell {
        Shell { folder: tempfile::tempdir().unwrap(), program, variables }
    }

    /// The shell's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the shell's folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file in the shell's folder.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }

    /// Every file under the shell's folder, hidden ones too, by its path there.
    pub fn files(&self) -> Vec<String> {
        self.contents().into_iter().map(|(name, _)| name).collect()
    }

    /// Every file and folder under the shell's folder, with the files' bytes.
    fn contents(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder().to_path_buf()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.folder()).unwrap().to_str().unwrap().to_string();
                // A device has no end.
                found.push((name, path.is_file().then(|| fs::read(&path).ok()).flatten()));
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// The program with these arguments, to be started in the shell's folder.
    pub fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder());
        for variable in ["ORT_DYLIB_PATH", "CARGO_MANIFEST_DIR", "LD_LIBRARY_PATH", "ORT_DISABLE_TELEMETRY"] {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must succeed without a word on stderr; gives its stdout.
    pub fn succeed(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        succeeded(self.run(arguments))
    }

    /// As [`Shell::succeed`], with another program of the workspace in the same folder.
    pub fn succeed_as(&self, name: &str, arguments: &[impl AsRef<OsStr>]) -> String {
        let mut command = Command::new(program(name));
        command.args(arguments).current_dir(self.folder());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        succeeded(command.output().unwrap())
    }

    /// Runs what must fail: with this status, nothing on stdout, no file written or changed, and one
    /// line on stderr that has each of these parts.
    pub fn fail(&self, arguments: &[impl AsRef<OsStr>], status: i32, parts: &[&str]) {
        let before = self.contents();
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        assert!(stderr.starts_with("error: "), "{stderr}");
        // Where it is clap that refuses an argument, a hint at --help follows.
        let sentence = stderr.strip_suffix("\n\nFor more information, try '--help'.\n").unwrap_or(&stderr);
        assert_eq!(sentence.trim_end().lines().count(), 1, "{stderr}");
        for part in parts {
            assert!(sentence.contains(part), "expected {part:?} in {stderr:?}");
        }
        assert!(self.contents() == before, "files were written: {:?}", self.files());
    }
}

fn succeeded(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{} {stderr}", output.status);
    assert_eq!(stderr, "");
    String::from_utf8(output.stdout).unwrap()
}

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

/// The Python of `.venv/`, with the packages that `scripts/setup.sh test` installs.
///
/// # Panics
///
/// If it isn't there.
pub fn python() -> PathBuf {
    python_of(".venv")
}

/// The Python of another environment that `scripts/setup.sh test` makes: `.venv-readers`, with the libraries
/// that read data sets, or `.venv-triton`, with tritonclient's HTTP client.
///
/// # Panics
///
/// If it isn't there.
pub fn python_of(environment: &str) -> PathBuf {
    let python = checkout().join(environment).join("bin/python");
    assert!(python.exists(), "no {}: get it with `scripts/setup.sh test`", python.display());
    python
}

/// The package playwright-core, which drives the browser; `scripts/setup.sh test` fetches it.
///
/// # Panics
///
/// If it isn't there.
pub fn playwright() -> PathBuf {
    let package = checkout().join("runtime/playwright-core");
    assert!(package.exists(), "no {}: get it with `scripts/setup.sh test`", package.display());
    package
}

/// The browser: Chromium on PATH, or what the variable CHROMIUM names.
///
/// # Panics
///
/// If there is none.
pub fn chromium() -> PathBuf {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&folders).map(|folder| folder.join("chromium")).find(|file| file.exists());
    named.or_else(on_path).unwrap_or_else(|| {
        panic!("no chromium on PATH: install it with `scripts/setup.sh test`, or name one in the variable CHROMIUM")
    })
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
