//! The libraries as C programs find them.
#![allow(dead_code, reason = "each test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// Warnings that are errors, in both languages.
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"];

/// What the static library needs of the system, as `rustc --print native-static-libs` says; edgegan.pc.in
/// has the same.
pub const SYSTEM_LIBRARIES: [&str; 7] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

fn built(name: &str) -> PathBuf {
    // Cargo puts the library beside the test that is linked with it.
    let program = env::current_exe().unwrap();
    let path = program.parent().unwrap().join(name);
    assert!(path.exists(), "no {}", path.display());
    path
}

/// The shared library of this build.
pub fn shared_library() -> PathBuf {
    built("libedgegan.so")
}

pub fn model() -> PathBuf {
    tests::checkout().join("models/pretrained/mnist-generator.onnx")
}

pub fn judge() -> PathBuf {
    tests::checkout().join("models/pretrained/mnist-judge.onnx")
}

/// A folder with a program that was compiled from C or C++.
pub struct Compiled {
    folder: TempDir,
    valgrind: bool,
}

/// How a program gets the library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    Shared,
    Static,
}

impl Compiled {
    /// Compiles a source of the crate, as C11 or C++17, without a warning.
    pub fn new(source: &str, linked: Linked) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (compiler, standard) =
            if source.ends_with(".cpp") { ("c++", "-std=c++17") } else { ("cc", "-std=c11") };
        let mut command = Command::new(compiler);
        command.arg(standard).args(STRICT).arg("-I").arg(package.join("include"));
        command.arg(package.join(source)).arg("-o").arg(folder.path().join("program"));
        match linked {
            Linked::Shared => {
                let library = shared_library();
                // The name that the loader looks for.
                symlink(&library, folder.path().join(soname(&library))).unwrap();
                symlink(&library, folder.path().join("libedgegan.so")).unwrap();
                command.arg("-L").arg(folder.path()).args(["-ledgegan", "-pthread", "-Wl,-rpath,$ORIGIN"]);
            }
            Linked::Static => {
                command.arg(built("libedgegan.a")).args(SYSTEM_LIBRARIES);
            }
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        Self { folder, valgrind: false }
    }

    /// The same, run under valgrind, to which an error or a leak is a failure.
    pub fn under_valgrind(self) -> Self {
        Self { valgrind: true, ..self }
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let program = self.folder.path().join("program");
        let mut command = match self.valgrind {
            true => {
                let mut command = Command::new("valgrind");
                let kinds = "definite,indirect,possible";
                command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
                command
                    .args([format!("--show-leak-kinds={kinds}"), format!("--errors-for-leak-kinds={kinds}")]);
                let threads = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/valgrind.supp");
                command.arg(format!("--suppressions={}", threads.display()));
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        command.args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// Runs what must succeed without a word on stderr; gives its stdout.
    pub fn succeed(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
        output.stdout
    }
}

/// The name that the loader knows a shared library by.
fn soname(library: &Path) -> String {
    let output = Command::new("objdump").arg("-p").arg(library).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("SONAME")).unwrap().trim().to_owned();
    assert!(name.starts_with("libedgegan.so.") && fs::metadata(library).is_ok(), "{name}");
    name
}
