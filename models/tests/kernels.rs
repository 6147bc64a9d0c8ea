//! The CPU kernels against the layers' own Candle operations in double precision, and those
//! against finite differences. Pictures are not square and batches are uneven: squares hide
//! swapped axes.
#![cfg(test)]

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use models::layer::Initial;
use models::{Convolution, Layer, Mode, Network, Parameters, Shape, Wanted, Window};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const ALL: Wanted = Wanted { input: true, parameters: true };

/// A network with its weights, input and labels in both precisions.
struct Case {
    network: Network,
    single: (Parameters, Tensor),
    double: (Parameters, Tensor),
    label: Tensor,
    dy: Tensor,
}

impl Case {
    fn new(network: Network, n: usize, seed: u64) -> Case {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |dims: &[usize], scale: f64| {
            let values: Vec<f64> = (0..dims.iter().product())
                .map(|_| scale * random.sample::<f64, _>(rand_distr::StandardNormal))
                .collect();
            // Rounded to f32, so that both precisions start from the same numbers.
            let values: Vec<f64> = values.into_iter().map(|v| f64::from(v as f32)).collect();
            Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
        };
        // Weights far from their initial values: a gain of 1 and a mean of 0 hide mistakes.
        let weights: HashMap<String, Tensor> = network
            .parameters()
            .into_iter()
            .map(|(name, spec)| {
                let value = match (spec.name, spec.initial) {
                    ("running_variance", _) => (normal(&spec.dims, 0.5).abs().unwrap() + 0.5).unwrap(),
                    (_, Initial::Constant(c)) => (normal(&spec.dims, 0.5) + f64::from(c)).unwrap(),
                    _ => normal(&spec.dims, 0.3),
                };
                (name, value)
            })
            .collect();
        let x = normal(&network.input().dims(n), 1.);
        let dy = normal(&network.output().dims(n), 1.);
        let classes = network.classes().unwrap_or(1) as u32;
        let label: Vec<u32> = (0..n).map(|_| random.random_range(0..classes)).collect();
        let to = |dtype| {
            let weights = weights.iter().map(|(n, t)| (n.clone(), t.to_dtype(dtype).unwrap())).collect();
            (network.with_weights(weights, &Device::Cpu).unwrap(), x.to_dtype(dtype).unwrap())
        };
        let (single, double) = (to(DType::F32), to(DType::F64));
        let label = Tensor::new(label, &Device::Cpu).unwrap();
        Case { network, single, double, label, dy }
    }

    /// Kernels and Candle agree: output, every gradient, running averages, sampling.
    fn check(&self) {
        let Case { network, label, dy, .. } = self;
        let run = |(p, x): &(Parameters, Tensor)| {
            let trace = network.trace(p, x, Some(label)).unwrap();
            let gradients = trace.backward(network, p, &dy.to_dtype(x.dtype()).unwrap(), ALL).unwrap();
            trace.update_running_averages(network, p).unwrap();
            (trace.output, gradients, network.sample(p, x, Some(label)).unwrap())
        };
        let close = |what: &str, got: &Tensor, want: &Tensor| assert_close(what, got, want, largest(want));
        let (output, gradients, sampled) = run(&self.single);
        let (expected_output, expected, expected_sampled) = run(&self.double);
        close("output", &output, &expected_output);
        close("sampled", &sampled, &expected_sampled);
        // All gradients share the rounding of those they come from: a bias before a batch norm has
        // gradient zero, as the difference of large numbers.
        let input = expected.input.unwrap();
        let scale = expected.parameters.iter().map(largest).fold(largest(&input), f64::max);
        assert_close("input's gradient", &gradients.input.unwrap(), &input, scale);
        let names: Vec<String> = self.single.0.trainable().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names.len(), gradients.parameters.len());
        for ((name, got), want) in names.iter().zip(&gradients.parameters).zip(&expected.parameters) {
            assert_close(&format!("gradient of {name}"), got, want, scale);
        }
        for ((name, got), (_, want)) in self.single.0.iter().zip(self.double.0.iter()) {
            close(name, got, want);
        }
    }
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest magnitude, at least 1.
fn largest(t: &Tensor) -> f64 {
    values(t).iter().fold(1f64, |m, v| m.max(v.abs()))
}

/// Elementwise, to 2e-5 of `scale`; prints the first mismatches.
fn assert_close(what: &str, got: &Tensor, want: &Tensor, scale: f64) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let (got, want) = (values(got), values(want));
    let wrong: Vec<String> = got
        .iter()
        .zip(&want)
        .enumerate()
        .filter(|(_, (g, w))| (*g - *w).abs() > 2e-5 * scale || g.is_nan())
        .map(|(i, (g, w))| format!("[{i}] got {g}, want {w}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "{what}: {} of {} differ: {}",
        wrong.len(),
        got.len(),
        wrong[..wrong.len().min(5)].join("; ")
    );
}

fn random_window(random: &mut ChaCha8Rng) -> Window {
    let kernel = random.random_range(1..=5);
    let side = |random: &mut ChaCha8Rng| (random.random_range(0..kernel), random.random_range(0..kernel));
    Window { kernel, stride: random.random_range(1..=3), rows: side(random), columns: side(random) }
}

