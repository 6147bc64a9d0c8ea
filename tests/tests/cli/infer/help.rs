//! What the helps print runs, and what is refused is refused in words of a reader's.

use std::{
    fs,
    process::{Command, Output},
};

use super::{
    Shell, shell,
    tiny_model::{self, TinyModel},
};

/// More images than this take a test too long; a part of a thousand still has one.
const MOST: u64 = 1000;

/// The lines of a help that are examples, each as it would be typed.
fn examples(help: &str) -> Vec<String> {
    let (_, examples) = help.split_once("Examples:\n").unwrap();
    let lines = examples.lines().take_while(|line| !line.trim().is_empty()).map(str::trim_start);
    let typed = lines.filter(|line| line.starts_with("infer "));
    typed.map(|line| line.split("  ").next().unwrap_or(line).trim_end().to_string()).collect()
}

/// The same in less time.
fn shortened(example: &str) -> String {
    let mut words: Vec<String> = example.split(' ').map(String::from).collect();
    for i in 1..words.len() {
        match words[i - 1].as_str() {
            "--count" | "--test" => words[i] = words[i].parse::<u64>().unwrap().min(MOST).to_string(),
            "--seconds" => words[i] = "0.01".into(),
            _ => {}
        }
    }
    if words[1] == "bench" && !words.contains(&"--seconds".into()) {
        words.extend(["--seconds".into(), "0.01".into()]);
    }
    words.join(" ")
}

