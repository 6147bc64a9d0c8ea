//! `export inspect`: what it says of files, ours and others'.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tests::Shell;

use super::{shell, shell_with_run};
use crate::infer::tiny_model::TinyModel;

fn inspect(shell: &Shell, file: &str) -> Value {
    serde_json::from_str(&shell.succeed(&["inspect", file, "--json"])).unwrap()
}

#[test]
fn an_exported_generator() {
    let shell = shell_with_run();
    let exported: Value = serde_json::from_str(&shell.succeed(&["--out", "gen.onnx", "--json"])).unwrap();
    let report = inspect(&shell, "gen.onnx");
    for key in ["file", "bytes", "sha256", "ir_version", "parameters"] {
        assert_eq!(report[key], exported[key], "{key}");
    }
    assert_eq!(report["opsets"], json!([{"domain": "ai.onnx", "version": exported["opset"]}]));
    assert_eq!(report["nodes"].as_array().unwrap().len() as u64, exported["nodes"]);
    let inputs = json!([
        {"name": "z", "type": "float32", "dims": ["batch", 7]},
        {"name": "label", "type": "int64", "dims": ["batch"]},
    ]);
    assert_eq!(report["inputs"], inputs);
    let output = json!({"name": "image", "type": "float32", "dims": ["batch", 1, 12, 20]});
    assert_eq!(report["outputs"], json!([output]));
    // The last node's output is the graph's: its shape is not among the intermediate values'.
    assert_eq!(report["nodes"].as_array().unwrap().last().unwrap()["outputs"], json!([output]));
    assert_eq!(report.get("fault"), None);

    let text = shell.succeed(&["inspect", "gen.onnx"]);
    for part in [
        "gen.onnx: ",
        "\n  z      float32[batch, 7]\n",
        "\n  image  float32[batch, 1, 12, 20]\n",
        "2 ConvTranspose",
        "edgegan.latent_dim           7",
        "latents that an image takes",
        "4 images of seed 0, to be drawn again within 1 of 255 levels",
        report["sha256"].as_str().unwrap(),
    ] {
        assert!(text.contains(part), "expected {part:?} in {text}");
    }
    // The golden case's pixels don't flood the terminal.
    assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
}

#[test]
fn a_file_of_another_program() {
    let shell = shell();
    shell.write("other.onnx", TinyModel { contract: None, ..TinyModel::default() }.bytes());
    let report = inspect(&shell, "other.onnx");
    let operators = json!({"MatMul": 1, "Gather": 1, "Add": 1, "Sigmoid": 1, "Reshape": 1});
    assert_eq!(report["operators"], operators);
    // z · weight: 4 latents to 6 pixels, a table of 3 classes, a shape of 4 numbers.
    assert_eq!(report["parameters"], 4 * 6 + 3 * 6 + 4);
    let sizes = json!({
        "float32": {"tensors": 2, "parameters": 42, "bytes": 168},
        "int64": {"tensors": 1, "parameters": 4, "bytes": 32},
    });
    assert_eq!(report["elements"], sizes);
    let largest = json!({"name": "weight", "type": "float32", "dims": [4, 6], "parameters": 24, "bytes": 96});
    assert_eq!(report["tensors"][0], largest);
    // It doesn't say what lies between its nodes.
    assert_eq!(report["nodes"][0]["outputs"], json!([{"name": "product", "type": "?", "dims": null}]));
    assert_eq!((&report["metadata"], report.get("fault")), (&json!([]), None));
    let text = shell.succeed(&["inspect", "other.onnx"]);
    assert!(text.contains("(?: not in the file)") && text.ends_with("no metadata\n"), "{text}");
}

#[test]
fn metadata_that_infer_can_not_read_is_told() {
    let shell = shell();
    let mut bytes = TinyModel::default().bytes();
    let format = b"edgegan.format\x12\x01";
    let at = bytes.windows(format.len()).position(|window| window == format).unwrap();
    bytes[at + format.len()] = b'2';
    shell.write("later.onnx", bytes);
    let fault = "its edgegan.format is \"2\", and this program reads 1";
    assert_eq!(inspect(&shell, "later.onnx")["fault"], fault);
    assert!(
        shell.succeed(&["inspect", "later.onnx"]).contains(&format!("`infer` can't draw from it: {fault}"))
    );
}

/// Everything that the onnx package can put into a file and our own files don't have.
const WRITE: &str = r#"
import numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as n

def branch(name, value):
    constant = h.make_node("Constant", [], [name], value=n.from_array(np.full((2, 3), value, np.float32), name))
    return h.make_graph([constant], name, [], [h.make_tensor_value_info(name, T.FLOAT, [2, 3])])

