//! All kernels against the layers' own Candle operations in double precision, and those against
//! finite differences. Pictures are not square and batches are uneven: squares hide swapped axes.
//!
//! The CUDA kernels run on the GPU where there is one (feature `cuda`), and on any Linux machine in
//! an emulator.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::layers::Initial;
use crate::layers::{Conv2d, ConvTranspose2d};
use crate::ops::{AdamStep, Changing, Factors, Kernels, Moved, cpu};
use crate::{Architecture, Layer, Mode, Network, Parameters, Shape, Sizes, Wanted, Window};

const ALL: Wanted = Wanted { input: true, parameters: true };

/// The kernels under test, with products of these factors, and where their tensors are.
fn all_kernels(factors: Factors) -> Vec<(&'static dyn Kernels, Device)> {
    let mut all: Vec<(&'static dyn Kernels, Device)> = vec![match factors {
        Factors::Float32 => (&cpu::Cpu(cpu::matrix::Float32), Device::Cpu),
        Factors::Bfloat16 => (&cpu::Cpu(cpu::matrix::Bfloat16), Device::Cpu),
    }];
    #[cfg(any(feature = "cuda", target_os = "linux"))]
    let cuda = match factors {
        Factors::Float32 => &crate::ops::cuda::Cuda(Factors::Float32),
        Factors::Bfloat16 => &crate::ops::cuda::Cuda(Factors::Bfloat16),
    };
    #[cfg(target_os = "linux")]
    all.push((cuda, Device::Cpu));
    #[cfg(feature = "cuda")]
    if let Ok(device) = Device::new_cuda(0) {
        eprintln!("the CUDA kernels run on a GPU too");
        all.push((cuda, device));
    }
    all
}

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

    /// All kernels and Candle agree: output, every gradient, running averages, sampling.
    fn check(&self) {
        let reference = self.run(None, &self.double, &Device::Cpu);
        for (kernels, device) in all_kernels(Factors::Float32) {
            let kernels = Some(kernels).filter(|_| self.network.suits_kernels());
            let got = self.run(kernels, &self.single_on(&device), &device);
            self.compare(&got, &reference);
        }
    }

    /// Weights and input in single precision. A pass moves running averages: each gets weights of its own.
    fn single_on(&self, device: &Device) -> (Parameters, Tensor) {
        let (p, x) = &self.single;
        let weights = p.iter().map(|(name, v)| (name.to_string(), v.copy().unwrap())).collect();
        (self.network.with_weights(weights, device).unwrap(), x.to_device(device).unwrap())
    }

    /// Products of bfloat16 are as near to the exact ones as its eight bits of mantissa allow: either factor
    /// is off by 2⁻⁸ of itself at most, so a sum of products by 2⁻⁷ of the sum of their magnitudes. For networks of one
    /// layer: what follows would carry the error on.
    fn check_rounded(&self) {
        let exact = self.run(None, &self.double, &Device::Cpu);
        let (p, x) = &self.double;
        let weights = p.iter().map(|(name, v)| (name.to_string(), v.abs().unwrap())).collect();
        let magnitudes = Case {
            network: self.network.clone(),
            single: self.single.clone(),
            double: (self.network.with_weights(weights, &Device::Cpu).unwrap(), x.abs().unwrap()),
            label: self.label.clone(),
            dy: self.dy.abs().unwrap(),
        };
        let magnitudes = magnitudes.run(None, &magnitudes.double, &Device::Cpu);
        for (kernels, device) in all_kernels(Factors::Bfloat16) {
            let rounded = self.run(Some(kernels), &self.single_on(&device), &device);
            let mut is_rounded = false;
            let mut compare = |what: &str, got: &Tensor, want: &Tensor, magnitude: &Tensor| {
                for ((got, want), magnitude) in values(got).iter().zip(values(want)).zip(values(magnitude)) {
                    let (error, most) = ((got - want).abs(), magnitude * (2f64.powi(-7) + 3e-5));
                    assert!(error <= most, "{what}: got {got}, want {want} within {most}");
                    is_rounded |= error > 1e-4 * magnitude;
                }
            };
            compare("output", &rounded.output, &exact.output, &magnitudes.output);
            compare("input's gradient", &rounded.input, &exact.input, &magnitudes.input);
            let gradients = rounded.gradients.iter().zip(&exact.gradients).zip(&magnitudes.gradients);
            gradients.for_each(|((got, want), magnitude)| compare("gradient", got, want, magnitude));
            assert!(is_rounded, "nothing was rounded");
        }
    }

    fn run(
        &self,
        kernels: Option<&'static dyn Kernels>,
        (p, x): &(Parameters, Tensor),
        device: &Device,
    ) -> Outcome {
        let (network, label) = (&self.network, self.label.to_device(device).unwrap());
        let trace = network.trace_with(kernels, p, x, Some(&label)).unwrap();
        let dy = self.dy.to_dtype(x.dtype()).unwrap().to_device(device).unwrap();
        let gradients = trace.backward(network, p, &dy, ALL).unwrap();
        trace.update_running_averages(network, p).unwrap();
        Outcome {
            sampled: network.sample_with(kernels, p, x, Some(&label)).unwrap(),
            output: trace.output,
            input: gradients.input.unwrap(),
            gradients: gradients.parameters,
            parameters: p.iter().map(|(_, v)| v.as_tensor().clone()).collect(),
        }
    }

    fn compare(&self, got: &Outcome, want: &Outcome) {
        let close = |what: &str, got: &Tensor, want: &Tensor| assert_close(what, got, want, largest(want));
        close("output", &got.output, &want.output);
        close("sampled", &got.sampled, &want.sampled);
        // All gradients share the rounding of those they come from: a bias before a batch norm has
        // gradient zero, as the difference of large numbers.
        let scale = want.gradients.iter().map(largest).fold(largest(&want.input), f64::max);
        assert_close("input's gradient", &got.input, &want.input, scale);
        let names: Vec<&str> = self.single.0.trainable().map(|(name, _)| name).collect();
        assert_eq!(names.len(), got.gradients.len());
        for ((name, got), want) in names.iter().zip(&got.gradients).zip(&want.gradients) {
            assert_close(&format!("gradient of {name}"), got, want, scale);
        }
        let names = self.single.0.iter().map(|(name, _)| name);
        for ((name, got), want) in names.zip(&got.parameters).zip(&want.parameters) {
            close(name, got, want);
        }
    }
}

