//! Five networks of candle-nn modules, written as their authors would: a `forward`, and beside it what
//! describes it.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod resnet;
pub mod unet;
pub mod vae;
pub mod vit;

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

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
