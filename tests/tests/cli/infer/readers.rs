//! Data sets as the libraries see them that they are for: counts, labels, classes' names and pixels.

use std::{fs, process::Command};

use contract::{
    dataset::{Batch, Format, Manifest},
    files::sha256,
};
use serde_json::{Value, json};

use super::{Shell, shell};

const COUNT: usize = 250;
const TEST: usize = 30;

/// What a library finds in a data set.
fn read(shell: &Shell, kind: &str, path: &str) -> Value {
    read_by("read_data_set.py", shell, kind, path)
}

/// What a library finds in a data set, asked by one of the scripts here.
pub(super) fn read_by(script: &str, shell: &Shell, kind: &str, path: &str) -> Value {
    let script = tests::checkout().join("tests/tests/cli/infer").join(script);
    let mut command = Command::new(tests::python_of(".venv-readers"));
    command.arg(script).args([kind, path]).current_dir(shell.folder()).env("HF_HOME", shell.path("cache"));
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{kind} refused {path}:\n{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Some libraries say something first.
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// Asserts that a split has the images `first` on of these, whose pixels are row by row, and the classes in turn.
fn assert_split(found: &Value, first: usize, pixels: &[u8], count: usize, classes: &[&str]) {
    assert_eq!(found["count"], count, "{found}");
    let labels: Vec<usize> = (first..first + count).map(|index| index % classes.len()).collect();
    assert_eq!(found["labels"], json!(labels));
    if !found["classes"].is_null() {
        assert_eq!(found["classes"], json!(classes));
    }
    let size = pixels.len() / (COUNT + TEST);
    assert_eq!(found["pixels"], sha256(&pixels[first * size..][..count * size]));
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

#[test]
fn libraries_read_what_infer_writes() {
    let shell = shell();
    let all = (COUNT + TEST).to_string();
    let (count, test) = (COUNT.to_string(), TEST.to_string());
    let write = |count: &str, more: &[&str]| {
        let request = ["dataset", "--engine", "rten", "--seed", "5", "--quiet", "--count", count];
        shell.succeed(&[&request[..], more].concat());
    };
    write(&all, &["--out", "all.raw"]);
    let pixels = fs::read(shell.path("all.raw")).unwrap();
    for (kind, format) in [("datasets", "parquet"), ("webdataset", "webdataset")] {
        write(&count, &["--out", kind, "--format", format, "--test", &test, "--per-file", "120"]);
        let found = read(&shell, kind, kind);
        assert_split(&found["train"], 0, &pixels, COUNT, &DIGITS);
        assert_split(&found["test"], COUNT, &pixels, TEST, &DIGITS);
    }
    let found = read(&shell, "pandas", "datasets/data/train-00001-of-00003.parquet");
    assert_split(&found["train"], 120, &pixels, 120, &DIGITS);
    for (kind, out, more) in [
        ("stylegan", "set.zip", &[][..]),
        ("pandas", "set.jsonl", &[]),
        ("pandas", "folder", &["--format", "folder"]),
    ] {
        write(&all, &[&["--out", out][..], more].concat());
        assert_split(&read(&shell, kind, out)["train"], 0, &pixels, COUNT + TEST, &DIGITS);
    }
}

/// Pictures in colour, not square, of classes with names.
#[test]
fn libraries_read_colour_and_names() {
    let shell = shell();
    let (classes, shape) = (["a \"b\"", "größe", "c/d"], [3, 5, 4]);
    let size = shape.iter().product::<usize>();
    let images: Vec<u8> = (0..(COUNT + TEST) * size).map(|i| (i * 7 + i / 13 * 5 + i / 101) as u8).collect();
    // A pixel's channels side by side.
    let interleaved: Vec<u8> = images
        .chunks(size)
        .flat_map(|image| (0..size).map(move |i| image[i % 3 * (size / 3) + i / 3]))
        .collect();
    for (kind, name, out) in [
        ("datasets", "parquet", "hub"),
        ("webdataset", "webdataset", "tars"),
        ("stylegan", "stylegan", "set.zip"),
    ] {
        let format: Format = name.parse().unwrap();
        let manifest = json!({
            "format": name, "model": "m", "model_sha256": "", "engine": "none", "seed": 1, "count": COUNT + TEST,
            "per_file": format.per_file.map(|_| 1000), "shard": {"index": 1, "of": 1}, "first": 0,
            "images": COUNT + TEST, "complete": 0, "labels": {"in_turn": {"classes": 3}}, "classes": classes,
            "verified": null, "shape": shape, "tail": {"offset": 0, "crc32": 0},
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let output = shell.path(out);
        if format.is_folder() {
            fs::create_dir(&output).unwrap();
        }
        let Ok(mut sink) = format.definition().open(&manifest, &output, shape) else { panic!("{name}") };
        let labels: Vec<i64> = (0..COUNT + TEST).map(|index| index as i64 % 3).collect();
        sink.append(&Batch {
            first: 0,
            labels: &labels,
            pixels: &images,
            shape,
            confidences: &[],
            strings: &[],
        })
        .unwrap();
        sink.checkpoint().unwrap();
        sink.finish().unwrap();
        drop(sink);
        let found = read(&shell, kind, out);
        assert_split(&found["train"], 0, &interleaved, COUNT + TEST, &classes);
    }
}

/// The judge's confidences come with the images, as a number.
#[test]
fn confidences_are_a_column() {
    let shell = shell();
    let request =
        ["dataset", "--count", "12", "--seed", "5", "--verify", "--format", "parquet", "--out", "sure"];
    shell.succeed(&[&request[..], &["--engine", "rten", "--quiet"]].concat());
    let found = read(&shell, "datasets", "sure");
    assert_eq!(found["train"]["columns"], json!(["image", "label", "confidence"]));
}
