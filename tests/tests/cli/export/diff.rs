//! `export diff`: what it makes of two files.

use std::process::Command;

use contract::PixelRange;
use serde_json::{Value, json};
use tests::Shell;

use super::shell;
use crate::infer::tiny_model::{TinyModel, contract};

/// Runs `diff`, with this status and nothing on stderr; gives its report.
fn diff(shell: &Shell, arguments: &[&str], status: i32) -> Value {
    let output = shell.run(&[&["diff"], arguments, &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(status), ""));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn shell_with(files: &[(&str, TinyModel)]) -> Shell {
    let shell = shell();
    files.iter().for_each(|(name, model)| drop(shell.write(name, model.bytes())));
    shell
}

#[test]
fn a_file_is_the_same_as_itself() {
    let shell = shell_with(&[("a.onnx", TinyModel::default())]);
    let report = diff(&shell, &["a.onnx", "a.onnx"], 0);
    assert_eq!((&report["within"], &report["changes"]), (&json!(true), &json!([])));
    assert_eq!((&report["samples"], &report["batches"]), (&json!(64), &json!([1, 3, 64])));
    let same = json!([{
        "name": "image", "values": 64 * 6 * 3, "largest": 0.0, "mean": 0.0, "not_finite": 0, "place": null,
        "levels": {"largest": 0, "differing": 0},
    }]);
    assert_eq!(report["outputs"], same);
    let text = shell.succeed(&["diff", "a.onnx", "a.onnx"]);
    assert!(text.contains("the same bytes") && text.ends_with("the same within 1e-5\n"), "{text}");
}

#[test]
fn other_weights_and_what_is_stated_otherwise() {
    let mut other = contract();
    (other.training.epochs, other.latent_dim) = (Some(9), 4);
    let other = TinyModel { weight: 1.01, opset: 18, contract: Some(other), ..TinyModel::default() };
    let shell = shell_with(&[("a.onnx", TinyModel::default()), ("b.onnx", other)]);
    let report = diff(&shell, &["a.onnx", "b.onnx"], 1);
    let changes = json!([
        {"what": "opset ai.onnx", "a": "17", "b": "18"},
        {"what": "metadata edgegan.epochs", "a": null, "b": "9"},
    ]);
    assert_eq!(report["changes"], changes);

    // sigmoid(s · w + table) with s the sum of 4 latents: the derivative to w is at most |s| / 4 ≤ 1.
    let output = &report["outputs"][0];
    let largest = output["largest"].as_f64().unwrap();
    assert!(largest > 1e-4 && largest <= 0.01, "{output}");
    let mean = output["mean"].as_f64().unwrap();
    assert!(mean > 0. && mean < largest, "{output}");
    let place = &output["place"];
    let [a, b] = ["a", "b"].map(|side| place[side].as_f64().unwrap());
    assert!(((a - b).abs() - largest).abs() < 1e-12, "{output}");
    // Every row is drawn in a batch of 1 first, and classes follow one another.
    assert_eq!((&place["batch"], &place["index"][0]), (&json!(1), &json!(0)));
    assert_eq!(place["class"].as_u64().unwrap(), place["sample"].as_u64().unwrap() % 3);
    let z = contract::latent::latents(0, place["sample"].as_u64().unwrap(), 4);
    let table = (place["class"].as_u64().unwrap() * 6
        + place["index"][2].as_u64().unwrap() * 3
        + place["index"][3].as_u64().unwrap()) as f64
        / 4.0
        - 2.0;
    let expected = 1. / (1. + (-f64::from(z.iter().sum::<f32>()) - table).exp());
    assert!((a - expected).abs() < 1e-6, "{a} is not {expected}");
    let level = PixelRange::ZeroToOne.to_u8(a as f32).abs_diff(PixelRange::ZeroToOne.to_u8(b as f32));
    let levels = &output["levels"];
    assert!(levels["largest"].as_u64().unwrap() >= u64::from(level), "{output}");
    assert!(levels["differing"].as_u64().unwrap() > 0, "{output}");

    // What counts as the same can be said.
    let above = (largest * 1.001).to_string();
    assert_eq!(diff(&shell, &["a.onnx", "b.onnx", "--tolerance", &above], 0)["within"], true);
    let below = (largest * 0.999).to_string();
    let quiet = shell.run(&["diff", "a.onnx", "b.onnx", "--tolerance", &below, "--quiet"]);
    assert_eq!((quiet.status.code(), quiet.stdout.len(), quiet.stderr.len()), (Some(1), 0, 0));
    // Other latents, another largest difference.
    assert_ne!(diff(&shell, &["a.onnx", "b.onnx", "--seed", "1"], 1)["outputs"], report["outputs"]);
}

#[test]
fn numbers_that_are_none_are_a_difference() {
    let broken = TinyModel { weight: f32::NAN, ..TinyModel::default() };
    let shell = shell_with(&[("a.onnx", TinyModel::default()), ("b.onnx", broken)]);
    let report = diff(&shell, &["a.onnx", "b.onnx"], 1);
    let output = &report["outputs"][0];
    assert_eq!((&output["largest"], &output["not_finite"]), (&Value::Null, &output["values"]));
    let shown = String::from_utf8(shell.run(&["diff", "a.onnx", "b.onnx"]).stdout).unwrap();
    assert!(shown.contains("largest difference inf") && shown.contains("are not finite"), "{shown}");
}

#[test]
fn files_that_can_not_be_compared() {
    let renamed = TinyModel { latents_input: "noise", ..TinyModel::default() };
    let retyped = TinyModel { label_type: 6, ..TinyModel::default() };
    let unknown = TinyModel { operator: "Divine", ..TinyModel::default() };
    let shell = shell_with(&[
        ("a.onnx", TinyModel::default()),
        ("noise.onnx", renamed),
        ("int32.onnx", retyped),
        ("divine.onnx", unknown),
    ]);
    // Names may be others: what stands in the same place belongs together.
    assert_eq!(diff(&shell, &["a.onnx", "noise.onnx"], 0)["within"], true);
    let parts = ["a.onnx and int32.onnx can't be compared", "label: int64[batch]", "label: int32[batch]"];
    shell.fail(&["diff", "a.onnx", "int32.onnx"], 2, &parts);
    let parts = ["ONNX Runtime ", "can't load model divine.onnx", "Divine"];
    shell.fail(&["diff", "a.onnx", "divine.onnx"], 2, &parts);
    let none = ["diff", "a.onnx", "a.onnx", "--runtime", "/nonexistent/libonnxruntime.so"];
    shell.fail(&none, 2, &["/nonexistent/libonnxruntime.so", "make setup"]);
}

/// Graphs that the onnx package writes: a dimension that is only named, one-hot labels, a fixed batch,
/// 8-bit pixels, and weights in another file.
const WRITE: &str = r#"
import numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as n

def save(name, nodes, inputs, outputs, tensors=(), metadata=(), **how):
    graph = h.make_graph(nodes, "g", inputs, outputs, [n.from_array(v, k) for k, v in tensors])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    for key, value in metadata:
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, name, **how)

