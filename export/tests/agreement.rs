//! What is lowered runs in the newest ONNX Runtime as the network runs in Candle.
#![cfg(test)]

mod common;

use common::{assert_agreement, every_layer, newest_runtime, random_weights, small};
use contract::tensor;
use export::lower::{Names, lower};
use export::passes::simplify;
use models::{Architecture, Network, Shape, Sizes};

#[test]
fn generator() {
    assert_agreement(newest_runtime(), &small().generator().unwrap(), 1);
}

#[test]
fn discriminator() {
    assert_agreement(newest_runtime(), &small().discriminator().unwrap(), 2);
}

#[test]
fn networks_of_odd_and_tiny_pictures() {
    for (height, width) in [(5, 28), (17, 6), (4, 3)] {
        let config = Architecture::LabelledDcgan(Sizes { height, width, ..*small().sizes() });
        assert_agreement(newest_runtime(), &config.generator().unwrap(), 3);
        assert_agreement(newest_runtime(), &config.discriminator().unwrap(), 4);
    }
}

#[test]
fn every_layer_where_it_folds_and_where_it_does_not() {
    assert_agreement(newest_runtime(), &every_layer(), 5);
}

#[test]
fn network_without_labels() {
    let network = Network::builder("unlabelled", Shape::Vector(6))
        .linear("h0.linear", 24)
        .batch_norm("h0.norm")
        .relu("h0.relu")
        .reshape("h0.planes", 4, 2, 3)
        .conv_transpose_same("out.deconv", 3, 5, 2, (4, 6))
        .build()
        .unwrap();
    assert_agreement(newest_runtime(), &network, 6);
}

#[test]
fn network_without_layers() {
    let network = Network::builder("nothing", Shape::Vector(6)).build().unwrap();
    assert_agreement(newest_runtime(), &network, 7);
}

#[test]
fn the_generator_has_few_nodes_named_after_its_layers() {
    let network = small().generator().unwrap();
    let names = Names { input: tensor::Z, label: tensor::LABEL, output: tensor::IMAGE };
    let graph = simplify(lower(&network, &random_weights(&network, 8), &names).unwrap()).unwrap();
    let nodes: Vec<_> = graph.nodes().iter().map(|node| (node.operator.name(), node.name.as_str())).collect();
    let expected = [
        ("Gather", "h0.label.table.row"),
        ("Gemm", "h0.linear"),
        ("Relu", "h0.relu"),
        ("Gather", "h1.label.table.row"),
        ("Gemm", "h1.linear"),
        ("Relu", "h1.relu"),
        ("Reshape", "h1.planes"),
        ("Gather", "h2.label.maps.row"),
        ("ConvTranspose", "h2.deconv"),
        ("Add", "h2.deconv.sum"),
        ("Relu", "h2.relu"),
        ("Gather", "out.label.maps.row"),
        ("ConvTranspose", "out.deconv"),
        ("Add", "out.deconv.sum"),
        ("Sigmoid", "out.sigmoid"),
    ];
    assert_eq!(nodes, expected);
    let inputs: Vec<_> = graph.inputs().map(|input| input.name().to_string()).collect();
    let outputs: Vec<_> = graph.outputs().map(|(name, _)| name.to_string()).collect();
    assert_eq!((inputs, outputs), (vec!["z".into(), "label".into()], vec!["image".to_string()]));
}
