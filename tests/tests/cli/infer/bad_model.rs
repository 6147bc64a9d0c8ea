//! Files that are no generator.

use std::fs;

use super::{
    shell,
    tiny_model::{self, TinyModel},
};

/// Asserts what `infer` says about this file as a model.
#[track_caller]
fn refused(contents: impl AsRef<[u8]>, parts: &[&str]) {
    let shell = shell();
    shell.write("model.onnx", contents);
    let parts = [&["model.onnx"], parts].concat();
    shell.fail(&["--digit", "long", "--model", "model.onnx"], 2, &parts);
}

#[test]
fn a_model_that_is_not_there() {
    let shell = shell();
    let arguments = ["--digit", "5", "--model", "none.onnx"];
    shell.fail(&arguments, 2, &["model none.onnx", "No such file", "cargo export"]);
}

#[test]
fn a_folder() {
    let shell = shell();
    fs::create_dir(shell.path("model.onnx")).unwrap();
    let arguments = ["--digit", "5", "--model", "model.onnx"];
    shell.fail(&arguments, 2, &["model.onnx", "this is a folder", "expected an ONNX file"]);
}

#[test]
fn files_of_other_kinds() {
    refused("", &["is not an ONNX model", "it is empty"]);
    refused("A letter to a friend.", &["is not an ONNX model", "protobuf", "cargo export"]);
    refused(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", &["is not an ONNX model"]);
    let safetensors = br#"8       {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}0000"#;
    refused(safetensors, &["is not an ONNX model"]);
}

#[test]
fn a_truncated_model() {
    let whole = TinyModel::default().bytes();
    refused(&whole[..whole.len() / 3], &["is not an ONNX model", "bytes begins, but only"]);
}

#[test]
fn a_graph_that_is_damaged() {
    let mut bytes = TinyModel::default().bytes();
    // Byte 2 is the graph's key, bytes 3 and 4 its length, 5 and 6 its first node's key and length.
    bytes[7..25].fill(0xff);
    refused(&bytes, &["ONNX Runtime", "can't load model", "cargo export"]);
    bytes[5..7].fill(0xff);
    refused(&bytes, &["is not an ONNX model", "protobuf"]);
}

#[test]
fn an_onnx_model_of_another_program() {
    let model = TinyModel { contract: None, ..TinyModel::default() };
    refused(model.bytes(), &["no edgegan generator", "no edgegan.format in its metadata", "cargo export"]);
}

#[test]
fn a_model_of_a_format_to_come() {
    let mut bytes = TinyModel::default().bytes();
    // The metadata's first entry is edgegan.format = "1": key, value's field 2, its length 1.
    let format = b"edgegan.format\x12\x01";
    let at = bytes.windows(format.len()).position(|window| window == format).unwrap();
    bytes[at + format.len()] = b'2';
    refused(&bytes, &["edgegan.format is \"2\"", "reads 1"]);
}

#[test]
fn other_inputs() {
    let expected = "inputs z: float32[batch, 4], label: int64[batch] \
                    and output image: float32[batch, channels, height, width]";
    let model = TinyModel { latents_input: "noise", ..TinyModel::default() };
    let found = "inputs noise: float32[batch, 4], label: int64[batch] \
                 and outputs image: float32[batch, 1, 2, 3]";
    let shell = shell();
    shell.write("model.onnx", model.bytes());
    let arguments = ["--digit", "long", "--model", "model.onnx"];
    shell.fail(&arguments, 2, &["model.onnx", found, expected, "cargo export"]);

    // Gather takes int32 too, so the graph is valid.
    let model = TinyModel { label_type: 6, ..TinyModel::default() };
    shell.write("model.onnx", model.bytes());
    shell.fail(&arguments, 2, &["label: int32[batch]", expected]);

    let mut contract = tiny_model::contract();
    contract.latent_dim = 100;
    let model = TinyModel { contract: Some(contract), ..TinyModel::default() };
    shell.write("model.onnx", model.bytes());
    shell.fail(&arguments, 2, &["inputs z: float32[batch, 4]", "inputs z: float32[batch, 100]"]);
}

#[test]
fn what_this_onnx_runtime_does_not_know() {
    let shell = shell();
    let arguments = ["--digit", "long", "--model", "model.onnx"];
    let parts = ["ONNX Runtime", "can't load model model.onnx", "--runtime"];
    shell.write("model.onnx", TinyModel { operator: "Divine", ..TinyModel::default() }.bytes());
    shell.fail(&arguments, 2, &[parts.as_slice(), &["Divine"]].concat());
    shell.write("model.onnx", TinyModel { opset: 999, ..TinyModel::default() }.bytes());
    shell.fail(&arguments, 2, &[parts.as_slice(), &["999"]].concat());
}

#[test]
fn pixels_that_are_not_numbers() {
    let shell = shell();
    shell.write("model.onnx", TinyModel { weight: f32::NAN, ..TinyModel::default() }.bytes());
    let arguments = ["--digit", "long", "--model", "model.onnx"];
    shell.fail(&arguments, 1, &["running model model.onnx failed", "a pixel of value NaN"]);
}

#[test]
#[cfg(unix)]
fn a_pipe_is_read_once_and_a_device_not_at_all() {
    let shell = shell();
    let whole = TinyModel::default().bytes();
    let judge = fs::read(tests::checkout().join("models/pretrained/mnist-judge.onnx")).unwrap();
    let pipe = shell.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let through = |contents: Vec<u8>, arguments: &[&str]| {
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, contents)
        });
        let said = shell.succeed(arguments);
        writer.join().unwrap().unwrap();
        said
    };
    shell.write("file.onnx", &whole);
    for engine in ["onnxruntime", "rten"] {
        let draw = |model: &'static str, out: &'static str| {
            ["--label", "long", "--seed", "7", "--engine", engine, "--model", model, "--out", out]
        };
        assert!(through(whole.clone(), &draw("pipe", "piped.png")).contains("model: pipe (tiny, dashes)"));
        shell.succeed(&draw("file.onnx", "read.png"));
        assert_eq!(fs::read(shell.path("piped.png")).unwrap(), fs::read(shell.path("read.png")).unwrap());
    }
    let verified = through(judge, &["--digit", "5", "--verify", "--judge", "pipe", "--out", "five.png"]);
    assert!(verified.contains("verified by pipe"), "{verified}");

    shell.fail(&["--digit", "5", "--model", "/dev/zero"], 2, &["model /dev/zero", "this is a device"]);
    let judge = ["--digit", "5", "--verify", "--judge", "/dev/zero"];
    shell.fail(&judge, 2, &["/dev/zero", "this is a device"]);
}

