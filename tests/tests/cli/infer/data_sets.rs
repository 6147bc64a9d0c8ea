//! `infer dataset`: its forms, that it goes on where it was stopped, and that its images are the
//! same however they are drawn.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use infer::LOADING_WEIGHTS_PAYS;
use serde_json::Value;

use super::{Picture, Shell, assert_same_picture, shell, tiny_model::TinyModel};

/// Pixels of an MNIST digit.
const PIXELS: usize = 28 * 28;

/// The images of a request, as raw bytes.
#[track_caller]
fn raw(shell: &Shell, arguments: &[&str]) -> Vec<u8> {
    let all = [&["dataset", "--format", "raw", "--out", "-"], arguments].concat();
    let output = shell.run(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn read(shell: &Shell, name: &str) -> Vec<u8> {
    fs::read(shell.path(name)).unwrap()
}

fn manifest(shell: &Shell, name: &str) -> Value {
    serde_json::from_slice(&read(shell, name)).unwrap()
}

#[test]
fn images_are_the_same_however_they_are_drawn() {
    let newest = shell();
    let oldest = Shell::with_program(
        newest.program.clone(),
        vec![("ORT_DYLIB_PATH", tests::oldest_runtime_library())],
    );
    // Fewer images than pay for loading the weights, and more.
    for n in [70, LOADING_WEIGHTS_PAYS + 65] {
        let count = n.to_string();
        let request = ["--count", &count, "--seed", "7"];
        let expected = raw(&newest, &request);
        assert_eq!(expected.len(), n * PIXELS);
        // Of one engine they are the same to the byte, and of all but for the edge of a level.
        for (shell, engine) in [(&newest, "onnxruntime"), (&oldest, "onnxruntime"), (&newest, "rten")] {
            let request = [request.as_slice(), &["--engine", engine]].concat();
            let whole = raw(shell, &request);
            assert_same_picture(&whole, &expected);
            for arguments in [
                &["--batch-size", "1"][..],
                &["--batch-size", "7", "--threads", "1"],
                &["--batch-size", "64", "--threads", "2"],
                &["--batch-size", "7", "--threads", "3"],
                &["--batch-size", "69"],
                &["--shard", "1/1"],
            ] {
                let drawn = raw(shell, &[request.as_slice(), arguments].concat());
                assert!(drawn == whole, "{count} images, {engine}, {arguments:?}");
            }
            // Part 3 of 4 of 70 images is 35 to 51: ⌊70 · 2 / 4⌋ and ⌊70 · 3 / 4⌋ − 1.
            let part = raw(shell, &[request.as_slice(), &["--shard", "3/4"]].concat());
            assert!(part == whole[n * 2 / 4 * PIXELS..n * 3 / 4 * PIXELS], "{count} images, {engine}");
        }
    }
    // And in a data set of any size.
    let few = raw(&newest, &["--count", "3", "--seed", "7"]);
    let many = raw(&newest, &["--count", "1000", "--seed", "7"]);
    assert!(many.starts_with(&few));
    // And those of one picture, whose labels are asked for one by one.
    let first = raw(&newest, &["--count", "4", "--seed", "7"]);
    newest.succeed(&["--digit", "3", "--seed", "7", "--count", "4", "--out", "threes.png"]);
    let threes = Picture::read(&newest.path("threes.png"));
    assert_same_picture(&threes.cell(1, 1, 28, 28), &first[3 * PIXELS..4 * PIXELS]);
}

#[test]
fn every_form_holds_the_same_images() {
    let shell = shell();
    let request = ["--count", "23", "--seed", "7", "--threads", "1"];
    let expected = raw(&shell, &request);
    let labels: Vec<u8> = (0..23).map(|i| i % 10).collect();
    let write = |more: &[&str]| shell.succeed(&[&["dataset"], request.as_slice(), more].concat());

    let said = write(&["--out", "idx"]);
    assert!(said.starts_with("images 0 to 22 of seed 7: idx\n23 drawn in "), "{said}");
    let images = read(&shell, "idx/train-images-idx3-ubyte");
    assert_eq!(images[..16], [0, 0, 8, 3, 0, 0, 0, 23, 0, 0, 0, 28, 0, 0, 0, 28]);
    assert_eq!(images[16..], expected);
    let found = read(&shell, "idx/train-labels-idx1-ubyte");
    assert_eq!((&found[..8], &found[8..]), (&[0, 0, 8, 1, 0, 0, 0, 23][..], labels.as_slice()));

    let said: Value = serde_json::from_str(&write(&["--out", "images.raw", "--json"])).unwrap();
    assert_eq!((&said["drawn"], &said["manifest"]["complete"]), (&23.into(), &23.into()), "{said}");
    assert_eq!((&said["model"]["dataset"], &said["manifest"]["format"]), (&"mnist".into(), &"raw".into()));
    assert_eq!(read(&shell, "images.raw"), expected);

    write(&["--out", "images.jsonl"]);
    let lines = String::from_utf8(read(&shell, "images.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 23);
    for (i, line) in lines.iter().enumerate() {
        let pixels: Vec<u8> = serde_json::from_value(line["pixels"].clone()).unwrap();
        assert_eq!(pixels, expected[i * PIXELS..(i + 1) * PIXELS]);
        assert_eq!(line["index"], i);
        assert_eq!(line["label"], labels[i]);
        assert_eq!(line["class"], labels[i].to_string());
    }

    write(&["--format", "folder", "--out", "folder"]);
    let table = String::from_utf8(read(&shell, "folder/labels.csv")).unwrap();
    let mut table = table.lines();
    assert_eq!(table.next(), Some("file,label,index"));
    for (i, line) in table.enumerate() {
        let class = labels[i];
        assert_eq!(line, format!("{class}/{i:09}.png,{class},{i}"));
        let picture = Picture::read(&shell.path(format!("folder/{class}/{i:09}.png")));
        assert_eq!(picture.pixels, expected[i * PIXELS..(i + 1) * PIXELS]);
    }
}

/// NumPy's own reader, and Python's of ZIP, which checks the checksums.
#[test]
fn numpy_reads_the_archive() {
    let shell = shell();
    let request = ["dataset", "--count", "23", "--seed", "7"];
    shell.succeed(&[request.as_slice(), &["--out", "images.npz"]].concat());
    shell.succeed(&[request.as_slice(), &["--out", "images.raw"]].concat());
    let script = "
import numpy, zipfile
assert zipfile.ZipFile('images.npz').testzip() is None
archive = numpy.load('images.npz')
raw = numpy.fromfile('images.raw', numpy.uint8).reshape(23, 28, 28)
assert numpy.array_equal(archive['images'], raw)
assert archive['labels'].dtype == numpy.uint8
assert archive['labels'].tolist() == [i % 10 for i in range(23)]
";
    let python = Command::new(tests::python()).args(["-c", script]).current_dir(shell.folder()).output();
    let python = python.unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
}

#[test]
fn colour_and_classes_by_name() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    let request = ["dataset", "--model", "tiny.onnx", "--count", "5", "--seed", "1"];
    shell.succeed(&[request.as_slice(), &["--out", "all", "--format", "folder"]].concat());
    let table = String::from_utf8(read(&shell, "all/labels.csv")).unwrap();
    assert!(table.ends_with("\nmiddle/000000004.png,middle,4\n"), "{table}");
    let only = [request.as_slice(), &["--label", "long", "--out", "long.jsonl"]].concat();
    shell.succeed(&only);
    let lines = String::from_utf8(read(&shell, "long.jsonl")).unwrap();
    assert_eq!(lines.matches("\"label\":2,\"class\":\"long\",\"shape\":[1,2,3]").count(), 5, "{lines}");
}

/// Stops a data set by a signal as soon as it has begun, then goes on.
#[cfg(unix)]
#[test]
fn what_is_stopped_goes_on_and_is_the_same_in_the_end() {
    for (signal, format, out, file) in [
        ("KILL", "idx", "stopped", "stopped/train-images-idx3-ubyte"),
        ("INT", "npz", "stopped.npz", "stopped.npz"),
        ("KILL", "npz", "killed.npz", "killed.npz"),
        ("KILL", "jsonl", "stopped.jsonl", "stopped.jsonl"),
        ("INT", "folder", "pictures", "pictures/labels.csv"),
    ] {
        let shell = shell();
        // Two by two, so that it takes a while.
        let request = ["dataset", "--count", "600", "--seed", "3", "--engine", "rten", "--format", format];
        let request = [request.as_slice(), &["--batch-size", "2", "--threads", "1", "--out"]].concat();
        let mut command = shell.command(&[request.as_slice(), &[out]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !shell.path(file).exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "{format}: nothing was begun");
            thread::sleep(Duration::from_millis(5));
        }
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let status = if signal == "INT" { Some(130) } else { None };
        assert_eq!(child.wait().unwrap().code(), status, "{format}");

        let path = match out.contains('.') {
            true => format!("{out}.manifest.json"),
            false => format!("{out}/manifest.json"),
        };
        let complete = manifest(&shell, &path)["complete"].as_u64().unwrap();
        assert!(complete < 600 && (complete > 0 || signal == "KILL"), "{format}: {complete}");
        shell.succeed(&[request.as_slice(), &[out, "--resume", "--quiet"]].concat());
        assert_eq!(manifest(&shell, &path)["complete"], 600, "{format}");
        shell.succeed(&[request.as_slice(), &[&format!("whole-{out}"), "--quiet"]].concat());
        let whole = read(&shell, &format!("whole-{file}"));
        assert!(read(&shell, file) == whole, "{format} after {signal}: another file");
    }
}

#[test]
fn parts_make_the_whole() {
    let shell = shell();
    let request = ["dataset", "--count", "10", "--seed", "2", "--engine", "rten", "--resume", "--quiet"];
    shell.succeed(&[request.as_slice(), &["--out", "whole.raw"]].concat());
    let mut joined = Vec::new();
    for part in 1..=3 {
        let shard = format!("{part}/3");
        shell.succeed(&[request.as_slice(), &["--out", "some.raw", "--shard", &shard]].concat());
        joined.extend(read(&shell, &format!("some-{part}-of-3.raw")));
    }
    assert_same_picture(&joined, &read(&shell, "whole.raw"));
    let part = manifest(&shell, "some-2-of-3.raw.manifest.json");
    assert_eq!((&part["first"], &part["images"], &part["complete"]), (&3.into(), &3.into(), &3.into()));
}

/// A part has the very files that the whole has.
#[test]
fn parts_have_files_of_the_whole() {
    for format in ["parquet", "webdataset"] {
        let shell = shell();
        let request =
            ["dataset", "--seed", "2", "--engine", "rten", "--quiet", "--format", format, "--per-file", "10"];
        let request = [&request[..], &["--count", "35", "--test", "12", "--out"]].concat();
        shell.succeed(&[&request[..], &["whole"]].concat());
        let mut parts = Vec::new();
        for part in 1..=4 {
            shell.succeed(&[&request[..], &["some", "--shard", &format!("{part}/4")]].concat());
            let folder = format!("some/{part}-of-4/");
            for file in shell.files().iter().filter_map(|file| file.strip_prefix(&folder)) {
                let found = shell.path(format!("{folder}{file}"));
                if found.is_file() && file != "manifest.json" {
                    assert!(
                        fs::read(found).unwrap() == read(&shell, &format!("whole/{file}")),
                        "{format}: {file}"
                    );
                    parts.push(file.to_owned());
                }
            }
        }
        parts.sort();
        parts.dedup();
        let whole =
            shell.files().into_iter().filter_map(|file| file.strip_prefix("whole/").map(String::from));
        let whole: Vec<String> = whole.filter(|file| shell.path(format!("whole/{file}")).is_file()).collect();
        assert_eq!(parts, whole.into_iter().filter(|file| file != "manifest.json").collect::<Vec<_>>());
        // Six files in all: four of training images, two of test images.
        assert_eq!(parts.iter().filter(|file| file.contains("test-0")).count(), 2, "{parts:?}");
        shell.fail(
            &[&request[..], &["some", "--shard", "1/7"]].concat(),
            2,
            &["47 images in files of 10", "fewer parts"],
        );
        let other = [&request[..], &["whole", "--resume"]].concat();
        let other: Vec<&str> = other.into_iter().map(|word| if word == "10" { "11" } else { word }).collect();
        shell.fail(&other, 2, &["whole/manifest.json: begun with --per-file 10, and now it is 11"]);
    }
    let one = ["dataset", "--count", "3", "--per-file", "2", "--out", "one.npz"];
    shell().fail(&one, 2, &["--per-file", "--format npz is none", "--format parquet or --format webdataset"]);
}

#[test]
fn nothing_is_written_over() {
    let shell = shell();
    let request = ["dataset", "--count", "4", "--seed", "2", "--engine", "rten"];
    let fail = |more: &[&str], parts: &[&str]| shell.fail(&[request.as_slice(), more].concat(), 2, parts);
    shell.succeed(&[request.as_slice(), &["--out", "some"]].concat());
    fail(&["--out", "some"], &["some is there already, 4 of 4 images", "--resume", "--out"]);
    for (option, value, begun) in
        [("--seed", "3", "2"), ("--count", "5", "4"), ("--label", "5", "all classes in turn")]
    {
        let changed: Vec<&str> =
            request.iter().copied().filter(|word| *word != "--seed" && *word != "2").collect();
        let changed: Vec<&str> = match option {
            "--count" => vec!["dataset", "--engine", "rten", "--seed", "2"],
            "--label" => request.to_vec(),
            _ => changed,
        };
        let arguments = [changed.as_slice(), &[option, value, "--out", "some", "--resume"]].concat();
        shell.fail(&arguments, 2, &["some/manifest.json: begun with", begun, "resume with the same"]);
    }
    shell.write("other.npz", "mine");
    fail(&["--out", "other.npz"], &["other.npz is there already"]);
    shell.write("file", "mine");
    fail(&["--out", "file", "--format", "folder"], &["file is a file; name a folder"]);
    shell.write("bad.raw.manifest.json", "{}");
    fail(&["--out", "bad.raw", "--resume"], &["bad.raw.manifest.json is no manifest"]);
}

#[test]
fn what_fails_on_the_way_is_one_sentence() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel { weight: f32::NAN, ..TinyModel::default() }.bytes());
    let arguments = ["dataset", "--model", "tiny.onnx", "--count", "300", "--out", "some"];
    shell.fail(&arguments, 1, &["stopped; no image is complete: running model tiny.onnx failed", "NaN"]);
    let arguments = ["dataset", "--count", "9", "--seed", "2", "--engine", "rten", "--out", "/proc/some"];
    shell.fail(&arguments, 1, &["output /proc/some can't be written", "no image is complete"]);
}

#[test]
fn a_number_is_one_strip_and_captions_stand_beneath() {
    let shell = shell();
    let said = shell.succeed(&["--digits", "2024", "--seed", "7"]);
    assert!(said.starts_with("2024, seed 7: 2024.png (112 × 28)\n"), "{said}");
    let strip = Picture::read(&shell.path("2024.png"));
    // Its third digit is image 2 of the seed, with label 2.
    shell.succeed(&["--digit", "2", "--seed", "7", "--count", "4", "--out", "twos.png"]);
    let twos = Picture::read(&shell.path("twos.png"));
    assert_same_picture(&strip.cell(2, 0, 28, 28), &twos.cell(0, 1, 28, 28));
    assert_ne!(strip.cell(0, 0, 28, 28), strip.cell(2, 0, 28, 28));

    shell.succeed(&["--digits", "2024", "--seed", "7", "--captions", "--out", "named.png"]);
    let named = Picture::read(&shell.path("named.png"));
    assert_eq!((named.width, named.height), (112, 35));
    assert_same_picture(&named.pixels[..112 * 28], &strip.pixels);
    let words = &named.pixels[112 * 28..];
    assert!(words.iter().all(|pixel| *pixel == 0 || *pixel == 255) && words.contains(&255));
    shell.fail(&["--digits", "20x4"], 2, &["x of --digits 20x4 is not a class"]);
    shell.fail(&["--digits", ""], 2, &["--digits \"\"", "0 pictures"]);
}

#[test]
fn a_picture_goes_to_standard_output() {
    let shell = shell();
    shell.succeed(&["--digit", "5", "--seed", "7", "--quiet"]);
    let piped = shell.run(&["--digit", "5", "--seed", "7", "--out", "-"]);
    assert!(piped.status.success());
    assert_eq!(piped.stdout, read(&shell, "digit-5.png"));
    shell.fail(&["--digit", "5", "--out", "-", "--json"], 2, &["--json", "standard output"]);
}
