//! Five networks of candle-nn modules, from their `forward` to files that every engine computes alike, and
//! descriptions that say something else, which are refused.
#![cfg(test)]

mod common;
mod own;

use std::path::Path;
use std::process::Command;

use candle_core::{DType, Tensor};
use common::root;
use export::builder::{Described, TOLERANCE};
use export::form::{Form, Optimize, Precision};
use own::{example, networks};

/// Runs each file's inputs, in the checker too, and writes what the reference evaluator makes of them.
const EVALUATE: &str = "
import sys, numpy as np, onnx
from onnx.reference import ReferenceEvaluator
folder = sys.argv[1]
model = onnx.load(folder + '/model.onnx')
onnx.checker.check_model(model, full_check=True)
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
print(model.ir_version, model.opset_import[0].version)
for batch in sys.argv[2:]:
    inputs = {}
    for value in model.graph.input:
        dims = [d.dim_value if d.HasField('dim_value') else int(batch) for d in value.type.tensor_type.shape.dim]
        of = '<i8' if value.type.tensor_type.elem_type == onnx.TensorProto.INT64 else '<f4'
        inputs[value.name] = np.fromfile(f'{folder}/{value.name}.{batch}', of).reshape(dims)
    y = ReferenceEvaluator(model).run(None, inputs)[0]
    y.astype('<f4').tofile(f'{folder}/y.{batch}')
";

/// The file in the onnx package: its checker, and its evaluator at batches of 1 and 5.
fn reference(network: &Described<'_>, bytes: &[u8]) {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "no {}: get it with `scripts/setup.sh test`", python.display());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, batch: usize| folder.path().join(format!("{name}.{batch}"));
    std::fs::write(folder.path().join("model.onnx"), bytes).unwrap();
    for batch in [1, 5] {
        for (name, sample) in network.inputs() {
            std::fs::write(at(name, batch), little_endian(&sample.narrow(0, 0, batch).unwrap())).unwrap();
        }
    }
    let output = Command::new(python).args(["-c", EVALUATE]).arg(folder.path()).args(["1", "5"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "8 17\n");
    for batch in [1, 5] {
        let inputs: Vec<Tensor> =
            network.inputs().map(|(_, sample)| sample.narrow(0, 0, batch).unwrap()).collect();
        let expected = network.forward(&inputs).unwrap();
        let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
        let found = std::fs::read(at("y", batch)).unwrap();
        let found: Vec<f32> = found.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let size = (expected.iter().map(|y| y * y).sum::<f32>() / expected.len() as f32).sqrt();
        assert!(size > 0.01, "outputs near 0 would agree with anything");
        let mut difference = export::proof::Difference::default();
        difference.add(&expected, &found);
        let name = network.graph().name();
        assert!(difference.largest <= TOLERANCE, "{name} at batch {batch}: {}", difference.largest);
    }
}

fn little_endian(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.flatten_all().unwrap();
    match tensor.dtype().is_float() {
        true => tensor.to_vec1::<f32>().unwrap().into_iter().flat_map(f32::to_le_bytes).collect(),
        false => {
            let indices = tensor.to_dtype(DType::I64).unwrap().to_vec1::<i64>().unwrap();
            indices.into_iter().flat_map(i64::to_le_bytes).collect()
        }
    }
}

/// Described as they read, and after all passes.
#[test]
fn five_networks_agree_in_every_engine() {
    for network in networks() {
        for optimize in [Optimize::None, Optimize::Full] {
            let form = Form { optimize, ..Form::default() };
            let (bytes, agreements) = network.file(&form, None).unwrap();
            let engines: Vec<_> = agreements.iter().map(|agreement| agreement.engine.as_str()).collect();
            assert!(engines[0].starts_with("ONNX Runtime") && engines[1].starts_with("rten"), "{engines:?}");
            for agreement in &agreements {
                assert_eq!(agreement.batches, [1, 5, 11]);
                assert!(agreement.difference.largest <= TOLERANCE);
            }
            reference(&network, &bytes);
        }
    }
}

#[test]
fn they_are_as_near_in_half_precision_and_in_8_bits() {
    for network in networks() {
        for precision in [Precision::Fp16, Precision::Int8] {
            let form = Form { precision, ..Form::default() };
            let (bytes, _) =
                network.file(&form, None).unwrap_or_else(|e| panic!("{network:?}, {form:?}: {e}"));
            let (whole, _) = network.file(&Form::default(), None).unwrap();
            assert!(bytes.len() < whole.len(), "{network:?}, {form:?}");
        }
    }
}

/// Lines of code of the functions whose names begin with these words, signature and closing brace included.
fn lines(source: &str, names: [&str; 2]) -> usize {
    let mut count = 0;
    let mut within: Option<String> = None;
    for line in source.lines() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let code = code.trim_start_matches("pub ");
        if within.is_none() && names.iter().any(|name| code.starts_with(&format!("fn {name}"))) {
            within = Some(format!("{indent}}}"));
        }
        if let Some(end) = &within {
            count += usize::from(!code.is_empty());
            if line == end {
                within = None;
            }
        }
    }
    count
}

#[test]
fn a_description_has_no_more_lines_than_the_forward() {
    let sources = [
        ("mnist-training", include_str!("../examples/own_network/mnist.rs")),
        ("resnet", include_str!("own/resnet.rs")),
        ("vae", include_str!("own/vae.rs")),
        ("unet", include_str!("own/unet.rs")),
        ("vit", include_str!("own/vit.rs")),
    ];
    for (name, source) in sources {
        let [forward, describe] =
            [["forward", "attention"], ["describe", "describe"]].map(|n| lines(source, n));
        assert!(forward >= 8 && describe >= 8 && describe <= forward, "{name}: {describe} for {forward}");
    }
}

/// All code of the guide is the example's, which is compiled and run.
#[test]
fn the_guide_s_code_is_the_example_s() {
    let guide = include_str!("../../docs/export-your-own.md");
    let example =
        [include_str!("../examples/own_network/main.rs"), include_str!("../examples/own_network/mnist.rs")]
            .join("\n");
    let flat = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let blocks: Vec<&str> =
        guide.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    for block in blocks {
        assert!(flat(&example).contains(&flat(block)), "this is not in the example:\n{block}");
    }
}

#[test]
fn the_example_runs() {
    example::run(None).unwrap();
}

/// A file that can't be written is refused in a sentence, and a network whose form doesn't fit.
#[test]
fn what_can_t_be_written_is_refused() {
    let network = networks().remove(4);
    let error = network.write(Path::new("/nowhere/vit.onnx"), &Form::default(), None).unwrap_err();
    assert!(error.to_string().contains("there is no folder /nowhere"), "{error}");
    let old = Form { opset: 14, ..Form::default() };
    let error = network.file(&old, None).unwrap_err().to_string();
    assert!(error.contains("ONNX has LayerNormalization from operator set 17 on"), "{error}");
    let pixels = Form { uint8: true, ..Form::default() };
    let error = network.file(&pixels, None).unwrap_err().to_string();
    assert!(error.contains("--uint8 is for pictures, which vit doesn't make"), "{error}");
}
