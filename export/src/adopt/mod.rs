//! Another program's generator as a file that `infer` draws from: what its graph lacks of the contract is
//! added around it as nodes, and what no file says is asked for.
//!
//! | file | what it does |
//! |---|---|
//! | `external` | weights that lie beside the file, into it |
//! | `inputs` | which input is the latents and which the label |
//! | `picture` | what the output's numbers mean, and how they are laid out |
//! | `original` | the file as it is, run on inputs of its own kind |
//! | `rewrite` | the nodes around the graph |
//! | `report` | what is said of it |
//!
//! The graph stays as its program wrote it, operators of any kind included: it is carried as protobuf, and only
//! names change where they are the contract's.

mod external;
mod inputs;
mod original;
mod picture;
mod report;
mod rewrite;

use std::borrow::Cow;
use std::path::PathBuf;

use candle_onnx::onnx::{ModelProto, StringStringEntryProto};
use contract::onnx::unpacked;
use contract::{Contract, LatentDistribution, Training, tensor};
use infer::{Engine, ModelSource, Runtime};
use prost::Message;
use serde_json::json;

use crate::export::{check_output, write};
use crate::form::{Form, Precision};
use crate::inspect::{self, Value};
use crate::lower::Names;
use crate::proof::{Cases, Tolerance};
use crate::prove::{Embedded, Proof, generator_in};
use crate::{Error, Result, reader};

use inputs::Inputs;
use original::Original;
use picture::{Output, Picture};

pub use picture::{Layout, Pixels};
pub use report::Report;

/// Where a file says what it was adopted from: a JSON object with the other file's SHA-256, the program that
/// wrote it, the operator sets that its graph is of, and the nodes that were added.
pub const KEY: &str = "edgegan.adopted";

/// The most classes that a file may name.
const MOST_CLASSES: usize = 1 << 16;

/// What to adopt, and what the file doesn't say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ONNX file of another program.
    pub file: PathBuf,
    /// The ONNX file to write.
    pub out: PathBuf,
    /// How its latents are drawn.
    pub latent: Option<LatentDistribution>,
    /// What its classes are called, in the label's order.
    pub classes: Option<Vec<String>>,
    /// What its output's numbers mean.
    pub pixels: Option<Pixels>,
    /// The order of its output's axes.
    pub layout: Option<Layout>,
    /// The input that takes latents.
    pub latent_input: Option<String>,
    /// The input that takes the label.
    pub label_input: Option<String>,
    /// The output that gives pictures.
    pub image_output: Option<String>,
    /// What the network is to be called; without it, `adopted`.
    pub architecture: Option<String>,
    /// What it was trained on; without it, `unknown`.
    pub dataset: Option<String>,
    /// The ONNX Runtime library for the proof; without it, it is looked for as `infer` does.
    pub runtime: Option<PathBuf>,
}

/// What is known of a file before it has run.
struct Known {
    inputs: Inputs,
    output: Output,
    latent: LatentDistribution,
    classes: Vec<String>,
}

