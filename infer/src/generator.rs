//! A generator: an ONNX file in an ONNX Runtime session, ready to draw.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{BufReader, Cursor},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use ndarray::{Array4, ArrayView2, Axis, concatenate};
use ort::{
    ep::{self, ExecutionProvider},
    logging::LogLevel,
    session::{
        Session, SessionInputValue,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
    value::{Outlet, TensorElementType, TensorRef, ValueType},
};
use serde::Serialize;

use crate::{
    Device, Error, Runtime,
    contract::{Contract, tensor},
    header::Header,
    latent::latent_batch,
    runtime::PLACED,
    weights::{self, Split, Weight},
};

/// How many images go through the network at once: enough to fill the matrix products, and small
/// enough to keep a request for thousands of images within tens of megabytes.
const BATCH: usize = 64;

/// From this many images on, what ONNX Runtime does to the weights when it loads them (copying, and
/// rearranging them for its matrix products) pays for its time. Below, they are used as they lie in
/// the model's bytes. Measured with ONNX Runtime 1.32 on two x86-64 cores: loading takes 100 ms
/// more, each image 0.3 ms less.
const LOADING_WEIGHTS_PAYS: usize = 320;

/// Where a model comes from.
#[derive(Debug, Clone, Copy)]
pub enum ModelSource<'a> {
    /// A file.
    File(&'a Path),
    /// The bytes of a file.
    Bytes {
        /// What messages call it.
        name: &'a str,
        /// The whole file.
        bytes: &'a [u8],
    },
    /// The bytes of a file that are part of the program: weights are used where they lie, if they
    /// are aligned for float32.
    Embedded {
        /// What messages call it.
        name: &'static str,
        /// The whole file.
        bytes: &'static [u8],
    },
}

impl ModelSource<'_> {
    /// What messages call the model.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } | Self::Embedded { name, .. } => (*name).into(),
        }
    }

    /// Reads what the model says about itself; ONNX Runtime is not needed for it.
    ///
    /// # Errors
    ///
    /// [`Error::ModelUnreadable`], [`Error::NotOnnx`] or [`Error::NotAGenerator`].
    pub fn contract(&self) -> Result<Contract, Error> {
        let header = match self {
            Self::File(path) => Header::read(&mut BufReader::new(open(path)?)),
            Self::Bytes { bytes, .. } | Self::Embedded { bytes, .. } => Header::read(&mut Cursor::new(bytes)),
        };
        let header = header.map_err(|found| Error::NotOnnx { model: self.name(), found })?;
        Contract::from_metadata(|key| header.get(key))
            .map_err(|found| Error::NotAGenerator { model: self.name(), found })
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let unreadable = |found: String| Error::ModelUnreadable { path: path.display().to_string(), found };
    let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("this is a folder".into()));
    }
    File::open(path).map_err(|error| unreadable(error.to_string()))
}

/// How to run a model.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to run it.
    pub device: Device,
    /// The ONNX Runtime library to load; without it, it is looked for (see
    /// [`runtime`](crate::runtime)).
    pub runtime: Option<PathBuf>,
    /// CPU threads; without it, one for a single image and all for more.
    pub threads: Option<NonZeroUsize>,
    /// About how many images will be drawn: few start faster, many run faster.
    pub expected_images: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { device: Device::Auto, runtime: None, threads: None, expected_images: BATCH }
    }
}

/// How many of the graph's nodes an execution provider runs, as ONNX Runtime itself reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// ONNX Runtime's name for it, such as `CPUExecutionProvider`.
    pub provider: String,
    /// Number of nodes, after ONNX Runtime's optimisations.
    pub nodes: usize,
}

/// One image to draw: its index in the seed's sequence, and its label (0 in an unlabelled model).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Index of the image: which latents it gets.
    pub index: u64,
    /// Class of the image.
    pub label: i64,
}

