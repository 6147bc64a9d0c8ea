//! What command lines that draw have in common, those of `infer` and of `export look`: options of the
//! engine and of what is said, the words for which model ran on what, pictures in a terminal, and the views
//! of the latent space.

mod look;
mod output;
mod preview;

use std::{fmt, io, num::NonZeroUsize, path::PathBuf, thread};

use clap::Args;
use contract::{one_line, print, printable};
use serde::Serialize;

pub use look::{Film, Output, View};
pub use output::{check_inputs, check_output, check_pixels, write_output};
pub use preview::Preview;

use crate::{Device, Engine, Generator, ModelSource, Options, Placement, Skipped};

/// Images that go through a network at once, at most: as many as `export --batch` takes.
pub const MOST_AT_ONCE: usize = 65_536;

/// The most that `--scale` enlarges.
pub const LARGEST_SCALE: usize = 16;

/// What runs the model, and what is said of it.
#[derive(Debug, Clone, Args)]
pub struct Running {
    /// What runs it: onnxruntime (the machine's library), rten (part of infer; CPU only), or auto,
    /// the first of them that serves
    #[arg(long, default_value_t)]
    pub engine: Engine,
    /// Where to run it: cpu, cuda, cuda:N, tensorrt, tensorrt:N, or auto, the fastest that serves
    #[arg(long, default_value_t)]
    pub device: Device,
    /// CPU threads [default: one for one picture, all for more]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<NonZeroUsize>,
    /// The ONNX Runtime library [default: $ORT_DYLIB_PATH, else beside infer, in the checkout's
    /// runtime folder, or the system's]
    #[arg(long, value_name = "FILE")]
    pub runtime: Option<PathBuf>,
    /// Print what was done as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Print nothing
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// Also print which devices were passed over, and why
    #[arg(short, long, conflicts_with_all = ["json", "quiet"])]
    pub verbose: bool,
}

impl Running {
    /// How to run a model for this many images.
    pub fn options(&self, expected_images: usize) -> Options {
        Options {
            engine: self.engine,
            device: self.device,
            runtime: self.runtime.clone(),
            threads: self.threads,
            expected_images,
        }
    }

    /// Prints the report in the form that was asked for.
    ///
    /// # Errors
    ///
    /// If standard output can't be written.
    pub fn print(&self, report: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        let text = match (self.quiet, self.json) {
            (true, _) => return Ok(()),
            (_, true) => serde_json::to_string(report)? + "\n",
            _ => text(),
        };
        print(text.as_bytes())
    }
}

/// The seed that was asked for, or a random one of 32 bits: enough to differ, and short enough to type.
pub fn seed(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| rand::random::<u32>().into())
}

/// Why `--json` and a picture on standard output exclude each other.
pub const JSON_OR_PICTURE: &str = "--json and the picture can't both go to standard output; name a file";

/// Parses a number of threads. Far more than the machine's processors would take a minute to start.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = (8 * processors).max(64);
    (text.parse().ok()).filter(|threads: &NonZeroUsize| threads.get() <= most).ok_or_else(|| {
        format!("expected a whole number from 1 to {most}, where {processors} processors serve")
    })
}

/// Which model ran, and on what.
#[derive(Debug, Serialize)]
pub struct Source {
    /// The model.
    pub model: Model,
    /// Name and version of the engine.
    pub engine: String,
    /// The loaded ONNX Runtime, if that is the engine.
    pub runtime: Option<Loaded>,
    /// Where it ran.
    pub device: String,
    /// Engines and devices that were passed over.
    pub skipped: Vec<Skipped>,
    /// Whether the text also lists those that weren't expected to serve.
    #[serde(skip)]
    verbose: bool,
    /// What a user should know about the choice.
    pub notes: Vec<String>,
}

/// The model.
#[derive(Debug, Serialize)]
pub struct Model {
    /// What messages call it.
    pub name: String,
    /// The network, such as `labelled-dcgan`.
    pub architecture: String,
    /// What it was trained on.
    pub dataset: String,
    /// Names of its classes.
    pub classes: Vec<String>,
}

/// The loaded ONNX Runtime.
#[derive(Debug, Serialize)]
pub struct Loaded {
    /// Its file.
    pub library: String,
    /// Its version.
    pub version: String,
    /// Which of its execution providers ran how many nodes.
    pub execution_providers: Vec<Placement>,
}

impl Source {
    /// What there is to say of a generator from this source.
    pub fn new(source: &ModelSource<'_>, generator: &Generator, running: &Running) -> Self {
        let contract = generator.contract();
        Self {
            model: Model {
                name: source.name(),
                architecture: contract.architecture.clone(),
                dataset: contract.dataset.clone(),
                classes: contract.classes.clone(),
            },
            engine: generator.engine_name(),
            runtime: generator.runtime().map(|runtime| Loaded {
                library: runtime.library().display().to_string(),
                version: runtime.version().into(),
                execution_providers: generator.placements().to_vec(),
            }),
            device: generator.device().to_string(),
            skipped: generator.skipped().to_vec(),
            verbose: running.verbose,
            notes: generator.notes(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Model { name, architecture, dataset, .. } = &self.model;
        // The file's own text is untrusted.
        let [name, architecture, dataset] = [name, architecture, dataset].map(|text| printable(text));
        writeln!(f, "model: {name} ({architecture}, {dataset})")?;
        let (place, placements) = match &self.runtime {
            Some(runtime) => {
                (format!(": {}", printable(&runtime.library)), runtime.execution_providers.as_slice())
            }
            None => (", part of infer".into(), [].as_slice()),
        };
        writeln!(f, "{}{place}", printable(&self.engine))?;
        let providers: Vec<_> = placements.iter().map(ToString::to_string).collect();
        match providers.as_slice() {
            [] => writeln!(f, "device: {}", self.device)?,
            providers => writeln!(f, "device: {}, {}", self.device, providers.join(" and "))?,
        }
        for Skipped { step, reason, .. } in self.skipped.iter().filter(|step| self.verbose && !step.broken) {
            writeln!(f, "skipped {step}: {}", one_line(reason))?;
        }
        (self.notes.iter()).try_for_each(|note| writeln!(f, "note: {}", one_line(note)))
    }
}
