//! ONNX Runtime, a library of the machine: found and loaded (`library`), and sessions in it (`session`).

mod elf;
pub mod library;
mod packages;
pub mod session;

use library::{Provider, Runtime};

use super::{Chosen, Engine, Skipped};
use crate::{Device, Error, ModelSource, Options};

/// TensorRT compiles a model for the device before its first run, for tens of seconds: `auto` only
/// takes it where the images to draw take longer than that on CUDA.
const COMPILING_PAYS: usize = 1_000_000;

/// On an H100, CUDA takes 0.7 s until the shipped generator's first image is drawn; the CPU beside it takes
/// 0.01 s and then draws 1,900 images/s on one thread. `auto` only takes CUDA for more images than that.
const STARTING_PAYS: usize = 2_000;

/// Whether the library was named, and so serves or is an error.
pub(super) fn is_named(options: &Options) -> bool {
    options.runtime.is_some() || library::named_by_environment().is_some()
}

/// Loads ONNX Runtime, and a model on the device that was asked for, or on the first that serves: TensorRT,
/// CUDA, the CPU.
///
/// # Errors
///
/// If the library or the named device can't serve, or the CPU can't.
pub(super) fn choose(source: &ModelSource<'_>, options: &Options) -> Result<Chosen, Error> {
    let runtime = Runtime::load(options.runtime.as_deref())?;
    let mut skipped = Vec::new();
    let chosen = |(network, placements), device, skipped| Chosen {
        network,
        engine: Engine::OnnxRuntime,
        engine_name: format!("ONNX Runtime {}", runtime.version()),
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
                        (
                            format!(
                                "it would start for longer than these images take; --device {asked} does"
                            ),
                            false,
                        )
                    }
                    None => match session::load(source, options, runtime, device) {
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
    let loaded = session::load(source, options, runtime, device)?;
    Ok(chosen(loaded, device, skipped))
}
