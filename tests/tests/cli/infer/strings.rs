//! Strings: the same however they are drawn and in every form, read by what they are for; weights of classes; what
//! a camera makes of images.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Shell, assert_same_picture, readers::read_by, shell, tiny_model::TinyModel};

/// What a library finds in a data set of strings.
fn read(shell: &Shell, kind: &str, path: &str) -> Value {
    read_by("read_strings.py", shell, kind, path)
}

/// Every library finds the same texts, boxes and pixels, of one width or of many.
#[test]
fn libraries_read_strings() {
    let shell = shell();
    let write = |out: &str, more: &[&str]| {
        let request =
            ["dataset", "--engine", "rten", "--seed", "5", "--quiet", "--count", "130", "--strings"];
        shell.succeed(&[&request[..], &["3..6", "--out", out], more].concat());
    };
    for width in [&["--width", "free"][..], &[]] {
        let name = |name: &str| format!("{}-{name}", width.len());
        write(&name("set.jsonl"), width);
        let expected = read(&shell, "pandas", &name("set.jsonl"));
        let texts: Vec<String> = serde_json::from_value(expected["texts"].clone()).unwrap();
        assert_eq!(texts.len(), 130);
        assert!(texts.iter().all(|text| (3..=6).contains(&text.len())));
        let sizes: Vec<[usize; 2]> = serde_json::from_value(expected["sizes"].clone()).unwrap();
        assert_eq!(sizes.iter().any(|size| *size != sizes[0]), !width.is_empty(), "{sizes:?}");
        for (kind, more) in [
            ("coco", &[][..]),
            ("yolo", &["--boxes", "yolo"]),
            ("datasets", &["--format", "parquet", "--per-file", "60"]),
            ("webdataset", &["--format", "webdataset", "--per-file", "60"]),
        ] {
            write(&name(kind), &[width, more].concat());
            assert_eq!(read(&shell, kind, &name(kind)), expected, "{kind}");
        }
        if width.is_empty() {
            write("set.npz", &[]);
            write("set.raw", &[]);
            let found = read(&shell, "numpy", "set.npz");
            assert_eq!((&found["texts"], &found["pixels"]), (&expected["texts"], &expected["pixels"]));
            let raw = contract::files::sha256(&fs::read(shell.path("set.raw")).unwrap());
            assert_eq!(expected["pixels"], raw);
        }
    }
}

/// All files of a data set but its manifest.
fn files(shell: &Shell, out: &str) -> Vec<(String, Vec<u8>)> {
    let all = shell.files().into_iter().filter(|file| {
        let own = file == out || file.strip_prefix(out).is_some_and(|rest| rest.starts_with('/'));
        own && !file.ends_with("manifest.json") && shell.path(file).is_file()
    });
    all.map(|file| (file[out.len()..].to_owned(), fs::read(shell.path(&file)).unwrap())).collect()
}

