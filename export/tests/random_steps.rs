//! Random networks of the builder's steps, each beside the same in Candle: their files compute in ONNX
//! Runtime and rten what Candle computes, as described and after all passes.
#![cfg(test)]

mod own;

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{
    Activation, BatchNorm, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, Embedding,
    GroupNorm, LayerNorm, Linear, Module, ModuleT, PReLU, RmsNorm, ops,
};
use export::builder::{Builder, Interface, Step, TOLERANCE};
use export::form::{Form, Optimize};
use own::noise;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const NETWORKS: u64 = 500;
/// Items of a sample.
const ITEMS: usize = 3;
/// How often each kind of step has to come.
const OFTEN: usize = 10;

type Compute = Box<dyn Fn(&Tensor) -> Result<Tensor>>;
type Describe = Box<dyn Fn(&Builder, &Step) -> export::Result<Step>>;

/// A step in Candle, and its description.
struct Pair {
    kind: &'static str,
    compute: Compute,
    describe: Describe,
}

fn pair(
    kind: &'static str,
    compute: impl Fn(&Tensor) -> Result<Tensor> + 'static,
    describe: impl Fn(&Builder, &Step) -> export::Result<Step> + 'static,
) -> Pair {
    Pair { kind, compute: Box::new(compute), describe: Box::new(describe) }
}

/// Weights that keep numbers of the size that they have.
fn weight(random: &mut ChaCha8Rng, dims: &[usize]) -> Tensor {
    let inputs = dims.iter().skip(1).product::<usize>().max(1) as f64;
    (noise(dims, random.random()) * (1.7 / inputs.sqrt())).unwrap()
}

