//! From a checkpoint to the ONNX file: lower, form, prove, write.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor as Numbers};
use contract::files::{Destination, STDOUT, is_same};
use contract::latent::latent_batch;
use contract::memory::{Available, available};
use contract::onnx::{Dim, Header, Outlet};
use contract::{Contract, PixelRange, tensor};
use infer::Runtime;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::form::{Form, Formed, Int8Layers, Precision, Subject};
use crate::generator::contract;
use crate::onnx::{Model, Producer, ir_version};
use crate::proof::{Cases, Taken, Tolerance};
use crate::prove::{CANDLE, Embedded, Proof};
use crate::quality;
use crate::reader;
use crate::report::{Comparison, Report};
use crate::target::Target;
use crate::trained::{Trained, Weights, Which};
use crate::{Error, Result, cost};

/// Where a file says its precision.
pub(crate) const PRECISION: &str = "edgegan.precision";
/// Where a file says which transposed convolutions it has as convolutions.
pub(crate) const SUBPIXEL: &str = "edgegan.subpixel";
/// `TensorProto.DataType` of pixels as bytes.
const UINT8: u64 = 2;

/// Images whose range of numbers an 8-bit layer is made for.
const TYPICAL: usize = 200;
/// Key of their latents: not those that are compared.
const TYPICAL_SEED: u64 = 1;

/// What to export, and to where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checkpoint's file.
    pub checkpoint: PathBuf,
    /// Which of its networks.
    pub network: Which,
    /// Which of its weights.
    pub weights: Weights,
    /// In which form.
    pub form: Form,
    /// The target that the form is of, for the report to say.
    pub target: Option<Target>,
    /// A judge that says what 8 bits cost in agreement, as an ONNX file.
    pub judge: Option<PathBuf>,
    /// The ONNX file to write.
    pub out: PathBuf,
    /// What `evaluate --json` says of the checkpoint, for the file to carry.
    pub quality: Option<PathBuf>,
    /// The ONNX Runtime library for the proof; without it, it is looked for as `infer` does.
    pub runtime: Option<PathBuf>,
}

/// Exports a network: lowers it, runs the file's very bytes in every engine against Candle, and writes
/// them if all agree within [`Tolerance`].
///
/// # Errors
/// Any of [`Error`]'s; nothing is written then.
pub fn export(options: &Options) -> Result<Report> {
    let inputs = [Some(options.checkpoint.as_path()), options.quality.as_deref(), options.judge.as_deref()];
    check_int8(options.judge.as_deref(), &options.form)?;
    check_output(&options.out, inputs.into_iter().flatten(), "gen.onnx")?;
    let trained = Trained::load(&options.checkpoint, options.network, options.weights)?;
    let mut contract = contract_of(&trained)?;
    if let Some(path) = &options.quality {
        let form = |message: String| Error::Form { message };
        let Some(contract) = &mut contract else {
            return Err(form(format!("--quality is for generators; this is a {}", trained.kind)));
        };
        if options.form.precision != Precision::Fp32 {
            let precision = options.form.precision.name();
            return Err(form(format!(
                "--quality is measured of the checkpoint, and {precision} draws a little else; leave one of \
                 them out, and measure the file with `evaluate`"
            )));
        }
        contract.quality = quality::read(path, &trained)?;
    }
    if options.form.precision == Precision::Int8 && contract.is_none() {
        let message = format!(
            "--precision int8 is for generators: what a {} sees isn't known here; use fp32 or fp16",
            trained.kind
        );
        return Err(Error::Form { message });
    }
    let network = &trained.network;
    let largest = network.shapes().iter().map(|shape| shape.elements()).max().unwrap_or(0);
    check_batch(&options.form, network.input().elements() + network.output().elements(), largest)?;
    let runtime = Runtime::load(options.runtime.as_deref())?;
    let Lowered { formed, mut model, metadata } =
        lowered(&trained, contract.as_ref(), &options.form, options.runtime.as_deref())?;
    let Formed { graph, timings, converted, precision, eight_bit } = formed;
    let form = Form { precision, ..options.form.clone() };

    let costs = match (&eight_bit, &contract) {
        (Some(eight_bit), Some(contract)) => Some(cost::costs(
            eight_bit,
            form.opset,
            contract,
            options.judge.as_deref(),
            options.runtime.as_deref(),
        )?),
        _ => None,
    };

    let cases = cases(&trained, contract.as_ref())?;
    let proof = Proof {
        file: &options.out,
        names: trained.names(),
        form: &form,
        contract: contract.as_ref(),
        runtime,
        asked: options.runtime.as_deref(),
        reference: CANDLE.to_string(),
        tolerance: tolerance(&form, contract.as_ref()),
        embedded: Embedded::of(precision),
    };
    let (bytes, comparisons) = proof.promise(metadata, &cases, |metadata| {
        model.set_metadata(metadata.to_vec());
        model.encode()
    })?;
    write(&options.out, &bytes)?;
    Ok(Report {
        written: true,
        nodes: Some(graph.nodes().len()),
        parameters: Some(model.parameters()),
        opset: Some(options.form.opset),
        ir_version: Some(ir_version(options.form.opset)),
        converted,
        timings,
        costs,
        target: options.target,
        ..report(options, precision, trained, &bytes, comparisons, runtime)
    })
}