/// Of any batch, thread and part, and after being killed, strings with noise have the same bytes in every form.
#[test]
#[cfg(unix)]
fn strings_are_the_same_however_they_are_drawn() {
    let noise = "thickness=-0.5..1,blur=0..1,contrast=0.5..1,background=0..60,grain=0..9";
    for (format, out, first, width) in [
        ("raw", "set.raw", "set.raw", "96"),
        ("npz", "set.npz", "set.npz", "96"),
        ("jsonl", "set.jsonl", "set.jsonl", "free"),
        ("folder", "set", "set/labels.csv", "free"),
        ("parquet", "set", "set/data/train-00000-of-00012.parquet", "free"),
        ("webdataset", "set", "set/train-000000.tar", "free"),
    ] {
        let shell = shell();
        let request = ["dataset", "--seed", "3", "--engine", "rten", "--quiet", "--format", format];
        let strings = ["--strings", "2..4", "--width", width, "--noise", noise, "--balance", "1=3,0=0"];
        let per_file =
            if matches!(format, "parquet" | "webdataset") { &["--per-file", "50"][..] } else { &[] };
        let request = [&request[..], &strings, per_file, &["--count", "600", "--out"]].concat();
        shell.succeed(&[&request[..], &["whole.d", "--batch-size", "64"]].concat());
        let whole = files(&shell, "whole.d");
        assert!(!whole.is_empty());

        let slow = ["--batch-size", "1", "--threads", "1"];
        let slowly = [&request[..], &[out], &slow].concat();
        let mut child = shell.command(&slowly).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !shell.path(first).exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "{format}: nothing was begun");
            thread::sleep(Duration::from_millis(5));
        }
        // While it runs, no other process writes it.
        let second = shell.run(&slowly);
        let said = String::from_utf8(second.stderr).unwrap();
        let sentence =
            format!("error: another process is writing {out}; let it end, or name another --out\n");
        assert_eq!((said, second.status.code()), (sentence, Some(2)), "{format}");
        let kill = Command::new("kill").args(["-s", "KILL", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        child.wait().unwrap();
        shell.succeed(&[&request[..], &[out, "--resume"]].concat());
        assert!(files(&shell, out) == whole, "{format}: another file after a kill and a resume");

        let other: Vec<&str> = request.iter().map(|word| if *word == "2..4" { "4" } else { *word }).collect();
        let begun = "begun with --strings 2..4 --hands mixed";
        shell.fail(&[&other[..], &[out, "--resume"]].concat(), 2, &[begun, "and now it is 4 --hands mixed"]);
        let other: Vec<&str> =
            request.iter().map(|word| if *word == noise { "blur=0..1" } else { *word }).collect();
        let begun = "begun with --noise thickness=-0.5..1,blur=0..1,";
        shell.fail(&[&other[..], &[out, "--resume"]].concat(), 2, &[begun, "and now it is blur=0..1;"]);

        for part in 1..=3 {
            let shard = format!("{part}/3");
            shell.succeed(&[&request[..], &["part", "--shard", &shard, "--batch-size", "7"]].concat());
        }
        let parts: Vec<Vec<(String, Vec<u8>)>> = (1..=3)
            .map(|part| match format {
                "raw" | "npz" | "jsonl" => files(&shell, &format!("part-{part}-of-3")),
                _ => files(&shell, &format!("part/{part}-of-3")),
            })
            .collect();
        let joined: Vec<u8> = parts.iter().flatten().flat_map(|(_, bytes)| bytes.clone()).collect();
        match format {
            "raw" | "jsonl" => assert!(joined == whole[0].1, "{format}: other parts"),
            // One archive is not three, and the tables and boxes of parts are their own.
            "npz" => {}
            _ => {
                let is_own = |name: &str| [".png", ".parquet", ".tar"].iter().any(|end| name.ends_with(end));
                let pictures = |all: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
                    all.iter().filter(|(name, _)| is_own(name)).cloned().collect()
                };
                assert!(pictures(&parts.concat()) == pictures(&whole), "{format}: other parts");
            }
        }
    }
}

/// A number of one picture is the string that a data set would have, and its boxes are told.
#[test]
fn a_number_is_joined_as_strings_are() {
    let shell = shell();
    let style = ["--hands", "one", "--spacing=-3..2", "--jitter", "3", "--slant", "5..15", "--seed", "7"];
    let number = [&["--digits", "2024", "--index", "2", "--count", "2", "--json"][..], &style].concat();
    let said: Value = serde_json::from_str(&shell.succeed(&number)).unwrap();
    let strings = said["strings"].as_array().unwrap();
    assert_eq!((strings.len(), &strings[1]["text"]), (2, &json!("2024")));
    let picture = super::Picture::read(&shell.path("2024.png"));
    let boxes: Vec<[usize; 4]> = serde_json::from_value(strings[1]["boxes"].clone()).unwrap();
    assert_eq!(boxes.len(), 4);
    let half = picture.height / 2;
    assert!(boxes.iter().all(|[x, y, w, h]| x + w <= picture.width && *y >= half && y + h <= 2 * half));
    assert_eq!(picture.width, 4 * 28);
    assert!(picture.texts.iter().any(|(key, value)| key == "Strings" && value.contains("--hands one")));

    // All of one class, so that the text is known.
    let set =
        [&["dataset", "--strings", "4", "--label", "5", "--count", "4", "--out", "set.raw"][..], &style];
    shell.succeed(&set.concat());
    let number = [&["--digits", "5555", "--index", "2", "--count", "2"][..], &style].concat();
    shell.succeed(&number);
    let drawn = super::Picture::read(&shell.path("5555.png"));
    let set = fs::read(shell.path("set.raw")).unwrap();
    assert_same_picture(&drawn.pixels, &set[set.len() / 2..]);

    shell.fail(&["--digit", "5", "--hands", "one"], 2, &["--hands is for strings", "--digits"]);
    shell.fail(&["--digits", "55", "--joined", "--captions"], 2, &["--captions", "--joined"]);
    shell.fail(&["--digits", "5555", "--width", "9"], 2, &["--width 9 is too narrow for 4 characters"]);
}