/// What a pass through a network gives.
struct Outcome {
    output: Tensor,
    sampled: Tensor,
    input: Tensor,
    gradients: Vec<Tensor>,
    parameters: Vec<Tensor>,
}

fn values(t: &Tensor) -> Vec<f64> {
    let t = t.to_device(&Device::Cpu).unwrap();
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
        let inputs = inputs + if labelled { classes } else { 0 };
        let window = random_window(&mut random);
        let layer = if random.random_bool(0.5) {
            Layer::Conv2d(Conv2d { inputs, outputs, window })
        } else {
            Layer::ConvTranspose2d(ConvTranspose2d { inputs, outputs, window })
        };
        // Not every kernel fits every picture.
        let Ok(network) = builder.layer("layer", layer).build() else { continue };
        let n = random.random_range(1..=13);
        let case = Case::new(network, n, seed);
        case.check();
        case.check_rounded();
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
        let labelled =
            || Network::builder("case", Shape::Vector(inputs)).label("label", 3).linear("a", outputs);
        Case::new(labelled().build().unwrap(), n, seed).check_rounded();
        Case::new(labelled().batch_norm("norm").relu("relu").linear("b", 2).build().unwrap(), n, seed)
            .check();

        let [channels, height, width] = [(); 3].map(|()| random.random_range(1..=35));
        let planes = Network::builder("case", Shape::Planes { channels, height, width });
        let network = match seed % 4 {
            0 => planes.batch_norm("norm").build(),
            1 => planes.batch_norm("norm").leaky_relu("relu", 0.2).build(),
            2 => planes.batch_norm("norm").sigmoid("sigmoid").flatten("flat").build(),
            _ => planes.layer("tanh", Layer::Activation(crate::Activation::Tanh)).batch_norm("norm").build(),
        };
        Case::new(network.unwrap(), n, seed).check();
    }
}

