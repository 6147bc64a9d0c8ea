//! From the fastest engine and device down to one that is there.

use super::onnx_runtime::library::{self, Provider};
use super::{Engine, Network, Placement, onnx_runtime};
use crate::{Device, Error, ModelSource, Options, Runtime};

/// TensorRT compiles a model for the device before its first run, for tens of seconds: `auto` only
/// takes it where the images to draw take longer than that on CUDA.
const COMPILING_PAYS: usize = 1_000_000;

/// CUDA takes 0.7 s on an H100 until the shipped generator's first image is there, the CPU beside it 0.01 s,
/// and then draws 1,900 images/s on one thread: `auto` only takes CUDA where a thread has more to draw.
const STARTING_PAYS: usize = 2_000;

/// A network on the engine and device that were chosen for it.
pub(crate) struct Chosen {
    pub network: Box<dyn Network>,
    pub engine: Engine,
    pub runtime: Option<&'static Runtime>,
    pub device: Device,
    pub placements: Vec<Placement>,
    pub skipped: Vec<Skipped>,
}

/// A step of the ladder that `auto` passed over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Engine or device, in words.
    pub step: &'static str,
    /// Why it was passed over.
    pub reason: String,
    /// Whether it looks as if it should have served: something is there that doesn't work.
    pub broken: bool,
}

/// Loads a model on what was asked for, or on the first step of the ladder that serves: TensorRT,
/// CUDA, the CPU in ONNX Runtime, rten.
///
/// # Errors
///
/// If what was asked for by name can't serve, or the last step can't.
pub(crate) fn choose(source: &ModelSource<'_>, options: &Options) -> Result<Chosen, Error> {
    match (options.engine, options.device) {
        (Engine::Rten, Device::Auto | Device::Cpu) if options.runtime.is_none() => {
            embedded(source, options, Vec::new())
        }
        (Engine::Rten, device) => Err(Error::EngineUnavailable {
            engine: Engine::Rten,
            reason: match device {
                Device::Auto | Device::Cpu => "it needs no library; leave --runtime out".into(),
                _ => format!("it runs on the CPU only; for --device {device}, use --engine onnxruntime"),
            },
        }),
        (Engine::OnnxRuntime, _) => on_runtime(Runtime::load(options.runtime.as_deref())?, source, options),
        (Engine::Auto, device) => {
            let may_embed = cfg!(feature = "rten") && matches!(device, Device::Auto | Device::Cpu);
            let named = options.runtime.is_some() || library::is_named_by_environment();
            let skip = |step, reason| vec![Skipped { step, reason, broken: true }];
            let runtime = match Runtime::load(options.runtime.as_deref()) {
                // A library that was asked for by name serves or is an error.
                Err(error @ (Error::RuntimeNotFound { .. } | Error::RuntimeBroken { .. }))
                    if may_embed && !named =>
                {
                    return embedded(source, options, skip("ONNX Runtime", error.to_string()));
                }
                runtime => runtime?,
            };
            match on_runtime(runtime, source, options) {
                Err(error @ Error::ModelRefused { .. }) if may_embed && !named => {
                    let skipped = skip("ONNX Runtime", error.to_string());
                    // If rten can't either, what ONNX Runtime said is the better guess at the cause.
                    embedded(source, options, skipped).map_err(|_| error)
                }
                chosen => chosen,
            }
        }
    }
}

/// The steps in ONNX Runtime.
fn on_runtime(
    runtime: &'static Runtime,
    source: &ModelSource<'_>,
    options: &Options,
) -> Result<Chosen, Error> {
    let mut skipped = Vec::new();
    let chosen = |(network, placements), device, skipped| Chosen {
        network,
        engine: Engine::OnnxRuntime,
        runtime: Some(runtime),
        device,
        placements,
        skipped,
    };
    let device = match options.device {
        Device::Auto => {
            let steps =
                [("TensorRT", Device::TensorRt(0), COMPILING_PAYS), ("CUDA", Device::Cuda(0), STARTING_PAYS)];
            for (step, device, pays) in steps {
                let missing = Provider::of(device).and_then(|provider| runtime.provider(provider).err());
                let (reason, broken) = match missing {
                    Some(reason) => (reason, false),
                    None if options.expected_images < pays => {
                        let asked = step.to_lowercase();
                        let reason = format!(
                            "it would start for longer than these images take; --device {asked} does"
                        );
                        (reason, false)
                    }
                    None => match onnx_runtime::load(source, options, runtime, device) {
                        Ok(loaded) => return Ok(chosen(loaded, device, skipped)),
                        Err(Error::DeviceUnavailable { reason, .. }) => (reason, true),
                        Err(other) => (other.to_string(), true),
                    },
                };
                skipped.push(Skipped { step, reason, broken });
            }
            Device::Cpu
        }
        named => named,
    };
    let loaded = onnx_runtime::load(source, options, runtime, device)?;
    Ok(chosen(loaded, device, skipped))
}

#[cfg(feature = "rten")]
fn embedded(source: &ModelSource<'_>, options: &Options, skipped: Vec<Skipped>) -> Result<Chosen, Error> {
    Ok(Chosen {
        network: super::rten::load(source, options)?,
        engine: Engine::Rten,
        runtime: None,
        device: Device::Cpu,
        placements: Vec::new(),
        skipped,
    })
}

#[cfg(not(feature = "rten"))]
fn embedded(_: &ModelSource<'_>, _: &Options, _: Vec<Skipped>) -> Result<Chosen, Error> {
    let reason = "this program was built without the feature `rten`; build it with the default features";
    Err(Error::EngineUnavailable { engine: Engine::Rten, reason: reason.into() })
}
