//! From a checkpoint's generator to the ONNX file.

use std::fmt;
use std::path::{Path, PathBuf};

use candle_core::Device;
use infer::contract::{Contract, Golden, LatentDistribution, PixelRange, Training, tensor};
use infer::{Engine, Generator, ModelSource, Runtime};
use models::checkpoint::{Checkpoint, Header};
use models::dcgan::Latent;
use models::{Activation, Layer, Network, Parameters, Shape};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::lower::{Names, lower};
use crate::onnx::{Graph, IR_VERSION, Model, OPSET, Producer};
use crate::passes::simplify;
use crate::proof::{self, Difference, TOLERANCE};
use crate::{Error, Result};

/// Key of the golden case's latents.
const GOLDEN_SEED: u64 = 0;
/// Images of the golden case of an unlabelled generator; a labelled one has one a class.
const GOLDEN_IMAGES: usize = 10;
/// Levels of 255 by which a device may miss the golden case: another order of additions can move a
/// number across the edge between two levels.
const GOLDEN_TOLERANCE: u8 = 1;

/// `infer` loads a model in two ways: for few images it lends ONNX Runtime the weights where they
/// lie in the file, for many it hands over the file as it is. Both are proven.
const FEW_IMAGES: usize = 1;
/// More than it takes for the second way.
const MANY_IMAGES: usize = 1 << 16;

/// Which of a checkpoint's weights to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// The exponential moving average of training's steps, which draws better
    #[default]
    Average,
    /// The weights after the last step
    Raw,
}

impl Weights {
    /// Its name in the checkpoint and on the command line.
    pub fn group(self) -> &'static str {
        match self {
            Weights::Average => "average",
            Weights::Raw => "raw",
        }
    }
}

/// What to export, and to where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checkpoint's file.
    pub checkpoint: PathBuf,
    /// Which of its weights.
    pub weights: Weights,
    /// The ONNX file to write.
    pub out: PathBuf,
    /// The ONNX Runtime library for the proof; without it, it is looked for as `infer` does.
    pub runtime: Option<PathBuf>,
}

/// What was exported, and how it was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The written file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Nodes of its graph.
    pub nodes: usize,
    /// Numbers that its initializers hold.
    pub parameters: usize,
    /// Version of ONNX's operator set.
    pub opset: i64,
    /// Version of the file format.
    pub ir_version: i64,
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// Which of its weights.
    pub weights: Weights,
    /// The network.
    pub architecture: String,
    /// What it was trained on.
    pub dataset: String,
    /// Passes over the training set.
    pub epochs: f64,
    /// Iterations of training.
    pub iterations: u64,
    /// What ran the file for the proof.
    pub runtime: RuntimeReport,
    /// ONNX Runtime against Candle.
    pub difference: Difference,
}

/// The library that ran the file.
#[derive(Clone, Debug, Serialize)]
pub struct RuntimeReport {
    /// Its path.
    pub library: PathBuf,
    /// Its version.
    pub version: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { weights, architecture, dataset, epochs, iterations, runtime, difference, .. } = self;
        let weights = match weights {
            Weights::Average => "averaged",
            Weights::Raw => "raw",
        };
        writeln!(
            f,
            "{}: {architecture} on {dataset}, {weights} weights after {epochs:.1} epochs ({iterations} \
             iterations)",
            self.checkpoint.display()
        )?;
        let proven: Vec<_> = proof::BATCHES.iter().map(usize::to_string).collect();
        writeln!(
            f,
            "ONNX Runtime {} ({}) and Candle agree within {:.1e} (mean {:.1e}) on {} pixels in batches \
             of {}",
            runtime.version,
            runtime.library.display(),
            difference.largest,
            difference.mean,
            difference.values,
            proven.join(", ")
        )?;
        write!(
            f,
            "{}: {:.1} MB, {} nodes, opset {}, IR {}",
            self.file.display(),
            self.bytes as f64 / 1e6,
            self.nodes,
            self.opset,
            self.ir_version
        )
    }
}

/// Exports a checkpoint's generator: lowers it, runs the file's very bytes in ONNX Runtime against
/// Candle, and writes them if both agree within [`TOLERANCE`].
///
/// # Errors
/// Any of [`Error`]'s; nothing is written then.
pub fn export(options: &Options) -> Result<Report> {
    check_output(&options.out)?;
    let Loaded { header, sha256, network, parameters } =
        load_checkpoint(&options.checkpoint, options.weights)?;
    let mut contract = contract(&header, sha256, &network)
        .map_err(|message| Error::Checkpoint { path: options.checkpoint.clone(), message })?;

    let graph = lower_generator(&network, &parameters)?;
    let (nodes, numbers) = (graph.nodes().len(), graph.parameters());
    let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
    let mut model = Model::new(&graph, producer)?;

    // The golden case is what ONNX Runtime draws from the graph, so the graph runs once without it.
    model.set_metadata(contract.to_metadata());
    contract.golden = Some(golden(&mut load_model(options, &model.encode(), FEW_IMAGES)?)?);
    model.set_metadata(contract.to_metadata());

    let bytes = model.encode();
    let mut generators =
        [load_model(options, &bytes, FEW_IMAGES)?, load_model(options, &bytes, MANY_IMAGES)?];
    let difference = proof::compare(&mut generators, &network, &parameters)?;
    let runtime = Runtime::load(options.runtime.as_deref())?;
    if difference.largest > TOLERANCE {
        let (version, largest) = (runtime.version().to_string(), difference.largest);
        return Err(Error::Differs { version, largest, tolerance: TOLERANCE });
    }
    models::files::write_atomically(&options.out, |file| file.write_all(&bytes))?;
    let models::checkpoint::Provenance { dataset, epochs, iterations, .. } = header.provenance;
    Ok(Report {
        file: options.out.clone(),
        bytes: bytes.len(),
        sha256: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        nodes,
        parameters: numbers,
        opset: OPSET,
        ir_version: IR_VERSION,
        checkpoint: options.checkpoint.clone(),
        weights: options.weights,
        architecture: header.architecture,
        dataset,
        epochs,
        iterations,
        runtime: RuntimeReport {
            library: runtime.library().to_path_buf(),
            version: runtime.version().to_string(),
        },
        difference,
    })
}