#[test]
fn both_networks_of_an_uneven_picture() {
    let sizes = Sizes {
        latent_dim: 9,
        latent: contract::LatentDistribution::Uniform,
        classes: 3,
        channels: 2,
        height: 13,
        width: 22,
        generator_filters: 3,
        generator_units: 17,
        discriminator_filters: 4,
        discriminator_units: 15,
    };
    // Without classes, the same sizes are the unlabelled pair's.
    for classes in [3, 0] {
        let pair = Architecture::from(Sizes { classes, ..sizes });
        Case::new(pair.generator().unwrap(), 11, 3).check();
        Case::new(pair.discriminator().unwrap(), 11, 4).check();
    }
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
        .layer("tanh", Layer::Activation(crate::Activation::Tanh))
        .reshape("planes", 2, 2, 3)
        .label("l2", 3)
        .conv_transpose_same("deconv", 3, 5, 2, (4, 5))
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
    let labelled = Sizes { generator_filters: 16, generator_units: 64, ..Default::default() };
    // Few pieces of many pictures: with five threads, products are shared among them.
    let unlabelled = Sizes { generator_filters: 5, ..Sizes::unlabelled() };
    for pair in [labelled, unlabelled].map(Architecture::from) {
        check_threads(&Case::new(pair.generator().unwrap(), 37, 7));
    }
}

fn check_threads(case: &Case) {
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

#[test]
fn what_changes_parameters_agrees_with_the_papers_algorithm() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let n = 70_001;
    let mut draw = || (0..n).map(|_| random.random_range(-1f32..1.)).collect::<Vec<f32>>();
    let [p, m, g1, g2] = [(); 4].map(|()| draw());
    let v: Vec<f32> = draw().iter().map(|v| v * v).collect();
    let step = AdamStep { step: 0.02, root: 1.5, beta1: 0.5, beta2: 0.9, epsilon: 1e-3, on_device: None };
    for (kernels, device) in all_kernels(Factors::Float32) {
        let tensor = |values: &Vec<f32>| Tensor::from_slice(values, n, &device).unwrap();
        for second in [false, true] {
            let [p_now, m_now, v_now, g1_now, g2_now] = [&p, &m, &v, &g1, &g2].map(tensor);
            let moved = Moved { parameter: &p_now, first: &m_now, second: &v_now };
            kernels.adam(moved, &g1_now, second.then_some(&g2_now), step).unwrap();
            kernels.blend(&g1_now, &g2_now, 0.25.into()).unwrap();
            let mut expected = [(); 4].map(|()| Vec::with_capacity(n));
            for i in 0..n {
                let [p, m, v, g1, g2] = [&p, &m, &v, &g1, &g2].map(|t| f64::from(t[i]));
                let g = if second { g1 + g2 } else { g1 };
                let m = step.beta1 * m + (1. - step.beta1) * g;
                let v = step.beta2 * v + (1. - step.beta2) * g * g;
                let p = p - step.step * m / (v.sqrt() * step.root + step.epsilon);
                for (expected, value) in expected.iter_mut().zip([p, m, v, 0.75 * g1 + 0.25 * g2]) {
                    expected.push(value);
                }
            }
            for (got, want) in [p_now, m_now, v_now, g1_now].iter().zip(expected) {
                let want = Tensor::from_vec(want, n, &Device::Cpu).unwrap();
                assert_close("after a step", got, &want, 1.);
            }
        }
    }
}

#[test]
fn numbers_on_the_device_are_taken_as_their_values_are() {
    let n = 1001;
    let ramp = |by: usize| (0..n).map(|i| (i * by % 103) as f32 / 103.).collect::<Vec<f32>>();
    let step = AdamStep {
        step: 2e-4 / (1. - 0.5f64.powi(3)),
        root: 1. / (1. - 0.999f64.powi(3)).sqrt(),
        beta1: 0.5,
        beta2: 0.999,
        epsilon: 1e-8,
        on_device: None,
    };
    let take = 1. - 4. / 13.;
    for (kernels, device) in all_kernels(Factors::Float32) {
        let after = |on_device: Option<&Tensor>| {
            let part = |from, count| on_device.map(|numbers| numbers.narrow(0, from, count).unwrap());
            let (of_adam, of_blend) = (part(1, 2), part(3, 1));
            let [p, m, v, g] = [3, 5, 7, 11].map(|by| Tensor::from_vec(ramp(by), n, &device).unwrap());
            let moved = Moved { parameter: &p, first: &m, second: &v };
            let step = AdamStep { on_device: of_adam.as_ref(), ..step };
            kernels.adam(moved, &g, None, step).unwrap();
            kernels.blend(&g, &p, Changing { value: take, on_device: of_blend.as_ref() }).unwrap();
            [p, m, v, g].map(|t| values(&t))
        };
        let numbers = [9., step.step, step.root, take].map(|number| number as f32);
        assert_eq!(after(None), after(Some(&Tensor::new(&numbers, &device).unwrap())));
    }
}