/// Refuses what is of 8 bits beside another precision.
pub(crate) fn check_int8(judge: Option<&Path>, form: &Form) -> Result<()> {
    let Form { precision, int8_layers, .. } = form;
    let option = match (judge, int8_layers) {
        (Some(_), _) => "--judge says what 8 bits cost",
        (None, Int8Layers::Linear) => "--int8-layers says what has 8 bits",
        (None, Int8Layers::All) => return Ok(()),
    };
    if *precision == Precision::Int8 {
        return Ok(());
    }
    let message =
        format!("{option}, and the form is {}; add --precision int8, or leave it out", precision.name());
    Err(Error::Form { message })
}

/// The file that [`export`] writes of a generator, but for its golden case: unproven, to look at what a
/// run draws while it is under way. No ONNX Runtime is needed for it.
///
/// # Errors
/// As those of [`Trained::load`], and [`Error::Form`] for a network that doesn't draw.
pub fn unproven(checkpoint: &Path, weights: Weights) -> Result<Vec<u8>> {
    let trained = Trained::load(checkpoint, Which::Generator, weights)?;
    let Some(contract) = contract_of(&trained)? else {
        let message =
            format!("{} is a {}, which draws nothing; name a run", checkpoint.display(), trained.kind);
        return Err(Error::Form { message });
    };
    Ok(lowered(&trained, Some(&contract), &Form::default(), None)?.model.encode())
}

/// A network as a file, before anything is promised of it.
struct Lowered {
    formed: Formed,
    model: Model,
    metadata: Vec<(String, String)>,
}

/// Lowers a network to a file in this form; `runtime` is the library to time with, where that is asked
/// for.
fn lowered(
    trained: &Trained,
    contract: Option<&Contract>,
    form: &Form,
    runtime: Option<&Path>,
) -> Result<Lowered> {
    let subject = Subject {
        network: &trained.network,
        parameters: &trained.parameters,
        names: trained.names(),
        pixel_range: contract.map(|contract| contract.pixel_range),
        typical: contract.map(typical).transpose()?.unwrap_or_default(),
    };
    let formed = form.graph(&subject, runtime)?;
    let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
    let mut model = Model::of_opset(form.opset, &formed.graph, producer)?;
    let mut metadata = Vec::new();
    if !formed.converted.is_empty() {
        metadata.push((SUBPIXEL.to_string(), json!(formed.converted).to_string()));
    }
    match contract {
        Some(contract) => metadata.extend(contract.to_metadata()),
        None => metadata.extend(about(trained)),
    }
    model.set_metadata(metadata.clone());
    Ok(Lowered { formed, model, metadata })
}

/// Runs a file that is there against the checkpoint that it was made from, and writes nothing.
///
/// # Errors
/// As [`export`], and if it is no generator's file.
pub fn verify(options: &Options) -> Result<Report> {
    let trained = Trained::load(&options.checkpoint, options.network, options.weights)?;
    let contract = contract_of(&trained)?;
    let Some(ours) = &contract else {
        let message = format!(
            "--verify-only is for generators; {} is a {}",
            options.checkpoint.display(),
            trained.kind
        );
        return Err(Error::Form { message });
    };
    let bytes = reader::read(&options.out)?;
    let header = Header::read(&mut Cursor::new(&bytes))
        .map_err(|found| Error::NotOnnx { path: options.out.clone(), found })?;
    let form = stated_form(&header);
    let theirs = stated_contract(&header, &form, &options.out)?;
    let differs = |what: &str, theirs: String, ours: String| Error::Form {
        message: format!(
            "{} has {what} {theirs}, but checkpoint {} has {ours}; name the checkpoint that it was made from",
            options.out.display(),
            options.checkpoint.display()
        ),
    };
    for (what, theirs, ours) in [
        ("architecture", theirs.architecture.clone(), ours.architecture.clone()),
        ("classes", theirs.describe_classes(), ours.describe_classes()),
        ("latents", theirs.latent_dim.to_string(), ours.latent_dim.to_string()),
    ] {
        if theirs != ours {
            return Err(differs(what, theirs, ours));
        }
    }
    let runtime = Runtime::load(options.runtime.as_deref())?;
    let cases = cases(&trained, contract.as_ref())?;
    let proof = Proof {
        file: &options.out,
        names: trained.names(),
        form: &form,
        contract: contract.as_ref(),
        runtime,
        asked: options.runtime.as_deref(),
        reference: CANDLE.to_string(),
        tolerance: tolerance(&form, contract.as_ref()),
        embedded: Embedded::of(form.precision),
    };
    let comparisons = proof.run(&bytes, &cases)?;
    Ok(report(options, form.precision, trained, &bytes, comparisons, runtime))
}

