//! A network with every layer, and what its graph computes before and after a pass.

use std::collections::HashMap;

use candle_core::{Device, Tensor as Numbers};
use models::{Network, Parameters};

use crate::lower::{Names, lower};
use crate::onnx::{Element, Graph, evaluate};

#[path = "../../tests/common/networks.rs"]
mod networks;
pub use networks::random_weights;

/// The plain graph of a network with every layer.
pub fn every_layer(seed: u64) -> Graph {
    let network = networks::every_layer();
    let weights = networks::random_weights(&network, seed);
    plain(&network, &weights)
}

/// The plain graph of a network.
pub fn plain(network: &Network, weights: &Parameters) -> Graph {
    lower(network, weights, &Names { input: "x", label: "label", output: "y" }).unwrap()
}

/// Numbers from −1 to 1.
fn noise(dims: &[usize], key: &mut u64) -> Numbers {
    let numbers = (0..dims.iter().product::<usize>()).map(|_| {
        *key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*key >> 33) as f64 / (1u64 << 30) as f64 - 1.
    });
    Numbers::from_iter(numbers, &Device::Cpu).unwrap().reshape(dims).unwrap()
}

/// Names of the operators, in the graph's order.
pub fn operators(graph: &Graph) -> Vec<&'static str> {
    graph.nodes().iter().map(|node| node.operator.name()).collect()
}

/// Images of a batch.
const BATCH: usize = 4;

/// Numbers from −1 to 1, and labels of three classes.
pub fn inputs(graph: &Graph, seed: u64) -> HashMap<String, Numbers> {
    let mut key = seed;
    let input = |input: crate::onnx::Value| {
        let dims = input.type_of().dims.iter().map(|dim| dim.fixed().unwrap_or(BATCH)).collect::<Vec<_>>();
        let numbers = match input.type_of().element {
            Element::Int64 => Numbers::new(&[2i64, 0, 1, 2], &Device::Cpu).unwrap(),
            _ => noise(&dims, &mut key),
        };
        (input.name().to_string(), numbers)
    };
    graph.inputs().map(input).collect()
}

/// Both graphs compute the same, in double precision, but for the rounding of initializers.
#[track_caller]
pub fn assert_same(expected: &Graph, found: &Graph) {
    let outputs = |graph: &Graph| -> Vec<_> {
        graph.outputs().map(|(name, value)| (name.to_string(), value.type_of().clone())).collect()
    };
    assert_eq!(outputs(expected), outputs(found));
    assert_close(expected, found, 1e-6);
}

/// Both graphs compute nearly the same: to `tolerance`, of numbers above 1 relative to them.
#[track_caller]
pub fn assert_close(expected: &Graph, found: &Graph, tolerance: f64) {
    let inputs = inputs(expected, 77);
    let expected = evaluate::run(expected, inputs.clone()).unwrap();
    let found = evaluate::run(found, inputs).unwrap();
    assert_eq!(expected.len(), found.len());
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected.dims(), found.dims());
        let [a, b] = [expected, found].map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap());
        let size = (a.iter().map(|a| a * a).sum::<f64>() / a.len() as f64).sqrt();
        assert!(size > 0.01, "outputs near 0 would agree with anything");
        for (at, (a, b)) in a.iter().zip(&b).enumerate() {
            assert!((a - b).abs() <= tolerance * a.abs().max(1.), "number {at}: {a} became {b}");
        }
    }
}
