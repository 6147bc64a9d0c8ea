//! The choice of engine and device: the fastest that serves.

#[cfg(feature = "onnxruntime")]
use super::onnx_runtime;
use super::{Chosen, Engine, Options, Skipped};
use crate::{Device, Error, ModelSource};

/// Loads a model on what was asked for, or on the first step of the ladder that serves: TensorRT,
/// CUDA, the CPU in ONNX Runtime, rten.
///
/// # Errors
///
/// If what was named can't serve, or no step can.
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
        #[cfg(feature = "onnxruntime")]
        (Engine::OnnxRuntime, _) => onnx_runtime::choose(source, options),
        #[cfg(not(feature = "onnxruntime"))]
        (Engine::OnnxRuntime, _) => Err(left_out(Engine::OnnxRuntime)),
        #[cfg(not(feature = "onnxruntime"))]
        (Engine::Auto, _) => choose(source, &Options { engine: Engine::Rten, ..options.clone() }),
        #[cfg(feature = "onnxruntime")]
        (Engine::Auto, device) => {
            // A library that was named serves or is an error.
            let may_embed = cfg!(feature = "rten")
                && matches!(device, Device::Auto | Device::Cpu)
                && !onnx_runtime::is_named(options);
            match onnx_runtime::choose(source, options) {
                Err(
                    error @ (Error::RuntimeNotFound { .. }
                    | Error::RuntimeBroken { .. }
                    | Error::ModelRefused { .. }),
                ) if may_embed => {
                    let step = "ONNX Runtime";
                    let skipped = vec![Skipped { step, reason: error.to_string(), broken: true }];
                    embedded(source, options, skipped).map_err(|other| match error {
                        // What ONNX Runtime said is the better guess at the cause.
                        Error::ModelRefused { .. } => error,
                        _ => other,
                    })
                }
                chosen => chosen,
            }
        }
    }
}

#[cfg(feature = "rten")]
fn embedded(source: &ModelSource<'_>, options: &Options, skipped: Vec<Skipped>) -> Result<Chosen, Error> {
    Ok(Chosen {
        network: super::rten::load(source, options)?,
        engine: Engine::Rten,
        engine_name: super::rten::NAME.into(),
        #[cfg(feature = "onnxruntime")]
        runtime: None,
        device: Device::Cpu,
        placements: Vec::new(),
        skipped,
    })
}

#[cfg(not(feature = "rten"))]
fn embedded(_: &ModelSource<'_>, _: &Options, _: Vec<Skipped>) -> Result<Chosen, Error> {
    Err(left_out(Engine::Rten))
}

#[cfg(not(all(feature = "onnxruntime", feature = "rten")))]
fn left_out(engine: Engine) -> Error {
    let reason =
        format!("this program was built without the feature `{engine}`; build it with the default features");
    Error::EngineUnavailable { engine, reason }
}