/// A loaded generator.
pub struct Generator {
    name: String,
    contract: Contract,
    runtime: &'static Runtime,
    session: Session,
    /// The model's bytes and the weights in them that each run lends to ONNX Runtime.
    lent: (Cow<'static, [u8]>, Vec<Weight>),
    device: Device,
    placements: Vec<Placement>,
    notes: Vec<String>,
}

impl Generator {
    /// Loads a model: checks what it says about itself, finds ONNX Runtime, chooses the device.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]'s about models, runtimes and devices.
    pub fn load(source: &ModelSource<'_>, options: &Options) -> Result<Self, Error> {
        let contract = source.contract()?;
        let runtime = Runtime::load(options.runtime.as_deref())?;
        let log_reader = runtime.start_log();
        let mut notes = Vec::new();
        let (session, device) = match options.device {
            Device::Cpu => (create_session(source, options, runtime, Device::Cpu), Device::Cpu),
            Device::Cuda(_) => (create_session(source, options, runtime, options.device), options.device),
            Device::Auto => {
                let cuda = runtime.cuda_provider().map(|_| {
                    let device = Device::Cuda(0);
                    (create_session(source, options, runtime, device), device)
                });
                match cuda {
                    Some((Ok(session), device)) => (Ok(session), device),
                    unusable => {
                        if let Some((Err(error), _)) = unusable {
                            let reason = match error {
                                Error::DeviceUnavailable { reason, .. } => reason,
                                other => other.to_string(),
                            };
                            notes.push(format!("CUDA can't be used, so the CPU is: {reason}"));
                        }
                        (create_session(source, options, runtime, Device::Cpu), Device::Cpu)
                    }
                }
            }
        };
        let Loaded { session, lent } = session?;
        let placements = placements(&runtime.take_log());
        drop(log_reader);
        if let Device::Cuda(_) = device
            && !placements.is_empty()
            && placements.iter().all(|placement| placement.provider != ep::CUDA::NAME)
        {
            return Err(Error::DeviceUnavailable {
                device: device.to_string(),
                reason: format!("its provider took none of the nodes of model {}", source.name()),
            });
        }
        check_interface(source, &contract, &session, &lent.1)?;
        Ok(Self { name: source.name(), contract, runtime, session, lent, device, placements, notes })
    }

    /// What the model's file says about itself.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The loaded ONNX Runtime.
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// The device that was chosen: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.device
    }

    /// Which execution providers run the graph, in ONNX Runtime's own words; empty if the library
    /// doesn't say.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// What a user should know about how the device was chosen; often empty.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs the network once.
    ///
    /// # Shapes
    ///
    /// `z` is `(N, latent_dim)` with N ≥ 1; `labels` has N numbers, or none for an unlabelled
    /// model. Returns `(N, C, H, W)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] for other shapes or labels, [`Error::RunFailed`] if ONNX Runtime fails or
    /// the output is not finite.
    pub fn run(&mut self, z: ArrayView2<'_, f32>, labels: &[i64]) -> Result<Array4<f32>, Error> {
        let batch = z.nrows();
        self.check_run(z.dim(), labels)?;
        let z = z.as_standard_layout();
        let failed = |reason: String| Error::RunFailed { model: self.name.clone(), reason };
        let mut run = || -> ort::Result<Result<Array4<f32>, String>> {
            let z = z.as_slice().unwrap_or_default();
            let z = TensorRef::from_array_view(([batch, self.contract.latent_dim], z))?;
            let labels = TensorRef::from_array_view(([labels.len()], labels));
            let mut inputs: Vec<(&str, SessionInputValue<'_>)> = vec![(tensor::Z, z.into())];
            if self.contract.is_labelled() {
                inputs.push((tensor::LABEL, labels?.into()));
            }
            let (bytes, weights) = &self.lent;
            for weight in weights {
                let values = (weight.dims.as_slice(), weight.values(bytes));
                inputs.push((&weight.name, TensorRef::from_array_view(values)?.into()));
            }
            let outputs = self.session.run(inputs)?;
            let (shape, pixels) = outputs[tensor::IMAGE].try_extract_tensor::<f32>()?;
            Ok(images(shape, pixels, batch))
        };
        run().map_err(|error| failed(error.to_string()))?.map_err(failed)
    }

    /// Draws consecutive images of a seed: image `first_index + i` with label `labels[i]`, as
    /// 8-bit pixels. Each picture depends on the model, the seed, its index and its label; how many
    /// are drawn together, and where, can move a pixel by one level at most where its value lies
    /// on a rounding edge.
    ///
    /// # Shapes
    ///
    /// Returns `(N, C, H, W)` for N labels.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn images(&mut self, labels: &[i64], seed: u64, first_index: u64) -> Result<Array4<u8>, Error> {
        let samples: Vec<Sample> = (labels.iter().zip(0..))
            .map(|(&label, offset)| Sample { index: first_index.wrapping_add(offset), label })
            .collect();
        self.samples(seed, &samples)
    }

