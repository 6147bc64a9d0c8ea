//! What a data set promises to those who leave it alone: that what it calls complete is there and as it
//! was, that one process writes it, that one engine drew it, and that nothing else is written over.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Shell, shell, tiny_model::TinyModel};

/// A form, what it is written to, and the files that hold its images and labels.
const FORMS: [(&str, &str, &[&str]); 5] = [
    ("idx", "set", &["set/train-images-idx3-ubyte", "set/train-labels-idx1-ubyte"]),
    ("npz", "set.npz", &["set.npz"]),
    ("folder", "set", &["set/0/000000000.png", "set/7/000000017.png", "set/labels.csv"]),
    ("raw", "set.raw", &["set.raw"]),
    ("jsonl", "set.jsonl", &["set.jsonl"]),
];

fn request<'a>(format: &'a str, out: &'a str, count: &'a str) -> Vec<&'a str> {
    let common = ["dataset", "--seed", "3", "--engine", "rten", "--threads", "1", "--count"];
    [&common[..], &[count, "--format", format, "--out", out, "--resume"]].concat()
}

fn manifest(shell: &Shell, out: &str) -> Value {
    let folder = shell.path(out).join("manifest.json");
    let path = if folder.exists() { folder } else { shell.path(format!("{out}.manifest.json")) };
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_part_that_is_gone_or_was_changed_is_noticed() {
    for (format, out, files) in FORMS {
        let shell = shell();
        let arguments = request(format, out, "40");
        shell.succeed(&[&arguments[..], &["--quiet"]].concat());
        // What is whole is left alone.
        shell.succeed(&[&arguments[..], &["--quiet"]].concat());
        for file in files {
            let path = shell.path(file);
            let whole = fs::read(&path).unwrap();
            let mut other = whole.clone();
            let middle = whole.len() / 2;
            other[middle] ^= 1;
            let longer = [&whole[..], b"more"].concat();
            for contents in [&other[..], &longer, &whole[..whole.len() - 1], &[]] {
                fs::write(&path, contents).unwrap();
                shell.fail(&arguments, 2, &[out]);
            }
            fs::remove_file(&path).unwrap();
            shell.fail(&arguments, 2, &[out]);
            fs::write(&path, &whole).unwrap();
            shell.succeed(&[&arguments[..], &["--quiet"]].concat());
        }
    }
}

#[test]
fn a_manifest_that_can_not_be_is_refused() {
    let shell = shell();
    let arguments = request("raw", "set.raw", "40");
    shell.succeed(&[&arguments[..], &["--quiet"]].concat());
    let text = fs::read_to_string(shell.path("set.raw.manifest.json")).unwrap();
    let absurd = text.replace("\"complete\": 40", "\"complete\": 18446744073709551615");
    assert_ne!(absurd, text);
    shell.write("set.raw.manifest.json", absurd);
    shell.fail(&arguments, 2, &["set.raw.manifest.json", "18446744073709551615 of 40 images"]);
}

/// Starts it, and ends it by a kill once some of its images are safe.
fn killed_on_the_way(shell: &Shell, arguments: &[&str], out: &str) {
    let mut child = shell.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let complete = || {
        let paths = [shell.path(out).join("manifest.json"), shell.path(format!("{out}.manifest.json"))];
        let text = paths.iter().find_map(|path| fs::read(path).ok())?;
        serde_json::from_slice::<Value>(&text).ok()?["complete"].as_u64()
    };
    while complete().is_none_or(|complete| complete == 0) {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing was safe in two minutes");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// More images than are drawn before the test has seen what it waits for.
const MANY: &str = "10000000";

#[test]
fn another_engine_or_library_does_not_go_on_with_what_one_began() {
    let shell = shell();
    let begin = ["dataset", "--seed", "3", "--threads", "1", "--count", MANY, "--out", "set.raw", "--resume"];
    let on = |engine: &'static str| [&begin[..], &["--engine", engine]].concat();
    killed_on_the_way(&shell, &on("onnxruntime"), "set.raw");
    // What a kill leaves keeps nobody out, and the next process takes it along.
    fs::remove_file(shell.path(".set.raw.lock")).unwrap();
    shell.fail(&on("rten"), 2, &["begun on ONNX Runtime 1.32", "rten", "resume with --engine onnxruntime"]);
    let oldest = tests::oldest_runtime_library();
    let named = [&begin[..], &["--runtime", oldest.to_str().unwrap()]].concat();
    shell.fail(&named, 2, &["begun on ONNX Runtime 1.32", "ONNX Runtime 1.17", "--runtime"]);
    // The engine that is left open is the one that began it.
    assert!(manifest(&shell, "set.raw")["engine"].as_str().unwrap().starts_with("ONNX Runtime 1.32"));
}

#[test]
#[cfg(unix)]
fn one_process_at_a_time_writes_a_data_set() {
    for (format, out, files) in FORMS {
        let shell = shell();
        let arguments = request(format, out, MANY);
        let mut first =
            shell.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        // Until images are in the file that has the first of them.
        let least = if format == "folder" { 1 } else { 100_000 };
        while fs::metadata(shell.path(files[0])).map_or(0, |found| found.len()) < least {
            assert!(started.elapsed() < Duration::from_secs(60), "{format}: nothing was written in a minute");
            thread::sleep(Duration::from_millis(10));
        }
        let second = shell.run(&arguments);
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(2), "{format}: {said}");
        assert!(said.contains("another process is writing") && said.lines().count() == 1, "{said}");
        // A closed terminal stops it as Ctrl-C does: all that it says is safe.
        assert!(Command::new("kill").args(["-HUP", &first.id().to_string()]).status().unwrap().success());
        let ended = first.wait_with_output_or_kill(Duration::from_secs(60));
        assert_eq!(ended, Some(130), "{format}");
        let complete = manifest(&shell, out)["complete"].as_u64().unwrap();
        assert!(complete > 0, "{format}");
        // Nothing of the lock is left.
        assert!(!shell.files().iter().any(|name| name.ends_with(".lock")), "{:?}", shell.files());
    }
}

trait Ended {
    fn wait_with_output_or_kill(&mut self, patience: Duration) -> Option<i32>;
}

impl Ended for std::process::Child {
    /// The exit status, if it ends in this time.
    fn wait_with_output_or_kill(&mut self, patience: Duration) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.kill();
        None
    }
}

/// A model of these classes.
fn model_of(shell: &Shell, classes: [&str; 3]) {
    let mut contract = super::tiny_model::contract();
    contract.classes = classes.map(String::from).into();
    shell.write("tiny.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
}

#[test]
fn classes_have_folders_and_pictures_of_their_own() {
    let shell = shell();
    for classes in [["rose", "Rose", "0-rose"], ["ROSÉ", "rose\u{301}", "rosé"], ["", " ", "-"]] {
        model_of(&shell, classes);
        let write = ["dataset", "--model", "tiny.onnx", "--count", "9", "--seed", "1", "--format", "folder"];
        shell.succeed(&[&write[..], &["--out", "set", "--quiet"]].concat());
        let folders: Vec<String> = fs::read_dir(shell.path("set"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| {
                let files = fs::read_dir(entry.path()).unwrap().count();
                assert_eq!(files, 3, "{classes:?}: {:?}", entry.file_name());
                entry.file_name().into_string().unwrap().to_lowercase()
            })
            .collect();
        assert_eq!(folders.len(), 3, "{classes:?}: {folders:?}");
        fs::remove_dir_all(shell.path("set")).unwrap();
    }
    model_of(&shell, ["a.b", "a-b", "a/b"]);
    for class in ["a.b", "a-b", "a/b"] {
        shell.succeed(&["--model", "tiny.onnx", "--label", class, "--seed", "1", "--quiet"]);
    }
    assert_eq!(shell.files().iter().filter(|name| name.ends_with(".png")).count(), 3, "{:?}", shell.files());
}

#[test]
fn what_is_read_and_what_belongs_to_a_run_is_not_written_over() {
    let shell = shell();
    model_of(&shell, ["a", "b", "c"]);
    fs::rename(shell.path("tiny.onnx"), shell.path("tiny.png")).unwrap();
    shell.fail(&["--model", "tiny.png", "--label", "a", "--out", "tiny.png"], 2, &["tiny.png", "the model"]);
    let look = ["look", "classes", "--model", "tiny.png", "--out", "tiny.png"];
    shell.fail(&look, 2, &["tiny.png", "the model"]);
    let set = ["dataset", "--model", "tiny.png", "--count", "3", "--format", "raw", "--out", "tiny.png"];
    shell.fail(&set, 2, &["tiny.png"]);

    fs::create_dir_all(shell.path("run/samples")).unwrap();
    shell.write("run/.edgegan-run", "");
    shell.fail(&["--digit", "5", "--out", "run/samples/epoch-001.png"], 2, &["belongs to a training run"]);
    let set = ["dataset", "--count", "3", "--format", "idx", "--out", "run"];
    shell.fail(&set, 2, &["run", "belongs to a training run"]);
}

#[test]
#[cfg(target_os = "linux")]
fn pictures_and_data_sets_go_into_pipes_and_devices() {
    let shell = shell();
    let draw = ["--digit", "5", "--seed", "7", "--engine", "rten", "--quiet", "--out"];
    shell.succeed(&[&draw[..], &["five.png"]].concat());
    let expected = fs::read(shell.path("five.png")).unwrap();
    for out in ["-", "/dev/stdout"] {
        let output = shell.run(&[&draw[..], &[out]].concat());
        assert!(output.status.success() && output.stdout == expected, "{out}");
    }
    shell.succeed(&[&draw[..], &["/dev/null"]].concat());
    std::os::unix::fs::symlink("real.png", shell.path("link.png")).unwrap();
    shell.succeed(&[&draw[..], &["link.png"]].concat());
    assert!(fs::read(shell.path("real.png")).unwrap() == expected);
    let look = shell.run(&["look", "grid", "--digit", "5", "--seed", "7", "--quiet", "--out", "-"]);
    assert!(look.status.success() && look.stdout.starts_with(b"\x89PNG"));
    let raw = ["dataset", "--count", "4", "--seed", "7", "--format", "raw", "--quiet", "--out"];
    let [piped, device] = ["-", "/dev/stdout"].map(|out| shell.run(&[&raw[..], &[out]].concat()).stdout);
    assert!(piped.len() == 4 * 784 && piped == device);
}

#[test]
fn a_name_that_ends_in_another_form_is_asked_about() {
    let shell = shell();
    for out in ["x.csv", "x.parquet", "x.zip"] {
        shell.fail(&["dataset", "--count", "3", "--out", out], 2, &[out, "--format"]);
    }
    shell.succeed(&["dataset", "--count", "3", "--out", "v1.2", "--format", "folder", "--quiet"]);
    assert!(shell.path("v1.2/labels.csv").is_file());
}

#[test]
fn the_test_files_of_mnist_come_along() {
    let shell = shell();
    let request = ["dataset", "--seed", "1", "--engine", "rten", "--quiet", "--count"];
    shell.succeed(&[&request[..], &["30", "--test", "10", "--out", "set"]].concat());
    shell.succeed(&[&request[..], &["40", "--format", "raw", "--out", "all.raw"]].concat());
    let all = fs::read(shell.path("all.raw")).unwrap();
    let read = |name: &str| fs::read(shell.path("set").join(name)).unwrap();
    assert!(read("train-images-idx3-ubyte")[16..] == all[..30 * 784]);
    assert!(read("t10k-images-idx3-ubyte")[16..] == all[30 * 784..]);
    assert_eq!(read("t10k-labels-idx1-ubyte")[8..], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let other = [&request[..], &["30", "--test", "10", "--out", "set.npz"]].concat();
    shell.fail(&other, 2, &["--test"]);
}

#[test]
fn numbers_are_asked_for_in_plain_words() {
    let shell = shell();
    for arguments in [
        &["--digit", "5", "--threads", "0"][..],
        &["--digit", "5", "--threads", "5000"],
        &["--digit", "5", "--seed", "-1"],
        &["dataset", "--count", "0", "--out", "x"],
        &["dataset", "--count", "4", "--batch-size", "0", "--out", "x"],
        &["bench", "--batch-sizes", "0"],
    ] {
        shell.fail(arguments, 2, &["expected a whole number from"]);
    }
    shell.succeed(&["dataset", "--count", "4", "--out", "set", "--quiet"]);
    let other = ["dataset", "--count", "4", "--label", "5", "--out", "set", "--resume"];
    let output = shell.run(&other);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && !said.contains(['{', '}']), "{said}");
}

#[test]
fn captions_have_letters_for_accents_and_say_what_they_have_not() {
    let shell = shell();
    model_of(&shell, ["é", "e", "花"]);
    let draw = |label: &str, out: &str| {
        let arguments = ["--model", "tiny.onnx", "--label", label, "--seed", "1", "--captions", "--out", out];
        shell.succeed(&arguments)
    };
    let said = draw("é", "accent.png");
    assert!(!said.contains("no small form"), "{said}");
    draw("e", "plain.png");
    let rows = |name: &str| image::open(shell.path(name)).unwrap().into_luma8();
    let [accent, plain] = ["accent.png", "plain.png"].map(rows);
    // Below the 2 rows of the picture: the same letter.
    let caption = |picture: &image::GrayImage| picture.as_raw()[2 * 3..].to_vec();
    assert_eq!(caption(&accent), caption(&plain));
    let said = draw("花", "flower.png");
    assert!(said.contains("captions have no small form of 花"), "{said}");
}

/// The examples that a help prints run as they are printed, one after the other in one folder.
#[test]
fn examples_run_as_they_are_printed() {
    let shell = shell();
    let stand_in = shell.write("viewer", "#!/bin/sh\ncat > /dev/null\n");
    let jq = shell.write("jq", "#!/bin/sh\ncat > /dev/null\n");
    for program in [&stand_in, &jq] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink(&shell.program, shell.path("infer")).unwrap();
    let path = format!("{}:{}", shell.folder().display(), std::env::var("PATH").unwrap());
    for help in [&["--help"][..], &["self-test", "--help"], &["dataset", "--help"], &["look", "--help"]] {
        let text = shell.succeed(help);
        let examples = text.split("Examples:\n").nth(1).unwrap();
        let lines = examples.lines().take_while(|line| !line.is_empty());
        for line in lines.filter_map(|line| line.strip_prefix("  infer ")) {
            // The comment stands behind two blanks or more.
            let command = line.split("   ").next().unwrap().split("  ").next().unwrap();
            let needs = ["generator.onnx", "flowers.onnx", "faces.onnx", "cuda", "1000000"];
            if needs.iter().any(|needed| command.contains(needed)) || command.contains("60000") {
                continue;
            }
            let mut sh = Command::new("bash");
            sh.args(["-e", "-o", "pipefail", "-c", &format!("infer {command}")]).current_dir(shell.folder());
            sh.env("PATH", &path).env("ORT_DYLIB_PATH", tests::runtime_library());
            let output = sh.stdin(Stdio::null()).output().unwrap();
            assert!(output.status.success(), "infer {command}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(Path::new(&shell.path("digit-5.png")).is_file());
}
