//! `export triton`: the model repository, read by protobuf with Triton's own schema.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::Shell;

use super::{shell, shell_with_run};
use crate::infer::tiny_model::{TinyModel, contract};

/// A config.pbtxt of the shell's folder.
fn config(shell: &Shell, path: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/read_config.py");
    let output = Command::new(tests::python()).arg(script).arg(shell.path(path)).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "protobuf refused {path}:\n{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_exported_generator() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    let report = shell.succeed(&["triton", "gen.onnx", "--out", "repository", "--name", "digits", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["folder"], "repository/digits");
    assert_eq!(report["files"], json!(["config.pbtxt", "labels.txt", "1/model.onnx"]));

    let mut files = shell.files();
    files.retain(|file| file.starts_with("repository/") && shell.path(file).is_file());
    let expected =
        ["1/model.onnx", "config.pbtxt", "labels.txt"].map(|file| format!("repository/digits/{file}"));
    assert_eq!(files, expected);
    let read = |file: &str| fs::read(shell.path("repository/digits").join(file)).unwrap();
    assert!(read("1/model.onnx") == fs::read(shell.path("gen.onnx")).unwrap());
    assert_eq!(read("labels.txt"), b"0\n1\n2\n3\n");

    let config = config(&shell, "repository/digits/config.pbtxt");
    assert_eq!((&config["name"], &config["backend"]), (&json!("digits"), &json!("onnxruntime")));
    assert_eq!(config["max_batch_size"], 64);
    // 64-bit numbers are strings in protobuf's JSON.
    let inputs = json!([
        {"name": "z", "data_type": "TYPE_FP32", "dims": ["7"]},
        {"name": "label", "data_type": "TYPE_INT64", "dims": ["1"], "reshape": {}},
    ]);
    assert_eq!(config["input"], inputs);
    // A picture is no classification, so its output has no labels.
    assert_eq!(
        config["output"],
        json!([{"name": "image", "data_type": "TYPE_FP32", "dims": ["1", "12", "20"]}])
    );
    let batching = json!({"preferred_batch_size": [64], "max_queue_delay_microseconds": "1000"});
    assert_eq!(config["dynamic_batching"], batching);
    // Of KIND_AUTO, which is protobuf's 0.
    assert_eq!(config["instance_group"], json!([{"count": 1}]));
    let parameter = |key: &str| config["parameters"][key]["string_value"].as_str();
    assert_eq!(parameter("edgegan.classes"), Some(r#"["0","1","2","3"]"#));
    assert_eq!(parameter("edgegan.latent_distribution"), Some("uniform(-1,1)"));
    assert_eq!(parameter("edgegan.golden"), None);
}

#[test]
fn every_setting_is_in_the_configuration() {
    let shell = shell();
    let mut names = contract();
    names.dataset = "Größe \"x\\y\"\n".into();
    shell.write("tiny.onnx", TinyModel { contract: Some(names), ..TinyModel::default() }.bytes());
    fs::create_dir(shell.path("repository")).unwrap();
    let settings = ["--max-batch", "24", "--preferred", "8,24", "--delay-us", "250", "--instances", "3"];
    let base = ["triton", "tiny.onnx", "--out", "repository", "--device", "gpu"];
    let text = shell.succeed(&[&base[..], &settings].concat());
    assert!(text.contains("model tiny in batches of up to 24, best 8, 24"), "{text}");
    let config = config(&shell, "repository/tiny/config.pbtxt");
    assert_eq!(config["max_batch_size"], 24);
    let batching = json!({"preferred_batch_size": [8, 24], "max_queue_delay_microseconds": "250"});
    assert_eq!(config["dynamic_batching"], batching);
    assert_eq!(config["instance_group"], json!([{"count": 3, "kind": "KIND_GPU"}]));
    assert_eq!(config["parameters"]["edgegan.dataset"]["string_value"], "Größe \"x\\y\"\n");
    // A second model beside the first.
    shell.succeed(&[
        "triton",
        "tiny.onnx",
        "--out",
        "repository",
        "--name",
        "other",
        "--device",
        "cpu",
        "--quiet",
    ]);
    assert_eq!(
        self::config(&shell, "repository/other/config.pbtxt")["instance_group"][0]["kind"],
        "KIND_CPU"
    );
}

/// A classifier of three classes, one with a fixed batch, and one whose weights lie in another file.
const WRITE: &str = r#"
import numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as n

def save(name, batch, **how):
    infos = [h.make_tensor_value_info(k, T.FLOAT, [batch, s]) for k, s in (("x", 4), ("logits", 3))]
    weights = [n.from_array(np.ones((4, 3), np.float32), "w")]
    graph = h.make_graph([h.make_node("MatMul", ["x", "w"], ["logits"])], "g", infos[:1], infos[1:], weights)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="edgegan.classes", value='["a", "b", "c"]')
    onnx.save(model, name, **how)

save("judge.onnx", "batch")
save("fixed.onnx", 5)
save("apart.onnx", "batch", save_as_external_data=True, location="w", size_threshold=0)
"#;

#[test]
fn classifiers_and_fixed_batches() {
    let shell = shell();
    let output =
        Command::new(tests::python()).args(["-c", WRITE]).current_dir(shell.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shell.succeed(&["triton", "judge.onnx", "--out", "repository", "--quiet"]);
    let judge = config(&shell, "repository/judge/config.pbtxt");
    let logits =
        json!([{"name": "logits", "data_type": "TYPE_FP32", "dims": ["3"], "label_filename": "labels.txt"}]);
    assert_eq!(judge["output"], logits);

    shell.succeed(&["triton", "fixed.onnx", "--out", "repository", "--quiet"]);
    let fixed = config(&shell, "repository/fixed/config.pbtxt");
    assert_eq!((fixed.get("max_batch_size"), fixed.get("dynamic_batching")), (None, None));
    assert_eq!(fixed["input"], json!([{"name": "x", "data_type": "TYPE_FP32", "dims": ["5", "4"]}]));

    let base = ["triton", "fixed.onnx", "--out", "other"];
    for option in [["--max-batch", "8"], ["--preferred", "8"], ["--delay-us", "8"]] {
        let parts = ["model fixed.onnx: x: float32[5, 4] has a fixed batch"];
        shell.fail(&[&base[..], &option].concat(), 2, &parts);
    }
    let parts = ["model apart.onnx: its weights lie in w", "save it as one file"];
    shell.fail(&["triton", "apart.onnx", "--out", "other"], 2, &parts);
}

#[test]
fn requests_that_can_not_be_served() {
    let shell = shell();
    shell.write("tiny.onnx", TinyModel::default().bytes());
    shell.write("a file.onnx", TinyModel::default().bytes());
    let mut lines = contract();
    lines.classes[1] = "two\nlines".into();
    shell.write("lines.onnx", TinyModel { contract: Some(lines), ..TinyModel::default() }.bytes());
    fs::create_dir_all(shell.path("full/tiny")).unwrap();
    for (arguments, status, parts) in [
        (&["tiny.onnx", "--out", "full"][..], 2, &["output full/tiny: there is one already", "--name"][..]),
        (&["tiny.onnx", "--out", "tiny.onnx"], 2, &["output tiny.onnx", "a file; expected a folder"]),
        (&["tiny.onnx", "--out", "no/where"], 2, &["output no/where", "can't be made"]),
        (&["tiny.onnx", "--out", "/proc"], 1, &["can't write /proc/tiny"]),
        (&["a file.onnx", "--out", "new"], 2, &["\"a file\" is no name for a model", "--name digits"]),
        (&["tiny.onnx", "--out", "new", "--name", "../x"], 2, &["\"../x\" is no name for a model"]),
        (&["tiny.onnx", "--out", "new", "--name", ""], 2, &["\"\" is no name for a model"]),
        (&["tiny.onnx", "--out", "new", "--preferred", "65"], 2, &["batch of 65 is not within 1 to 64"]),
        (&["tiny.onnx", "--out", "new", "--preferred", "0"], 2, &["batch of 0 is not within"]),
        (&["lines.onnx", "--out", "new"], 2, &["model lines.onnx", "\"two\\nlines\" is not one line"]),
    ] {
        shell.fail(&[&["triton"], arguments].concat(), status, parts);
    }
}

/// Two files that a program that takes names for text would put into one folder.
#[test]
#[cfg(target_os = "linux")]
fn files_whose_names_are_no_text_need_a_name() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let shell = shell();
    for name in [&b"a\xffb.onnx"[..], b"a\xfeb.onnx"].map(OsStr::from_bytes) {
        fs::write(shell.path(name), TinyModel::default().bytes()).unwrap();
        let output = shell.run(
            &["triton", "--out", "repository"].map(OsStr::new).into_iter().chain([name]).collect::<Vec<_>>(),
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("is no name for a model") && said.contains("--name digits"), "{said}");
        assert!(!shell.path("repository").exists());
    }
}
