//! From a generator's file in single precision to another form of it, where the checkpoint isn't: read,
//! form, prove against the file that was read, write.

use std::path::{Path, PathBuf};

use candle_onnx::onnx::ModelProto;
use contract::{Contract, thousands};
use infer::{Engine, Generator, ModelSource, Runtime};
use serde_json::json;

use crate::export::{PRECISION, SUBPIXEL, check_batch, check_int8, check_output, tolerance, typical, write};
use crate::form::{Deconv, Form, Formed, Precision};
use crate::lower::Names;
use crate::onnx::{Element, Graph, Model, Operator, Producer, decode, ir_version};
use crate::proof::Cases;
use crate::prove::{Embedded, MANY_IMAGES, Proof, generator_in};
use crate::report::Report;
use crate::target::Target;
use crate::{Error, Result, adopt, cost, reader};

/// Which file to make another of, and in which form.
#[derive(Clone, Debug)]
pub struct Options {
    /// A generator's file in single precision that `export` wrote.
    pub from: PathBuf,
    /// The new file's form. Of what was done to the file already nothing is undone.
    pub form: Form,
    /// The target that the form is of, for the report to say.
    pub target: Option<Target>,
    /// A judge that says what 8 bits cost in agreement, as an ONNX file.
    pub judge: Option<PathBuf>,
    /// The ONNX file to write.
    pub out: PathBuf,
    /// The ONNX Runtime library for the proof; without it, it is looked for as `infer` does.
    pub runtime: Option<PathBuf>,
}

/// Makes another form of a generator's file: reads its graph, and writes it if every engine draws from the new
/// file what ONNX Runtime draws from the old one, within the form's [`Tolerance`](crate::proof::Tolerance).
/// The metadata stay; figures of quality are left out where another precision draws a little else.
///
/// # Errors
/// [`Error::NotExported`] if the file isn't one that this can be done with, and any other of [`Error`]'s;
/// nothing is written then.
pub fn export(options: &Options) -> Result<Report> {
    let read = [Some(options.from.as_path()), options.judge.as_deref()];
    check_output(&options.out, read.into_iter().flatten(), "small.onnx")?;
    check_int8(options.judge.as_deref(), &options.form)?;
    let Source { bytes, graph, contract, converted } = Source::read(&options.from)?;
    check_form(options, &converted)?;
    check_batch(&options.form, outside(&graph), largest(&graph))?;
    let asked = options.runtime.as_deref();
    let runtime = Runtime::load(asked)?;
    let name = options.from.display().to_string();
    let source = ModelSource::Bytes { name: &name, bytes: &bytes };
    let mut original = generator_in(&source, Engine::OnnxRuntime, asked, MANY_IMAGES)?;
    check_golden(&mut original, &contract, &options.from)?;

    let Formed { graph, timings, converted: more, precision, eight_bit } =
        options.form.of_graph(graph, Some(contract.pixel_range), &typical(&contract)?, asked)?;
    let form = Form { precision, ..options.form.clone() };
    let costs = eight_bit
        .map(|eight_bit| cost::costs(&eight_bit, form.opset, &contract, options.judge.as_deref(), asked));
    let costs = costs.transpose()?;
    let converted = [converted, more].concat();
    let producer = Producer { name: PRODUCER.into(), version: env!("CARGO_PKG_VERSION").into() };
    let mut model = Model::of_opset(form.opset, &graph, producer)?;
    let quality = match precision {
        Precision::Fp32 => contract.quality.clone(),
        _ => Default::default(),
    };
    let contract = Contract { quality, golden: None, ..contract };
    let mut metadata = Vec::new();
    if !converted.is_empty() {
        metadata.push((SUBPIXEL.to_string(), json!(converted).to_string()));
    }
    metadata.extend(contract.to_metadata());

    let cases =
        Cases::drawn(&contract, |z, labels| Ok(original.run(z.view(), labels)?.into_iter().collect()))?;
    let proof = Proof {
        file: &options.out,
        names: Names {
            input: contract::tensor::Z,
            label: contract::tensor::LABEL,
            output: contract::tensor::IMAGE,
        },
        form: &form,
        contract: Some(&contract),
        runtime,
        asked,
        reference: name.clone(),
        tolerance: tolerance(&form, Some(&contract)),
        embedded: Embedded::of(precision),
    };
    let (bytes, comparisons) = proof.promise(metadata, &cases, |metadata| {
        model.set_metadata(metadata.to_vec());
        model.encode()
    })?;
    write(&options.out, &bytes)?;
    Ok(Report {
        file: options.out.clone(),
        written: true,
        bytes: bytes.len(),
        sha256: contract::files::sha256(&bytes),
        nodes: Some(graph.nodes().len()),
        parameters: Some(model.parameters()),
        opset: Some(form.opset),
        ir_version: Some(ir_version(form.opset)),
        checkpoint: None,
        from: Some(options.from.clone()),
        network: "generator",
        weights: None,
        architecture: contract.architecture,
        dataset: contract.dataset,
        epochs: contract.training.epochs.unwrap_or(0) as f64,
        iterations: contract.training.iterations.unwrap_or(0),
        precision,
        asked_int8: options.form.precision == Precision::Int8,
        converted,
        timings,
        costs,
        target: options.target,
        library: runtime.library().to_path_buf(),
        repository: None,
        comparisons,
    })
}

