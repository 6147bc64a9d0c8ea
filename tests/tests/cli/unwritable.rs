//! `train` and `evaluate`: results that can't be written are errors, and what is needed is not replaced.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use models::checkpoint::Checkpoint;
use serde_json::Value;
use tests::Shell;

use super::evaluate::{test_digits, write_idx};
use super::settings::NARROW;
use super::train::{arguments, checkpoint, shell};

/// The command fails because Linux's own full disk is its standard output, and says so in one sentence
/// after these.
fn fails_into_a_full_disk(mut command: Command, before: &str) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let said = stderr.strip_prefix(before).unwrap_or_else(|| panic!("expected {before:?} in {stderr}"));
    assert!(said.starts_with("error: can't write to standard output: No space left on device"), "{stderr}");
    assert_eq!(said.lines().count(), 1, "{stderr}");
}

/// The command succeeds though nobody reads its standard output.
fn succeeds_into_a_closed_pipe(mut command: Command) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn training_that_cannot_say_its_results_goes_on_and_fails() {
    let shell = shell();
    let warning =
        "warning: can't write to standard output: No space left on device (os error 28); training goes on\n";
    for (run, how) in [("json", &["--json"][..]), ("text", &[])] {
        let epochs = [&NARROW[..], &["--epochs", "2", "--out", run], how].concat();
        fails_into_a_full_disk(shell.command(&arguments(&epochs)), warning);
        let saved = Checkpoint::load(&checkpoint(&shell, run, 6)).unwrap();
        assert_eq!(saved.header.provenance.iterations, 6);
    }
    fails_into_a_full_disk(shell.command(&["--help"]), "");
    for how in [&["--dry-run", "--json"][..], &["--dry-run"]] {
        let plan = arguments(&[&NARROW[..], how].concat());
        fails_into_a_full_disk(shell.command(&plan), "");
        succeeds_into_a_closed_pipe(shell.command(&plan));
    }
}

/// A shell that runs `evaluate`, with 60 digits in `digits/`, 40 of them for testing, and a judge of them.
fn with_judge() -> Shell {
    let shell = Shell::new("evaluate");
    let (images, labels) = test_digits(100);
    write_idx(&shell.path("digits"), &images[..60 * 784], &labels[..60]);
    write_idx(&shell.path("test"), &images[60 * 784..], &labels[60..]);
    for part in ["images-idx3-ubyte", "labels-idx1-ubyte"] {
        let from = shell.path("test").join(format!("train-{part}"));
        fs::rename(from, shell.path("digits").join(format!("t10k-{part}"))).unwrap();
    }
    fs::remove_dir(shell.path("test")).unwrap();
    let train = ["train-judge", "--data", "digits", "--epochs", "1", "--batch-size", "20", "--json"];
    let said = shell.succeed(&[&train[..], &["--out", "judge.safetensors"]].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["judge"], &said["epochs"]), (&"judge.safetensors".into(), &1.into()));
    assert_eq!(said["images"], 40);
    let digest = contract::files::sha256(&fs::read(shell.path("judge.safetensors")).unwrap());
    assert_eq!(said["sha256"], *digest);
    let right = 1. - said["errors"].as_f64().unwrap() / 40.;
    assert!((said["accuracy"]["value"].as_f64().unwrap() - right).abs() < 1e-9, "{said}");
    shell
}

const MEASURE: [&str; 5] = ["digits", "--real", "digits", "--judge", "judge.safetensors"];

#[test]
#[cfg(target_os = "linux")]
fn figures_that_cannot_be_said_are_an_error() {
    let shell = with_judge();
    for how in [&[][..], &["--json"]] {
        let measure = [&MEASURE[..], how].concat();
        fails_into_a_full_disk(shell.command(&measure), "");
        succeeds_into_a_closed_pipe(shell.command(&measure));
        let train = ["train-judge", "--data", "digits", "--epochs", "1", "--batch-size", "20"];
        let train = [&train[..], &["--out", "other.safetensors"], how].concat();
        fails_into_a_full_disk(shell.command(&train), "");
        assert!(shell.path("other.safetensors").exists());
    }
    for command in [&MEASURE[..], &["train-judge", "--out", "other.safetensors"]] {
        let output = shell.run(&[command, &["--quiet", "--json"]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("'--quiet' cannot be used with '--json'"), "{stderr}");
    }
    // Numbers are refused in words of ours.
    for (flag, value) in [("--count", "0"), ("--count", "many"), ("--seed", "18446744073709551616")] {
        shell.fail(&[&MEASURE[..], &[flag, value]].concat(), 2, &[flag, "a whole number from "]);
    }
    for flag in ["--epochs=0", "--epochs=1e3", "--batch-size=1", "--seed=-1"] {
        let train = ["train-judge", "--out", "other.safetensors", flag];
        shell.fail(&train, 2, &[&flag[..6], "a whole number from "]);
    }
}

#[test]
fn nothing_that_is_needed_is_replaced() {
    let shell = with_judge();
    fs::create_dir(shell.path("run")).unwrap();
    for name in [contract::run::MARKER, contract::run::CONFIG, contract::run::GENERATOR] {
        shell.write(&format!("run/{name}"), "");
    }
    let of_run = ["run/config.json", "run/generator.safetensors", "run/checkpoints/00000003.safetensors"];
    fs::create_dir(shell.path("run/checkpoints")).unwrap();
    let inputs = ["judge.safetensors", "digits/train-images-idx3-ubyte", "digits/t10k-labels-idx1-ubyte"];
    let train = ["train-judge", "--data", "digits", "--epochs", "1", "--out"];
    for file in of_run {
        shell.fail(&[&MEASURE[..], &["--report", file]].concat(), 2, &[file, "is a file of a run"]);
        shell.fail(&[&train[..], &[file]].concat(), 2, &[file, "is a file of a run"]);
    }
    for file in inputs {
        shell.fail(&[&MEASURE[..], &["--report", file]].concat(), 2, &[file, "which is read"]);
    }
    shell.fail(&[&train[..], &[inputs[1]]].concat(), 2, &[inputs[1], "is a file of digits, which is read"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(inputs[0], shell.path("link.png")).unwrap();
        shell.fail(&[&MEASURE[..], &["--report", "link.png"]].concat(), 2, &["link.png", "which is read"]);
    }
    // A run's folder is no input to be spared, and its other files are their owner's.
    shell.succeed(&[&MEASURE[..], &["--report", "run/report.png", "--quiet"]].concat());
    assert!(image::open(shell.path("run/report.png")).is_ok());
}

#[test]
fn a_checkpoint_that_training_goes_on_from_draws_by_its_raw_weights() {
    let shell = with_judge();
    let run = [&NARROW[..], &["--data", "digits", "--batch-size", "20", "--epochs", "1"]].concat();
    shell.succeed_as("train", &[&run[..], &["--out", "run", "--quiet"]].concat());
    let measured = |images: &str, weights: &str| -> Value {
        let more = ["--weights", weights, "--count", "20", "--json"];
        let report = shell.succeed(&[&[images], &MEASURE[1..], &more].concat());
        serde_json::from_str(&report).unwrap()
    };
    for weights in ["raw", "average"] {
        let [checkpoint, generator] =
            ["run/checkpoints/00000003.safetensors", "run"].map(|images| measured(images, weights));
        assert_eq!(checkpoint["checkpoint"]["weights"], weights);
        for figure in ["agreement", "frechet", "nearest"] {
            assert_eq!(checkpoint[figure], generator[figure], "{weights} {figure}");
        }
    }
}
