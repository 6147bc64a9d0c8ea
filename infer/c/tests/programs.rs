//! Programs in C, C++ and Python with the library: the examples, and those that ask for what it must refuse
//! or draw from several threads.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected has failed")]

use std::{fs, path::Path, process::Command};

use common::{Compiled, Linked, judge, model, shared_library};

mod common;

/// Size, and rows of pixels.
fn pgm(bytes: &[u8]) -> (&str, &[u8]) {
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    assert_eq!(lines.next(), Some(b"P5".as_slice()));
    let size = std::str::from_utf8(lines.next().unwrap()).unwrap();
    assert_eq!(lines.next(), Some(b"255".as_slice()));
    (size, lines.next().unwrap())
}

/// The pixels of images of a seed, as `infer` writes them.
fn of_infer(arguments: &[&str]) -> Vec<u8> {
    let shell = tests::Shell::new("infer");
    shell.succeed(&[&["--quiet", "--preview", "none", "--out", "picture.png"], arguments].concat());
    let file = fs::File::open(shell.path("picture.png")).unwrap();
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}

#[test]
fn the_c_example_draws_what_infer_draws() {
    let (shared, fixed) =
        (Compiled::new("examples/draw.c", Linked::Shared), Compiled::new("examples/draw.c", Linked::Static));
    let model = model();
    let model = model.to_str().unwrap();
    for engine in ["rten", "onnxruntime"] {
        for (digit, seed) in [("5", "7"), ("0", "18446744073709551615")] {
            let expected = of_infer(&["--digit", digit, "--seed", seed, "--engine", engine]);
            for program in [&shared, &fixed] {
                let drawn = program.succeed(&[model, digit, seed, engine]);
                assert!(pgm(&drawn) == ("28 28", &expected), "{digit} of seed {seed} in {engine}");
            }
        }
    }
    let refused = shared.run(&[model, "eleven"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("eleven is not a class of model"));
}

#[test]
fn the_python_example_draws_what_infer_draws_and_judges_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/draw.py");
    let mut python = Command::new("python3");
    python.arg(script).args([model(), judge(), shared_library()]).current_dir(folder.path());
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 10);
    for (digit, line) in lines.lines().enumerate() {
        assert!(line.starts_with(&format!("{digit} is read as {digit} (")), "{line}");
    }
    let drawn = fs::read(folder.path().join("classes.pgm")).unwrap();
    assert!(pgm(&drawn) == ("280 28", &of_infer(&["--all", "--seed", "7"])));
}

#[test]
fn the_examples_run_under_valgrind() {
    let model = model();
    let model = model.to_str().unwrap();
    let draw = Compiled::new("examples/draw.c", Linked::Shared).under_valgrind();
    assert_eq!(pgm(&draw.succeed(&[model, "5", "7", "rten"])).0, "28 28");
    let walk = Compiled::new("examples/walk.cpp", Linked::Shared).under_valgrind();
    let shown = String::from_utf8(walk.succeed(&[model, "5", "rten"])).unwrap();
    assert_eq!(shown.lines().map(str::len).collect::<Vec<_>>(), [4 * 28; 14]);
}

#[test]
fn wrong_arguments_and_damaged_models_have_codes_under_valgrind() {
    let program = Compiled::new("tests/arguments.c", Linked::Shared).under_valgrind();
    program.succeed(&[model().to_str().unwrap(), judge().to_str().unwrap()]);
}

#[test]
fn four_threads_draw_what_one_draws() {
    let program = Compiled::new("tests/threads.c", Linked::Shared);
    let model = model();
    let model = model.to_str().unwrap();
    program.succeed(&[model, "rten", "6"]);
    program.succeed(&[model, "onnxruntime", "6"]);
    program.under_valgrind().succeed(&[model, "rten", "1"]);
}
