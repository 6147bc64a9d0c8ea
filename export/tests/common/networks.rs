//! A network with every layer, and telling weights.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use models::layers::{Conv2d, ConvTranspose2d, Layer, Shape, Window};
use models::{Network, Parameters};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Every layer there is, also where nothing can be folded: batch norm first and after an activation,
/// the label twice, before a batch norm and at the end, on vectors and on planes; kernels, strides
/// and zeros that differ between the sides.
pub fn every_layer() -> Network {
    let window = |kernel, stride, rows, columns| Window { kernel, stride, rows, columns };
    let conv = |inputs, outputs, window| Layer::Conv2d(Conv2d { inputs, outputs, window });
    let transposed =
        |inputs, outputs, window| Layer::ConvTranspose2d(ConvTranspose2d { inputs, outputs, window });
    Network::builder("every-layer", Shape::Planes { channels: 2, height: 9, width: 14 })
        .batch_norm("a.norm")
        .label("a.label", 3) // N, 5, 9, 14
        .layer("a.conv", conv(5, 4, window(3, 2, (0, 1), (2, 0)))) // N, 4, 4, 7
        .batch_norm("a.second")
        .batch_norm("a.third")
        .leaky_relu("a.relu", 0.3)
        .batch_norm("a.fourth")
        .layer("b.conv", conv(4, 3, window(2, 1, (0, 0), (1, 1)))) // N, 3, 3, 8
        .label("b.label", 3)
        .label("b.again", 3)
        .layer("b.deconv", transposed(9, 2, window(4, 3, (1, 0), (0, 2)))) // N, 2, 9, 23
        .layer("b.tanh", Layer::Activation(models::Activation::Tanh))
        .label("c.label", 3) // N, 5, 9, 23
        .batch_norm("c.norm")
        .layer("c.deconv", transposed(5, 2, window(1, 1, (0, 0), (0, 0)))) // N, 2, 9, 23
        .flatten("d.flat") // N, 414
        .linear("d.linear", 24)
        .batch_norm("d.norm")
        .sigmoid("d.sigmoid")
        .label("d.label", 3) // N, 27
        .batch_norm("d.again")
        .linear("e.linear", 30)
        .reshape("e.planes", 2, 3, 5)
        .batch_norm("e.norm") // of planes, behind a linear layer
        .relu("e.relu")
        .label("e.label", 3) // N, 5, 3, 5
        .build()
        .unwrap()
}

/// Weights drawn at random, the averages and the weights of batch norm too: those of a network that
/// wasn't trained are 0 and 1, and hide what is done to them.
pub fn random_weights(network: &Network, seed: u64) -> Parameters {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let tensors = network.parameters().into_iter().map(|(name, spec)| {
        let inputs = spec.dims.iter().skip(1).product::<usize>().max(1) as f32;
        let range = match spec.name {
            // A batch norm's.
            "weight" if spec.dims.len() == 1 => -1.5..1.5,
            "weight" => -1.7 / inputs.sqrt()..1.7 / inputs.sqrt(),
            "bias" | "running_mean" => -0.5..0.5,
            // Some so small that ε counts.
            "running_variance" => 0.01..2.,
            other => panic!("{name}: which numbers has a {other}?"),
        };
        let count = spec.dims.iter().product();
        let values: Vec<f32> = (0..count).map(|_| random.random_range(range.clone())).collect();
        (name, Tensor::from_vec(values, spec.dims, &Device::Cpu).unwrap())
    });
    network.with_weights(tensors.collect::<HashMap<_, _>>(), &Device::Cpu).unwrap()
}
