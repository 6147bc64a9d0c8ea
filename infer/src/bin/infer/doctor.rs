//! `infer doctor` and `infer providers`: what this machine has to run a model with, what is wrong
//! with it, and what to install.

mod elf;
mod machine;
mod package;

use std::{fmt, path::Path};

use contract::{one_line, printable};
use infer::{Device, Engine, Generator, ModelSource, Options, Placement, Runtime, runtime::Provider};
use libloading::Library;
use serde::Serialize;

use machine::Machine;

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    pub machine: Machine,
    pub runtime: Option<Found>,
    pub steps: Vec<Step>,
    pub problems: Vec<Problem>,
}

/// The ONNX Runtime that `infer` loads here.
#[derive(Debug, Serialize)]
pub struct Found {
    pub library: String,
    pub version: String,
    /// What it was built with, in its own order.
    pub providers: Vec<String>,
}

/// One engine on one device, from the fastest down.
#[derive(Debug, Serialize)]
pub struct Step {
    pub engine: Engine,
    pub device: Device,
    /// Whether it draws here.
    pub ready: bool,
    /// Which provider runs how many nodes, in ONNX Runtime's own words; also of a step that loaded the
    /// model and then failed to draw.
    pub placements: Vec<Placement>,
    /// Why it isn't ready.
    pub reason: Option<String>,
}

/// Something that is wrong, and what to do.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Diagnosis {
    /// Looks at the machine, and draws a picture on each device that it may have.
    pub fn make(source: &ModelSource<'_>, asked: &Options) -> Self {
        let machine = Machine::look();
        let mut problems = Vec::new();
        let runtime = Runtime::load(asked.runtime.as_deref());
        let mut steps = Vec::new();
        for device in [Device::TensorRt(0), Device::Cuda(0), Device::Cpu] {
            steps.push(match &runtime {
                Ok(runtime) => step(
                    source,
                    asked,
                    Engine::OnnxRuntime,
                    device,
                    || provider_problems(runtime, device, kind(asked.device) == kind(device), &machine),
                    &mut problems,
                ),
                Err(_) => Step {
                    engine: Engine::OnnxRuntime,
                    device,
                    ready: false,
                    placements: Vec::new(),
                    reason: Some("no ONNX Runtime".into()),
                },
            });
        }
        let embedded = Options { runtime: None, ..asked.clone() };
        steps.push(step(source, &embedded, Engine::Rten, Device::Cpu, Vec::new, &mut problems));
        if let Err(error) = &runtime {
            problems.push(runtime_problem(error, &machine));
        }
        let runtime = runtime.ok().map(|runtime| Found {
            library: runtime.library().display().to_string(),
            version: runtime.version().into(),
            providers: runtime.providers(),
        });
        Self { machine, runtime, steps, problems }
    }

    /// The step of a named engine and device, if it isn't ready.
    pub fn lacking(&self, engine: Engine, device: Device) -> Option<&Step> {
        let asked = |step: &&Step| {
            let engine = engine == Engine::Auto || step.engine == engine;
            engine && (device == Device::Auto || kind(step.device) == kind(device))
        };
        let mut steps = self.steps.iter().filter(asked);
        let first = steps.next()?;
        (!first.ready && !steps.any(|step| step.ready)).then_some(first)
    }
}

/// Why there is no ONNX Runtime, and what to do. If one was named, no other is looked for.
fn runtime_problem(error: &infer::Error, machine: &Machine) -> Problem {
    match error {
        infer::Error::RuntimeRefused { asked, path, refusal } => Problem {
            found: format!("{asked}: {} {refusal}", path.display()),
            remedy: match *asked {
                "--runtime" => "name another library, or leave --runtime out".into(),
                variable => {
                    format!("correct {variable}, or unset it so that infer looks for a library itself")
                }
            },
        },
        error => Problem {
            found: error.to_string(),
            remedy: match machine.l4t.is_some() {
                true => "install the onnxruntime-gpu wheel for this JetPack (docs/edge.md, Jetson)".into(),
                false => "run `make setup` in the checkout, or `pip install onnxruntime`".into(),
            },
        },
    }
}

/// A device without its number.
fn kind(device: Device) -> std::mem::Discriminant<Device> {
    std::mem::discriminant(&device)
}

fn step(
    source: &ModelSource<'_>,
    asked: &Options,
    engine: Engine,
    device: Device,
    look: impl FnOnce() -> Vec<Problem>,
    problems: &mut Vec<Problem>,
) -> Step {
    let device = if kind(asked.device) == kind(device) { asked.device } else { device };
    let options = Options { engine, device, expected_images: 1, ..asked.clone() };
    let mut step = Step { engine, device, ready: true, placements: Vec::new(), reason: None };
    let drawn = Generator::load(source, &options).and_then(|mut generator| {
        step.placements = generator.placements().to_vec();
        // A library that doesn't work may only show it at the first run.
        generator.images(&[0], 0, 0)
    });
    if let Err(error) = drawn {
        step.ready = false;
        step.reason = Some(reason(&error));
        problems.extend(look());
    }
    step
}

/// An error's reason without its advice, which the problems give more precisely.
fn reason(error: &infer::Error) -> String {
    match error {
        infer::Error::DeviceUnavailable { reason, .. } | infer::Error::EngineUnavailable { reason, .. } => {
            reason.clone()
        }
        other => other.to_string(),
    }
}