/// The name that files from here have as their producer.
const PRODUCER: &str = "edgegan";

/// A generator's file in single precision that `export` wrote.
pub struct Source {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Its graph.
    pub graph: Graph,
    /// What it says of itself.
    pub contract: Contract,
    /// Transposed convolutions that it has as convolutions.
    pub converted: Vec<String>,
}

impl Source {
    /// Reads a file with the care that anyone's file needs.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::NotOnnx`], [`Error::NotExported`] with the first thing that it isn't, or
    /// [`Error::Infer`] if it has no contract that `infer` draws by.
    pub fn read(path: &Path) -> Result<Source> {
        Source::from_bytes(reader::read(path)?, path)
    }

    /// The same of a file's bytes, which came from `path`.
    ///
    /// # Errors
    /// As [`read`](Source::read).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Source> {
        let (model, _) = reader::decode(&bytes, path)?;
        let wrong = |found: String| Error::NotExported { path: path.to_path_buf(), found };
        let get = |key: &str| {
            let entry = model.metadata_props.iter().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str())
        };
        if let Some(network) = get("edgegan.network") {
            return Err(wrong(format!("it is a {network}")));
        }
        if let Some(stated) = get(PRECISION) {
            let stated: serde_json::Value = serde_json::from_str(stated).unwrap_or_default();
            let precision = stated["precision"].as_str().unwrap_or("of a reduced precision").to_string();
            return Err(wrong(format!("it is {precision} already")));
        }
        if get(adopt::KEY).is_some() {
            return Err(wrong("it was adopted from another program's file".to_string()));
        }
        let name = path.display().to_string();
        let contract = ModelSource::Bytes { name: &name, bytes: &bytes }.contract()?;
        let converted = get(SUBPIXEL).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let graph = graph_of(&model).map_err(wrong)?;
        Ok(Source { graph, contract, converted, bytes })
    }
}

/// The graph of a whole file in single precision.
fn graph_of(model: &ModelProto) -> std::result::Result<Graph, String> {
    if model.producer_name != PRODUCER {
        return Err(match model.producer_name.as_str() {
            "" => "it doesn't say which program wrote it".to_string(),
            other => format!("it was written by {other}"),
        });
    }
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err("it has functions or steps of training of its own".to_string());
    }
    match model.opset_import.as_slice() {
        [opset] if opset.domain.is_empty() && (13..=22).contains(&opset.version) => {}
        _ => return Err("its operator set is none from 13 to 22".to_string()),
    }
    let graph = decode(model.graph.as_ref().ok_or("it holds no graph")?)?;
    let reduced = graph.nodes().iter().find(|node| {
        let is = |element| graph.value(&node.name).is_some_and(|value| value.type_of().element == element);
        is(Element::Float16) || is(Element::Int32) || matches!(node.operator, Operator::Cast { .. })
    });
    match reduced {
        Some(node) => Err(format!("node {} doesn't compute in single precision", node.name)),
        None => Ok(graph),
    }
}

/// Refuses what would have to be undone.
fn check_form(options: &Options, converted: &[String]) -> Result<()> {
    if options.form.deconv == Some(Deconv::Transpose) && !converted.is_empty() {
        let found = format!(
            "--deconv transpose: it has {} as convolutions already, which only an export from the checkpoint \
             leaves as it was",
            converted.join(" and ")
        );
        return Err(Error::NotExported { path: options.from.clone(), found });
    }
    Ok(())
}

/// Refuses a file that doesn't draw what it promises: what is made of it would promise the wrong pictures.
fn check_golden(original: &mut Generator, contract: &Contract, path: &Path) -> Result<()> {
    let Some(golden) = &contract.golden else { return Ok(()) };
    let wrong = |found: String| Error::NotExported { path: path.to_path_buf(), found };
    let compared = golden.compare(&original.images(&golden.labels, golden.seed, 0)?).map_err(wrong)?;
    if compared.passed() {
        return Ok(());
    }
    Err(wrong(format!(
        "it doesn't draw its own golden case: {} of {} pixels differ, the most by {} of 255 levels, so it is \
         damaged",
        thousands(compared.differing as u64),
        thousands(compared.pixels as u64),
        compared.largest
    )))
}

/// How many numbers of one image go in and out.
fn outside(graph: &Graph) -> usize {
    let outputs = graph.outputs().map(|(_, value)| value);
    graph.inputs().chain(outputs).map(|value| value.type_of().elements()).sum()
}

/// How many numbers of one image the largest value has.
fn largest(graph: &Graph) -> usize {
    let values = graph.nodes().iter().filter_map(|node| graph.value(&node.name));
    values.map(|value| value.type_of().elements()).max().unwrap_or(0)
}
