//! The exported generator in ONNX Runtime, beside the graph that `torch.onnx.export` makes of the same
//! weights.
//!
//! ```text
//! PYTHON=…/python make bench-export        a Python that has torch, numpy and onnx
//! ```
//!
//! Medians of runs that take turns, so that whatever else the machine does meets all of them. Without
//! PYTHON the plain graph, layer by layer, is what the others are compared with.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use candle_core::{Device, Tensor};
use contract::latent::latent_batch;
use contract::{LatentDistribution, tensor};
use export::form::{Deconv, Form, Optimize, Precision, Subject};
use export::lower::Names;
use export::onnx::{Model, Producer};
use infer::{Input, ModelSource, Runtime, Session, Values};
use models::{Architecture, Network, Parameters, Sizes};

/// Batch size and how often each graph runs it.
const BATCHES: [(usize, usize); 2] = [(1, 201), (64, 25)];
const THREADS: [usize; 2] = [1, 2];
/// How often each session is created.
const CREATIONS: usize = 15;

struct Candidate {
    name: &'static str,
    bytes: Vec<u8>,
    /// Labels as one-hot numbers, under the name `y`.
    one_hot: bool,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let runtime = Runtime::load(None)?;
    let network = Architecture::LabelledDcgan(Sizes::default()).generator()?;
    let weights = trained_like(&network)?;
    let mut candidates = ours(&network, &weights)?;
    match std::env::var_os("PYTHON") {
        Some(python) => {
            let (version, bytes) = torch(Path::new(&python), &weights)?;
            println!("reference: torch.onnx.export of PyTorch {version}");
            candidates.insert(0, Candidate { name: "torch", bytes, one_hot: true });
        }
        None => println!("reference: the plain graph; with PYTHON=…, torch.onnx.export's"),
    }
    println!(
        "ONNX Runtime {}, all optimisations; medians, and in brackets of the reference\n",
        runtime.version()
    );

    println!("{:<24}{:>10}{}", "", "file", columns());
    let mut rows: Vec<String> = candidates
        .iter()
        .map(|candidate| format!("{:<24}{:>7.1} MB", candidate.name, candidate.bytes.len() as f64 / 1e6))
        .collect();
    for threads in THREADS {
        let times = creations(&candidates, runtime, threads)?;
        add(&mut rows, &times);
        let mut sessions = Vec::new();
        for candidate in &candidates {
            sessions.push(session(&candidate.bytes, runtime, threads)?);
        }
        for (batch, rounds) in BATCHES {
            let times = runs(&candidates, &mut sessions, batch, rounds)?;
            add(&mut rows, &times);
        }
    }
    for row in rows {
        println!("{row}");
    }
    Ok(())
}

fn columns() -> String {
    let of =
        |threads| format!("{:>20}{:>20}{:>20}", format!("create, {threads} thr."), "batch 1", "batch 64");
    THREADS.map(of).concat()
}

/// Appends a column of milliseconds, with ratios to the first row.
fn add(rows: &mut [String], times: &[f64]) {
    for (row, time) in rows.iter_mut().zip(times) {
        row.push_str(&format!("{:>12.2} ({:>4.2}×)", time, time / times[0]));
    }
}

/// Initial weights, with running averages that are not 0 and 1.
fn trained_like(network: &Network) -> Outcome<Parameters> {
    let weights = network.initialise(1, &Device::Cpu)?;
    for (name, value) in weights.iter() {
        let wave: Vec<f32> = (0..value.elem_count()).map(|i| (i * 37 % 101) as f32 / 500.).collect();
        if name.ends_with("running_mean") || name.ends_with("norm.bias") {
            value.set(&Tensor::from_vec(wave, value.dims(), &Device::Cpu)?)?;
        }
    }
    Ok(weights)
}

