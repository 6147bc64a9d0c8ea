//! Models in ONNX Runtime: sessions on exactly the device that was asked for, and the wrapper of all
//! sessions.

use std::num::NonZeroUsize;

use ort::{
    ep::{self, ExecutionProvider, ExecutionProviderDispatch},
    logging::LogLevel,
    session::{
        Session as OrtSession, SessionInputValue,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
    value::{DynValue, TensorRef},
};

use super::library::{PLACED, Provider};
use crate::engine::{Input, LOADING_WEIGHTS_PAYS, Lent, Network, Placement, Reader, Values};
use crate::{Device, Error, ModelSource, Options, Runtime};

/// A model in ONNX Runtime, whatever it takes and gives.
pub struct Session {
    session: OrtSession,
    /// What each run lends it.
    lent: Lent,
}

/// Creates a session on exactly this device; what the device can't do is an error.
///
/// # Errors
///
/// [`Error::DeviceUnavailable`], or [`Error::ModelRefused`] if it isn't the device's fault.
pub fn load(
    source: &ModelSource<'_>,
    options: &Options,
    runtime: &'static Runtime,
    device: Device,
) -> Result<(Box<dyn Network>, Vec<Placement>), Error> {
    let log_reader = runtime.start_log();
    let loaded = create_session(source, options, runtime, device)?;
    let placements = placements(&runtime.take_log());
    drop(log_reader);
    if let Some(provider) = Provider::of(device)
        && !placements.is_empty()
        && placements.iter().all(|placement| placement.provider != provider.name())
    {
        return Err(Error::DeviceUnavailable {
            device: device.to_string(),
            reason: format!("its provider took none of the nodes of model {}", source.name()),
        });
    }
    Ok((Box::new(loaded), placements))
}

impl Session {
    /// Loads a model to run on the CPU, on as many threads, or on one a core. Weights that lie in other
    /// files are found beside a model that is a file.
    ///
    /// # Errors
    ///
    /// ONNX Runtime's words.
    pub fn load(
        source: &ModelSource<'_>,
        runtime: &'static Runtime,
        threads: Option<NonZeroUsize>,
    ) -> Result<Self, String> {
        let load = || -> ort::Result<Self> {
            let mut builder = builder(runtime)?;
            if let Some(threads) = threads {
                builder = builder.with_intra_threads(threads.get())?;
            }
            commit(&mut builder, source).map(Self::whole)
        };
        load().map_err(|error| tidy(error.message()))
    }

    /// Runs it once on all its inputs and lends the outputs of these names, shape and numbers, to `read`,
    /// in their order.
    ///
    /// # Errors
    ///
    /// ONNX Runtime's words, those of `read`, or a phrase about an output that isn't there or
    /// isn't of float32, float64, int64, int32 or uint8.
    pub fn run(
        &mut self,
        inputs: &[Input<'_>],
        outputs: &[&str],
        mut read: impl FnMut(&[i64], Values<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut lent: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for Input { name, shape, values } in inputs {
            lent.push((&**name, view(shape, values).map_err(|error| tidy(error.message()))?));
        }
        for (name, dims, values) in self.lent.iter() {
            let view = TensorRef::from_array_view((dims, values));
            lent.push((name, view.map_err(|error| tidy(error.message()))?.into()));
        }
        let found = self.session.run(lent).map_err(|error| tidy(error.message()))?;
        outputs.iter().try_for_each(|&name| {
            let value = found.get(name).ok_or_else(|| format!("it has no output {name}"))?;
            let (shape, values) = numbers(value).map_err(|found| format!("its output {name} {found}"))?;
            read(shape, values)
        })
    }

    /// One that holds its weights itself.
    fn whole(session: OrtSession) -> Self {
        Self { session, lent: Lent::none() }
    }
}

/// An input's numbers where they lie.
fn view<'a>(shape: &'a [usize], values: &'a Values<'_>) -> ort::Result<SessionInputValue<'a>> {
    Ok(match values {
        Values::Float32(values) => TensorRef::from_array_view((shape, &**values))?.into(),
        Values::Float64(values) => TensorRef::from_array_view((shape, &**values))?.into(),
        Values::Int64(values) => TensorRef::from_array_view((shape, &**values))?.into(),
        Values::Int32(values) => TensorRef::from_array_view((shape, &**values))?.into(),
        Values::Uint8(values) => TensorRef::from_array_view((shape, &**values))?.into(),
        Values::Bool(values) => TensorRef::from_array_view((shape, &**values))?.into(),
    })
}

/// An output's shape and numbers where they lie, or a phrase about its type.
fn numbers(value: &DynValue) -> Result<(&[i64], Values<'_>), String> {
    macro_rules! of {
        ($($variant:ident($type:ty)),*) => {
            $(if let Ok((shape, values)) = value.try_extract_tensor::<$type>() {
                return Ok((&**shape, Values::$variant(values.into())));
            })*
        };
    }
    of!(Float32(f32), Uint8(u8), Float64(f64), Int64(i64), Int32(i32));
    Err(format!("is {}; only numbers of float32, float64, int64, int32 and uint8 are read", value.dtype()))
}

impl Network for Session {
    fn run(&mut self, inputs: &[Input<'_>], output: &str, read: &mut Reader<'_>) -> Result<(), String> {
        self.run(inputs, &[output], |shape, values| match values {
            Values::Float32(values) => read(shape, &values),
            _ => Err("its output is no tensor of float32".into()),
        })
    }
}

fn create_session(
    source: &ModelSource<'_>,
    options: &Options,
    runtime: &'static Runtime,
    device: Device,
) -> Result<Session, Error> {
    let refused = |error: ort::Error| Error::ModelRefused {
        model: source.name(),
        engine: format!("ONNX Runtime {}", runtime.version()),
        reason: tidy(error.message()),
    };
    let mut builder = session_builder(options, runtime).map_err(refused)?;
    let Some(provider) = Provider::of(device) else {
        if options.expected_images < LOADING_WEIGHTS_PAYS
            && let Some(loaded) = lend_weights(&mut builder, source)
        {
            return Ok(loaded);
        }
        return commit(&mut builder, source).map(Session::whole).map_err(refused);
    };
    let unavailable = |reason: String| Error::DeviceUnavailable { device: device.to_string(), reason };
    runtime.provider(provider).map_err(unavailable)?;
    builder = builder
        .with_execution_providers(execution_providers(device, runtime.minor_version()))
        .map_err(|error| unavailable(explain(error.message(), runtime)))?;
    commit(&mut builder, source).map(Session::whole).map_err(|error| match is_about_gpu(error.message()) {
        true => unavailable(explain(error.message(), runtime)),
        false => refused(error),
    })
}

fn builder(runtime: &'static Runtime) -> ort::Result<SessionBuilder> {
    Ok(OrtSession::builder(runtime.environment())?.with_optimization_level(GraphOptimizationLevel::All)?)
}

fn session_builder(options: &Options, runtime: &'static Runtime) -> ort::Result<SessionBuilder> {
    Ok(builder(runtime)?
        .with_intra_threads(options.threads())?
        // Threads that spin while they wait take time from whatever else runs, and gain less here.
        .with_intra_op_spinning(false)?
        .with_prepacking(options.expected_images >= LOADING_WEIGHTS_PAYS)?
        // The node placements are among the verbose messages; nothing is printed.
        .with_log_level(LogLevel::Verbose)?)
}

/// Gives ONNX Runtime the model as it is.
fn commit(builder: &mut SessionBuilder, source: &ModelSource<'_>) -> ort::Result<OrtSession> {
    match source {
        ModelSource::File(path) => builder.commit_from_file(path),
        ModelSource::Bytes { bytes, .. } | ModelSource::Embedded { bytes, .. } => {
            builder.commit_from_memory(bytes)
        }
    }
}

/// Gives ONNX Runtime the model without its large weights, which stay where they are. `None` if
/// that doesn't work, for whatever reason: loading the model as it is then does, or says why not.
fn lend_weights(builder: &mut SessionBuilder, source: &ModelSource<'_>) -> Option<Session> {
    let (model, lent) = Lent::split(source)?;
    Some(Session { session: builder.commit_from_memory(&model).ok()?, lent })
}

/// The execution providers of a GPU, each an error where it can't be had. What TensorRT doesn't take
/// runs on CUDA.
fn execution_providers(device: Device, minor_version: u32) -> Vec<ExecutionProviderDispatch> {
    match device {
        Device::Auto | Device::Cpu => Vec::new(),
        Device::Cuda(index) => vec![cuda(index, minor_version)],
        Device::TensorRt(index) => {
            let tensor_rt = ep::TensorRT::default().with_device_id(index as i32).build();
            vec![tensor_rt.error_on_failure(), cuda(index, minor_version)]
        }
    }
}

fn cuda(index: u32, minor_version: u32) -> ExecutionProviderDispatch {
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

impl Provider {
    /// ONNX Runtime's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::Cuda => ep::CUDA::NAME,
            Self::TensorRt => ep::TensorRT::NAME,
        }
    }
}

fn is_about_gpu(message: &str) -> bool {
    ["CUDA", "cuda", "CUBLAS", "CUDNN", "TensorRT", "Tensorrt", "tensorrt"]
        .iter()
        .any(|word| message.contains(word))
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
}
