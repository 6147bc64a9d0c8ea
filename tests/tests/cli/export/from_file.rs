//! `export --from`: other forms of a generator's file without its checkpoint.

use std::{fs, path::Path};

use models::{Architecture, Sizes};
use serde_json::Value;
use tests::{Shell, checkout};

use super::{FILE, check_with_onnx, header, in_python, save, shell, shell_with_run};
use crate::infer::tiny_model::TinyModel;

fn report(shell: &Shell, arguments: &[&str]) -> Value {
    serde_json::from_str(&shell.succeed(&[arguments, &["--json"]].concat())).unwrap()
}

/// A shell beside which a run lies whose layers are large enough for 8 bits.
fn shell_with_large_run() -> Shell {
    let shell = shell();
    let sizes = Sizes { generator_units: 256, generator_filters: 16, ..Sizes::default() };
    let pair = Architecture::LabelledDcgan(sizes);
    save(&shell.path("runs/mnist").join(FILE), &header(pair), &pair.generator().unwrap(), 1);
    shell
}

/// A file's graph, without the documentation that aligns its numbers.
fn graph(shell: &Shell, file: &str) -> String {
    let code = "[t.ClearField('doc_string') for t in model.graph.initializer]; import hashlib; \
                print(hashlib.sha256(model.graph.SerializeToString()).hexdigest(), model.opset_import)";
    in_python(&shell.path(file), code)
}

/// What a graph does, and the shapes of its weights, but not their numbers.
fn steps(file: &Path) -> String {
    let code = "print([(n.op_type, list(n.input)) for n in model.graph.node], \
                [(t.name, t.data_type, list(t.dims)) for t in model.graph.initializer])";
    in_python(file, code)
}

/// Names of its metadata.
fn metadata(shell: &Shell, file: &str) -> Vec<(String, String)> {
    let report = report(shell, &["inspect", file]);
    let entries = report["metadata"].as_array().unwrap().iter();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_string();
    entries.map(|entry| (text(entry, "key"), text(entry, "value"))).collect()
}

/// Every form that a checkpoint has: from the file it is the same graph, to the byte, and says the same.
#[test]
fn a_form_from_a_file_is_the_form_from_its_checkpoint() {
    let shell = shell_with_large_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet"]);
    shell.succeed(&["--out", "plain.onnx", "--optimize", "none", "--quiet"]);
    for form in [
        &[][..],
        &["--precision", "fp16"],
        &["--precision", "int8"],
        &["--uint8"],
        &["--batch", "5"],
        &["--opset", "20"],
        &["--deconv", "subpixel"],
        &["--uint8", "--batch", "3", "--precision", "fp16"],
    ] {
        shell.succeed(&[&["--out", "checkpoint.onnx", "--quiet"], form].concat());
        for from in ["gen.onnx", "plain.onnx"] {
            let report = report(&shell, &[&["--from", from, "--out", "file.onnx"], form].concat());
            assert_eq!((&report["from"], &report["checkpoint"]), (&Value::from(from), &Value::Null));
            if from == "gen.onnx" && form.contains(&"subpixel") {
                // Its kernels keep the zeros that made their padding even.
                shell.succeed(&["diff", "file.onnx", "checkpoint.onnx", "--quiet"]);
            } else {
                assert!(graph(&shell, "file.onnx") == graph(&shell, "checkpoint.onnx"), "{form:?} of {from}");
            }
            let [ours, theirs] = ["file.onnx", "checkpoint.onnx"].map(|file| {
                let mut metadata = metadata(&shell, file);
                // How far it is from another reference.
                metadata.retain(|(key, _)| key != "edgegan.precision");
                metadata
            });
            assert_eq!(ours, theirs, "{form:?} of {from}");
        }
    }
    check_with_onnx(&shell.path("file.onnx"));

    // Damage that leaves a model shows in what it draws.
    let mut damaged = fs::read(shell.path("gen.onnx")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4096].fill(0x3f);
    shell.write("damaged.onnx", damaged);
    let parts = ["damaged.onnx", "doesn't draw its own golden case", "so it is damaged"];
    shell.fail(&["--from", "damaged.onnx", "--out", "new.onnx"], 2, &parts);
}