#[test]
fn what_a_file_says_cannot_steer_the_terminal() {
    let shell = shell();
    let mut tiny = TinyModel::default();
    let mut said = tiny_model::contract();
    said.dataset = "\x1b]0;title\x07dashes".into();
    said.architecture = "tiny\x1b[2J".into();
    said.classes = vec!["short".into(), "mid\x1b[31mdle".into(), "gnp.\u{202e}long".into()];
    tiny.contract = Some(said);
    let model = "\x1b[1mmodel.onnx";
    shell.write(model, tiny.bytes());
    let steers = |text: &str| text.contains(['\x1b', '\x07', '\u{202e}', '\r']);
    for arguments in [
        &["--all", "--out", "all.png"][..],
        &["--label", "mid\x1b[31mdle", "--out", "one.png"],
        &["look", "classes", "--out", "classes.png"],
        &["look", "walk", "--label", "short", "--out", "walk.gif"],
        &["dataset", "--count", "3", "--out", "set"],
        &["bench", "--batch-sizes", "1", "--threads", "1", "--seconds", "0.01"],
    ] {
        let said = shell.succeed(&[arguments, &["--model", model]].concat());
        assert!(!steers(&said) && said.contains("\\u{1b}"), "{said:?}");
    }
    for arguments in [&["--label", "none"][..], &[], &["--digits", "5"], &["self-test"]] {
        let output = shell.run(&[arguments, &["--model", model]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && !steers(&said), "{said:?}");
        assert!(said.contains("\\u{1b}") && said.lines().count() == 1, "{said:?}");
    }
}

#[test]
fn weights_in_a_file_beside_the_model_are_found_by_both_engines() {
    let shell = shell();
    shell.write("whole.onnx", TinyModel::default().bytes());
    let script = "import onnx, sys; onnx.save_model(onnx.load(sys.argv[1]), sys.argv[2], \
                  save_as_external_data=True, location='model.onnx.data', size_threshold=100)";
    fs::create_dir(shell.path("parts")).unwrap();
    let mut python = std::process::Command::new(tests::python());
    python.args(["-c", script, "whole.onnx", "parts/model.onnx"]).current_dir(shell.folder());
    assert!(python.status().unwrap().success() && shell.path("parts/model.onnx.data").is_file());
    let draw = |model: &str, engine: &str| {
        shell.succeed(&[
            "--label", "long", "--seed", "7", "--engine", engine, "--model", model, "--out", "a.png",
        ]);
        fs::read(shell.path("a.png")).unwrap()
    };
    for engine in ["onnxruntime", "rten"] {
        assert_eq!(draw("parts/model.onnx", engine), draw("whole.onnx", engine), "{engine}");
    }
}
