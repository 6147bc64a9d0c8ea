//! A network of your own, from Candle to ONNX.
//!
//! ```text
//! cargo run --release -p export --example own_network
//! ```
//!
//! A network is a list of named layers. Whoever has trained one with any optimiser over its weights,
//! or has weights from elsewhere, gets an ONNX file of it in three steps: lower, simplify, encode. The
//! same list runs in Candle, which is what the file is checked against at the end.

use candle_core::{Device, Tensor};
use export::lower::{Names, lower};
use export::onnx::{Model, Producer};
use export::passes::simplify;
use infer::{Input, ModelSource, Runtime, Session, Values};
use models::{Mode, Network, Shape};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A classifier of 3 × 20 × 28 pictures: each layer takes the shape that the last one made.
    let picture = Shape::Planes { channels: 3, height: 20, width: 28 };
    let network = Network::builder("classifier", picture)
        .conv_same("h0.conv", 16, 5, 2) //  N, 16, 10, 14
        .batch_norm("h0.norm")
        .leaky_relu("h0.relu", 0.2)
        .conv_same("h1.conv", 32, 3, 2) //  N, 32, 5, 7
        .batch_norm("h1.norm")
        .leaky_relu("h1.relu", 0.2)
        .flatten("h1.flat") //              N, 1120
        .linear("out.linear", 5) //         N, 5
        .build()?;

    // Weights by name, as a checkpoint has them: `network.with_weights(map, device)`. Here, fresh ones.
    let weights = network.initialise(7, &Device::Cpu)?;

    // Layer by layer, then batch norms into the convolutions before them.
    let names = Names { input: "picture", label: "label", output: "logits" };
    let graph = simplify(lower(&network, &weights, &names)?)?;
    for node in graph.nodes() {
        let value = graph.value(&node.name).ok_or("a node makes a value")?;
        println!("{:<10} {:<12} {}", node.operator.name(), node.name, value.type_of());
    }
    let producer = Producer { name: "own_network".into(), version: "1.0".into() };
    let bytes = Model::new(&graph, producer)?.encode();

    // The very bytes in ONNX Runtime, against Candle.
    let dims = network.input().dims(2);
    let x: Vec<f32> = (0..dims.iter().product()).map(|i| (i % 17) as f32 / 17.).collect();
    let (shape, values) = ((&dims).into(), Values::Float32((&x).into()));
    let source = ModelSource::Bytes { name: "own_network", bytes: &bytes };
    let mut session = Session::load(&source, Runtime::load(None)?, None)?;
    let mut found = Vec::new();
    session.run(&[Input { name: "picture".into(), shape, values }], &["logits"], |_, values| {
        if let Values::Float32(numbers) = values {
            found = numbers.into_owned();
        }
        Ok(())
    })?;
    let x = Tensor::from_vec(x, dims, &Device::Cpu)?;
    let expected = network.forward(&weights, &x, None, Mode::Sample)?.flatten_all()?.to_vec1::<f32>()?;
    let largest = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    println!("{} bytes; ONNX Runtime and Candle differ by {largest:.1e} at most", bytes.len());
    if largest > 1e-5 {
        return Err("the file says something else than the network".into());
    }
    Ok(())
}