/// One after the other, in one folder, as who reads the help tries them.
#[test]
#[cfg(unix)]
fn every_example_runs_after_the_one_before() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let shell = shell();
    let programs = tempfile::tempdir().unwrap();
    symlink(&shell.program, programs.path().join("infer")).unwrap();
    for reader in ["viewer", "jq"] {
        let path = programs.path().join(reader);
        fs::write(&path, "#!/bin/sh\ncat > /dev/null\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // The files that they name.
    let models = tests::checkout().join("models/pretrained");
    fs::copy(models.join("mnist-generator.onnx"), shell.path("generator.onnx")).unwrap();
    symlink(tests::runtime_library(), shell.path("libonnxruntime.so")).unwrap();
    let mut flowers = tiny_model::contract();
    flowers.classes = ["daisy", "rose", "tulip"].map(String::from).into();
    shell
        .write("flowers.onnx", TinyModel { contract: Some(flowers.clone()), ..TinyModel::default() }.bytes());
    flowers.classes.clear();
    shell.write("faces.onnx", TinyModel { contract: Some(flowers), ..TinyModel::default() }.bytes());

    let mut search = programs.path().as_os_str().to_owned();
    search.push(":/usr/bin:/bin");
    for command in [
        &[][..],
        &["self-test"],
        &["dataset"],
        &["look"],
        &["bench"],
        &["doctor"],
        &["providers"],
        &["completions"],
        &["man"],
    ] {
        let help = shell.succeed(&[command, &["--help"]].concat());
        let examples = examples(&help);
        assert!(examples.len() >= 2, "{help}");
        for example in examples {
            let mut typed = Command::new("sh");
            typed.args(["-c", &shortened(&example)]).current_dir(shell.folder()).env("PATH", &search);
            let Output { status, stderr, .. } =
                typed.env("ORT_DYLIB_PATH", tests::runtime_library()).output().unwrap();
            let said = String::from_utf8(stderr).unwrap();
            // It says that it is for a machine with a GPU.
            let has_none = example.contains("cuda") && status.code() == Some(2);
            assert!(has_none || status.success(), "{example}: {status} {said}");
            // What a data set says of its judge goes beside the images.
            assert!(has_none || said.is_empty(), "{example}: {said}");
        }
    }
    assert!(shell.path("mnist/MNIST/raw/t10k-images-idx3-ubyte").exists());
    assert!(shell.path("many/3-of-1000/manifest.json").exists());
}

#[test]
fn numbers_are_refused_in_words() {
    let shell = shell();
    let most = u64::MAX.to_string();
    let draw = ["--digit", "5"];
    let set = ["dataset", "--count", "3", "--out", "set"];
    for (command, option, values, range) in [
        (&draw[..], "--threads", &["0", "-1", "many", "1000000"][..], "from 1 to "),
        (&draw, "--seed", &["-1", "1.5", "x", "18446744073709551616"], &format!("from 0 to {most}")),
        (&set, "--batch-size", &["0", "65537", "x"], "from 1 to 65536"),
        (&set, "--threads", &["0"], "from 1 to "),
        (&set, "--seed", &["x"], &format!("from 0 to {most}")),
        (&set, "--test", &["0", "x"], &format!("from 1 to {most}")),
        (&["dataset", "--out", "set"], "--count", &["0", "-3", "x", "1e3"], &format!("from 1 to {most}")),
        (&["bench"], "--batch-sizes", &["0", "1,0", "65537"], "from 1 to 65536"),
        (&["look", "sweep", "--digit", "5"], "--index", &["-1", "x"], &format!("from 0 to {most}")),
        (&["look", "between"], "--from", &["x"], &format!("from 0 to {most}")),
        (&["look", "between"], "--to", &["18446744073709551616"], &format!("from 0 to {most}")),
        (&["look", "grid"], "--seed", &["x"], &format!("from 0 to {most}")),
    ] {
        for value in values {
            shell.fail(
                &[command, &[option, value]].concat(),
                2,
                &[option, "expected a whole number ", range],
            );
        }
    }
}

#[test]
fn nothing_is_not_json() {
    let shell = shell();
    for command in
        [&["--digit", "5"][..], &["dataset", "--count", "3", "--out", "set"], &["look", "grid"], &["doctor"]]
    {
        let output = shell.run(&[command, &["--quiet", "--json"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains("'--quiet' cannot be used with '--json'"), "{said}");
    }
    assert_eq!(shell.files(), [""; 0]);
}

#[test]
fn a_data_set_has_the_form_that_its_name_says() {
    let shell = shell();
    let set = |out: &'static str| ["dataset", "--count", "3", "--seed", "1", "--quiet", "--out", out];
    for name in ["set.csv", "new/set.parquet", "set.tar.gz"] {
        let parts = [name, "no data set is written as ", "--format folder", ".npz"];
        shell.fail(&set(name), 2, &parts);
    }
    shell.succeed(&[&set("set.csv")[..], &["--format", "folder"]].concat());
    assert!(shell.path("set.csv/labels.csv").exists());
    fs::create_dir(shell.path("set.d")).unwrap();
    shell.succeed(&set("set.d"));
    shell.succeed(&set("set.e/"));
    assert!(shell.path("set.d/manifest.json").exists() && shell.path("set.e/manifest.json").exists());
    shell.succeed(&set("set.NPZ"));
    assert!(shell.path("set.NPZ").is_file());
}

/// Labels and pixels of a pair of IDX files of grey pictures.
fn pair(shell: &Shell, folder: &str, name: &str) -> (Vec<u8>, Vec<u8>) {
    let read = |what: &str| fs::read(shell.path(format!("{folder}/{name}-{what}-ubyte"))).unwrap();
    let (images, labels) = (read("images-idx3"), read("labels-idx1"));
    let count = u32::from_be_bytes(labels[4..8].try_into().unwrap());
    assert_eq!(images[..4], [0, 0, 8, 3]);
    assert_eq!(images[4..16], [count, 28, 28].map(u32::to_be_bytes).concat());
    assert_eq!(labels.len() as u32, 8 + count);
    (labels[8..].into(), images[16..].into())
}

#[test]
fn test_images_are_a_second_pair_that_no_training_image_is_in() {
    let shell = shell();
    let request = ["dataset", "--seed", "5", "--engine", "rten", "--quiet", "--batch-size", "7", "--out"];
    shell.succeed(&[&request[..], &["both", "--count", "23", "--test", "12"]].concat());
    shell.succeed(&[&request[..], &["all.raw", "--count", "35"]].concat());
    let all = fs::read(shell.path("all.raw")).unwrap();
    let (train, test) = (pair(&shell, "both", "train"), pair(&shell, "both", "t10k"));
    assert_eq!(train.0, (0..23).map(|i| i % 10).collect::<Vec<u8>>());
    assert_eq!(test.0, (23..35).map(|i| i % 10).collect::<Vec<u8>>());
    assert!([train.1, test.1].concat() == all);

    // In parts, of which only some have test images; each can be gone on with.
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for part in 1..=3 {
        let shard = format!("{part}/3");
        let request = [&request[..], &["parts", "--count", "23", "--test", "12", "--shard", &shard]].concat();
        shell.succeed(&request);
        shell.succeed(&[&request[..], &["--resume"]].concat());
        let folder = format!("parts/{part}-of-3");
        for (name, pixels) in [("train", &mut train), ("t10k", &mut test)] {
            if shell.path(format!("{folder}/{name}-labels-idx1-ubyte")).exists() {
                pixels.extend(pair(&shell, &folder, name).1);
            }
        }
    }
    assert!([train, test].concat() == all);

    let more = [&request[..], &["both", "--count", "23", "--resume"]].concat();
    shell.fail(&more, 2, &["both/manifest.json: begun with --test 12, and now it is 0"]);
    let test = fs::read(shell.path("both/t10k-images-idx3-ubyte")).unwrap();
    shell.write("both/t10k-images-idx3-ubyte", &test[..500]);
    shell.fail(&[&more[..], &["--test", "12"]].concat(), 2, &["both/t10k-images-idx3-ubyte has 500 bytes"]);
    for format in ["npz", "folder", "raw", "jsonl"] {
        let other = [&request[..], &["other", "--count", "3", "--test", "3", "--format", format]].concat();
        shell.fail(&other, 2, &["--test", &format!("--format {format} has none"), "use --format idx"]);
    }
}

/// A model of these three classes.
fn with_classes(shell: &Shell, classes: [&str; 3]) {
    let mut contract = tiny_model::contract();
    contract.classes = classes.map(String::from).into();
    shell.write("tiny.onnx", TinyModel { contract: Some(contract), ..TinyModel::default() }.bytes());
}

#[test]
fn no_two_classes_share_a_file_or_a_folder() {
    for classes in [["a.b", "a-b", "a/b"], ["rose", "Rose", "0-rose"], ["caf\u{e9}", "CAFE\u{301}", ""]] {
        let shell = shell();
        with_classes(&shell, classes);
        for class in classes {
            shell.succeed(&["--model", "tiny.onnx", "--label", class, "--quiet"]);
        }
        let mut pictures = shell.files();
        pictures.retain(|name| name.ends_with(".png"));
        let apart = |names: &[String]| {
            let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
            names.sort();
            names.dedup();
            names.len()
        };
        assert_eq!((pictures.len(), apart(&pictures)), (3, 3), "{pictures:?}");
        assert!(pictures.iter().all(|name| !name.starts_with('.')), "{pictures:?}");

        let set = ["dataset", "--model", "tiny.onnx", "--count", "6", "--format", "folder", "--out", "set"];
        shell.succeed(&set);
        let mut folders: Vec<String> = shell.files();
        folders.retain(|name| name.strip_prefix("set/").is_some_and(|name| !name.contains(['/', '.'])));
        assert_eq!((folders.len(), apart(&folders)), (3, 3), "{folders:?}");
        for folder in folders {
            assert_eq!(fs::read_dir(shell.path(&folder)).unwrap().count(), 2, "{folder}");
        }
        shell.succeed(&[&set[..], &["--resume"]].concat());
    }
}

#[test]
fn a_class_without_a_name_can_be_seen() {
    let shell = shell();
    with_classes(&shell, ["", "1", "2"]);
    let said = shell.succeed(&["--model", "tiny.onnx", "--label", "", "--seed", "1"]);
    assert!(said.starts_with("class \"\", seed 1: 0-.png "), "{said}");
    let said = shell.succeed(&["--model", "tiny.onnx", "--all", "--seed", "1"]);
    assert!(said.starts_with("classes \"\", 1, 2, seed 1: classes.png "), "{said}");
    let said = shell.succeed(&["look", "grid", "--model", "tiny.onnx", "--label", "", "--seed", "1"]);
    assert!(said.starts_with("64 samples, class \"\", seed 1: grid.png "), "{said}");
    let parts = ["--label 3 is not a class", "draws the classes \"\", 1 and 2"];
    shell.fail(&["--model", "tiny.onnx", "--label", "3"], 2, &parts);
    shell.fail(&["--label", ""], 2, &["--label \"\" is not a class"]);
}

#[test]
fn captions_say_what_they_can_not_write() {
    let shell = shell();
    with_classes(&shell, ["rosé", "ros\u{e9}e", "花"]);
    let all = ["--model", "tiny.onnx", "--all", "--captions", "--seed", "1"];
    let note = "note: captions have no small form of 花: a box stands for it\n";
    for arguments in [&all[..], &["look", "classes", "--model", "tiny.onnx", "--captions", "--seed", "1"]] {
        let said = shell.succeed(arguments);
        assert!(said.contains(note), "{said}");
    }
    let said = shell.succeed(&["--model", "tiny.onnx", "--label", "rosé", "--captions", "--seed", "1"]);
    assert!(!said.contains("note:"), "{said}");
    assert!(!shell.succeed(&[&all[..3], &["--seed", "1"]].concat()).contains("note:"));
}

#[test]
fn the_pages_are_those_of_all_commands_and_have_their_examples() {
    let shell = shell();
    shell.succeed(&["man"]);
    let commands =
        ["bench", "completions", "dataset", "doctor", "look", "man", "providers", "self-test", "serve"];
    for command in commands {
        let page = fs::read_to_string(shell.path(format!("infer-{command}.1"))).unwrap();
        let lines: Vec<&str> = page.lines().collect();
        assert!(lines.contains(&".SH EXAMPLES"), "{page}");
        // As roff writes it.
        let example = &examples(&shell.succeed(&[command, "--help"]))[0].replace('-', "\\-");
        assert!(lines.iter().any(|line| line.starts_with(example)), "{example} in {page}");
    }
    let pages = shell.files().len();
    assert_eq!(pages, 1 + commands.len() + ["grid", "sweep", "walk", "between", "classes"].len());
    shell.fail(&["man", "nowhere"], 2, &["nowhere", "no such folder"]);
}

#[test]
#[cfg(unix)]
fn bash_completes_what_is_begun() {
    let shell = shell();
    shell.write("infer.bash", shell.succeed(&["completions", "bash"]));
    let complete = |words: &str, last: &str| {
        let script = format!(
            ". ./infer.bash; COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _infer infer {last} x; echo ${{COMPREPLY[@]}}"
        );
        let output = Command::new("bash").args(["-c", &script]).current_dir(shell.folder()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(complete("infer --dig", "--dig"), "--digit --digits");
    assert_eq!(complete("infer data", "data"), "dataset");
    assert_eq!(complete("infer completions f", "f"), "fish");
}