/// Makes a file that `infer` draws from of another program's generator: finds out what it takes and gives, adds
/// what is missing, and writes it if ONNX Runtime draws from it what it draws from the other file, and rten too,
/// if it has the file's operators.
///
/// # Errors
/// [`Error::Adopt`] about the first thing that isn't known, doesn't fit or contradicts what was asked for, and
/// any other of [`Error`]'s; nothing is written then.
pub fn adopt(options: &Options) -> Result<Report> {
    let Options { file, out, .. } = options;
    let wrong = |message: String| Error::Adopt { path: file.clone(), message };
    check_output(out, [file.as_path()], "gen.onnx")?;
    let bytes = reader::read(file)?;
    let (mut model, _) = reader::decode(&bytes, file)?;
    let known = know(&model, options).map_err(wrong)?;
    let data = external::load(&mut model, file).map_err(wrong)?;
    check_output(out, data.iter().map(PathBuf::as_path), "gen.onnx")?;

    let asked = options.runtime.as_deref();
    let runtime = Runtime::load(asked)?;
    let name = file.display().to_string();
    let source = match data.is_empty() {
        true => ModelSource::Bytes { name: &name, bytes: &bytes },
        // ONNX Runtime finds the weights beside the file.
        false => ModelSource::File(file),
    };
    let (picture, contract, cases) = {
        let mut original = Original::load(&source, runtime, &known).map_err(wrong)?;
        let picture = original.picture(options).map_err(wrong)?;
        let contract = contract_of(&known, picture, options);
        let cases =
            Cases::drawn(&contract, |z, labels| original.drawings(z, labels, &picture).map_err(wrong))?;
        (picture, contract, cases)
    };

    let added = rewrite::around(&mut model, &known, &picture).map_err(wrong)?;
    let about = about(&model, &bytes, &added);
    let others = std::mem::take(&mut model.metadata_props);
    let encode = |metadata: &[(String, String)]| encode(&mut model, &others, metadata);
    let mut metadata = contract.to_metadata();
    metadata.push((KEY.to_string(), about.to_string()));
    let (bytes, embedded, comparisons) =
        prove(options, runtime, &contract, &picture, metadata, &cases, encode)?;
    write(out, &bytes)?;
    Ok(Report {
        file: out.clone(),
        adopted: file.clone(),
        bytes: bytes.len(),
        sha256: contract::files::sha256(&bytes),
        ir_version: model.ir_version,
        about,
        takes: known.inputs.describe(&contract),
        gives: known.output.describe(&picture),
        library: runtime.library().to_path_buf(),
        embedded,
        comparisons,
    })
}

/// What the file says, what was asked for, and whether both agree; everything that is missing is named at
/// once.
fn know(model: &ModelProto, options: &Options) -> std::result::Result<Known, String> {
    if model.metadata_props.iter().any(|entry| entry.key == "edgegan.format") {
        return Err("it is a generator of edgegan's already, which `infer` draws from".to_string());
    }
    let graph = model.graph.as_ref().ok_or("it holds no graph")?;
    let classes = options.classes.as_deref();
    check_classes(classes.unwrap_or_default())?;
    let inputs = Inputs::find(&inspect::inputs(graph), options)?;
    let output = Output::find(graph, options)?;
    let mut missing = Vec::new();
    if options.latent.is_none() {
        missing.push("how its latents are drawn (add --latent normal or --latent uniform)".to_string());
    }
    if let (Some(labels), None) = (&inputs.labels, classes) {
        let classes = match labels.one_hot() {
            Some(count) => format!("{count} classes"),
            None => "classes".to_string(),
        };
        missing.push(format!(
            "what its {classes} are called (add --classes 0..9, or names such as --classes cat,dog)"
        ));
    }
    if output.pixels.is_none() {
        missing.push("what black and white are (add --pixels 0..1, -1..1 or 0..255)".to_string());
    }
    match (options.latent, missing.as_slice()) {
        (Some(latent), []) => {
            Ok(Known { inputs, output, latent, classes: classes.unwrap_or_default().to_vec() })
        }
        _ => Err(format!("the file doesn't say {}", missing.join(", nor "))),
    }
}

fn check_classes(classes: &[String]) -> std::result::Result<(), String> {
    let mut sorted: Vec<&String> = classes.iter().collect();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("--classes names {} twice", pair[0]));
    }
    match classes.len() {
        0..=MOST_CLASSES => Ok(()),
        more => Err(format!("--classes names {more} classes, more than {MOST_CLASSES}")),
    }
}

/// What the new file says of itself, but for its golden case.
fn contract_of(known: &Known, picture: Picture, options: &Options) -> Contract {
    let named = |name: &Option<String>, other: &str| name.clone().unwrap_or_else(|| other.to_string());
    Contract {
        architecture: named(&options.architecture, "adopted"),
        dataset: named(&options.dataset, "unknown"),
        classes: known.classes.clone(),
        latent_dim: known.inputs.latents.size(),
        latent_distribution: known.latent,
        pixel_range: picture.pixels.range(),
        training: Training::default(),
        quality: Default::default(),
        golden: None,
    }
}

