//! The networks, losses and recipe against PyTorch's numbers (tests/golden).
#![cfg(test)]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use models::{Architecture, Mode, Network, Parameters, Sizes};
use train::recipe::Recipe;
use train::trainer::Trainer;

const ITERATIONS: usize = 3;

/// A file of PyTorch's numbers, and the networks that they are of.
struct Golden {
    tensors: HashMap<String, Tensor>,
    pair: Architecture,
    /// Layers whose bias comes right before a batch norm.
    noisy: &'static [&'static str],
    /// How far rounding noise may move these in single precision.
    noise: f64,
}

/// A precision, and where it is computed.
type Place = (DType, Device);

/// Double precision is Candle's own operations, single precision the kernels': the CPU's, and on a
/// GPU the CUDA ones, if this program was built with the feature `cuda`.
fn places() -> Vec<Place> {
    let mut places = vec![(DType::F64, Device::Cpu), (DType::F32, Device::Cpu)];
    if let (true, Ok(gpu)) = (cfg!(feature = "cuda"), Device::new_cuda(0)) {
        eprintln!("on the GPU too");
        places.push((DType::F32, gpu));
    }
    places
}

impl Golden {
    fn labelled() -> Golden {
        let sizes = Sizes {
            generator_filters: 4,
            generator_units: 16,
            discriminator_filters: 4,
            discriminator_units: 16,
            ..Sizes::default()
        };
        Golden {
            tensors: load("dcgan.safetensors"),
            pair: Architecture::LabelledDcgan(sizes),
            noisy: &["h0.linear", "h1.linear", "h2.deconv", "h1.conv", "h2.linear"],
            noise: 2e-4,
        }
    }

    fn unlabelled() -> Golden {
        let sizes = Sizes {
            height: 20,
            width: 30,
            generator_filters: 2,
            discriminator_filters: 2,
            ..Sizes::unlabelled()
        };
        Golden {
            tensors: load("unlabelled.safetensors"),
            pair: Architecture::UnlabelledDcgan(sizes),
            noisy: &["h0.linear", "h1.deconv", "h2.deconv", "h3.deconv", "h1.conv", "h2.conv", "h3.conv"],
            // What six steps of Adam can make of it.
            noise: 1.2e-3,
        }
    }

    fn both() -> [Golden; 2] {
        [Golden::labelled(), Golden::unlabelled()]
    }

    fn networks(&self) -> (Network, Network) {
        (self.pair.generator().unwrap(), self.pair.discriminator().unwrap())
    }

    fn get(&self, name: &str, (dtype, device): &Place) -> Tensor {
        self.tensors[name].to_dtype(*dtype).unwrap().to_device(device).unwrap()
    }

    /// Zeros where there are none.
    fn labels(&self, (_, device): &Place) -> Tensor {
        match self.pair.classes().is_some() {
            true => self.get("label", &(DType::U32, device.clone())),
            false => Tensor::zeros(self.tensors["x"].dims()[0], DType::U32, device).unwrap(),
        }
    }

    /// What a bias before a batch norm has: its true gradient is zero, so in single precision Adam
    /// magnifies rounding noise, and the running mean behind it moves along. PyTorch's own float32 is
    /// off there by up to 1.6e-4 in the labelled pair, 7.0e-4 in the unlabelled (tests/golden/common.py).
    fn moved_by_noise(&self, name: &str) -> bool {
        self.noisy.iter().any(|layer| name == format!("{layer}.bias")) || name.ends_with("running_mean")
    }

    fn weights(&self, group: &str, network: &Network, (dtype, device): &Place) -> Parameters {
        let prefix = format!("{group}.{}.", network.name());
        let under = self.tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?, t)));
        let weights = under.map(|(name, t)| (name.to_string(), t.to_dtype(*dtype).unwrap())).collect();
        network.with_weights(weights, device).unwrap()
    }
}

fn load(file: &str) -> HashMap<String, Tensor> {
    // Where the checkout is now, which need not be where this was compiled.
    let package = std::env::var("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").to_string());
    candle_core::safetensors::load(Path::new(&package).join("golden").join(file), &Device::Cpu).unwrap()
}

fn values(t: &Tensor) -> Vec<f64> {
    let t = t.to_device(&Device::Cpu).unwrap();
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// |got − want| ≤ absolute + relative·|want| for every element; prints the first mismatches.
fn assert_close(what: &str, got: &Tensor, want: &Tensor, absolute: f64, relative: f64) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let (got, want) = (values(got), values(want));
    let wrong: Vec<String> = (0..got.len())
        .filter(|&i| (got[i] - want[i]).abs() > absolute + relative * want[i].abs() || got[i].is_nan())
        .map(|i| format!("[{i}] got {}, want {}", got[i], want[i]))
        .collect();
    let shown = wrong[..wrong.len().min(5)].join("; ");
    assert!(wrong.is_empty(), "{what}: {} of {} differ: {shown}", wrong.len(), got.len());
}