    /// Draws any images of a seed, as 8-bit pixels.
    ///
    /// # Shapes
    ///
    /// Returns `(N, C, H, W)` for N samples, N ≥ 1.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn samples(&mut self, seed: u64, samples: &[Sample]) -> Result<Array4<u8>, Error> {
        let mut batches = Vec::new();
        for batch in samples.chunks(BATCH) {
            let indices: Vec<u64> = batch.iter().map(|sample| sample.index).collect();
            let labels: Vec<i64> = match self.contract.is_labelled() {
                true => batch.iter().map(|sample| sample.label).collect(),
                false => Vec::new(),
            };
            let z = latent_batch(self.contract.latent_distribution, seed, &indices, self.contract.latent_dim);
            let images = self.run(z.view(), &labels)?;
            batches.push(self.contract.pixel_range.quantize(&images));
        }
        let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
        concatenate(Axis(0), &views)
            .map_err(|_| Error::BadInput("no image was asked for: expected 1 or more".into()))
    }

    fn check_run(&self, (batch, latents): (usize, usize), labels: &[i64]) -> Result<(), Error> {
        let Contract { latent_dim, classes, .. } = &self.contract;
        if batch == 0 || latents != *latent_dim {
            return Err(Error::BadInput(format!(
                "z has shape ({batch}, {latents}), but model {} takes (1 or more, {latent_dim})",
                self.name
            )));
        }
        let expected = if self.contract.is_labelled() { batch } else { 0 };
        if labels.len() != expected {
            return Err(Error::BadInput(format!(
                "{} labels for {batch} images: model {} takes {expected}",
                labels.len(),
                self.name
            )));
        }
        // ONNX's Gather counts negative indices from the end: −1 would draw the last class.
        match labels.iter().find(|label| !(0..classes.len() as i64).contains(label)) {
            Some(label) => Err(Error::UnknownClass {
                asked: format!("label {label}"),
                model: self.name.clone(),
                classes: self.contract.describe_classes(),
                nearest: None,
            }),
            None => Ok(()),
        }
    }
}

/// ONNX Runtime's output as an array, if it is one of pictures.
fn images(shape: &[i64], pixels: &[f32], batch: usize) -> Result<Array4<f32>, String> {
    let &[n, c @ (1 | 3), h, w] = shape else {
        return Err(format!("its output has shape {shape:?}, expected (batch, 1 or 3, height, width)"));
    };
    if n != batch as i64 || h < 1 || w < 1 {
        return Err(format!("it drew {shape:?} for a batch of {batch}"));
    }
    if let Some(value) = pixels.iter().find(|value| !value.is_finite()) {
        return Err(format!("it drew a pixel of value {value}"));
    }
    let shape = [n, c, h, w].map(|dim| dim as usize);
    Array4::from_shape_vec(shape, pixels.to_vec()).map_err(|error| error.to_string())
}

