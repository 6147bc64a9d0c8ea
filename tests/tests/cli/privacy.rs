//! Nothing leaves the user's machine, and nothing is kept in the user's home.
//!
//! ONNX Runtime's newer versions collect what runs where; before they send it, they write it beneath the
//! user's home, which is where it shows.

use std::path::PathBuf;

use tests::{Shell, checkout};

/// A shell whose user's home is the folder `home`, and empty.
fn shell(program: &str) -> Shell {
    let mut shell = Shell::new(program);
    std::fs::create_dir(shell.path("home")).unwrap();
    let home = |folder: &str| shell.path("home").join(folder);
    let variables: [(&str, PathBuf); 4] = [
        ("HOME", home("")),
        ("XDG_CACHE_HOME", home(".cache")),
        ("XDG_CONFIG_HOME", home(".config")),
        ("XDG_DATA_HOME", home(".local/share")),
    ];
    shell.variables.extend(variables);
    shell
}

#[track_caller]
fn home_is_empty(shell: &Shell) {
    let kept: Vec<String> = shell.files().into_iter().filter(|name| name.starts_with("home/")).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn infer_leaves_the_home_empty() {
    let shell = shell("infer");
    for arguments in [
        "--digit 5 --engine onnxruntime --verify",
        "self-test --engine onnxruntime",
        "dataset --count 20 --out digits.raw",
        "look classes",
        "bench --batch-sizes 1 --threads 1 --seconds 0.01",
        "doctor",
        "providers",
    ] {
        shell.succeed(&arguments.split(' ').collect::<Vec<_>>());
        home_is_empty(&shell);
    }
}

#[test]
fn training_export_and_evaluate_leave_the_home_empty() {
    let shell = shell("train");
    let mnist = checkout().join("data/mnist");
    let digits = super::evaluate::test_digits(8);
    super::evaluate::write_idx(&shell.path("digits"), &digits.0, &digits.1);
    for (program, arguments) in [
        ("train", "--data digits --epochs 1 --batch-size 4 --out run --quiet --device cpu"),
        ("export", "--checkpoint run --out gen.onnx"),
        ("export", "inspect gen.onnx"),
        ("export", "diff gen.onnx gen.onnx"),
        ("export", "look grid --checkpoint run --count 4"),
        ("evaluate", &format!("gen.onnx --count 2 --real {}", mnist.display())),
    ] {
        shell.succeed_as(program, &arguments.split(' ').collect::<Vec<_>>());
        home_is_empty(&shell);
    }
}