/// The form that a file says it has: its precision by its metadata, its batch and pixels by its inputs and
/// output.
fn stated_form(header: &Header) -> Form {
    let stated = header.get(PRECISION).and_then(|json| serde_json::from_str::<Value>(json).ok());
    let precision = stated.and_then(|stated| Precision::deserialize(&stated["precision"]).ok());
    let outlet = |outlets: &[Outlet], name: &str| {
        outlets.iter().find(|outlet| outlet.name == name).and_then(|outlet| outlet.tensor.clone())
    };
    let batch = match outlet(&header.inputs, tensor::Z).and_then(|(_, dims)| dims.into_iter().next()) {
        Some(Dim::Fixed(batch)) => u64::try_from(batch).ok(),
        _ => None,
    };
    let uint8 = outlet(&header.outputs, tensor::IMAGE).is_some_and(|(element, _)| element == UINT8);
    Form { precision: precision.unwrap_or_default(), batch, uint8, ..Form::default() }
}

/// What a generator's file says of itself; its graph must fit, unless its form is one that `infer` doesn't
/// draw from.
fn stated_contract(header: &Header, form: &Form, path: &Path) -> Result<Contract> {
    let model = path.display().to_string();
    let contract = Contract::from_metadata(|key| header.get(key))
        .map_err(|found| infer::Error::NotAGenerator { model: model.clone(), found })?;
    if form.batch.is_none() && !form.uint8 {
        contract::onnx::check(header, &contract)
            .map_err(|(found, expected)| infer::Error::OtherInterface { model, found, expected })?;
    }
    Ok(contract)
}

/// The report about a file that was checked.
fn report(
    options: &Options,
    precision: Precision,
    trained: Trained,
    bytes: &[u8],
    comparisons: Vec<Comparison>,
    runtime: &Runtime,
) -> Report {
    Report {
        file: options.out.clone(),
        written: false,
        bytes: bytes.len(),
        sha256: contract::files::sha256(bytes),
        nodes: None,
        parameters: None,
        opset: None,
        ir_version: None,
        checkpoint: Some(options.checkpoint.clone()),
        from: None,
        network: trained.kind,
        weights: trained.weights,
        architecture: trained.architecture.to_string(),
        epochs: trained.provenance.passes(),
        dataset: trained.provenance.dataset,
        iterations: trained.provenance.iterations,
        precision,
        asked_int8: options.form.precision == Precision::Int8,
        converted: Vec::new(),
        timings: Vec::new(),
        costs: None,
        target: None,
        library: runtime.library().to_path_buf(),
        repository: None,
        comparisons,
    }
}

/// What differences pass for rounding in a file of this form.
pub(crate) fn tolerance(form: &Form, contract: Option<&Contract>) -> Tolerance {
    Tolerance::of(form.precision, contract.map(|contract| contract.pixel_range), form.uint8)
}

/// Writes a file that was proven, to standard output if that is asked for.
pub(crate) fn write(out: &Path, bytes: &[u8]) -> Result<()> {
    if out == Path::new(STDOUT) {
        let written = std::io::stdout().write_all(bytes);
        return Ok(written.map_err(|source| contract::files::Error { path: out.to_path_buf(), source })?);
    }
    Ok(contract::files::write(out, |file| file.write_all(bytes))?)
}

/// What engines are compared on.
fn cases(trained: &Trained, contract: Option<&Contract>) -> Result<Cases> {
    let taken = match contract {
        Some(contract) => Taken::Latents(contract),
        None => Taken::Pictures(pixel_range(trained)),
    };
    Cases::new(&trained.network, &trained.parameters, taken)
}