/// What the new file says of the other one.
fn about(model: &ModelProto, bytes: &[u8], added: &[String]) -> serde_json::Value {
    let opsets = model.opset_import.iter().map(|opset| {
        let domain = if opset.domain.is_empty() { "ai.onnx" } else { opset.domain.as_str() };
        (domain.to_string(), json!(opset.version))
    });
    let producer = [model.producer_name.as_str(), model.producer_version.as_str()].join(" ");
    json!({
        "sha256": contract::files::sha256(bytes),
        "producer": producer.trim(),
        "opsets": opsets.collect::<serde_json::Map<_, _>>(),
        "added": added,
    })
}

/// The file with this metadata, behind what it said before.
fn encode(
    model: &mut ModelProto,
    others: &[StringStringEntryProto],
    metadata: &[(String, String)],
) -> Vec<u8> {
    let entry =
        |(key, value): &(String, String)| StringStringEntryProto { key: key.clone(), value: value.clone() };
    let kept = others.iter().filter(|entry| !entry.key.starts_with("edgegan.")).cloned();
    model.metadata_props = kept.chain(metadata.iter().map(entry)).collect();
    let bytes = model.encode_to_vec();
    // It was read by the same encoding's rules, so it can be rewritten.
    match unpacked(Cow::Borrowed(&bytes)) {
        Ok(Cow::Owned(rewritten)) => rewritten,
        _ => bytes,
    }
}

/// Proves the new file, in rten too if that takes it: what rten said if it doesn't.
fn prove(
    options: &Options,
    runtime: &'static Runtime,
    contract: &Contract,
    picture: &Picture,
    metadata: Vec<(String, String)>,
    cases: &Cases,
    mut encode: impl FnMut(&[(String, String)]) -> Vec<u8>,
) -> Result<(Vec<u8>, Option<String>, Vec<crate::report::Comparison>)> {
    let name = options.out.display().to_string();
    let bytes = encode(&metadata);
    let refused = embedded_refuses(&ModelSource::Bytes { name: &name, bytes: &bytes }, contract);
    let proof = Proof {
        file: &options.out,
        names: Names { input: tensor::Z, label: tensor::LABEL, output: tensor::IMAGE },
        form: &Form::default(),
        contract: Some(contract),
        runtime,
        asked: options.runtime.as_deref(),
        reference: options.file.display().to_string(),
        tolerance: tolerance(contract, picture),
        embedded: if refused.is_some() { Embedded::Never } else { Embedded::Must },
    };
    let (bytes, comparisons) = proof.promise(metadata, cases, encode)?;
    Ok((bytes, refused, comparisons))
}

/// Why rten can't draw from a file, if it can't.
fn embedded_refuses(source: &ModelSource<'_>, contract: &Contract) -> Option<String> {
    let draw = || -> Result<()> {
        let mut generator = generator_in(source, Engine::Rten, None, 1)?;
        let labels = vec![0; usize::from(contract.is_labelled())];
        let z = ndarray::Array2::zeros((1, contract.latent_dim));
        Ok(generator.run(z.view(), &labels).map(|_| ())?)
    };
    draw().err().map(|error| error.to_string())
}

/// What passes for rounding: a level, where the other file itself gives levels.
fn tolerance(contract: &Contract, picture: &Picture) -> Tolerance {
    let rounding = Tolerance::of(Precision::Fp32, Some(contract.pixel_range), false);
    match picture.is_rounded() {
        true => Tolerance { largest: rounding.largest + 1. / 255., mean: 1e-4 },
        false => rounding,
    }
}

/// Values in words, for messages.
fn list(values: &[Value]) -> String {
    match values {
        [] => "nothing".to_string(),
        _ => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
    }
}
