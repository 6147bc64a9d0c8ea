//! `train --resume` where the data, the judge or the reader are no longer where they were.

use std::fs;

use serde_json::Value;
use tests::Shell;

use super::evaluate::{test_digits, write_idx};
use super::settings::NARROW;
use super::train::{arguments, results, shell};

fn narrow<'a>(more: &[&'a str]) -> Vec<&'a str> {
    arguments(&[&NARROW[..], more].concat())
}

fn config(shell: &Shell, run: &str) -> Value {
    serde_json::from_slice(&fs::read(shell.path(run).join("config.json")).unwrap()).unwrap()
}

#[test]
fn a_run_goes_on_from_another_folder() {
    let shell = shell();
    shell.succeed(&narrow(&["--epochs", "3", "--out", "unbroken", "--quiet"]));
    shell.succeed(&narrow(&["--epochs", "2", "--out", "run", "--quiet"]));
    // There, data of the same name are others.
    fs::create_dir_all(shell.path("elsewhere/digits")).unwrap();
    let mut train = shell.command(&["--resume", "../run", "--epochs", "3", "--quiet"]);
    let output = train.current_dir(shell.path("elsewhere")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(results(&shell, "unbroken", 3) == results(&shell, "run", 3));
    assert_eq!(config(&shell, "run")["data"], "digits");
}

#[test]
fn a_run_goes_on_with_data_that_have_moved_if_they_are_the_same() {
    let shell = shell();
    shell.succeed(&narrow(&["--epochs", "3", "--out", "unbroken", "--quiet"]));
    shell.succeed(&narrow(&["--epochs", "2", "--out", "run", "--quiet"]));
    fs::rename(shell.path("digits"), shell.path("moved")).unwrap();
    let again = ["--resume", "run", "--epochs", "3"];
    shell.fail(&again, 2, &["the data of run are no longer at ", "/digits", "--data"]);
    shell.fail(&[&again[..], &["--data", "nowhere"]].concat(), 2, &["nowhere"]);

    write_idx(&shell.path("others"), &test_digits(4).0, &test_digits(4).1);
    shell.fail(&[&again[..], &["--data", "others"]].concat(), 2, &["the data differ", "SHA-256", "--data"]);
    shell.succeed(&[&again[..], &["--data", "moved", "--quiet"]].concat());
    assert!(results(&shell, "unbroken", 3) == results(&shell, "run", 3));
    let recorded = config(&shell, "run");
    assert_eq!(recorded["data"], "moved");
    assert!(recorded["data_absolute"].as_str().unwrap().ends_with("/moved"));
    // The next time it needs no word.
    shell.succeed(&["--resume", "run", "--epochs", "4", "--quiet"]);
}

#[test]
fn a_run_of_before_there_was_a_record_of_the_place_goes_on_where_it_was_started() {
    let shell = shell();
    shell.succeed(&narrow(&["--epochs", "1", "--out", "run", "--quiet"]));
    let mut old = config(&shell, "run");
    for key in ["data_absolute", "judge_absolute"] {
        assert!(old.as_object_mut().unwrap().remove(key).is_some());
    }
    shell.write("run/config.json", old.to_string());
    shell.succeed(&["--resume", "run", "--epochs", "2", "--quiet"]);
    assert!(config(&shell, "run")["data_absolute"].as_str().unwrap().ends_with("/digits"));
}

#[test]
fn the_judge_of_a_run_is_found_from_another_folder() {
    let shell = Shell::new("train");
    let (images, labels) = test_digits(100);
    write_idx(&shell.path("digits"), &images, &labels);
    let judge = tests::checkout().join("models/pretrained/mnist-judge.safetensors");
    fs::copy(judge, shell.path("judge.safetensors")).unwrap();
    let measured = ["--evaluate-every", "1", "--judge", "judge.safetensors", "--quiet"];
    let run = [&NARROW[..], &["--data", "digits", "--batch-size", "20", "--epochs", "1"], &measured].concat();
    shell.succeed(&[&run[..], &["--out", "run"]].concat());
    fs::create_dir(shell.path("elsewhere")).unwrap();
    let mut train = shell.command(&["--resume", "../run", "--epochs", "2", "--quiet"]);
    let output = train.current_dir(shell.path("elsewhere")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(shell.path("run/quality.jsonl")).unwrap().lines().count(), 2);
}

#[test]
fn a_run_s_folder_is_marked_as_one() {
    let shell = shell();
    shell.succeed(&narrow(&["--epochs", "1", "--out", "run", "--quiet"]));
    let marker = shell.path("run").join(contract::run::MARKER);
    assert!(marker.is_file());
    // Runs of an older version have none until they go on.
    fs::remove_file(&marker).unwrap();
    shell.succeed(&["--resume", "run", "--epochs", "2", "--quiet"]);
    assert!(marker.is_file());
    // What can't be a run's folder isn't marked.
    fs::remove_file(&marker).unwrap();
    shell.fail(&narrow(&["--out", "run"]), 2, &["holds a run already"]);
    assert!(!marker.exists());
}
