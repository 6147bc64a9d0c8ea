//! A network of your own, from Candle to ONNX: the models of Candle's mnist-training example.
//!
//! ```text
//! cargo run --release -p export --example own_network
//! cargo run --release -p export --example own_network mnist-cnn.safetensors
//! ```
//!
//! docs/export-your-own.md explains it; its code is from here.

mod mnist;

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use export::builder::{Builder, Interface, Step};
use export::form::Form;
pub(crate) use mnist::{ConvNet, IMAGE_DIM, Mlp};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    run(std::env::args().nth(1).as_deref())
}

/// With the weights that `mnist-training --save` wrote, or with fresh ones.
pub fn run(weights: Option<&str>) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut varmap = VarMap::new();
    let vs = VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu);
    let model = ConvNet::new(vs.pp("cnn"))?;
    let mlp = Mlp::new(vs.pp("mlp"))?;
    if let Some(weights) = weights {
        varmap.load(weights)?;
    }
    let folder = tempfile::tempdir()?;

    // The names of the file's input and output, and a few pictures to try the description on.
    let pictures = Tensor::rand(0f32, 1., (5, IMAGE_DIM), &Device::Cpu)?;
    let interface = Interface { name: "cnn", inputs: [("pictures", pictures)], output: "logits" };
    // The description is tried in Candle: it must give what `forward` gives.
    let network =
        interface.prove(|[xs]| model.forward(&xs, false), |graph, [xs]| model.describe(graph, &xs))?;
    // The file is run in ONNX Runtime and rten, and written if they give the same too.
    let file = folder.path().join("cnn.onnx");
    for agreement in network.write(&file, &Form::default(), None)? {
        let (largest, batches) = (agreement.difference.largest, agreement.batches);
        println!("{}: differs by {largest:.1e} at most, batches of {batches:?}", agreement.engine);
    }

    // A description that forgets something is refused, and says what.
    let forgetful = |graph: &Builder, xs: &Step| graph.linear(&graph.linear(xs, &mlp.ln1)?, &mlp.ln2);
    let refused = interface.prove(|[xs]| mlp.forward(&xs), |graph, [xs]| forgetful(graph, &xs));
    println!("{}", refused.err().ok_or("that the ReLU is missing was not found")?);
    interface.prove(|[xs]| mlp.forward(&xs), |graph, [xs]| mlp.describe(graph, &xs))?;
    Ok(())
}