#[test]
fn the_shipped_generator_becomes_an_8_bit_file() {
    let shell = shell();
    let shipped = checkout().join("models/pretrained/mnist-generator.onnx");
    let from = shipped.to_str().unwrap();
    let said = shell.succeed(&["--from", from, "--out", "small.onnx", "--precision", "int8"]);
    for part in [
        "generator of labelled-dcgan on mnist after 12.0 epochs (11250 iterations)",
        "mnist-generator.onnx agree within",
        "small.onnx: ",
        " MB, int8, ",
    ] {
        assert!(said.contains(part), "expected {part:?} in {said}");
    }
    let contract = super::contract(&shell.path("small.onnx"));
    let shipped = super::contract(&shipped);
    assert_eq!(contract.training, shipped.training);
    assert!(contract.quality.is_empty() && !shipped.quality.is_empty());
    assert!(contract.golden.is_some());
    for engine in ["onnxruntime", "rten"] {
        let test = ["self-test", "--model", "small.onnx", "--engine", engine, "--quiet"];
        shell.succeed_as("infer", &test);
    }
    // The one that is shipped is of the shipped generator, and as small as this one.
    let ours = checkout().join("models/pretrained/mnist-generator-int8.onnx");
    assert_eq!(super::contract(&ours).training, shipped.training);
    assert_eq!(steps(&ours), steps(&shell.path("small.onnx")));
    for engine in ["onnxruntime", "rten"] {
        let test = ["self-test", "--model", ours.to_str().unwrap(), "--engine", engine, "--quiet"];
        shell.succeed_as("infer", &test);
    }
    // In single precision, the figures of its checkpoint hold, and the graph is the one that it was.
    shell.succeed(&["--from", from, "--out", "same.onnx", "--quiet"]);
    fs::copy(from, shell.path("shipped.onnx")).unwrap();
    assert!(graph(&shell, "same.onnx") == graph(&shell, "shipped.onnx"));
    assert_eq!(metadata(&shell, "same.onnx"), metadata(&shell, "shipped.onnx"));
}

#[test]
fn what_a_form_can_not_be_made_from() {
    let shell = shell_with_run();
    shell.succeed(&["--out", "gen.onnx", "--quiet", "--deconv", "subpixel"]);
    shell.succeed(&["--out", "half.onnx", "--precision", "fp16", "--quiet"]);
    shell.succeed(&["--out", "bytes.onnx", "--uint8", "--quiet"]);
    let judge = checkout().join("models/pretrained/mnist-judge.onnx");
    fs::copy(judge, shell.path("judge.onnx")).unwrap();
    shell.write("other.onnx", TinyModel::default().bytes());
    shell.write("bare.onnx", TinyModel { contract: None, ..Default::default() }.bytes());
    shell.write("text.onnx", "A letter to a friend.");
    shell.write("half-of-it.onnx", &fs::read(shell.path("gen.onnx")).unwrap()[..3000]);
    for (file, part) in [
        ("half.onnx", "it is fp16 already; expected a generator in single precision"),
        ("bytes.onnx", "image: uint8"),
        ("judge.onnx", "it is a judge"),
        ("other.onnx", "doesn't say which program wrote it"),
        ("bare.onnx", "is no edgegan generator"),
        ("text.onnx", "is not an ONNX model"),
        ("half-of-it.onnx", "half-of-it.onnx"),
        ("missing.onnx", "No such file"),
    ] {
        shell.fail(&["--from", file, "--out", "new.onnx", "--precision", "int8"], 2, &[file, part]);
    }
    let parts = ["--deconv transpose", "h2.deconv", "from the checkpoint"];
    shell.fail(&["--from", "gen.onnx", "--out", "new.onnx", "--deconv", "transpose"], 2, &parts);
    shell.fail(&["--from", "gen.onnx", "--out", "gen.onnx"], 2, &["this is read to make the file"]);
    for flags in [["--checkpoint", "runs/small"], ["--weights", "raw"], ["--quality", "q.json"]] {
        let output = shell.run(&[&["--from", "gen.onnx", "--out", "new.onnx"], &flags[..]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains("cannot be used with"), "{stderr}");
    }
}
