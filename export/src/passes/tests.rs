//! A network with every layer, and what its graph computes before and after a pass.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor as Numbers};
use models::{Convolution, Layer, Network, Shape, Window};

use crate::lower::{Names, lower};
use crate::onnx::{Element, Graph, evaluate};

/// Batch norm first, behind weights, behind an activation and in a row; labels before weights, before
/// a batch norm, in a row and last, on vectors and on planes; kernels, strides and zeros that differ
/// between the sides.
pub fn every_layer(seed: u64) -> Graph {
    let convolution = |inputs, outputs, kernel, stride, rows, columns| Convolution {
        inputs,
        outputs,
        window: Window { kernel, stride, rows, columns },
    };
    let network = Network::builder("every-layer", Shape::Planes { channels: 2, height: 9, width: 14 })
        .batch_norm("a.norm")
        .label("a.label", 3) // N, 5, 9, 14
        .layer("a.conv", Layer::Conv2d(convolution(5, 4, 3, 2, (0, 1), (2, 0)))) // N, 4, 4, 7
        .batch_norm("a.second")
        .batch_norm("a.third")
        .leaky_relu("a.relu", 0.3)
        .batch_norm("a.fourth")
        .layer("b.conv", Layer::Conv2d(convolution(4, 3, 2, 1, (0, 0), (1, 1)))) // N, 3, 3, 8
        .label("b.label", 3)
        .label("b.again", 3)
        .layer("b.deconv", Layer::ConvTranspose2d(convolution(9, 2, 4, 3, (1, 0), (0, 2)))) // N, 2, 9, 23
        .layer("b.tanh", Layer::Activation(models::Activation::Tanh))
        .label("c.label", 3) // N, 5, 9, 23
        .batch_norm("c.norm")
        .layer("c.deconv", Layer::ConvTranspose2d(convolution(5, 2, 1, 1, (0, 0), (0, 0)))) // N, 2, 9, 23
        .flatten("d.flat") // N, 414
        .linear("d.linear", 24)
        .batch_norm("d.norm")
        .sigmoid("d.sigmoid")
        .label("d.label", 3) // N, 27
        .batch_norm("d.again")
        .linear("e.linear", 30)
        .relu("e.relu")
        .reshape("e.planes", 2, 3, 5)
        .label("e.label", 3) // N, 5, 3, 5
        .build()
        .unwrap();
    let weights = network.initialise(seed, &Device::Cpu).unwrap();
    let mut key = seed;
    for (name, value) in weights.iter() {
        let numbers = noise(value.dims(), &mut key, DType::F32);
        // Variances are above 0, some so small that ε counts; weights keep what they see in size.
        let numbers = match name.rsplit('.').next() {
            Some("running_variance") => (numbers.abs().unwrap() + 1e-3).unwrap(),
            Some("weight") => {
                (numbers * (3. / value.dims()[1..].iter().product::<usize>() as f64).sqrt()).unwrap()
            }
            _ => numbers,
        };
        value.set(&numbers).unwrap();
    }
    lower(&network, &weights, &Names { input: "x", label: "label", output: "y" }).unwrap()
}

/// Numbers from −1 to 1.
fn noise(dims: &[usize], key: &mut u64, of_type: DType) -> Numbers {
    let numbers = (0..dims.iter().product::<usize>()).map(|_| {
        *key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*key >> 33) as f64 / (1u64 << 30) as f64 - 1.
    });
    Numbers::from_iter(numbers, &Device::Cpu).unwrap().reshape(dims).unwrap().to_dtype(of_type).unwrap()
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
            _ => noise(&dims, &mut key, DType::F64),
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
