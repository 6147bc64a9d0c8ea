//! `infer`: what it draws, and what it says to bad input.

mod bad_model;
mod bad_request;
mod bad_runtime;
mod drawing;
mod search;
mod tiny_model;

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A user's shell in an empty folder.
struct Shell {
    folder: TempDir,
    program: PathBuf,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Shell {
    /// `infer` with the ONNX Runtime that `make setup` fetched.
    fn new() -> Self {
        Self::with_program(tests::program("infer"), vec![("ORT_DYLIB_PATH", tests::runtime_library())])
    }

    /// Any copy of `infer` with these environment variables, and none that point it to a library.
    fn with_program(program: PathBuf, variables: Vec<(&'static str, PathBuf)>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), program, variables }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }

    /// Names of the files in the folder, hidden ones too.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = (fs::read_dir(self.folder.path()).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }

    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path());
        for variable in ["ORT_DYLIB_PATH", "CARGO_MANIFEST_DIR", "LD_LIBRARY_PATH"] {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must succeed without a word on stderr; gives its stdout.
    fn succeed(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{} {stderr}", output.status);
        assert_eq!(stderr, "");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs what must fail: with this status, nothing on stdout, no file written or changed, and one
    /// line on stderr that has each of these parts.
    fn fail(&self, arguments: &[impl AsRef<OsStr>], status: i32, parts: &[&str]) {
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

    fn contents(&self) -> Vec<(String, Option<Vec<u8>>)> {
        (self.files().into_iter())
            .map(|name| {
                let bytes = fs::read(self.path(&name)).ok();
                (name, bytes)
            })
            .collect()
    }

    fn picture(&self, name: &str) -> Picture {
        Picture::read(&self.path(name))
    }
}

/// A decoded greyscale PNG.
#[derive(Debug, PartialEq)]
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    texts: Vec<(String, String)>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = fs::File::open(path).unwrap();
        let mut reader = png::Decoder::new(io::BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.color_type, png::ColorType::Grayscale);
        Self {
            width: info.width as usize,
            height: info.height as usize,
            pixels,
            texts: (reader.info().utf8_text.iter())
                .map(|chunk| (chunk.keyword.clone(), chunk.get_text().unwrap()))
                .collect(),
        }
    }

    /// The pixels of one cell of a grid, row by row.
    fn cell(&self, column: usize, row: usize, width: usize, height: usize) -> Vec<u8> {
        (row * height..(row + 1) * height)
            .flat_map(|y| {
                let start = y * self.width + column * width;
                self.pixels[start..start + width].to_vec()
            })
            .collect()
    }
}

/// Asserts that pictures are the same to within one level of 8 bits: a batch of another size may
/// round the last bit of a float otherwise.
#[track_caller]
fn assert_same_picture(left: &[u8], right: &[u8]) {
    assert_eq!(left.len(), right.len());
    let differing: Vec<_> = (left.iter().zip(right).enumerate())
        .filter(|(_, (left, right))| left.abs_diff(**right) > 1)
        .take(5)
        .collect();
    assert!(differing.is_empty(), "first differing pixels: {differing:?}");
}