/// A session, and the weights to lend it at each run.
struct Loaded {
    session: Session,
    lent: (Cow<'static, [u8]>, Vec<Weight>),
}

/// Creates the session on exactly this device; what the device can't do is an error.
fn create_session(
    source: &ModelSource<'_>,
    options: &Options,
    runtime: &'static Runtime,
    device: Device,
) -> Result<Loaded, Error> {
    let refused = |error: ort::Error| Error::SessionRefused {
        model: source.name(),
        version: runtime.version().into(),
        reason: tidy(error.message()),
    };
    let mut builder = session_builder(options, runtime).map_err(refused)?;
    match device {
        Device::Cuda(index) => {
            let unavailable = |message: &str| Error::DeviceUnavailable {
                device: device.to_string(),
                reason: explain(message, runtime),
            };
            if runtime.cuda_provider().is_none() {
                return Err(unavailable(&format!(
                    "{} is ONNX Runtime {} without its CUDA provider",
                    runtime.library().display(),
                    runtime.version()
                )));
            }
            builder = builder
                .with_execution_providers([cuda(index, runtime.minor_version())])
                .map_err(|error| unavailable(error.message()))?;
            let session = commit(&mut builder, source);
            session.map(Loaded::whole).map_err(|error| match is_about_cuda(error.message()) {
                true => unavailable(error.message()),
                false => refused(error),
            })
        }
        Device::Cpu | Device::Auto => {
            if options.expected_images < LOADING_WEIGHTS_PAYS
                && let Some(loaded) = lend_weights(&mut builder, source)
            {
                return Ok(loaded);
            }
            commit(&mut builder, source).map(Loaded::whole).map_err(refused)
        }
    }
}

impl Loaded {
    /// A session that holds its weights itself.
    fn whole(session: Session) -> Self {
        let lent = (Cow::Borrowed(&[][..]), Vec::new());
        Self { session, lent }
    }
}

fn session_builder(options: &Options, runtime: &'static Runtime) -> ort::Result<SessionBuilder> {
    let threads = options.threads.map_or_else(
        || match options.expected_images {
            0 | 1 => 1,
            _ => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        },
        NonZeroUsize::get,
    );
    Ok(Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_prepacking(options.expected_images >= LOADING_WEIGHTS_PAYS)?
        // The node placements are among the verbose messages; nothing is printed.
        .with_log_level(LogLevel::Verbose)?)
}

/// Gives ONNX Runtime the model as it is.
fn commit(builder: &mut SessionBuilder, source: &ModelSource<'_>) -> ort::Result<Session> {
    match source {
        ModelSource::File(path) => builder.commit_from_file(path),
        ModelSource::Bytes { bytes, .. } | ModelSource::Embedded { bytes, .. } => {
            builder.commit_from_memory(bytes)
        }
    }
}

/// Gives ONNX Runtime the model without its large weights, which stay where they are. `None` if
/// that doesn't work, for whatever reason: loading the model as it is then does, or says why not.
fn lend_weights(builder: &mut SessionBuilder, source: &ModelSource<'_>) -> Option<Loaded> {
    let bytes = match source {
        ModelSource::File(path) => Cow::Owned(fs::read(path).ok()?),
        ModelSource::Bytes { bytes, .. } => Cow::Owned(bytes.to_vec()),
        ModelSource::Embedded { bytes, .. } => Cow::Borrowed(*bytes),
    };
    let Split { model, weights } = weights::split(&bytes)?;
    Some(Loaded { session: builder.commit_from_memory(&model).ok()?, lent: (bytes, weights) })
}

/// The CUDA execution provider, an error where it can't be had.
fn cuda(index: u32, minor_version: u32) -> ep::ExecutionProviderDispatch {
    let cuda = ep::CUDA::default()
        .with_device_id(index as i32)
        // Trying every algorithm takes longer than it saves on a network this small.
        .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic);
    // TF32 keeps 10 bits of the mantissa: too few for the golden case. 1.17 has no such option.
    match minor_version {
        18.. => cuda.with_tf32(false),
        _ => cuda,
    }
    .build()
    .error_on_failure()
}

fn is_about_cuda(message: &str) -> bool {
    ["CUDA", "cuda", "CUBLAS", "CUDNN"].iter().any(|word| message.contains(word))
}