/// Why the provider of a device doesn't work. On a machine without a GPU that is no problem, unless the
/// device was asked for.
fn provider_problems(runtime: &Runtime, device: Device, asked: bool, machine: &Machine) -> Vec<Problem> {
    let Some(provider) = Provider::of(device) else { return Vec::new() };
    let on_jetson = machine.l4t.is_some();
    match runtime.provider(provider) {
        // TensorRT is a choice, CUDA is what a GPU is for.
        Err(found) if asked || (machine.nvidia_gpu && provider == Provider::Cuda) => vec![Problem {
            found,
            remedy: match on_jetson {
                true => "install the onnxruntime-gpu wheel for this JetPack (docs/edge.md, Jetson)".into(),
                false => "install `pip install onnxruntime-gpu` in place of onnxruntime".into(),
            },
        }],
        Err(_) => Vec::new(),
        Ok(library) => missing(&library, on_jetson),
    }
}

/// The libraries that a provider's library needs and that the loader can't load.
fn missing(library: &Path, on_jetson: bool) -> Vec<Problem> {
    let needed = match elf::needed(library) {
        Ok(needed) => needed,
        Err(error) => {
            let found = format!("{} can't be read ({error})", library.display());
            return vec![Problem { found, remedy: "install the wheel it came from once more".into() }];
        }
    };
    let cuda = package::cuda_of(&needed);
    (with_opened(&needed).into_iter())
        .filter_map(|name| {
            let install = package::of(name, cuda, on_jetson)?;
            // SAFETY: these are NVIDIA's libraries, by the names that ONNX Runtime loads them by.
            let error = unsafe { Library::new(name) }.err()?;
            let found = format!("{} needs {name}: {}", library.display(), infer::runtime::words(&error));
            Some(Problem { found, remedy: format!("install {install}") })
        })
        .collect()
}

/// The libraries that a provider's file names, and those that it opens itself: cuDNN, where its file
/// doesn't name a version of it, and the driver.
fn with_opened(needed: &[String]) -> Vec<&str> {
    let opened = [("libcudnn.so.", "libcudnn.so.9"), ("libcuda.so.", "libcuda.so.1")];
    let opened =
        opened.into_iter().filter(|(library, _)| !needed.iter().any(|name| name.starts_with(library)));
    needed.iter().map(String::as_str).chain(opened.map(|(_, name)| name)).collect()
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".into());
        let Machine { architecture, system, glibc, l4t, jetpack, nvidia_gpu, driver, driver_cuda } =
            &self.machine;
        writeln!(f, "infer         {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "system        {} ({architecture}), glibc {}", unknown(system), unknown(glibc))?;
        if let Some(l4t) = l4t {
            writeln!(f, "Jetson        L4T {l4t}, JetPack {}", jetpack.unwrap_or("unknown"))?;
        }
        match (nvidia_gpu, driver, driver_cuda) {
            (false, None, None) => writeln!(f, "NVIDIA GPU    none")?,
            _ => writeln!(
                f,
                "NVIDIA GPU    driver {}, for CUDA up to {}",
                unknown(driver),
                unknown(driver_cuda)
            )?,
        }
        match &self.runtime {
            None => writeln!(f, "ONNX Runtime  none")?,
            Some(Found { library, version, providers }) => {
                writeln!(f, "ONNX Runtime  {}: {}", printable(version), printable(library))?;
                writeln!(f, "  built with  {}", providers.join(", "))?;
            }
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        if self.problems.is_empty() {
            return writeln!(f, "no problems found");
        }
        for Problem { found, remedy } in &self.problems {
            writeln!(f, "problem: {}\n  {}", one_line(found), one_line(remedy))?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, device, placements, reason, .. } = self;
        write!(f, "{:13} {:10} ", engine.to_string(), device.to_string())?;
        let placed = placements.iter().map(Placement::to_string).collect::<Vec<_>>().join(" and ");
        match (reason, placed.as_str()) {
            (None, "") => write!(f, "ready"),
            (None, placed) => write!(f, "ready: {placed}"),
            (Some(reason), "") => write!(f, "no: {}", one_line(reason)),
            (Some(reason), placed) => write!(f, "no: loaded on {placed}, but {}", one_line(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_looked_for_once_in_the_version_that_is_named() {
        let wanted = |needed: &[&str]| {
            let needed: Vec<String> = needed.iter().map(|name| (*name).into()).collect();
            with_opened(&needed).join(" ")
        };
        assert_eq!(wanted(&["libcublas.so.13"]), "libcublas.so.13 libcudnn.so.9 libcuda.so.1");
        assert_eq!(wanted(&["libcudnn.so.8", "libcuda.so.1"]), "libcudnn.so.8 libcuda.so.1");
    }

    #[test]
    fn a_step_says_what_took_the_nodes_and_why_it_does_not_draw() {
        let line = |nodes: &[usize], reason: Option<&str>| {
            let placements = nodes.iter().map(|&nodes| Placement { provider: "A".into(), nodes }).collect();
            let reason = reason.map(Into::into);
            let (engine, device, ready) = (Engine::OnnxRuntime, Device::Cuda(0), reason.is_none());
            Step { engine, device, ready, placements, reason }.to_string()
        };
        assert_eq!(line(&[], None), "onnxruntime   cuda:0     ready");
        assert_eq!(line(&[30, 1], None), "onnxruntime   cuda:0     ready: A (30 nodes) and A (1 node)");
        assert_eq!(line(&[], Some("no GPU")), "onnxruntime   cuda:0     no: no GPU");
        assert_eq!(
            line(&[31], Some("no GPU")),
            "onnxruntime   cuda:0     no: loaded on A (31 nodes), but no GPU"
        );
    }
}