info = h.make_tensor_value_info
wide = [info("x", T.FLOAT, ["n", 2, "width"])], [info("y", T.FLOAT, ["n", 2, "width"])]
save("abs.onnx", [h.make_node("Abs", ["x"], ["y"])], *wide)
save("max.onnx", [h.make_node("Neg", ["x"], ["m"]), h.make_node("Max", ["x", "m"], ["y"])], *wide)

fixed = [info("x", T.FLOAT, [5, 2])], [info("y", T.FLOAT, [5, 2])]
save("fixed.onnx", [h.make_node("Relu", ["x"], ["y"])], *fixed)
free = [info("x", T.FLOAT, ["n", 2])], [info("y", T.FLOAT, ["n", 2])]
save("free.onnx", [h.make_node("Relu", ["x"], ["y"])], *free)
save("apart.onnx", [h.make_node("Add", ["x", "w"], ["m"]), h.make_node("Relu", ["m"], ["y"])], *free,
     [("w", np.zeros((1, 2), np.float32))], save_as_external_data=True, location="w", size_threshold=0)

contract = [("edgegan.format", "1"), ("edgegan.architecture", "a"), ("edgegan.dataset", "d"),
            ("edgegan.classes", '["a", "b", "c"]'), ("edgegan.latent_dim", "4"),
            ("edgegan.latent_distribution", "normal(0,1)"), ("edgegan.pixel_range", "-1,1")]
w = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
t = np.linspace(-.5, .7, 18, dtype=np.float32).reshape(3, 6)
shape = np.array([-1, 1, 2, 3])
z, image = info("z", T.FLOAT, ["b", 4]), info("image", T.FLOAT, ["b", 1, 2, 3])
head = [h.make_node("MatMul", ["z", "w"], ["zw"])]
tail = [h.make_node("Add", ["zw", "row"], ["sum"]), h.make_node("Reshape", ["sum", "shape"], ["planes"])]
tanh = [h.make_node("Tanh", ["planes"], ["image"])]
tensors = [("w", w), ("t", t), ("shape", shape)]
label = [h.make_node("Gather", ["t", "label"], ["row"])]
inputs = [z, info("label", T.INT64, ["b"])]
save("label.onnx", head + label + tail + tanh, inputs, [image], tensors, contract)
onehot = [h.make_node("MatMul", ["y", "t"], ["row"])]
save("onehot.onnx", head + onehot + tail + tanh, [z, info("y", T.FLOAT, ["b", 3])], [image], tensors)
names = [("edgegan.network", "discriminator"), ("edgegan.classes", '["a", "b", "c"]')]
for name, table in (("reads.onnx", t), ("reads-c.onnx", t + np.array([[0], [0], [1]], np.float32))):
    save(name, label + [h.make_node("Add", ["x", "row"], ["logits"])],
         [info("x", T.FLOAT, ["b", 6]), inputs[1]], [info("logits", T.FLOAT, ["b", 6])], [("t", table)], names)
