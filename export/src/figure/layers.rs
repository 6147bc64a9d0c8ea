//! A network's list of layers as blocks.

use contract::thousands;
use models::layers::{Label, Layer};
use models::{Network, Shape};

use super::{Block, Strip};

/// A network as the figure shows it. A layer with a weight, and one that changes the shape, begins a new
/// block; batch norm and activations are among the operations that lead to one.
pub fn of_network(network: &Network) -> Strip {
    let input = match network.input() {
        Shape::Vector(_) => "z",
        Shape::Planes { .. } => "x",
    };
    let first = Block { name: Some(input.to_string()), ..Block::new(sizes(network.input())) };
    let (mut blocks, mut last, mut before) = (Vec::new(), first, network.input());
    for (named, &shape) in network.layers().iter().zip(network.shapes()) {
        if let Layer::Label(Label { classes }) = named.layer {
            last.label = Some(last.label.unwrap_or(0) + classes as u64);
        } else {
            let has_weight = named.layer.parameters().iter().any(|parameter| parameter.dims.len() > 1);
            if has_weight || shape != before || last.label.is_some() {
                blocks.push(std::mem::replace(&mut last, Block::new(sizes(shape))));
            }
            last.operations.push(named.layer.to_string());
        }
        before = shape;
    }
    blocks.push(last);
    let about = format!("{} trainable parameters", thousands(network.trainable() as u64));
    Strip { name: network.name().to_string(), about, blocks }
}

fn sizes(shape: Shape) -> Vec<Option<u64>> {
    shape.dims(1).into_iter().skip(1).map(|size| Some(size as u64)).collect()
}
