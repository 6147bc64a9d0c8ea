//! A generator in 8 bits is near the one in single precision, whatever its layers.

use candle_core::{Device, Tensor as Numbers};
use models::{Network, Shape};

use super::super::tests::{inputs, operators, plain, random_weights};
use super::super::{dead, deconv, simplify};
use super::{Ranges, convolutions, layers};
use crate::onnx::{Dim, Graph, Operator, Sliding, Tensor, Type, evaluate};

/// A labelled generator as the shipped one, of uneven sizes.
fn generator() -> Graph {
    let network = Network::builder("generator", Shape::Vector(6))
        .linear("h1.linear", 12 * 7 * 9)
        .relu("h1.relu")
        .reshape("h1.planes", 12, 7, 9)
        .label("h2.label", 3)
        .conv_transpose_same("h2.deconv", 18, 5, 2, (14, 18))
        .relu("h2.relu")
        .label("out.label", 3)
        .conv_transpose_same("out.deconv", 1, 5, 2, (28, 36))
        .sigmoid("out.sigmoid")
        .build()
        .unwrap();
    let graph = simplify(plain(&network, &random_weights(&network, 5))).unwrap();
    dead::remove(&deconv::subpixel(&graph, |name| name == "h2.deconv").unwrap()).unwrap()
}

/// In 8 bits, of the ranges that some inputs have.
fn quantise(graph: &Graph, chosen: impl Fn(&str) -> bool) -> crate::Result<Graph> {
    let names: Vec<_> =
        layers(graph).into_iter().map(|layer| layer.name).filter(|name| chosen(name)).collect();
    super::quantise(graph, &Ranges::observe(graph, inputs(graph, 3))?, &names)
}

/// The second graph's numbers are off by a share of the first one's: root mean squares.
#[track_caller]
fn assert_near(expected: &Graph, found: &Graph, share: f64) {
    let run = |graph: &Graph| evaluate::run(graph, inputs(expected, 77)).unwrap().remove(0);
    let [a, b] = [expected, found].map(|graph| run(graph).flatten_all().unwrap().to_vec1::<f64>().unwrap());
    assert_eq!(a.len(), b.len());
    let mean = |numbers: &mut dyn Iterator<Item = f64>| (numbers.sum::<f64>() / a.len() as f64).sqrt();
    let size = mean(&mut a.iter().map(|a| a * a));
    let off = mean(&mut a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)));
    assert!(off < share * size, "off by {off}, of numbers of {size}");
    assert!(off > 0.);
}

fn count(graph: &Graph, name: &str) -> usize {
    operators(graph).iter().filter(|&&operator| operator == name).count()
}

#[test]
fn a_labelled_generator_is_near_with_8_bits() {
    let (graph, converted) = convolutions(&generator()).unwrap();
    assert_eq!(converted, ["out.deconv"]);
    assert_eq!(
        layers(&graph).iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(),
        ["h2.deconv", "out.deconv"]
    );
    let quantised = quantise(&graph, |_| true).unwrap();
    // The maps of the hidden layer are input planes now; one weave makes the whole picture.
    assert_eq!((count(&quantised, "Add"), count(&quantised, "DepthToSpace")), (1, 1));
    assert_eq!((count(&quantised, "Conv"), count(&quantised, "DequantizeLinear")), (5, 15));
    assert_near(&graph, &quantised, 0.05);
    for layer in layers(&graph) {
        let alone = quantise(&graph, |name| name == layer.name).unwrap();
        assert_near(&graph, &alone, 0.05);
        assert!(count(&alone, "DequantizeLinear") < 15);
    }
}

/// Without labels, the phases of a transposed convolution have a bias together.
#[test]
fn an_unlabelled_generator_is_near_with_8_bits() {
    let network = Network::builder("generator", Shape::Vector(6))
        .linear("h0.linear", 12 * 7 * 9)
        .relu("h0.relu")
        .reshape("h0.planes", 12, 7, 9)
        .conv_transpose_same("h1.deconv", 18, 5, 2, (14, 18))
        .relu("h1.relu")
        .conv_transpose_same("out.deconv", 3, 5, 2, (28, 36))
        .tanh("out.tanh")
        .build()
        .unwrap();
    let graph = simplify(plain(&network, &random_weights(&network, 5))).unwrap();
    let graph = dead::remove(&deconv::subpixel(&graph, |name| name == "h1.deconv").unwrap()).unwrap();
    let (graph, _) = convolutions(&graph).unwrap();
    let quantised = quantise(&graph, |_| true).unwrap();
    // Each phase's weight and bias, and what it takes and gives.
    let biases = quantised.nodes().iter().filter(|node| node.name.ends_with(".bias.floats"));
    assert!(biases.count() >= 4);
    assert_near(&graph, &quantised, 0.05);
}