#[test]
fn forward_passes() {
    Golden::both().iter().for_each(check_forward_passes);
}

fn check_forward_passes(golden: &Golden) {
    let (generator, discriminator) = golden.networks();
    for place in &places() {
        let label = golden.labels(place);
        let (x, z) = (golden.get("x", place), golden.get("z", place));
        for (network, input, train, eval) in
            [(&generator, &z, "train.image", "eval.image"), (&discriminator, &x, "train.logit", "eval.logit")]
        {
            let name = network.name();
            let p = golden.weights("init", network, place);
            let traced = network.trace(&p, input, Some(&label)).unwrap().output;
            assert_close(&format!("{name} by kernels"), &traced, &golden.tensors[train], 1e-5, 0.);
            let composed = network.forward(&p, input, Some(&label), Mode::Train).unwrap();
            assert_close(&format!("{name} in Candle"), &composed, &golden.tensors[train], 1e-5, 0.);
            let after = golden.weights("after", network, place);
            let sampled = network.sample(&after, input, Some(&label)).unwrap();
            assert_close(&format!("{name} sampling"), &sampled, &golden.tensors[eval], 1e-5, 0.);
        }
    }
}

/// Three iterations of the whole recipe.
#[test]
fn three_iterations() {
    Golden::both().iter().for_each(check_three_iterations);
}

fn check_three_iterations(golden: &Golden) {
    for place in &places() {
        let dtype = place.0;
        let (generator, discriminator) = golden.networks();
        let g = golden.weights("init", &generator, place);
        let d = golden.weights("init", &discriminator, place);
        let mut trainer =
            Trainer::with_weights((generator, g), (discriminator, d), Recipe::default()).unwrap();
        let label = golden.labels(place);
        let (x, z) = (golden.get("x", place), golden.get("z", place));
        let (want_d, want_g) =
            (values(&golden.tensors["loss.discriminator"]), values(&golden.tensors["loss.generator"]));
        for i in 0..ITERATIONS {
            let figures = trainer.iteration(&x, &label, &z).unwrap();
            let (loss_d, loss_g) = (figures.loss_d().unwrap(), figures.loss_g().unwrap());
            assert!((loss_d - want_d[i]).abs() < 1e-6, "{place:?} loss D {i}: {loss_d}, want {}", want_d[i]);
            let last = want_g[2 * i + 1];
            assert!((loss_g - last).abs() < 1e-6, "{place:?} loss G {i}: {loss_g}, want {last}");
        }
        for (network, p) in [(&trainer.generator, &trainer.g), (&trainer.discriminator, &trainer.d)] {
            for (name, got) in p.iter() {
                let full = format!("after.{}.{name}", network.name());
                let want = &golden.tensors[&full];
                let largest = values(want).iter().fold(0f64, |m, v| m.max(v.abs()));
                let absolute = match (dtype, golden.moved_by_noise(name)) {
                    (DType::F64, _) => 1e-7,
                    (_, false) => 1e-4 * largest,
                    (_, true) => golden.noise,
                };
                assert_close(&format!("{place:?} {full}"), got, want, absolute, 1e-6);
            }
        }
    }
}

#[test]
fn same_padding_of_pictures_that_are_not_square() {
    let golden = Golden::labelled();
    for kind in ["conv", "deconv"] {
        for parity in ["even", "odd"] {
            let get = |name: &str| golden.tensors[&format!("same.{kind}.{parity}.{name}")].clone();
            let (input, output) = (get("input"), get("output"));
            let (_, channels, height, width) = input.dims4().unwrap();
            let (_, outputs, out_height, out_width) = output.dims4().unwrap();
            let shape = models::Shape::Planes { channels, height, width };
            let builder = Network::builder("same", shape);
            let network = match kind {
                "conv" => builder.conv_same("layer", outputs, 5, 2),
                _ => builder.conv_transpose_same("layer", outputs, 5, 2, (out_height, out_width)),
            };
            let network = network.build().unwrap();
            let weights =
                [("layer.weight".to_string(), get("weight")), ("layer.bias".to_string(), get("bias"))];
            let p = network.with_weights(HashMap::from(weights), &Device::Cpu).unwrap();
            let what = format!("{kind}, {parity} size");
            assert_close(&what, &network.sample(&p, &input, None).unwrap(), &output, 1e-5, 0.);
            assert_close(&what, &network.forward(&p, &input, None, Mode::Sample).unwrap(), &output, 1e-5, 0.);
        }
    }
}
