//! Five networks of candle-nn modules, written as their authors would: a `forward`, and beside it what
//! describes it.
#![allow(dead_code, reason = "each test binary uses a part")]

#[path = "../../examples/own_network/main.rs"]
#[allow(dead_code, reason = "its main reads a command line")]
pub mod example;
pub mod resnet;
pub mod unet;
pub mod vae;
pub mod vit;

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use export::builder::{Described, Interface};
use export::form::{Form, Optimize, Precision};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use resnet::ResNet;
use unet::UNet;
use vae::Decoder;
use vit::ViT;

/// Numbers from −1 to 1.
pub fn noise(dims: &[usize], seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let numbers = (0..dims.iter().product()).map(|_| random.random_range(-1f32..1.)).collect();
    Tensor::from_vec(numbers, dims, &Device::Cpu).unwrap()
}

/// Weights that tell: fresh norms have weights of 1 and averages of 0, which hide what is done to them.
pub fn telling(weights: &VarMap, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let data = weights.data().lock().unwrap();
    let by_name: std::collections::BTreeMap<_, _> =
        data.iter().collect::<HashMap<_, _>>().into_iter().collect();
    for (name, var) in by_name {
        let dims = var.dims().to_vec();
        let inputs = dims.iter().skip(1).product::<usize>().max(1) as f32;
        let range = match dims.len() {
            1 if name.ends_with("running_var") => 0.1..2.,
            1 if name.ends_with("weight") => 0.3..1.5,
            1 => -0.5..0.5,
            _ => -1.7 / inputs.sqrt()..1.7 / inputs.sqrt(),
        };
        let numbers = (0..dims.iter().product()).map(|_| random.random_range(range.clone())).collect();
        var.set(&Tensor::from_vec(numbers, dims, var.device()).unwrap()).unwrap();
    }
}

/// A model with weights that tell.
fn model<T>(new: impl Fn(VarBuilder<'_>) -> candle_core::Result<T>, seed: u64) -> T {
    let weights = VarMap::new();
    let made = new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu));
    made.unwrap();
    telling(&weights, seed);
    new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap()
}

/// Each of the five, described and proven in Candle.
pub fn networks() -> Vec<Described<'static>> {
    let (convnet, resnet) = (model(example::ConvNet::new, 1), model(ResNet::new, 2));
    let (decoder, unet, vit) = (model(Decoder::new, 3), model(UNet::new, 4), model(ViT::new, 5));
    // Borrowed for as long as the tests run.
    let convnet: &_ = Box::leak(Box::new(convnet));
    let resnet: &_ = Box::leak(Box::new(resnet));
    let decoder: &_ = Box::leak(Box::new(decoder));
    let unet: &_ = Box::leak(Box::new(unet));
    let vit: &_ = Box::leak(Box::new(vit));
    let picture = |name, seed| Interface { name, inputs: [("x", noise(&[5, 3, 20, 28], seed))], output: "y" };
    let vector = |name, size, seed| Interface { name, inputs: [("x", noise(&[5, size], seed))], output: "y" };
    let steps = Tensor::new(&[0u32, 19, 7, 7, 3], &Device::Cpu).unwrap();
    let noisy =
        Interface { name: "unet", inputs: [("x", noise(&[5, 2, 12, 16], 9)), ("t", steps)], output: "y" };
    vec![
        vector("convnet", 784, 6)
            .prove(|[x]| convnet.forward(&x, false), |graph, [x]| convnet.describe(graph, &x))
            .unwrap(),
        picture("resnet", 7)
            .prove(|[x]| resnet.forward(&x), |graph, [x]| resnet.describe(graph, &x))
            .unwrap(),
        vector("vae", 10, 8)
            .prove(|[z]| decoder.forward(&z), |graph, [z]| decoder.describe(graph, &z))
            .unwrap(),
        noisy.prove(|[x, t]| unet.forward(&x, &t), |graph, [x, t]| unet.describe(graph, &x, &t)).unwrap(),
        picture("vit", 10).prove(|[x]| vit.forward(&x), |graph, [x]| vit.describe(graph, &x)).unwrap(),
    ]
}

/// The five in one ONNX Runtime, as they read and after all passes, and in 8 bits: as near as they must be to
/// be written.
pub fn assert_networks_agree(runtime: &Path) {
    for network in networks() {
        for (optimize, precision) in [
            (Optimize::None, Precision::Fp32),
            (Optimize::Full, Precision::Fp32),
            (Optimize::Full, Precision::Int8),
        ] {
            let form = Form { optimize, precision, ..Form::default() };
            network
                .file(&form, Some(runtime))
                .unwrap_or_else(|error| panic!("{network:?}, {form:?}: {error}"));
        }
    }
}
