//! Random small networks lower to files that ONNX Runtime computes as Candle does: plain, simplified,
//! and with their transposed convolutions turned and larger linear layers as products.
#![cfg(test)]

mod common;

use common::{assert_model_agrees, encode, newest_runtime, random_weights};
use export::lower::lower;
use export::passes::{dead, deconv, in_place, padding, simplify};
use models::Network;
use models::layers::{
    Activation, BatchNorm, Conv2d, ConvTranspose2d, Label, Layer, Linear, Reshape, Shape, Window,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const NETWORKS: u64 = 500;

/// The next layer: any kind that takes the shape, with any widths, strides and zeros that leave
/// something of it.
fn random_layer(random: &mut ChaCha8Rng, shape: Shape, classes: usize) -> Layer {
    loop {
        let convolution = |random: &mut ChaCha8Rng, inputs| {
            let kernel = random.random_range(1..=5);
            let mut zeros = || (random.random_range(0..=3), random.random_range(0..=3));
            let (rows, columns) = (zeros(), zeros());
            let stride = random.random_range(1..=3);
            let window = Window { kernel, stride, rows, columns };
            (inputs, random.random_range(1..=5), window)
        };
        let layer = match (random.random_range(0..9), shape) {
            (0, _) => Layer::Label(Label { classes }),
            (1, _) => Layer::BatchNorm(BatchNorm { features: shape.channels() }),
            (2, Shape::Vector(inputs)) => {
                Layer::Linear(Linear { inputs, outputs: random.random_range(1..=24) })
            }
            (3, Shape::Vector(n)) => {
                let divisors: Vec<usize> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
                let channels = divisors[random.random_range(0..divisors.len())];
                let rows: Vec<usize> =
                    (1..=n / channels).filter(|d| (n / channels).is_multiple_of(*d)).collect();
                let height = rows[random.random_range(0..rows.len())];
                Layer::Reshape(Reshape { channels, height, width: n / channels / height })
            }
            (4 | 5, Shape::Planes { channels, .. }) => {
                let (inputs, outputs, window) = convolution(random, channels);
                Layer::Conv2d(Conv2d { inputs, outputs, window })
            }
            (6 | 7, Shape::Planes { channels, .. }) => {
                let (inputs, outputs, window) = convolution(random, channels);
                Layer::ConvTranspose2d(ConvTranspose2d { inputs, outputs, window })
            }
            (8, Shape::Planes { .. }) => Layer::Flatten,
            _ => Layer::Activation(match random.random_range(0..4) {
                0 => Activation::Relu,
                1 => Activation::LeakyRelu { slope: 0.2 },
                2 => Activation::Sigmoid,
                _ => Activation::Tanh,
            }),
        };
        if layer.output("layer", shape).is_ok_and(|shape| (1..=6000).contains(&shape.elements())) {
            return layer;
        }
    }
}

fn random_network(seed: u64) -> Network {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let classes = random.random_range(1..=4);
    let input = match random.random_range(0..2) {
        0 => Shape::Vector(random.random_range(1..=30)),
        _ => Shape::Planes {
            channels: random.random_range(1..=4),
            height: random.random_range(1..=11),
            width: random.random_range(1..=11),
        },
    };
    let mut network = Network::builder("random", input);
    let mut shape = input;
    for at in 0..random.random_range(1..=9) {
        let layer = random_layer(&mut random, shape, classes);
        shape = layer.output("layer", shape).unwrap();
        network = network.layer(&format!("layer{at}"), layer);
    }
    network.build().unwrap()
}

#[test]
fn random_networks_agree_in_every_form() {
    let mut kinds = std::collections::HashMap::new();
    let mut telling = 0;
    for seed in 0..NETWORKS {
        let network = random_network(seed);
        for layer in network.layers() {
            *kinds.entry(std::mem::discriminant(&layer.layer)).or_insert(0) += 1;
        }
        let weights = random_weights(&network, seed);
        let plain = lower(&network, &weights, &common::NAMES).unwrap();
        let simple = simplify(plain.clone()).unwrap();
        let turned = dead::remove(&deconv::subpixel(&simple, |_| true).unwrap()).unwrap();
        let turned = in_place::products(&turned, 100).unwrap();
        let simple = padding::symmetric(&simple).unwrap();
        assert!(turned.nodes().iter().all(|node| node.operator.name() != "ConvTranspose"));
        for (form, graph) in [("plain", plain), ("simplified", simple), ("turned", turned)] {
            let what = format!("network {seed}, {form}: {:?}", network.layers());
            let size =
                assert_model_agrees(newest_runtime(), &what, &encode(&graph), &network, &weights, seed);
            telling += usize::from(size > 0.01);
        }
    }
    // Outputs near 0, as a ReLU at the end may give, would agree with anything.
    assert!(telling > 9 * 3 * NETWORKS as usize / 10, "{telling}");
    // Every kind of layer, often.
    assert!(kinds.len() == 8 && kinds.values().all(|&times| times > 100), "{kinds:?}");
}
