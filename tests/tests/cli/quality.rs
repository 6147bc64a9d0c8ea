//! `train --evaluate-every`: the judge's figures of a run, and the best checkpoint.

use std::fs;
use std::path::Path;

use infer::ModelSource;
use serde_json::Value;
use tests::Shell;

use super::evaluate::{test_digits, write_idx};
use super::settings::NARROW;
use super::train::checkpoints;

/// A shell with 100 real digits in `digits/`.
fn shell() -> Shell {
    let shell = Shell::new("train");
    let (images, labels) = test_digits(100);
    write_idx(&shell.path("digits"), &images, &labels);
    shell
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_measured_run_keeps_its_best_checkpoint() {
    let shell = shell();
    let run = ["--data", "digits", "--batch-size", "20", "--evaluate-every", "2", "--keep", "1"];

    let run = [&run[..], &NARROW, &["--learning-rate", "0.02"]].concat();
    let stdout = shell.succeed(&[&run[..], &["--epochs", "3", "--out", "run", "--json"]].concat());
    let quality = lines(&shell.path("run/quality.jsonl"));
    // Every second epoch, and the last: five iterations each.
    let iterations: Vec<u64> = quality.iter().map(|line| line["iteration"].as_u64().unwrap()).collect();
    assert_eq!(iterations, [10, 15]);
    let printed: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let printed: Vec<&Value> = printed.iter().filter_map(|line| line.get("quality")).collect();
    assert_eq!(printed, quality.iter().collect::<Vec<_>>());

    let distance = |line: &Value| line["frechet"].as_f64().unwrap();
    let best = quality.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
    let mut expected = vec![best["iteration"].as_u64().unwrap(), 15];
    expected.dedup();
    let expected: Vec<_> = expected.iter().map(|n| format!("{n:08}.safetensors")).collect();
    let kept: Vec<_> = checkpoints(&shell, "run")
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect();
    assert_eq!(kept, expected);

    // `evaluate` finds the same of the same digits, drawn as often as they are among these, and `export` takes the
    // checkpoint as it is.
    let checkpoint = format!("run/checkpoints/{}", expected[0]);
    let count = |n| ["--count", n, "--json", "--real", "digits"];
    let report = count("500");
    let measured = shell.succeed_as("evaluate", &[&[checkpoint.as_str()], &report[..]].concat());
    let report: Value = serde_json::from_str(&measured).unwrap();
    assert_eq!(report["agreement"]["overall"]["value"], best["agreement"]);

    // The figures go into the file, if they are of what is exported.
    let quality_of = |file: &str| ModelSource::File(&shell.path(file)).contract().unwrap().quality;
    shell.write("quality.json", &measured);
    let export = ["--checkpoint", &checkpoint, "--out", "best.onnx", "--quality"];
    shell.succeed_as("export", &[&export[..], &["quality.json", "--quiet"]].concat());
    let carried = quality_of("best.onnx");
    for (name, figure) in [
        ("agreement", &report["agreement"]["overall"]),
        ("frechet", &report["frechet"]),
        ("recall", &report["manifold"]["recall"]),
        ("judge_sha256", &report["judge_sha256"]),
    ] {
        assert_eq!(&carried[name], figure, "{name}");
    }
    assert_eq!(carried["agreement_of_classes"]["7"], report["agreement"]["classes"][7]);
    assert!(!carried.contains_key("gan_train"));

    let exporter = Shell::new("export");
    let absolute = |name: &str| shell.path(name).to_str().unwrap().to_string();
    let (checkpoint, figures) = (absolute(&checkpoint), absolute("quality.json"));
    let of = |file: &str, more: &[&str], parts: &[&str]| {
        let export = ["--checkpoint", &checkpoint, "--out", "other.onnx", "--quality", file];
        exporter.fail(&[&export[..], more].concat(), 2, parts);
        assert!(!exporter.path("other.onnx").exists());
    };
    of(&figures, &["--weights", "raw"], &["quality.json", "of the average weights", "evaluate"]);
    of(&figures, &["--precision", "int8"], &["--quality", "int8"]);
    of("nowhere.json", &[], &["nowhere.json", "can't be read"]);
    exporter.write("text.json", "no figures");
    of("text.json", &[], &["text.json", "no such report"]);
    let another = measured.replace(report["checkpoint"]["sha256"].as_str().unwrap(), &"0".repeat(64));
    exporter.write("another.json", another);
    of("another.json", &[], &["another.json", "000", "this one's is"]);
    let drawn = shell.succeed_as("evaluate", &[&["best.onnx"], &count("50")[..]].concat());
    exporter.write("drawn.json", drawn);
    of("drawn.json", &[], &["drawn.json", "an ONNX file"]);

    // A run that goes on remembers.
    shell.succeed(&[&run[..], &["--epochs", "2", "--out", "broken", "--quiet"]].concat());
    let stdout = shell.succeed(&["--resume", "broken", "--epochs", "3"]);
    assert_eq!(lines(&shell.path("broken/quality.jsonl")), quality);
    assert!(stdout.contains(&format!("best: broken/checkpoints/{} after epoch", expected[0])), "{stdout}");
}

#[test]
fn what_a_judge_does_not_know_is_not_measured() {
    let shell = shell();
    let fail = |more: &[&str], parts: &[&str]| {
        let run = ["--epochs", "1", "--out", "run"];
        shell.fail(&[&run[..], more].concat(), 2, parts);
        assert!(!shell.path("run").exists());
    };
    let measured = ["--data", "digits", "--evaluate-every", "1"];
    fail(&["--data", "digits", "--judge", "judge.safetensors"], &["judge is given, but not evaluate-every"]);
    fail(&[&measured[..], &["--judge", "nowhere.safetensors"]].concat(), &["nowhere.safetensors"]);
    shell.write("text.safetensors", "no tensors");
    fail(&[&measured[..], &["--judge", "text.safetensors"]].concat(), &["text.safetensors", "train-judge"]);
    fail(
        &[&measured[..], &["--size", "20x28"]].concat(),
        &["are 20×28 grey, but the judge takes 28×28 grey"],
    );
    shell.write("digits/classes.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n");
    fail(&measured, &["has the classes zero, one", "the judge knows 0, 1", "evaluate train-judge"]);
}