/// Numbers of either sign, none near 0.
fn scale(random: &mut ChaCha8Rng, size: usize) -> Tensor {
    let numbers = (0..size).map(|_| random.random_range(0.4f32..1.5) * [1., -1.][random.random_range(0..2)]);
    Tensor::from_iter(numbers.collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

fn positive(random: &mut ChaCha8Rng, size: usize) -> Tensor {
    Tensor::from_iter((0..size).map(|_| random.random_range(0.2f32..2.)).collect::<Vec<_>>(), &Device::Cpu)
        .unwrap()
}

fn maybe(random: &mut ChaCha8Rng, tensor: Tensor) -> Option<Tensor> {
    random.random_bool(0.7).then_some(tensor)
}

fn activation(random: &mut ChaCha8Rng) -> Activation {
    use Activation::*;
    let all = [
        Gelu,
        NewGelu,
        Relu,
        Relu2,
        Relu6,
        Silu,
        Sigmoid,
        HardSigmoid,
        Swish,
        Mish,
        HardSwish,
        Elu(0.7),
        LeakyRelu(0.2),
        GeluPytorchTanh,
    ];
    all[random.random_range(0..all.len())]
}

/// A divisor of a number.
fn divisor(random: &mut ChaCha8Rng, n: usize) -> usize {
    let divisors: Vec<usize> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
    divisors[random.random_range(0..divisors.len())]
}

/// A step on items of any shape.
fn on_anything(random: &mut ChaCha8Rng, item: &[usize]) -> Pair {
    let (channels, last) = (item[0], item[item.len() - 1]);
    match random.random_range(0..14) {
        0 => {
            let activation = activation(random);
            pair("activation", move |x| activation.forward(x), move |g, x| g.activation(x, &activation))
        }
        1 => pair("tanh", |x| x.tanh(), |g, x| g.tanh(x)),
        2 => {
            let slopes = if random.random_bool(0.5) { 1 } else { channels };
            let prelu = PReLU::new(scale(random, slopes), slopes == 1);
            let same = prelu.clone();
            pair("prelu", move |x| same.forward(x), move |g, x| g.prelu(x, &prelu))
        }
        3 => pair("affine", |x| x.affine(-0.7, 0.3), |g, x| g.affine(x, -0.7, 0.3)),
        4 => pair("add", |x| x + x.relu()?, |g, x| g.add(x, &g.relu(x)?)),
        5 => pair("mul", |x| x * ops::sigmoid(x)?, |g, x| g.mul(x, &g.sigmoid(x)?)),
        6 => pair("sub", |x| x.tanh()? - x, |g, x| g.sub(&g.tanh(x)?, x)),
        7 => pair(
            "div",
            |x| x / (ops::sigmoid(x)? + 0.5)?,
            |g, x| g.div(x, &g.affine(&g.sigmoid(x)?, 1., 0.5)?),
        ),
        8 => {
            let axis = random.random_range(1..=item.len());
            pair(
                "softmax",
                // Small numbers would hide what comes behind them.
                move |x| ops::softmax(x, axis)? * 4.,
                move |g, x| g.affine(&g.softmax(x, axis)?, 4., 0.),
            )
        }
        9 => {
            let (mean, variance) = (noise(&[channels], random.random()), positive(random, channels));
            let epsilon = [1e-5, 1e-3, 0.][random.random_range(0..3)];
            let norm = match random.random_bool(0.3) {
                true => BatchNorm::new_no_bias(channels, mean, variance, epsilon),
                false => {
                    let (weight, bias) = (scale(random, channels), noise(&[channels], random.random()));
                    BatchNorm::new(channels, mean, variance, weight, bias, epsilon)
                }
            };
            let norm = norm.unwrap();
            let same = norm.clone();
            pair("batch_norm", move |x| same.forward_t(x, false), move |g, x| g.batch_norm(x, &norm))
        }
        10 => {
            let n = item.iter().product();
            let channels = divisor(random, n);
            let height = divisor(random, n / channels);
            let to = (channels, height, n / channels / height);
            pair(
                "reshape",
                move |x| x.reshape((x.dim(0)?, to.0, to.1, to.2)),
                move |g, x| g.reshape(x, (to.0, to.1, to.2)),
            )
        }
        11 => pair("flatten", |x| x.flatten_from(1), |g, x| g.flatten(x)),
        12 => {
            let outputs = random.random_range(1..12);
            let bias = weight(random, &[outputs]);
            let linear = Linear::new(weight(random, &[outputs, last]), maybe(random, bias));
            let same = linear.clone();
            pair("linear", move |x| same.forward(&x.contiguous()?), move |g, x| g.linear(x, &linear))
        }
        _ => {
            let axis = random.random_range(1..=item.len());
            let size = item[axis - 1];
            let start = random.random_range(0..size);
            let length = random.random_range(1..=size - start);
            pair(
                "narrow",
                move |x| x.narrow(axis, start, length)?.contiguous(),
                move |g, x| g.narrow(x, axis, start, length),
            )
        }
    }
}

/// A step on rows of features, (N, rows, features).
fn on_rows(random: &mut ChaCha8Rng, rows: usize, features: usize) -> Pair {
    match random.random_range(0..16) {
        0 | 1 => {
            let (weight, bias) = (scale(random, features), noise(&[features], random.random()));
            let norm = match random.random_range(0..3) {
                0 => LayerNorm::new(weight, bias, 1e-5),
                1 => LayerNorm::new_no_bias(weight, 1e-3),
                _ => LayerNorm::rms_norm(weight, 1e-5),
            };
            let same = norm.clone();
            pair("layer_norm", move |x| same.forward(x), move |g, x| g.layer_norm(x, &norm))
        }
        2 => {
            let norm = RmsNorm::new(scale(random, features), 1e-4);
            let same = norm.clone();
            pair("rms_norm", move |x| same.forward(&x.contiguous()?), move |g, x| g.rms_norm(x, &norm))
        }
        3 => pair("transpose", |x| x.transpose(1, 2)?.contiguous(), |g, x| g.transpose(x, 1, 2)),
        4 => pair(
            "attention",
            |x| {
                let x = x.contiguous()?;
                let scores = (x.matmul(&x.t()?.contiguous()?)? * 0.4)?;
                ops::softmax(&scores, 2)?.matmul(&x)
            },
            |g, x| g.attention(x, x, x, 0.4),
        ),
        5 => {
            let scale = 1. / features as f64;
            pair(
                "matmul",
                move |x| x.contiguous()?.matmul(&x.t()?.contiguous()?)? * scale,
                move |g, x| g.affine(&g.matmul(x, &g.transpose(x, 1, 2)?)?, scale, 0.),
            )
        }
        6 => {
            let positions = noise(&[1, rows, features], random.random());
            let same = positions.clone();
            pair(
                "parameter",
                move |x| x.broadcast_add(&same),
                move |g, x| g.add(x, &g.parameter(&positions)?),
            )
        }
        7 | 8 => {
            let (class, first) = (noise(&[1, 2, features], random.random()), random.random_bool(0.6));
            let same = class.clone();
            pair(
                "token",
                move |x| {
                    let class = same.broadcast_as((x.dim(0)?, 2, features))?;
                    Tensor::cat(&if first { [&class, x] } else { [x, &class] }, 1)
                },
                move |g, x| {
                    let class = g.parameter(&class)?;
                    g.concat(&if first { [&class, x] } else { [x, &class] }, 1)
                },
            )
        }
        9 => pair("mean", |x| x.mean(1), |g, x| g.mean(x, [1])),
        10 => {
            let parts = random.random_range(1..=features);
            pair(
                "chunk",
                move |x| Tensor::cat(&x.chunk(parts, 2)?.into_iter().rev().collect::<Vec<_>>(), 2),
                move |g, x| {
                    let parts = g.chunk(x, parts, 2)?;
                    g.concat(&parts.iter().rev().collect::<Vec<_>>(), 2)
                },
            )
        }
        11 => pair(
            "squeeze",
            |x| x.narrow(1, 0, 1)?.squeeze(1)?.contiguous(),
            |g, x| g.squeeze(&g.narrow(x, 1, 0, 1)?, 1),
        ),
        _ if features.is_multiple_of(2) => {
            pair("swiglu", |x| Activation::Swiglu.forward(x), |g, x| g.activation(x, &Activation::Swiglu))
        }
        _ => pair("unsqueeze", |x| x.unsqueeze(1), |g, x| g.unsqueeze(x, 1)),
    }
}

/// A step on planes, (N, channels, height, width).
fn on_planes(random: &mut ChaCha8Rng, [channels, height, width]: [usize; 3]) -> Pair {
    match random.random_range(0..14) {
        0..=2 => {
            let (groups, outputs) = (divisor(random, channels), random.random_range(1..=3));
            let groups = if random.random_bool(0.5) { 1 } else { groups };
            let config = Conv2dConfig {
                padding: random.random_range(0..3),
                stride: random.random_range(1..=3),
                dilation: random.random_range(1..=2),
                groups,
                ..Default::default()
            };
            // No larger than the planes with their zeros: Candle panics there.
            let most = |size: usize| ((size + 2 * config.padding - 1) / config.dilation + 1).min(4);
            let kernel = [random.random_range(1..=most(height)), random.random_range(1..=most(width))];
            let weight = weight(random, &[outputs * groups, channels / groups, kernel[0], kernel[1]]);
            let bias = noise(&[outputs * groups], random.random());
            let conv = Conv2d::new(weight, maybe(random, bias), config);
            let same = conv.clone();
            pair("conv2d", move |x| same.forward(x), move |g, x| g.conv2d(x, &conv))
        }
        3 | 4 => {
            let stride = random.random_range(1..=3);
            let config = ConvTranspose2dConfig {
                padding: random.random_range(0..3),
                output_padding: random.random_range(0..stride),
                stride,
                dilation: random.random_range(1..=2),
            };
            let (outputs, kernel) = (random.random_range(1..=4), random.random_range(1..=4));
            // Something of the picture has to be left: Candle panics otherwise.
            let full = (height.min(width) - 1) * stride + config.dilation * (kernel - 1) + 1;
            let padding = config.padding.min((full + config.output_padding - 1) / 2);
            let config = ConvTranspose2dConfig { padding, ..config };
            let weight = weight(random, &[channels, outputs, kernel, kernel]);
            let bias = noise(&[outputs], random.random());
            let conv = ConvTranspose2d::new(weight, maybe(random, bias), config);
            let same = conv.clone();
            pair("conv_transpose2d", move |x| same.forward(x), move |g, x| g.conv_transpose2d(x, &conv))
        }
        5 | 6 => {
            let groups = divisor(random, channels);
            let epsilon = [1e-6, 1e-5, 1e-2][random.random_range(0..3)];
            let (weight, bias) = (scale(random, channels), noise(&[channels], random.random()));
            let norm = GroupNorm::new(weight, bias, channels, groups, epsilon).unwrap();
            let same = norm.clone();
            pair("group_norm", move |x| same.forward(x), move |g, x| g.group_norm(x, &norm))
        }
        7 => {
            let size = (random.random_range(1..=3), random.random_range(1..=3));
            let stride = (random.random_range(1..=3), random.random_range(1..=3));
            pair(
                "max_pool2d",
                move |x| x.max_pool2d_with_stride(size, stride),
                move |g, x| g.max_pool2d_with_stride(x, size, stride),
            )
        }
        8 => {
            let size = (random.random_range(1..=3), random.random_range(1..=3));
            let stride = (random.random_range(1..=3), random.random_range(1..=3));
            pair(
                "avg_pool2d",
                move |x| x.avg_pool2d_with_stride(size, stride),
                move |g, x| g.avg_pool2d_with_stride(x, size, stride),
            )
        }
        9 => {
            let to = match random.random_bool(0.5) {
                true => (2 * height, 3 * width),
                false => (random.random_range(1..=2 * height), random.random_range(1..=2 * width)),
            };
            pair(
                "upsample_nearest2d",
                move |x| x.upsample_nearest2d(to.0, to.1),
                move |g, x| g.upsample_nearest2d(x, to.0, to.1),
            )
        }
        10 => {
            let (axis, before, after) =
                (random.random_range(1..4), random.random_range(0..3), random.random_range(0..3));
            pair(
                "pad_with_zeros",
                move |x| x.pad_with_zeros(axis, before, after),
                move |g, x| g.pad_with_zeros(x, axis, before, after),
            )
        }
        11 => pair("permute", |x| x.permute((0, 3, 1, 2))?.contiguous(), |g, x| g.permute(x, [0, 3, 1, 2])),
        12 => pair(
            "mean_keepdim",
            |x| x.broadcast_mul(&ops::sigmoid(&x.mean_keepdim((2, 3))?)?),
            |g, x| g.mul(x, &g.sigmoid(&g.mean_keepdim(x, [3, 2])?)?),
        ),
        _ => pair("concat", |x| Tensor::cat(&[x, &x.silu()?], 1), |g, x| g.concat(&[x, &g.silu(x)?], 1)),
    }
}

/// The next step: one that leaves numbers to tell by.
fn next(random: &mut ChaCha8Rng, x: &Tensor) -> (Pair, Tensor) {
    loop {
        let item = &x.dims()[1..];
        let pair = match (random.random_range(0..3), item) {
            (1 | 2, &[rows, features]) => on_rows(random, rows, features),
            (1 | 2, &[channels, height, width]) => on_planes(random, [channels, height, width]),
            _ => on_anything(random, item),
        };
        let Ok(y) = (pair.compute)(x) else { continue };
        if y.rank() < 2 || y.elem_count() == 0 || y.elem_count() > ITEMS * 3000 {
            continue;
        }
        let numbers: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
        let largest = numbers.iter().fold(0f32, |largest, y| largest.max(y.abs()));
        let size = (numbers.iter().map(|y| y * y).sum::<f32>() / numbers.len() as f32).sqrt();
        if largest < 20. && size > 0.05 && numbers.iter().all(|y| y.is_finite()) {
            return (pair, y);
        }
    }
}

#[test]
fn random_networks_of_every_step_agree_in_every_engine() {
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    let mut largest = 0f64;
    for seed in 0..NETWORKS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Indices, or numbers of any shape.
        let (sample, table) = match random.random_range(0..8) {
            0 => {
                let table = Embedding::new(noise(&[5, 6], seed), 6);
                let indices = Tensor::new(&[[0u32, 4, 2], [3, 3, 1], [4, 0, 0]], &Device::Cpu).unwrap();
                let column = indices.narrow(1, 0, 1).unwrap().squeeze(1).unwrap().contiguous().unwrap();
                (if random.random_bool(0.5) { indices } else { column }, Some(table))
            }
            _ => {
                let rank = random.random_range(1..=3);
                let item = (0..rank).map(|_| random.random_range(1..=9));
                (noise(&[vec![ITEMS], item.collect()].concat(), seed), None)
            }
        };
        let mut pairs = Vec::new();
        let mut x = match &table {
            Some(table) => table.forward(&sample).unwrap(),
            None => sample.clone(),
        };
        for _ in 0..random.random_range(1..=8) {
            let (pair, y) = next(&mut random, &x);
            *kinds.entry(pair.kind).or_default() += 1;
            pairs.push(pair);
            x = y;
        }
        *kinds.entry("embedding").or_default() += usize::from(table.is_some());

        let forward = |x: &Tensor| {
            let x = table.as_ref().map_or(Ok(x.clone()), |table| table.forward(x))?;
            pairs.iter().try_fold(x, |x, pair| (pair.compute)(&x))
        };
        let describe = |graph: &Builder, x: &Step| {
            let x = table.as_ref().map_or(Ok(x.clone()), |table| graph.embedding(x, table))?;
            pairs.iter().try_fold(x, |x, pair| (pair.describe)(graph, &x))
        };
        let what: Vec<_> = pairs.iter().map(|pair| pair.kind).collect();
        let what = format!("network {seed}, {what:?}");
        let interface = Interface { name: "random", inputs: [("x", sample)], output: "y" };
        let network = interface.prove(|[x]| forward(&x), |graph, [x]| describe(graph, &x));
        let network = network.unwrap_or_else(|error| panic!("{what}: {error}"));
        let (optimize, opset) =
            [(Optimize::None, 17), (Optimize::Full, 17), (Optimize::Full, 20)][seed as usize % 3];
        let form = Form { optimize, opset, ..Form::default() };
        let (_, agreements) =
            network.file(&form, None).unwrap_or_else(|error| panic!("{what}, {form:?}: {error}"));
        for agreement in agreements {
            assert_eq!(agreement.batches, [1, ITEMS, 2 * ITEMS + 1], "{what}");
            largest = largest.max(agreement.difference.largest);
        }
        // The definition in double precision, which passes fold constants with.
        let (name, sample) = network.inputs().next().unwrap();
        let dtype = if sample.dtype().is_float() { DType::F64 } else { DType::I64 };
        let inputs = HashMap::from([(name.to_string(), sample.to_dtype(dtype).unwrap())]);
        let found = export::onnx::evaluate::run(network.graph(), inputs).unwrap();
        let found = found[0].to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut difference = export::proof::Difference::default();
        difference.add(&expected, &found);
        assert!(difference.largest <= TOLERANCE, "{what}: {difference:?}");
    }
    assert!(largest > 0.);
    // Every kind of step, often.
    assert!(kinds.len() == 37 && kinds.values().all(|&times| times >= OFTEN), "{} {kinds:?}", kinds.len());
}