fn ours(network: &Network, weights: &Parameters) -> Outcome<Vec<Candidate>> {
    let indices: Vec<u64> = (0..50).collect();
    let z = latent_batch(LatentDistribution::Uniform, 1, &indices, 100);
    let z = Tensor::from_iter(z.iter().map(|&z| f64::from(z)), &Device::Cpu)?.reshape(z.dim())?;
    let label = Tensor::from_iter(indices.iter().map(|&i| (i % 10) as i64), &Device::Cpu)?;
    let subject = Subject {
        network,
        parameters: weights,
        names: Names { input: tensor::Z, label: tensor::LABEL, output: tensor::IMAGE },
        pixel_range: None,
        typical: HashMap::from([(tensor::Z.to_string(), z), (tensor::LABEL.to_string(), label)]),
    };
    let full = Form::default();
    let forms = [
        ("plain", Form { optimize: Optimize::None, ..full.clone() }),
        ("transpose", Form { deconv: Some(Deconv::Transpose), ..full.clone() }),
        ("subpixel", Form { deconv: Some(Deconv::Subpixel), ..full.clone() }),
        ("default", full.clone()),
        ("default, int8", Form { precision: Precision::Int8, ..full }),
    ];
    let mut candidates = Vec::new();
    for (name, form) in forms {
        let graph = form.graph(&subject, None)?.graph;
        let producer = Producer { name: "edgegan".into(), version: "bench".into() };
        candidates.push(Candidate { name, bytes: Model::new(&graph, producer)?.encode(), one_hot: false });
    }
    Ok(candidates)
}

/// PyTorch's version and graph.
fn torch(python: &Path, weights: &Parameters) -> Outcome<(String, Vec<u8>)> {
    let folder = tempfile::tempdir()?;
    let [safetensors, onnx] = ["weights.safetensors", "torch.onnx"].map(|name| folder.path().join(name));
    let tensors = weights.iter().map(|(name, value)| (name.to_string(), value.as_tensor().clone()));
    candle_core::safetensors::save(&tensors.collect::<HashMap<_, _>>(), &safetensors)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/torch_graph.py");
    let output = Command::new(python).arg(script).arg(&safetensors).arg(&onnx).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok((said.lines().last().unwrap_or_default().to_string(), std::fs::read(onnx)?))
}

fn session(bytes: &[u8], runtime: &'static Runtime, threads: usize) -> Result<Session, String> {
    Session::load(&ModelSource::Bytes { name: "bench", bytes }, runtime, NonZeroUsize::new(threads))
}

fn creations(candidates: &[Candidate], runtime: &'static Runtime, threads: usize) -> Outcome<Vec<f64>> {
    let mut times = vec![Vec::new(); candidates.len()];
    for _ in 0..CREATIONS {
        for (candidate, times) in candidates.iter().zip(&mut times) {
            let start = Instant::now();
            session(&candidate.bytes, runtime, threads)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn runs(
    candidates: &[Candidate],
    sessions: &mut [Session],
    batch: usize,
    rounds: usize,
) -> Outcome<Vec<f64>> {
    let indices: Vec<u64> = (0..batch as u64).collect();
    let z: Vec<f32> = latent_batch(LatentDistribution::Uniform, 0, &indices, 100).into_iter().collect();
    let labels: Vec<i64> = indices.iter().map(|i| (i % 10) as i64).collect();
    let one_hot: Vec<f32> = labels.iter().flat_map(|&l| (0..10).map(move |c| f32::from(c == l))).collect();
    let mut times = vec![Vec::new(); candidates.len()];
    let mut images: Vec<Vec<f32>> = vec![Vec::new(); candidates.len()];
    for round in 0..=rounds {
        for (at, (candidate, session)) in candidates.iter().zip(sessions.iter_mut()).enumerate() {
            let input = |name: &'static str, shape: Vec<usize>, values| Input {
                name: name.into(),
                shape: shape.into(),
                values,
            };
            let inputs = [
                input("z", vec![batch, 100], Values::Float32((&z).into())),
                match candidate.one_hot {
                    true => input("y", vec![batch, 10], Values::Float32((&one_hot).into())),
                    false => input("label", vec![batch], Values::Int64((&labels).into())),
                },
            ];
            let mut drawn = Vec::new();
            let start = Instant::now();
            session.run(&inputs, &["image"], |_, values| {
                if let Values::Float32(numbers) = values {
                    drawn = numbers.into_owned();
                }
                Ok(())
            })?;
            // The first round warms up.
            match round {
                0 => images[at] = drawn,
                _ => times[at].push(start.elapsed().as_secs_f64() * 1e3),
            }
        }
    }
    for (candidate, found) in candidates.iter().zip(&images) {
        let apart = images[0].iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let allowed = if candidate.name.contains("int8") { 0.2 } else { 1e-5 };
        if apart > allowed {
            return Err(format!("{} draws something else: {apart:e}", candidate.name).into());
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
