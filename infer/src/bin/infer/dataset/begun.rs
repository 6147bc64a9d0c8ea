//! Which engine and device resume a data set that was begun.

use std::path::Path;

use contract::dataset::{Error, Error::Refused, Manifest};
use infer::{Device, Engine, Generator, Options};

/// The engine and the device to resume with: those of the complete images, where `asked` leaves them
/// open.
pub fn options(manifest: &Manifest, asked: Options) -> Options {
    if manifest.complete == 0 || manifest.is_complete() {
        return asked;
    }
    let engine = match asked.engine {
        // A library that is named is ONNX Runtime.
        Engine::Auto if asked.runtime.is_none() && manifest.engine.starts_with("rten ") => Engine::Rten,
        Engine::Auto => Engine::OnnxRuntime,
        named => named,
    };
    let begun = manifest.device.as_ref().and_then(|device| device.parse().ok());
    let device = match asked.device {
        Device::Auto => begun.unwrap_or_default(),
        named => named,
    };
    Options { engine, device, ..asked }
}

/// Records what draws, or refuses to resume with anything but what drew the complete images: each rounds
/// in its own way.
pub fn draw_with(manifest: &mut Manifest, generator: &Generator, path: &Path) -> Result<(), Error> {
    let (engine, device) = (generator.engine_name(), generator.device());
    if manifest.complete == 0 {
        (manifest.engine, manifest.device) = (engine, Some(device.to_string()));
        return Ok(());
    }
    if manifest.is_complete() {
        return Ok(());
    }
    // Which of several GPUs it was makes no difference.
    let kind = |device: &str| device.split(':').next().map(String::from);
    let device = device.to_string();
    let (begun, now, advice) = if manifest.engine != engine {
        let advice = match manifest.engine.split_once(' ') {
            Some(("rten", _)) if engine.starts_with("rten ") => "resume with the infer that began it",
            Some(("rten", _)) => "resume with --engine rten",
            _ if engine.starts_with("rten ") => "resume with --engine onnxruntime",
            _ => "name the library of that version with --runtime",
        };
        (&manifest.engine, &engine, advice.to_string())
    } else {
        match &manifest.device {
            Some(begun) if kind(begun) != kind(&device) => {
                (begun, &device, format!("resume with --device {begun}"))
            }
            _ => return Ok(()),
        }
    };
    Err(Refused(format!(
        "{}: begun on {begun}, and now it is {now}, which rounds otherwise; {advice}, or name another --out",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(engine: &str, device: Option<&str>, complete: u64) -> Manifest {
        let value = serde_json::json!({
            "format": "raw", "model": "m", "model_sha256": "", "engine": engine, "device": device, "seed": 1,
            "count": 3, "shard": {"index": 1, "of": 1}, "first": 0, "images": 3, "complete": complete,
            "labels": {"all": 1}, "classes": ["a", "b"], "verified": null, "shape": [1, 2, 3],
            "tail": {"offset": 6, "crc32": 0},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_left_open_is_as_it_was_begun() {
        let asked = Options::default;
        let chosen = |manifest: &Manifest, asked| {
            let Options { engine, device, .. } = options(manifest, asked);
            (engine, device)
        };
        assert_eq!(chosen(&manifest("rten 0.27", None, 1), asked()), (Engine::Rten, Device::Auto));
        let cuda = manifest("ONNX Runtime 1.32.0", Some("cuda:1"), 1);
        assert_eq!(chosen(&cuda, asked()), (Engine::OnnxRuntime, Device::Cuda(1)));
        let named = Options { engine: Engine::Rten, device: Device::Cpu, ..asked() };
        assert_eq!(chosen(&cuda, named), (Engine::Rten, Device::Cpu));
        for done in [0, 3] {
            let manifest = manifest("rten 0.27", None, done);
            assert_eq!(chosen(&manifest, asked()), (Engine::Auto, Device::Auto), "{done}");
        }
    }
}