/// The graph of a generator, with the inputs and the output of the contract.
///
/// # Errors
/// As [`lower()`].
pub fn lower_generator(network: &Network, parameters: &Parameters) -> Result<Graph> {
    simplify(lower(
        network,
        parameters,
        &Names { input: tensor::Z, label: tensor::LABEL, output: tensor::IMAGE },
    )?)
}

/// Refuses, before any work, a path that can't become a file.
fn check_output(path: &Path) -> Result<()> {
    let wrong = |message: String| Err(Error::Output { path: path.to_path_buf(), message });
    if path.is_dir() {
        return wrong("this is a folder; name a file in it, such as gen.onnx".to_string());
    }
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() || folder.is_dir() => Ok(()),
        Some(folder) if folder.exists() => wrong(format!("{} is not a folder", folder.display())),
        Some(folder) => wrong(format!("there is no folder {}; create it first", folder.display())),
        None => wrong("this is no file's name".to_string()),
    }
}

/// A generator and what its checkpoint says of it.
struct Loaded {
    header: Header,
    sha256: String,
    network: Network,
    parameters: Parameters,
}

fn load_checkpoint(path: &Path, weights: Weights) -> Result<Loaded> {
    let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
    if models::judge::is_judge(path) {
        return Err(wrong("it is a judge, which draws nothing; name a generator's checkpoint".to_string()));
    }
    let checkpoint = Checkpoint::load(path)?;
    let network = (checkpoint.header.config.generator())
        .map_err(|error| wrong(format!("its header describes no network ({error}); train again")))?;
    let group = weights.group();
    let parameters = checkpoint
        .parameters(group, &network, &Device::Cpu)
        .map_err(|error| wrong(format!("its {group} weights are not those of its header: {error}")))?;
    for (name, value) in parameters.iter() {
        // A difference to a number that isn't one would tell nothing of the graph.
        if !value.flatten_all()?.to_vec1::<f32>()?.into_iter().all(f32::is_finite) {
            return Err(wrong(format!("{group}.{name} holds numbers that are not finite: training failed")));
        }
    }
    let Checkpoint { header, sha256, .. } = checkpoint;
    Ok(Loaded { header, sha256, network, parameters })
}

/// The file's bytes in ONNX Runtime, on the CPU: what every machine has.
fn load_model(options: &Options, bytes: &[u8], expected_images: usize) -> Result<Generator> {
    let name = options.out.display().to_string();
    let source = ModelSource::Bytes { name: &name, bytes };
    let options = infer::Options {
        engine: Engine::OnnxRuntime,
        device: infer::Device::Cpu,
        runtime: options.runtime.clone(),
        expected_images,
        ..Default::default()
    };
    Ok(Generator::load(&source, &options)?)
}

/// What the file says about itself, but for the golden case; an error is a sentence about the
/// checkpoint.
fn contract(header: &Header, sha256: String, network: &Network) -> std::result::Result<Contract, String> {
    let provenance = &header.provenance;
    let (named, classes) = (provenance.classes.len(), network.classes().unwrap_or(0));
    if named != classes {
        return Err(format!("its header names {named} classes, but its generator has {classes}"));
    }
    let Shape::Vector(latent_dim) = network.input() else {
        return Err(format!("its generator takes ({}); expected latents", network.input()));
    };
    let pixel_range = match network.layers().last().map(|last| last.layer) {
        Some(Layer::Activation(Activation::Sigmoid)) => PixelRange::ZeroToOne,
        Some(Layer::Activation(Activation::Tanh)) => PixelRange::MinusOneToOne,
        other => return Err(format!("its generator ends in {other:?}; expected a sigmoid or tanh")),
    };
    Ok(Contract {
        architecture: header.architecture.clone(),
        dataset: provenance.dataset.clone(),
        classes: provenance.classes.clone(),
        latent_dim,
        latent_distribution: match header.config.latent {
            Latent::Uniform => LatentDistribution::Uniform,
            Latent::Normal => LatentDistribution::Normal,
        },
        pixel_range,
        training: Training {
            // Those that were finished.
            epochs: Some(provenance.epochs as u64),
            iterations: Some(provenance.iterations),
            recipe: Some(provenance.recipe.clone()),
            seed: Some(provenance.seed),
            checkpoint_sha256: Some(sha256),
        },
        quality: Default::default(),
        golden: None,
    })
}

/// What the generator draws now, for any device to compare with.
fn golden(generator: &mut Generator) -> Result<Golden> {
    let labels: Vec<i64> = match generator.contract().classes.len() {
        0 => vec![0; GOLDEN_IMAGES],
        classes => (0..classes as i64).collect(),
    };
    let images = generator.images(&labels, GOLDEN_SEED, 0)?;
    Ok(Golden::new(GOLDEN_SEED, labels, &images, GOLDEN_TOLERANCE))
}
