//! `--verify`: what a judge doesn't read as its label is drawn anew.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Picture, Shell, assert_same_picture, shell,
    tiny_judge::TinyJudge,
    tiny_model::{self, TinyModel},
};

/// A seed with images that are drawn anew at this threshold.
const REQUEST: [&str; 6] = ["--count", "60", "--seed", "5", "--verify", "0.9999"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A data set as JSON lines, and what was said of it at the end.
fn lines(shell: &Shell, arguments: &[&str]) -> (Vec<Value>, String) {
    let output = shell.run(&[&["dataset", "--format", "jsonl", "--out", "-"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stderr).unwrap();
    (String::from_utf8(output.stdout).unwrap().lines().map(json).collect(), said)
}

/// Asserts that data sets are the same to one level of 8 bits, and to what that does to a confidence.
fn assert_same(left: &[Value], right: &[Value]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        for key in ["index", "label", "class"] {
            assert_eq!(left[key], right[key]);
        }
        let pixels = |line: &Value| -> Vec<u8> { serde_json::from_value(line["pixels"].clone()).unwrap() };
        assert_same_picture(&pixels(left), &pixels(right));
        let difference = left["confidence"].as_f64().unwrap() - right["confidence"].as_f64().unwrap();
        assert!(difference.abs() < 2e-3, "image {}: {difference}", left["index"]);
    }
}

#[test]
fn what_is_kept_is_the_same_however_it_is_drawn() {
    let newest = shell();
    let oldest = Shell::with_program(
        newest.program.clone(),
        vec![("ORT_DYLIB_PATH", tests::oldest_runtime_library())],
    );
    let (expected, said) = lines(&newest, &REQUEST);
    let redrawn = |said: &str| -> u64 {
        let (_, counts) = said.trim_end().split_once("confidence 0.9999 or more: ").unwrap();
        counts.split_once(" of ").unwrap().0.parse().unwrap()
    };
    assert!(said.starts_with("verified by mnist-judge (shipped), ") && redrawn(&said) > 0, "{said}");
    // One engine writes the same bytes.
    for arguments in [
        ["--batch-size", "1", "--threads", "1"],
        ["--batch-size", "7", "--threads", "3"],
        ["--batch-size", "64", "--threads", "1"],
        ["--batch-size", "59", "--threads", "2"],
    ] {
        assert_eq!(
            lines(&newest, &[REQUEST.as_slice(), &arguments].concat()),
            (expected.clone(), said.clone())
        );
    }
    for (shell, arguments) in [(&newest, &["--engine", "rten", "--batch-size", "9"][..]), (&oldest, &[])] {
        let (drawn, again) = lines(shell, &[REQUEST.as_slice(), arguments].concat());
        assert_same(&drawn, &expected);
        assert_eq!(again, said, "{arguments:?}");
    }
    let mut parts = (Vec::new(), 0);
    for part in ["1/4", "2/4", "3/4", "4/4"] {
        let (drawn, said) = lines(&newest, &[REQUEST.as_slice(), &["--shard", part]].concat());
        parts.0.extend(drawn);
        parts.1 += redrawn(&said);
    }
    assert_eq!(parts, (expected.clone(), redrawn(&said)));

    // What isn't drawn anew is what it is without a judge.
    let (first, silent) = lines(&newest, &REQUEST[..4]);
    assert_eq!((silent.as_str(), &first[0]["confidence"]), ("", &Value::Null));
    let differing = first.iter().zip(&expected).filter(|(first, kept)| {
        let pixel = |line: &Value, i: usize| line["pixels"][i].as_i64().unwrap();
        (0..28 * 28).any(|i| (pixel(first, i) - pixel(kept, i)).abs() > 1)
    });
    assert_eq!(differing.count() as u64, redrawn(&said));
}

#[test]
fn a_picture_says_how_sure_the_judge_is() {
    let shell = shell();
    let request = ["--digits", "2024", "--seed", "7", "--verify"];
    let said = shell.succeed(&request);
    let verified = "\nverified by mnist-judge (shipped), confidence 0.5 or more: ";
    assert!(said.contains(verified) && said.contains(" of 4 redrawn\n"), "{said}");
    assert!(
        Picture::read(&shell.path("2024.png"))
            .texts
            .contains(&("Judge".into(), "mnist-judge (shipped), 0.5".into()))
    );
    let report = json(&shell.succeed(&[request.as_slice(), &["--json"]].concat()));
    let verified = &report["verified"];
    assert_eq!((&verified["judge"], &verified["threshold"]), (&"mnist-judge (shipped)".into(), &0.5.into()));
    let confidences = verified["confidences"].as_array().unwrap();
    assert_eq!(confidences.len(), 4);
    assert!(confidences.iter().all(|confidence| (0.5..=1.0).contains(&confidence.as_f64().unwrap())));
    let without = json(&shell.succeed(&[&request[..4], &["--json"]].concat()));
    assert!(without["verified"].is_null());

    // The images of a data set and those of a picture are the same.
    let (dataset, _) = lines(&shell, &[REQUEST.as_slice(), &["--digit", "5"]].concat());
    let draw = [
        "--digit",
        "5",
        "--count",
        "60",
        "--seed",
        "5",
        "--verify",
        "0.9999",
        "--out",
        "fives.png",
        "--json",
    ];
    let report = json(&shell.succeed(&draw));
    assert!(report["verified"]["redraws"].as_u64() >= report["verified"]["redrawn"].as_u64());
    let fives = Picture::read(&shell.path("fives.png"));
    for (i, line) in dataset.iter().enumerate() {
        let pixels: Vec<u8> = serde_json::from_value(line["pixels"].clone()).unwrap();
        assert_same_picture(&fives.cell(i % 8, i / 8, 28, 28), &pixels);
    }
}

#[test]
fn the_table_of_labels_carries_the_confidence() {
    let shell = shell();
    let report = json(&shell.succeed(
        &[&["dataset", "--out", "sure", "--format", "folder", "--json"], REQUEST.as_slice()].concat(),
    ));
    let verified = &report["manifest"]["verified"];
    assert!(verified["redrawn"].as_u64().unwrap() > 0, "{verified}");
    assert_eq!(verified["judge_sha256"].as_str().unwrap().len(), 64);
    let table = fs::read_to_string(shell.path("sure/labels.csv")).unwrap();
    let mut rows = table.lines();
    assert_eq!(rows.next(), Some("file,label,index,confidence"));
    let (expected, _) = lines(&shell, &REQUEST);
    for (row, line) in rows.zip(&expected) {
        let fields: Vec<&str> = row.split(',').collect();
        assert_eq!((fields[1], fields[2]), (line["class"].as_str().unwrap(), &*line["index"].to_string()));
        let confidence: f64 = fields[3].parse().unwrap();
        assert!(fields[3].len() == 6 && confidence >= 0.9999, "{row}");
        assert_eq!(Some(confidence), line["confidence"].as_f64());
    }
    assert_eq!(table.lines().count(), 61);
    let request =
        ["dataset", "--count", "60", "--seed", "5", "--out", "sure", "--format", "folder", "--resume"];
    for (verify, now) in [(&[][..], "now it is \"off\""), (&["--verify", "0.9"], "now it is \"0.9\"")] {
        let parts = ["sure/manifest.json: begun with --verify \"0.9999\"", now];
        shell.fail(&[request.as_slice(), verify].concat(), 2, &parts);
    }
    let judge = shell
        .write("judge.onnx", fs::read(tests::checkout().join("models/pretrained/mnist-judge.onnx")).unwrap());
    let other = ["--verify", "0.9999", "--judge", "judge.onnx"];
    shell.succeed(&[request.as_slice(), &other].concat());
    let mut bytes = fs::read(&judge).unwrap();
    bytes.extend([14 << 3 | 2, 0]); // One more entry, empty, of the metadata.
    fs::write(&judge, bytes).unwrap();
    shell.fail(&[request.as_slice(), &other].concat(), 2, &["begun with a judge of SHA-256"]);
}

/// What was drawn anew before a stop is counted too.
#[cfg(unix)]
#[test]
fn counts_go_on_where_a_data_set_was_stopped() {
    let shell = shell();
    let request = ["dataset", "--count", "400", "--seed", "5", "--verify", "0.9999", "--format", "folder"];
    let request =
        [request.as_slice(), &["--engine", "rten", "--batch-size", "1", "--threads", "1", "--out"]].concat();
    let mut command = shell.command(&[request.as_slice(), &["some"]].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !shell.path("some/9/000000119.png").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing was drawn");
        thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let manifest =
        |folder: &str| json(&fs::read_to_string(shell.path(folder).join("manifest.json")).unwrap());
    let stopped = manifest("some");
    assert!(stopped["complete"].as_u64().is_some_and(|complete| (120..400).contains(&complete)));
    assert!(stopped["verified"]["redrawn"].as_u64() > Some(0), "{stopped}");
    shell.succeed(&[request.as_slice(), &["some", "--resume", "--quiet"]].concat());
    shell.succeed(&[request.as_slice(), &["whole", "--quiet"]].concat());
    let (some, whole) = (manifest("some"), manifest("whole"));
    assert!(stopped["verified"]["redrawn"].as_u64() < whole["verified"]["redrawn"].as_u64());
    assert_eq!(some["verified"], whole["verified"]);
    let table = |folder: &str| fs::read(shell.path(folder).join("labels.csv")).unwrap();
    assert!(table("some") == table("whole"), "another table");
}

#[test]
fn a_judge_of_one_s_own() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    shell.write("judge.onnx", TinyJudge::default().bytes());
    let request = ["--model", "tiny.onnx", "--judge", "judge.onnx"];
    for engine in ["onnxruntime", "rten"] {
        let more = ["--label", "middle", "--count", "3", "--verify", "0.8", "--json", "--engine", engine];
        let verified = &json(&shell.succeed(&[request.as_slice(), &more].concat()))["verified"];
        assert_eq!(verified["confidences"], serde_json::json!([0.8, 0.8, 0.8]), "{engine}");
        assert_eq!((&verified["redrawn"], &verified["redraws"]), (&0.into(), &0.into()));
    }
    // It calls everything middle, and is never surer than that.
    for (label, threshold) in [("long", "0"), ("middle", "0.81")] {
        let more = ["--label", label, "--verify", threshold, "--seed", "3"];
        let never = format!(
            "image 0 of seed 3 is not read as {label} with a confidence of {threshold} or more by judge judge.onnx in 100 draws"
        );
        shell.fail(&[request.as_slice(), &more].concat(), 1, &[&never, "lower the threshold"]);
    }
    let more = ["dataset", "--count", "9", "--seed", "3", "--verify", "--out", "some.jsonl"];
    let parts = ["stopped; no image is complete: image 0 of seed 3 is not read as short"];
    shell.fail(&[more.as_slice(), &request].concat(), 1, &parts);
    shell.write("judge.onnx", TinyJudge { bias: vec![0.0, f32::NAN, 0.0], ..TinyJudge::default() }.bytes());
    let more = ["--label", "middle", "--verify"];
    shell.fail(
        &[request.as_slice(), &more].concat(),
        1,
        &["running model judge.onnx failed", "a logit of value NaN"],
    );
}

#[test]
fn a_judge_that_is_none_or_of_other_pictures() {
    let shell = shell();
    let refused = |judge: &TinyJudge, parts: &[&str]| {
        shell.write("tiny.onnx", TinyModel::default().bytes());
        shell.write("judge.onnx", judge.bytes());
        let request = ["--model", "tiny.onnx", "--judge", "judge.onnx", "--verify"];
        shell.fail(&[request.as_slice(), &["--label", "long"]].concat(), 2, parts);
        shell.fail(&[&["dataset", "--count", "3", "--out", "some"], request.as_slice()].concat(), 2, parts);
    };
    let right = TinyJudge::default;
    let none = ["judge judge.onnx is no edgegan judge", "cargo export --checkpoint judge.safetensors"];
    let is_none = |judge: TinyJudge, found: &str| refused(&judge, &[none.as_slice(), &[found]].concat());
    is_none(TinyJudge { network: None, ..right() }, "no edgegan.network in its metadata");
    is_none(TinyJudge { network: Some("discriminator"), ..right() }, "edgegan.network is \"discriminator\"");
    is_none(TinyJudge { pixel_range: "0,255", ..right() }, "edgegan.pixel_range is \"0,255\"");
    is_none(TinyJudge { output: "scores", ..right() }, "outputs scores: float32[batch, 3], expected");
    is_none(TinyJudge { bias: vec![0.0; 4], ..right() }, "logits: float32[batch, 4], expected inputs image");
    let draws = "but model tiny.onnx draws the classes short, middle and long; name a judge";
    let reads = "judge judge.onnx reads the classes short, long and middle, ";
    refused(&TinyJudge { classes: &["short", "long", "middle"], ..right() }, &[reads, draws]);
    let wider = "judge judge.onnx reads grey pictures of 4×2, but model tiny.onnx draws grey pictures of 3×2";
    refused(&TinyJudge { width: 4, ..right() }, &[wider]);

    let shipped = ["--model", "tiny.onnx", "--label", "long", "--verify"];
    shell.fail(&shipped, 2, &["judge mnist-judge (shipped) reads the classes 0, 1", draws]);
    let mut contract = tiny_model::contract();
    contract.classes.clear();
    shell.write("plain.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
    shell.fail(
        &["--model", "plain.onnx", "--verify"],
        2,
        &["model plain.onnx draws pictures without a class", "leave --verify out"],
    );
    let judge =
        |file: &str, parts: &[&str]| shell.fail(&["--digit", "5", "--verify", "--judge", file], 2, parts);
    judge("none.onnx", &["none.onnx", "No such file"]);
    judge("tiny.onnx", &["judge tiny.onnx is no edgegan judge: it is a generator"]);
    shell.write("letter.onnx", "A letter to a friend.");
    judge("letter.onnx", &["letter.onnx is not an ONNX model"]);
}

#[test]
fn a_threshold_that_is_none() {
    let shell = shell();
    for threshold in ["1.01", "-1", "high", "nan"] {
        let verify = format!("--verify={threshold}");
        shell.fail(&["--digit", "5", &verify], 2, &[&format!("'{threshold}'"), "a number from 0 to 1"]);
    }
    let output = shell.run(&["--digit", "5", "--judge", "judge.onnx"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--verify"));
}