levels = [h.make_node("Tanh", ["planes"], ["t01"]), h.make_node("Add", ["t01", "one"], ["from0"]),
          h.make_node("Mul", ["from0", "scale"], ["scaled"]), h.make_node("Add", ["scaled", "half"], ["up"]),
          h.make_node("Floor", ["up"], ["whole"]), h.make_node("Cast", ["whole"], ["image"], to=T.UINT8)]
more = [(name, np.array(number, np.float32)) for name, number in (("one", 1), ("scale", 127.5), ("half", .5))]
save("levels.onnx", head + label + tail + levels, inputs, [info("image", T.UINT8, ["b", 1, 2, 3])], tensors + more, contract)
"#;

#[test]
fn files_of_other_programs() {
    let shell = shell();
    let output =
        Command::new(tests::python()).args(["-c", WRITE]).current_dir(shell.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    shell.fail(&["diff", "abs.onnx", "max.onnx"], 2, &["dimension width", "--size width=NUMBER"]);
    let sized = diff(&shell, &["abs.onnx", "max.onnx", "--size", "width=7"], 0);
    assert_eq!(sized["outputs"][0]["values"], 64 * 2 * 7 * 3);

    // The one's batch is the other's too, and all rows come in whole batches.
    let fixed = diff(&shell, &["free.onnx", "fixed.onnx"], 0);
    assert_eq!((&fixed["batches"], &fixed["samples"]), (&json!([5]), &json!(65)));
    assert_eq!(diff(&shell, &["free.onnx", "apart.onnx"], 0)["within"], true);
    let parts = ["can't be compared", "the first takes x: float32[n, 2]", "label"];
    shell.fail(&["diff", "free.onnx", "label.onnx"], 2, &parts);

    // A label as one-hot numbers, in a file without metadata.
    let onehot = diff(&shell, &["label.onnx", "onehot.onnx"], 0);
    assert_eq!((&onehot["within"], &onehot["outputs"][0]["levels"]["largest"]), (&json!(true), &json!(0)));
    assert_eq!(diff(&shell, &["onehot.onnx", "label.onnx"], 0)["within"], true);

    // No generator, but its metadata says how many labels there are: the last one's logits differ by 1.
    let reads = diff(&shell, &["reads.onnx", "reads-c.onnx"], 1);
    let output = &reads["outputs"][0];
    assert_eq!((&output["place"]["class"], &output["levels"]), (&json!(2), &Value::Null));
    assert!((output["mean"].as_f64().unwrap() - 21. / 64.).abs() < 1e-6, "{output}");
    let report: Value = serde_json::from_str(&shell.succeed(&["inspect", "reads.onnx", "--json"])).unwrap();
    assert_eq!(report.get("fault"), None);

    // 8-bit pixels stand for numbers that are up to half a level away.
    let levels = diff(&shell, &["label.onnx", "levels.onnx"], 1);
    let output = &levels["outputs"][0];
    let largest = output["largest"].as_f64().unwrap();
    assert!(largest > 0.4 / 127.5 && largest < 0.51 / 127.5, "{output}");
    assert!(output["levels"]["largest"].as_u64().unwrap() <= 1, "{output}");
    assert!(output["levels"]["differing"].as_u64().unwrap() <= 2, "{output}");
}

#[test]
fn wrong_arguments() {
    let shell = shell_with(&[("a.onnx", TinyModel::default())]);
    for (arguments, part) in [
        (&["diff", "a.onnx"][..], "<B>"),
        (&["diff", "a.onnx", "a.onnx", "--tolerance", "-1"], "expected a number from 0"),
        (&["diff", "a.onnx", "a.onnx", "--tolerance", "NaN"], "expected a number from 0"),
        (&["diff", "a.onnx", "a.onnx", "--size", "width"], "expected NAME=NUMBER"),
        (&["diff", "a.onnx", "a.onnx", "--json", "--quiet"], "cannot be used with"),
        (&["--out", "gen.onnx", "inspect", "a.onnx"], "cannot be used with"),
        (&["inspect"], "<FILE>"),
    ] {
        let output = shell.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(part), "expected {part:?} in {stderr}");
    }
}