/// The sums of two products that processors without VNNI make are of 16 bits.
#[test]
fn no_pair_of_products_is_beyond_16_bits() {
    let (graph, _) = convolutions(&generator()).unwrap();
    let quantised = quantise(&graph, |_| true).unwrap();
    let weights = quantised.nodes().iter().filter(|node| node.operator == Operator::DequantizeChannels);
    let numbers: Vec<f32> =
        weights.flat_map(|node| quantised.constant(&node.inputs[0]).unwrap().floats()).collect();
    assert!(numbers.iter().all(|weight| (-64. ..=63.).contains(weight)));
    assert!(numbers.iter().any(|weight| weight.abs() > 60.));
}

#[test]
fn large_linear_layers_are_near_with_8_bits() {
    let network = Network::builder("linear", Shape::Vector(6))
        .linear("small", 520)
        .relu("relu")
        .label("h1.label", 3)
        .linear("large", 530)
        .build()
        .unwrap();
    let weights = network.initialise(3, &Device::Cpu).unwrap();
    let graph = simplify(plain(&network, &weights)).unwrap();
    assert_eq!(operators(&graph), ["Gemm", "Relu", "Gather", "Gemm"]);
    let quantised = quantise(&graph, |_| true).unwrap();
    let expected = ["Gemm", "Relu", "Gather", "QuantizeLinear", "MatMulInteger", "Cast", "Mul", "Add"];
    assert_eq!(operators(&quantised), expected);
    assert_near(&graph, &quantised, 0.02);
}

/// A convolution with a bias and strides, then one that takes what is stored already.
#[test]
fn plain_convolutions_hand_on_whole_numbers() {
    let mut graph = Graph::new("g");
    let dims = vec![Dim::Symbol("batch".into()), Dim::Fixed(5), Dim::Fixed(31), Dim::Fixed(25)];
    let x = graph.input("x", Type::float32(dims)).unwrap();
    let numbers = |n: usize| (0..n).map(|i| (i * 37 % 101) as f32 / 500. - 0.1);
    let mut y = x;
    for (name, [outputs, inputs], stride) in [("first", [24, 5], 2), ("second", [18, 24], 1)] {
        let sliding = Sliding { kernel: [5, 3], strides: [stride; 2], pads: [1, 0, 2, 1] };
        let weight = Tensor::float32(&[outputs, inputs, 5, 3], numbers(outputs * inputs * 15)).unwrap();
        let weight = graph.initializer(&format!("{name}.w"), weight).unwrap();
        let bias = Tensor::float32(&[outputs], numbers(outputs).map(|b| 10. * b)).unwrap();
        let bias = graph.initializer(&format!("{name}.b"), bias).unwrap();
        y = graph.node(name, Operator::Conv(sliding), &[&y, &weight, &bias]).unwrap();
        y = graph.node(&format!("{name}.relu"), Operator::Relu, &[&y]).unwrap();
    }
    graph.output(&y, "y").unwrap();
    let quantised = quantise(&graph, |_| true).unwrap();
    // One of the input, one behind each convolution.
    assert_eq!(count(&quantised, "QuantizeLinear"), 3);
    assert_near(&graph, &quantised, 0.05);
}

/// Numbers beyond what was seen are limited, not wrapped around.
#[test]
fn what_was_not_seen_is_limited() {
    let (graph, _) = convolutions(&generator()).unwrap();
    let quantised = quantise(&graph, |_| true).unwrap();
    let mut far = inputs(&graph, 4);
    let x = far.get_mut("x").unwrap();
    *x = (x.clone() * 100.).unwrap();
    let pixels: Numbers = evaluate::run(&quantised, far).unwrap().remove(0);
    let pixels = pixels.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert!(pixels.iter().all(|pixel| (0. ..=1.).contains(pixel)));
}

/// The same weights twice over, each time behind another range.
#[test]
fn layers_may_share_a_weight() {
    let numbers = |n: usize| (0..n).map(|i| (i * i * 37 % 1009) as f32 / 5000. - 0.1);
    let batch = Dim::Symbol("batch".into());
    let sliding = Sliding { kernel: [5, 3], strides: [1; 2], pads: [2, 1, 2, 1] };
    let planes = vec![batch.clone(), Dim::Fixed(18), Dim::Fixed(31), Dim::Fixed(25)];
    let cases = [
        (planes, Tensor::float32(&[18, 18, 5, 3], numbers(18 * 18 * 15)), Operator::Conv(sliding)),
        (vec![batch, Dim::Fixed(520)], Tensor::float32(&[520, 520], numbers(520 * 520)), Operator::Gemm),
    ];
    for (dims, weight, operator) in cases {
        let mut graph = Graph::new("g");
        let x = graph.input("x", Type::float32(dims)).unwrap();
        let weight = graph.initializer("w", weight.unwrap()).unwrap();
        let y = graph.node("first", operator.clone(), &[&x, &weight]).unwrap();
        let y = graph.node("relu", Operator::Relu, &[&y]).unwrap();
        let y = graph.node("second", operator, &[&y, &weight]).unwrap();
        graph.output(&y, "y").unwrap();
        assert_eq!(layers(&graph).len(), 2);
        assert_near(&graph, &quantise(&graph, |_| true).unwrap(), 0.05);
    }
}
