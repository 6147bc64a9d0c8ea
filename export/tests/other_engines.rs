//! What is lowered runs in other engines as the network runs in Candle: in the onnx package's reference
//! evaluator, and, where it knows the operators, in candle-onnx.
#![cfg(test)]

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use candle_core::{Device, Tensor};
use candle_onnx::onnx::ModelProto;
use common::{NAMES, assert_close, encode, every_layer, random_weights, root, small};
use export::lower::lower;
use export::passes::{dead, deconv, in_place, padding, simplify};
use models::architectures::judge;
use models::{Mode, Network, Parameters};
use prost::Message;

const BATCH: usize = 3;

/// Runs a model on the numbers in x.bin and label.bin, and writes y.bin.
const EVALUATE: &str = "
import sys, numpy as np, onnx
from onnx.reference import ReferenceEvaluator
folder = sys.argv[1]
dims = [int(size) for size in sys.argv[2].split(',')]
inputs = {'x': np.fromfile(folder + '/x.bin', '<f4').reshape(dims)}
model = onnx.load(folder + '/model.onnx')
if len(model.graph.input) > 1:
    inputs['label'] = np.fromfile(folder + '/label.bin', '<i8')
ReferenceEvaluator(model).run(None, inputs)[0].astype('<f4').tofile(folder + '/y.bin')
";

struct Case {
    x: Vec<f32>,
    label: Vec<u32>,
    expected: Vec<f32>,
}

fn case(network: &Network, weights: &Parameters) -> Case {
    let dims = network.input().dims(BATCH);
    let x: Vec<f32> = (0..dims.iter().product()).map(|i| (i * 37 % 101) as f32 / 50. - 1.).collect();
    let label: Vec<u32> =
        (0..BATCH as u32).map(|i| (i + 1) % network.classes().unwrap_or(1) as u32).collect();
    let labels = network.classes().map(|_| Tensor::from_slice(&label, BATCH, &Device::Cpu).unwrap());
    let tensor = Tensor::from_slice(&x, dims, &Device::Cpu).unwrap();
    let expected = network.forward(weights, &tensor, labels.as_ref(), Mode::Sample).unwrap();
    Case { x, label, expected: expected.flatten_all().unwrap().to_vec1().unwrap() }
}

fn reference(folder: &Path, network: &Network, bytes: &[u8], case: &Case) -> Vec<f32> {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "no {}: get it with `scripts/setup.sh test`", python.display());
    std::fs::write(folder.join("model.onnx"), bytes).unwrap();
    let x: Vec<u8> = case.x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let label: Vec<u8> = case.label.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
    std::fs::write(folder.join("x.bin"), x).unwrap();
    std::fs::write(folder.join("label.bin"), label).unwrap();
    let dims = network.input().dims(BATCH).iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let output = Command::new(python).args(["-c", EVALUATE]).arg(folder).arg(dims).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let y = std::fs::read(folder.join("y.bin")).unwrap();
    y.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn the_reference_evaluator() {
    let judge = judge::Sizes { classes: 3, channels: 2, height: 9, width: 14 };
    let networks = [
        small().generator().unwrap(),
        small().discriminator().unwrap(),
        judge.network().unwrap(),
        every_layer(),
    ];
    for network in networks {
        let weights = random_weights(&network, 5);
        let plain = lower(&network, &weights, &NAMES).unwrap();
        let simple = simplify(plain.clone()).unwrap();
        let products = in_place::products(&padding::symmetric(&simple).unwrap(), 0).unwrap();
        let turned = dead::remove(&deconv::subpixel(&simple, |_| true).unwrap()).unwrap();
        let case = case(&network, &weights);
        for (form, graph) in
            [("plain", plain), ("simplified", simple), ("as products", products), ("turned", turned)]
        {
            let folder = tempfile::tempdir().unwrap();
            let found = reference(folder.path(), &network, &encode(&graph), &case);
            let what = format!("{}, {form}", network.name());
            assert_close(&what, &[case.expected.len()], &case.expected, &found);
        }
    }
}

/// candle-onnx 0.11 has neither ConvTranspose nor DepthToSpace, so the generator is not for it.
#[test]
fn candle_onnx() {
    let judge = judge::Sizes { classes: 3, channels: 2, height: 9, width: 14 };
    for network in [judge.network().unwrap(), small().discriminator().unwrap()] {
        let weights = random_weights(&network, 6);
        let case = case(&network, &weights);
        let simple = simplify(lower(&network, &weights, &NAMES).unwrap()).unwrap();
        let graph = in_place::products(&simple, 300).unwrap();
        let proto = ModelProto::decode(encode(&graph).as_slice()).unwrap();
        let dims = network.input().dims(BATCH);
        let mut inputs =
            HashMap::from([("x".to_string(), Tensor::from_slice(&case.x, dims, &Device::Cpu).unwrap())]);
        if network.classes().is_some() {
            let label: Vec<i64> = case.label.iter().map(|&label| label.into()).collect();
            inputs.insert("label".to_string(), Tensor::from_vec(label, BATCH, &Device::Cpu).unwrap());
        }
        let found = candle_onnx::simple_eval(&proto, inputs).unwrap().remove("y").unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        assert_close(network.name(), &[case.expected.len()], &case.expected, &found);
    }
}