/// A status of ONNX Runtime together with the errors it logged on the way: the status says that a
/// provider failed, the log which library it misses.
fn explain(message: &str, runtime: &Runtime) -> String {
    let logged = (runtime.take_log().into_iter())
        .filter(|(level, _)| *level >= LogLevel::Error)
        .map(|(_, logged)| tidy(&logged));
    let mut reasons = vec![tidy(message)];
    for reason in logged {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.join("; ")
}

/// One line, without the source position that ONNX Runtime may put before its own
/// "[ONNXRuntimeError] : 1 : FAIL : " and the message.
fn tidy(message: &str) -> String {
    let message = match message.rsplit_once("[ONNXRuntimeError]") {
        Some((_, rest)) => rest.splitn(4, " : ").nth(3).unwrap_or(rest),
        None => message,
    };
    (message.lines().map(str::trim)).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Reads node placements from ONNX Runtime's log: "All nodes placed on [P]. Number of nodes: 9", or
/// one such line per provider (`InferenceSession` and `session_state` of its sources).
fn placements(log: &[(LogLevel, String)]) -> Vec<Placement> {
    (log.iter())
        .filter_map(|(_, message)| {
            let (_, rest) = message.split_once(PLACED)?;
            let (provider, rest) = rest.split_once(']')?;
            let (_, nodes) = rest.split_once("Number of nodes: ")?;
            Some(Placement { provider: provider.into(), nodes: nodes.trim().parse().ok()? })
        })
        .collect()
}

/// Checks that the graph takes and gives what the contract says, and nothing else.
fn check_interface(
    source: &ModelSource<'_>,
    contract: &Contract,
    session: &Session,
    lent: &[Weight],
) -> Result<(), Error> {
    use TensorElementType::{Float32, Int64};

    let latent_dim = contract.latent_dim as i64;
    let mut inputs = vec![(tensor::Z, Float32, vec![-1, latent_dim])];
    if contract.is_labelled() {
        inputs.push((tensor::LABEL, Int64, vec![-1]));
    }
    // Channels, height and width may be fixed or not; `run` looks at what comes out.
    let given: Vec<&Outlet> = (session.inputs().iter())
        .filter(|input| lent.iter().all(|weight| weight.name != input.name()))
        .collect();
    let matches_inputs = given.len() == inputs.len()
        && inputs.iter().all(|(name, element, dims)| {
            given.iter().any(|input| {
                input.name() == *name
                    && matches!(
                        input.dtype(),
                        ValueType::Tensor { ty, shape, .. } if ty == element && shape[..] == dims[..]
                    )
            })
        });
    let matches_output = session.outputs().iter().any(|output| {
        output.name() == tensor::IMAGE
            && matches!(
                output.dtype(),
                ValueType::Tensor { ty: Float32, shape, .. } if shape.len() == 4
            )
    });
    if matches_inputs && matches_output {
        return Ok(());
    }
    let label = if contract.is_labelled() { ", label: int64[batch]" } else { "" };
    Err(Error::OtherInterface {
        model: source.name(),
        found: format!("inputs {} and outputs {}", describe(session.inputs()), describe(session.outputs())),
        expected: format!(
            "inputs z: float32[batch, {latent_dim}]{label} \
             and output image: float32[batch, channels, height, width]"
        ),
    })
}

fn describe<'a>(outlets: impl IntoIterator<Item = &'a Outlet>) -> String {
    (outlets.into_iter())
        .map(|outlet| match outlet.dtype() {
            ValueType::Tensor { ty, shape, dimension_symbols } => {
                let dims: Vec<_> = (shape.iter().zip(dimension_symbols.iter()))
                    .map(|(dim, symbol)| match (dim, symbol.is_empty()) {
                        (-1, true) => "?".into(),
                        (-1, false) => symbol.clone(),
                        _ => dim.to_string(),
                    })
                    .collect();
                format!("{}: {}[{}]", outlet.name(), element_name(*ty), dims.join(", "))
            }
            other => format!("{}: {other}", outlet.name()),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// ONNX's name of an element type, where `ort`'s is shorter: float32 for f32.
fn element_name(element: TensorElementType) -> String {
    let short = element.to_string();
    let (letter, bits) = short.split_at(1);
    match (letter, bits.parse::<u8>()) {
        ("f", Ok(bits)) => format!("float{bits}"),
        ("i", Ok(bits)) => format!("int{bits}"),
        ("u", Ok(bits)) => format!("uint{bits}"),
        _ => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_their_source_position_and_line_breaks() {
        let message = "/src/provider_bridge.cc:2043 Provider& Get() [ONNXRuntimeError] : 1 : FAIL : \
                       Failed to load\n  library libcuda.so : no such file\n";
        assert_eq!(tidy(message), "Failed to load library libcuda.so : no such file");
        assert_eq!(tidy("Invalid graph"), "Invalid graph");
    }

    #[test]
    fn placements_are_read_from_both_forms_of_the_log() {
        let log = |messages: &[&str]| -> Vec<_> {
            messages.iter().map(|message| (LogLevel::Verbose, (*message).to_owned())).collect()
        };
        let placement = |provider: &str, nodes| Placement { provider: provider.into(), nodes };
        let all =
            log(&["Node placements", " All nodes placed on [CPUExecutionProvider]. Number of nodes: 13"]);
        assert_eq!(placements(&all), [placement("CPUExecutionProvider", 13)]);
        let mixed = log(&[
            " Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 11",
            "  MatMul (h0)",
            " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 2",
        ]);
        let expected = [placement("CUDAExecutionProvider", 11), placement("CPUExecutionProvider", 2)];
        assert_eq!(placements(&mixed), expected);
        assert_eq!(placements(&log(&["nodes were placed on [somewhere"])), []);
    }

    #[test]
    fn outputs_that_are_no_pictures_are_refused() {
        let refused = |shape: &[i64], pixels: &[f32]| images(shape, pixels, 2).err().unwrap_or_default();
        assert!(refused(&[2, 6], &[0.0; 12]).contains("[2, 6]"));
        assert!(refused(&[2, 2, 1, 3], &[0.0; 12]).contains("1 or 3"));
        assert!(refused(&[1, 1, 2, 3], &[0.0; 6]).contains("batch of 2"));
        assert!(refused(&[2, 1, 0, 3], &[]).contains("batch of 2"));
        let mut pixels = [0.5; 12];
        pixels[7] = f32::INFINITY;
        assert!(refused(&[2, 1, 2, 3], &pixels).contains("inf"));
        pixels[7] = 0.25;
        let read = images(&[2, 1, 2, 3], &pixels, 2);
        assert_eq!(read.map(|images| images[[1, 0, 0, 1]]), Ok(0.25));
    }
}