#[test]
fn convolutions_of_random_shapes() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut tried = 0;
    for seed in 0.. {
        let [inputs, outputs] = [(); 2].map(|()| random.random_range(1..=7));
        let [height, width] = [(); 2].map(|()| random.random_range(1..=9));
        let classes = random.random_range(1..=4);
        let labelled = random.random_bool(0.7);
        let shape = Shape::Planes { channels: inputs, height, width };
        let mut builder = Network::builder("case", shape);
        if labelled {
            builder = builder.label("label", classes);
        }
        let convolution = Convolution {
            inputs: inputs + if labelled { classes } else { 0 },
            outputs,
            window: random_window(&mut random),
        };
        let layer = if random.random_bool(0.5) {
            Layer::Conv2d(convolution)
        } else {
            Layer::ConvTranspose2d(convolution)
        };
        // Not every kernel fits every picture.
        let Ok(network) = builder.layer("layer", layer).build() else { continue };
        let n = random.random_range(1..=13);
        Case::new(network, n, seed).check();
        tried += 1;
        if tried == 120 {
            break;
        }
    }
}

#[test]
fn linear_layers_norms_and_activations_of_random_shapes() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for seed in 0..60 {
        let [inputs, outputs] = [(); 2].map(|()| random.random_range(1..=40));
        // A batch norm over two or three items is ill-conditioned in any precision.
        let n = random.random_range(6..=11);
        let labelled = Network::builder("case", Shape::Vector(inputs)).label("label", 3).linear("a", outputs);
        Case::new(labelled.batch_norm("norm").relu("relu").linear("b", 2).build().unwrap(), n, seed).check();

        let [channels, height, width] = [(); 3].map(|()| random.random_range(1..=35));
        let planes = Network::builder("case", Shape::Planes { channels, height, width });
        let network = match seed % 4 {
            0 => planes.batch_norm("norm").build(),
            1 => planes.batch_norm("norm").leaky_relu("relu", 0.2).build(),
            2 => planes.batch_norm("norm").sigmoid("sigmoid").flatten("flat").build(),
            _ => planes.layer("tanh", Layer::Activation(models::Activation::Tanh)).batch_norm("norm").build(),
        };
        Case::new(network.unwrap(), n, seed).check();
    }
}

#[test]
fn both_networks_of_an_uneven_picture() {
    let config = models::dcgan::Config {
        latent_dim: 9,
        classes: 3,
        channels: 2,
        height: 13,
        width: 22,
        generator_filters: 3,
        generator_units: 17,
        discriminator_filters: 4,
        discriminator_units: 15,
    };
    Case::new(config.generator().unwrap(), 11, 3).check();
    Case::new(config.discriminator().unwrap(), 11, 4).check();
}

#[test]
fn a_label_that_no_weights_follow_takes_the_same_numbers() {
    let network = Network::builder("case", Shape::Vector(5)).linear("a", 4).label("label", 3).relu("relu");
    Case::new(network.linear("b", 2).build().unwrap(), 4, 5).check();
}

#[test]
fn candles_gradient_agrees_with_finite_differences() {
    // One network with every kind of layer.
    let network = Network::builder("all", Shape::Planes { channels: 2, height: 6, width: 9 })
        .label("l0", 3)
        .conv_same("conv", 4, 5, 2)
        .batch_norm("norm")
        .leaky_relu("leaky", 0.2)
        .flatten("flat")
        .label("l1", 3)
        .linear("linear", 2 * 2 * 3)
        .layer("tanh", Layer::Activation(models::Activation::Tanh))
        .reshape("planes", 2, 2, 3)
        .label("l2", 3)
        .deconv_same("deconv", 3, 5, 2, (4, 5))
        .batch_norm("norm2")
        .relu("relu")
        .sigmoid("sigmoid")
        .build()
        .unwrap();
    let case = Case::new(network, 5, 6);
    let (p, x) = &case.double;
    let loss = |p: &Parameters, x: &Tensor| {
        let y = case.network.forward(p, x, Some(&case.label), Mode::Train).unwrap();
        (y * &case.dy).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
    };
    let trace = case.network.trace(p, x, Some(&case.label)).unwrap();
    let gradients = trace.backward(&case.network, p, &case.dy, ALL).unwrap();

    let step = 1e-6;
    let compare = |what: &str, gradient: &Tensor, at: &dyn Fn(usize, f64) -> f64| {
        let gradient = values(gradient);
        // Every 7th number: all kinds of positions, in reasonable time.
        for i in (0..gradient.len()).step_by(7) {
            let slope = (at(i, step) - at(i, -step)) / (2. * step);
            let error = (slope - gradient[i]).abs();
            assert!(
                error < 1e-5 * (1. + slope.abs()),
                "{what}[{i}]: gradient {}, differences {slope}",
                gradient[i]
            );
        }
    };
    let moved = |t: &Tensor, i: usize, by: f64| {
        let mut v = values(t);
        v[i] += by;
        Tensor::from_vec(v, t.dims(), &Device::Cpu).unwrap()
    };
    compare("input", gradients.input.as_ref().unwrap(), &|i, by| loss(p, &moved(x, i, by)));
    for ((name, value), gradient) in p.trainable().zip(&gradients.parameters) {
        compare(name, gradient, &|i, by| {
            let copy = p.copy().unwrap();
            copy.get(name).unwrap().set(&moved(value, i, by)).unwrap();
            loss(&copy, x)
        });
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let config = models::dcgan::Config { generator_filters: 16, generator_units: 64, ..Default::default() };
    let case = Case::new(config.generator().unwrap(), 37, 7);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (p, x) = &case.single;
            let trace = case.network.trace(p, x, Some(&case.label)).unwrap();
            let dy = case.dy.to_dtype(DType::F32).unwrap();
            let gradients = trace.backward(&case.network, p, &dy, ALL).unwrap();
            let mut all = vec![values(&trace.output), values(&gradients.input.unwrap())];
            all.extend(gradients.parameters.iter().map(values));
            all
        })
    };
    let one = run(1);
    assert!(run(2) == one && run(5) == one, "results differ between 1, 2 and 5 threads");
}