/// What the file of a generator says about itself, without its golden case.
fn contract_of(trained: &Trained) -> Result<Option<Contract>> {
    let Some(header) = trained.header.as_ref().filter(|_| trained.kind == "generator") else {
        return Ok(None);
    };
    let contract = contract(header, trained.sha256.clone());
    let wrong = |message| Error::Checkpoint { path: trained.path.clone(), message };
    contract.map(Some).map_err(wrong)
}

/// What the file of another network says about itself.
fn about(trained: &Trained) -> Vec<(String, String)> {
    let provenance = &trained.provenance;
    let quality = trained.score.map(|score| {
        let accuracy = 1. - score.errors as f64 / score.images.max(1) as f64;
        ("quality", json!({ "accuracy": accuracy, "test_images": score.images }).to_string())
    });
    let entries = [
        ("network", trained.kind.to_string()),
        ("architecture", trained.architecture.to_string()),
        ("dataset", provenance.dataset.clone()),
        ("classes", json!(provenance.classes).to_string()),
        ("pixel_range", pixel_range(trained).to_string()),
        ("epochs", (provenance.epochs as u64).to_string()),
        ("iterations", provenance.iterations.to_string()),
        ("recipe", provenance.recipe.clone()),
        ("seed", provenance.seed.to_string()),
        ("checkpoint_sha256", trained.sha256.clone()),
    ];
    entries.into_iter().chain(quality).map(|(key, value)| (format!("edgegan.{key}"), value)).collect()
}

/// What black and white are to a network that takes pictures.
fn pixel_range(trained: &Trained) -> PixelRange {
    trained.header.as_ref().map_or(PixelRange::ZeroToOne, |header| header.architecture.pixel_range())
}

/// Latents as they are drawn, with every label in turn.
pub(crate) fn typical(contract: &Contract) -> Result<HashMap<String, Numbers>> {
    let indices: Vec<u64> = (0..TYPICAL as u64).collect();
    let z = latent_batch(contract.latent_distribution, TYPICAL_SEED, &indices, contract.latent_dim);
    let z = Numbers::from_iter(z.iter().copied(), &Device::Cpu)?.reshape(z.dim())?.to_dtype(DType::F64)?;
    let mut typical = HashMap::from([(tensor::Z.to_string(), z)]);
    if contract.is_labelled() {
        let labels = indices.iter().map(|&i| (i % contract.classes.len() as u64) as i64);
        typical.insert(tensor::LABEL.to_string(), Numbers::from_iter(labels, &Device::Cpu)?);
    }
    Ok(typical)
}

/// Refuses a fixed batch that can't be run here, and so not be proven: of a network whose input and output
/// have so many numbers, and its largest layer.
pub(crate) fn check_batch(form: &Form, outside: usize, largest: usize) -> Result<()> {
    // What a layer takes and gives, and the network's own numbers here and in the engine, as float32.
    let image = 4 * (2 * largest as u64 + 4 * outside as u64);
    let (Some(batch), Some(Available { bytes, whose })) = (form.batch, available()) else { return Ok(()) };
    let needed = batch.saturating_mul(image);
    if needed <= bytes {
        return Ok(());
    }
    let message = format!(
        "--batch {batch}: a run of it, which proves the file, takes about {} MB of memory, but {whose} {} MB; \
         choose a smaller one",
        needed / 1_000_000,
        bytes / 1_000_000
    );
    Err(Error::Form { message })
}

/// Refuses, before any work, a path that can't become a file, and one whose file is read here or belongs to
/// a run.
/// `such_as` is a name for it, as messages give it.
pub(crate) fn check_output<'a>(
    path: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
    such_as: &str,
) -> Result<()> {
    if path == Path::new(STDOUT) {
        return Ok(());
    }
    let wrong = |message: String| Err(Error::Output { path: path.to_path_buf(), message });
    if path.is_dir() {
        return wrong(format!("this is a folder; name a file in it, such as {such_as}"));
    }
    if inputs.into_iter().any(|input| is_same(path, input)) {
        return wrong(format!("this is read to make the file; name another, such as {such_as}"));
    }
    if contract::run::owns(path) {
        return wrong(format!(
            "this belongs to a run that `cargo train` wrote; name another file, such as {such_as}"
        ));
    }
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() || folder.is_dir() => {}
        Some(folder) if folder.exists() => return wrong(format!("{} is not a folder", folder.display())),
        Some(folder) => return wrong(format!("there is no folder {}; create it first", folder.display())),
        None => return wrong("this is no file's name".to_string()),
    }
    match Destination::of(path) {
        Ok(_) => Ok(()),
        Err(error) => wrong(error.to_string()),
    }
}
