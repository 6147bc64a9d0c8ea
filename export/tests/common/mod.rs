//! Networks with telling weights, and ONNX Runtime to run what is lowered from them.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

mod networks;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use contract::LatentDistribution;
use export::lower::{Names, lower};
use export::onnx::{Graph, Model, Producer};
use export::passes::{in_place, simplify};
use infer::{Input, ModelSource, Runtime, Session, Values};
use models::{Architecture, Mode, Network, Parameters, Sizes};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use networks::{every_layer, random_weights};

/// What ONNX Runtime may be away from Candle: absolute, and relative to the larger numbers that a
/// discriminator's logits can be.
const TOLERANCE: f32 = 1e-5;

/// Names of the graphs' inputs and output in these tests.
pub const NAMES: Names<'static> = Names { input: "x", label: "label", output: "y" };

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Sizes at which rows and columns, and the zeros before and after them, all differ.
pub fn small() -> Architecture {
    Architecture::LabelledDcgan(Sizes {
        latent_dim: 7,
        latent: LatentDistribution::Uniform,
        classes: 5,
        channels: 3,
        height: 12,
        width: 19,
        generator_filters: 4,
        generator_units: 11,
        discriminator_filters: 6,
        discriminator_units: 13,
    })
}

/// The graph, simplified, and with its linear layers as products too.
pub fn forms(network: &Network, parameters: &Parameters) -> [(&'static str, Graph); 2] {
    let simple = simplify(lower(network, parameters, &NAMES).unwrap()).unwrap();
    let products = in_place::products(&simple, 0).unwrap();
    [("simplified", simple), ("as products", products)]
}

/// A graph's file.
pub fn encode(graph: &Graph) -> Vec<u8> {
    Model::new(graph, Producer { name: "test".into(), version: "0".into() }).unwrap().encode()
}

/// The newest ONNX Runtime of the checkout, or where `ORT_DYLIB_PATH` points.
pub fn newest_runtime() -> &'static Runtime {
    Runtime::load(None).unwrap_or_else(|error| panic!("these tests need ONNX Runtime: {error}"))
}

/// An older ONNX Runtime of the checkout, such as 1.17, the oldest that serves.
pub fn older_runtime(version: &str) -> PathBuf {
    let library = root().join(format!("runtime/{version}/libonnxruntime.so.{version}.0"));
    assert!(library.is_file(), "no {}: get it with `scripts/setup.sh test`", library.display());
    library
}

/// Runs a network, simplified and as products, in ONNX Runtime and in Candle, at several batch sizes and with every label, and
/// panics at the first numbers that differ.
pub fn assert_agreement(runtime: &'static Runtime, network: &Network, seed: u64) {
    let parameters = random_weights(network, seed);
    for (form, graph) in forms(network, &parameters) {
        let what = format!("{}, {form}", network.name());
        let size = assert_model_agrees(runtime, &what, &encode(&graph), network, &parameters, seed);
        assert!(size > 0.01, "{what}: outputs near 0 would agree with anything");
    }
}

/// Runs a file in ONNX Runtime and the network that it was made from in Candle; gives the size of the
/// numbers that agree, as the root of their mean square in the batch where it is smallest.
pub fn assert_model_agrees(
    runtime: &'static Runtime,
    what: &str,
    bytes: &[u8],
    network: &Network,
    parameters: &Parameters,
    seed: u64,
) -> f32 {
    let mut least = f32::INFINITY;
    let session = Session::load(&ModelSource::Bytes { name: what, bytes }, runtime, None);
    let mut session = session.unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 1);
    for n in [1, 3, 8] {
        let dims = network.input().dims(n);
        let x: Vec<f32> = (0..dims.iter().product()).map(|_| random.random_range(-1. ..1.)).collect();
        let classes = network.classes();
        let label: Vec<u32> = (0..n as u32).map(|i| (i + n as u32) % classes.unwrap_or(1) as u32).collect();

        let tensor = Tensor::from_slice(&x, dims.as_slice(), &Device::Cpu).unwrap();
        let labels = classes.map(|_| Tensor::from_slice(&label, n, &Device::Cpu).unwrap());
        let expected = network.forward(parameters, &tensor, labels.as_ref(), Mode::Sample).unwrap();

        let (shape, values) = (dims.into(), Values::Float32(x.into()));
        let mut inputs = vec![Input { name: "x".into(), shape, values }];
        if classes.is_some() {
            let values = Values::Int64(label.iter().map(|&label| label.into()).collect());
            inputs.push(Input { name: "label".into(), shape: vec![n].into(), values });
        }
        let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
        let ran = session.run(&inputs, &["y"], |shape, values| {
            let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
            assert_eq!(shape, network.output().dims(n), "{what} at batch {n}");
            let Values::Float32(found) = values else { panic!("{what}: {values:?}") };
            assert_close(&format!("{what} at batch {n}"), &shape, &expected, &found);
            Ok(())
        });
        ran.unwrap();
        let square = expected.iter().map(|x| x * x).sum::<f32>() / expected.len() as f32;
        least = least.min(square.sqrt());
    }
    least
}

/// Elementwise; prints the first numbers that differ, with their place.
pub fn assert_close(what: &str, shape: &[usize], expected: &[f32], found: &[f32]) {
    assert_eq!(expected.len(), found.len(), "{what}");
    let differ = |&i: &usize| {
        let (a, b) = (expected[i], found[i]);
        // False too where either is not a number.
        let close = (a - b).abs() <= TOLERANCE * a.abs().max(1.);
        !close
    };
    let different: Vec<usize> = (0..expected.len()).filter(differ).collect();
    let first: Vec<String> = different
        .iter()
        .take(8)
        .map(|&i| {
            let place: Vec<usize> = shape
                .iter()
                .enumerate()
                .map(|(axis, size)| i / shape[axis + 1..].iter().product::<usize>() % size)
                .collect();
            format!("{place:?}: expected {}, found {}", expected[i], found[i])
        })
        .collect();
    assert!(
        different.is_empty(),
        "{what}: {} of {} numbers differ\n{}",
        different.len(),
        expected.len(),
        first.join("\n")
    );
}