nodes = [
    h.make_node("If", ["which"], ["chosen"], then_branch=branch("one", 1), else_branch=branch("two", 2)),
    h.make_node("Twice", ["chosen"], ["y"], domain="example"),
    h.make_node("Constant", [], ["c"], value=n.from_array(np.zeros((1, 2), np.int64), "c")),
    h.make_node("SequenceConstruct", ["y"], ["all"], name="evil\x1b[31m\nname"),
]
twice = h.make_function("example", "Twice", ["x"], ["y"], [h.make_node("Add", ["x", "x"], ["y"])], [h.make_opsetid("", 17)])
weights = [
    n.from_array(np.arange(5, dtype=np.float16), "half"),
    h.make_tensor("packed", T.INT4, [5], [1, 2, 3, 4, 5]),
    h.make_tensor("typed", T.FLOAT, [2], [1., 2.]),
    h.make_tensor("texts", T.STRING, [2], [b"one", b"three"]),
]
graph = h.make_graph(
    nodes, "everything",
    [h.make_tensor_value_info("which", T.BOOL, []), h.make_tensor_value_info("typed", T.FLOAT, [2])],
    [h.make_tensor_value_info("y", T.FLOAT, [None, "n"]), h.make_tensor_sequence_value_info("all", T.FLOAT, None)],
    weights)
opsets = [h.make_opsetid("", 21), h.make_opsetid("example", 3)]
model = h.make_model(graph, opset_imports=opsets, functions=[twice], producer_name="a test")
model.metadata_props.add(key="author", value="somebody\twith a tab")
onnx.save(model, "all.onnx")
graph.initializer.append(n.from_array(np.zeros((300, 2), np.float32), "large"))
model = h.make_model(graph, opset_imports=opsets, functions=[twice])
onnx.save(model, "apart.onnx", save_as_external_data=True, location="apart.weights", size_threshold=1000)
"#;

#[test]
fn what_only_others_write() {
    let shell = shell();
    let output =
        Command::new(tests::python()).args(["-c", WRITE]).current_dir(shell.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = inspect(&shell, "all.onnx");
    // An initializer that is listed among the inputs is none.
    assert_eq!(report["inputs"], json!([{"name": "which", "type": "bool", "dims": []}]));
    let outputs = json!([
        {"name": "y", "type": "float32", "dims": [null, "n"]},
        {"name": "all", "type": "sequence(float32)", "dims": null},
    ]);
    assert_eq!(report["outputs"], outputs);
    let operators = json!({"If": 1, "Constant": 3, "example.Twice": 1, "Add": 1, "SequenceConstruct": 1});
    assert_eq!((&report["operators"], &report["inner_nodes"]), (&operators, &json!(3)));
    let opsets = json!([{"domain": "ai.onnx", "version": 21}, {"domain": "example", "version": 3}]);
    assert_eq!(report["opsets"], opsets);
    // A constant's shape is its tensor's.
    assert_eq!(report["nodes"][2]["outputs"], json!([{"name": "c", "type": "int64", "dims": [1, 2]}]));
    let sizes = json!({
        "float16": {"tensors": 1, "parameters": 5, "bytes": 10},
        "float32": {"tensors": 3, "parameters": 14, "bytes": 56},
        "int4": {"tensors": 1, "parameters": 5, "bytes": 3},
        "int64": {"tensors": 1, "parameters": 2, "bytes": 16},
        "string": {"tensors": 1, "parameters": 2, "bytes": 8},
    });
    assert_eq!(report["elements"], sizes);
    assert_eq!(report["metadata"], json!([{"key": "author", "value": "somebody\twith a tab"}]));

    let text = shell.succeed(&["inspect", "all.onnx"]);
    for part in [
        "y    float32[?, n]",
        "and 3 within them or in functions",
        r"evil\u{1b}[31m\nname",
        r"somebody\twith a tab",
        "opset 21, example 3, written by a test\n",
    ] {
        assert!(text.contains(part), "expected {part:?} in {text}");
    }

    let report = inspect(&shell, "apart.onnx");
    let large = &report["tensors"][0];
    assert_eq!(
        (&large["name"], &large["bytes"], &large["external"]),
        (&json!("large"), &json!(2400), &json!("apart.weights"))
    );
    assert!(report["bytes"].as_u64().unwrap() < 2400);
    fs::remove_file(shell.path("apart.weights")).unwrap();
    assert_eq!(inspect(&shell, "apart.onnx"), report);
}