#[test]
fn weights_are_kept_to_the_image() {
    let shell = shell();
    let request = ["dataset", "--seed", "1", "--engine", "rten", "--quiet", "--count", "48"];
    shell.succeed(&[&request[..], &["--balance", "1=6,0=0", "--out", "set.npz"]].concat());
    let manifest: Value =
        serde_json::from_slice(&fs::read(shell.path("set.npz.manifest.json")).unwrap()).unwrap();
    let cycle: Vec<i64> = serde_json::from_value(manifest["labels"]["cycle"].clone()).unwrap();
    let count = |label| cycle.iter().filter(|other| **other == label).count();
    assert_eq!((cycle.len(), count(0), count(1), count(2), count(9)), (14, 0, 6, 1, 1));
    // Image i is that of its label in a data set of all.
    shell.succeed(&[&request[..], &["--label", "1", "--out", "ones.raw"]].concat());
    let ones = fs::read(shell.path("ones.raw")).unwrap();
    shell.succeed(&[&request[..], &["--balance", "1=6,0=0", "--out", "set.raw"]].concat());
    let set = fs::read(shell.path("set.raw")).unwrap();
    let place = cycle.iter().rposition(|label| *label == 1).unwrap();
    let image = |of: &[u8]| of[place * 784..(place + 1) * 784].to_vec();
    assert_eq!(image(&ones), image(&set));
    for (balance, part) in [
        ("1", "--balance 1: expected CLASS=WEIGHT"),
        ("x=1", "--balance x is not a class"),
        ("1=-1", "\"-1\" is no weight"),
        ("1=2,1=3", "class 1 is there twice"),
    ] {
        shell.fail(&[&request[..], &["--balance", balance, "--out", "other.raw"]].concat(), 2, &[part]);
    }
}

#[test]
fn what_strings_are_not_is_one_sentence() {
    let shell = shell();
    let fail = |more: &[&str], parts: &[&str]| {
        shell.fail(&[&["dataset", "--seed", "1", "--count", "3"][..], more].concat(), 2, parts);
    };
    let strings = ["--strings", "4", "--out"];
    for (format, name) in [("idx", "set"), ("stylegan", "set.zip")] {
        let more = [&strings[..], &[name, "--format", format]].concat();
        fail(&more, &["has one class for each image, and a string has several", "--format folder"]);
    }
    fail(&[&strings[..], &["set.npz", "--width", "free"]].concat(), &["of one width", "--format jsonl"]);
    fail(&[&strings[..], &["set.npz", "--boxes", "coco"]].concat(), &["--boxes", "--format folder"]);
    fail(&["--slant", "3", "--out", "set"], &["--slant is for strings", "--strings"]);
    fail(&[&strings[..], &["set", "--zoom", "9"]].concat(), &["--zoom 9: expected numbers from 0.5 to 4"]);
    fail(&["--noise", "dust=1", "--out", "set"], &["\"dust\" is no noise"]);
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let words = [&strings[..], &["set", "--model", "tiny.onnx"]].concat();
    fail(&words, &["one character each, and model tiny.onnx has the class"]);
    fs::create_dir(shell.path("set")).unwrap();
    shell.write("set/labels.csv", "mine");
    fail(&[&strings[..], &["set"]].concat(), &["set/labels.csv is there already"]);

    // Strings are no classes to learn.
    for (out, more) in [("all", &[][..]), ("all.npz", &[]), ("tars", &["--format", "webdataset"])] {
        let request = ["dataset", "--count", "3", "--strings", "2", "--engine", "rten", "--out", out];
        shell.succeed(&[&request[..], more].concat());
        let error = Command::new(tests::program("evaluate")).arg(shell.path(out)).output().unwrap();
        let said = String::from_utf8(error.stderr).unwrap();
        assert_eq!(error.status.code(), Some(2), "{said}");
        assert!(
            said.contains("it holds strings of several characters") && said.lines().count() == 1,
            "{said}"
        );
    }
}
