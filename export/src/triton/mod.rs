//! A model repository of NVIDIA Triton Inference Server: an ONNX file, and what the server has to know
//! to serve it to many at once.
//!
//! ```text
//! <folder>/<name>/config.pbtxt     inputs, outputs, batching, instances
//!                 labels.txt       class names, if the file names classes
//!                 1/model.onnx     the file as it is
//! ```
//!
//! ```no_run
//! use export::triton::{Settings, write};
//!
//! # fn main() -> export::Result<()> {
//! let file = "gen.onnx".as_ref();
//! let bytes = export::reader::read(file)?;
//! let report = write(&bytes, file, &Settings::new("digits"), "repository".as_ref())?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! Source: "Model Repository" and "Model Configuration" of Triton's user guide; the configuration is
//! `inference.ModelConfig` of model_config.proto in protobuf's text format.

mod config;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use contract::files::{self, sync_folder};
use serde::Serialize;

use crate::inspect::{self, describe};
use crate::{Error, Result};

/// The largest batch that the server makes of requests, unless another is asked for.
pub const MAX_BATCH: u32 = 64;
/// For how long a request may wait for others.
pub const DELAY_US: u64 = 1000;

const CONFIG: &str = "config.pbtxt";
const LABELS: &str = "labels.txt";
const MODEL: &str = "model.onnx";
const VERSION: &str = "1";

/// How the server runs the model.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model's name in the server.
    pub name: String,
    /// The largest batch; without it [`MAX_BATCH`].
    pub max_batch: Option<u32>,
    /// Sizes at which a batch need not wait for more; if empty, the largest batch.
    pub preferred: Vec<u32>,
    /// Microseconds that a request may wait for others; without it [`DELAY_US`].
    pub delay_us: Option<u64>,
    /// How many copies of the model run at once, on each GPU if it runs on GPUs.
    pub instances: u32,
    /// What it runs on.
    pub device: Device,
}

impl Settings {
    /// A model of this name, with defaults for everything else.
    pub fn new(name: impl Into<String>) -> Settings {
        Settings {
            name: name.into(),
            max_batch: None,
            preferred: Vec::new(),
            delay_us: None,
            instances: 1,
            device: Device::Auto,
        }
    }
}

/// The devices that the server may run a model on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Every GPU that the server has, else the CPU
    #[default]
    Auto,
    /// The CPU
    Cpu,
    /// Every GPU
    Gpu,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model's folder.
    pub folder: PathBuf,
    /// Its files, as seen from it.
    pub files: Vec<&'static str>,
    /// The model's name in the server.
    pub name: String,
    /// The largest batch that the server makes; 0 if the file's batch is fixed.
    pub max_batch_size: u32,
    /// Sizes at which a batch doesn't wait.
    pub preferred_batch_sizes: Vec<u32>,
    /// How many copies run at once.
    pub instances: u32,
    /// What they run on.
    pub device: Device,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { folder, files, name, max_batch_size, preferred_batch_sizes, .. } = self;
        let preferred: Vec<_> = preferred_batch_sizes.iter().map(u32::to_string).collect();
        writeln!(f, "{}: {}", contract::shown(folder), files.join(", "))?;
        match max_batch_size {
            0 => write!(f, "model {name} of a fixed batch"),
            _ => {
                write!(f, "model {name} in batches of up to {max_batch_size}, best {}", preferred.join(", "))
            }
        }
    }
}

/// Writes the repository's folder for one model, `<folder>/<name>`: all of it, or nothing.
///
/// `file` is where the bytes came from; its inputs and outputs go into the configuration, and, of an
/// edgegan file, what its metadata says.
///
/// # Errors
/// [`Error::NotOnnx`]; [`Error::Repository`] if the model or the settings can't be served;
/// [`Error::Output`] if `folder` can't be written to, or has a model of that name;
/// [`Error::Model`] if writing fails.
pub fn write(bytes: &[u8], file: &Path, settings: &Settings, folder: &Path) -> Result<Report> {
    let report = describe(bytes, file)?;
    let wrong = |found: String| Error::Repository(format!("model {}: {found}", file.display()));
    check_name(&settings.name)?;
    if let Some(other) = report.tensors.iter().find_map(|tensor| tensor.external.as_ref()) {
        let other = contract::printable(other);
        return Err(wrong(format!("its weights lie in {other}; save it as one file first")));
    }
    let classes = classes(&report).map_err(wrong)?;
    let config = config::Config::new(&report, settings, &classes).map_err(wrong)?;

    let target = folder.join(&settings.name);
    let created = prepare(folder, &target)?;
    let written = write_all(folder, &target, bytes, &config.to_string(), &classes);
    if written.is_err() && created {
        // Removes it only if it is still empty.
        let _ = fs::remove_dir(folder);
    }
    written?;
    let labels = (!classes.is_empty()).then_some(LABELS);
    Ok(Report {
        folder: target,
        files: [CONFIG].into_iter().chain(labels).chain(["1/model.onnx"]).collect(),
        name: settings.name.clone(),
        max_batch_size: config.max_batch,
        preferred_batch_sizes: config.preferred,
        instances: settings.instances,
        device: settings.device,
    })
}

/// A name for the server from the file's.
pub fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name is a folder's, and part of the addresses that clients ask.
fn check_name(name: &str) -> Result<()> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(fits) {
        return Ok(());
    }
    let name = contract::printable(name);
    Err(Error::Repository(format!(
        "{name:?} is no name for a model; expected letters, digits, -, _ and ., as in --name digits"
    )))
}

/// Class names, in the label's order, each a line.
fn classes(report: &inspect::Report) -> std::result::Result<Vec<String>, String> {
    let classes = inspect::classes(&report.metadata)?;
    match classes.iter().find(|class| class.contains(['\n', '\r'])) {
        Some(class) => Err(format!("the name of its class {class:?} is not one line, as {LABELS} needs")),
        None => Ok(classes),
    }
}

/// Makes the repository's folder, if it isn't there; says whether it did.
fn prepare(folder: &Path, target: &Path) -> Result<bool> {
    let wrong = |path: &Path, message: String| Err(Error::Output { path: path.to_path_buf(), message });
    if target.symlink_metadata().is_ok() {
        let message = "there is one already; remove it, or name another with --name";
        return wrong(target, message.to_string());
    }
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(false),
        Ok(_) => wrong(folder, "this is a file; expected a folder".to_string()),
        Err(_) => match fs::create_dir(folder) {
            Ok(()) => Ok(true),
            Err(error) => wrong(folder, format!("the folder can't be made ({error})")),
        },
    }
}

/// Writes beside the target, then renames.
fn write_all(folder: &Path, target: &Path, model: &[u8], config: &str, classes: &[String]) -> Result<()> {
    let io = |source| models::Error::Io { action: "write", path: target.to_path_buf(), source };
    let mut builder = tempfile::Builder::new();
    builder.prefix(files::PREFIX).suffix(files::SUFFIX);
    // By default only its owner may read a temporary folder, and the server often runs as another user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let made = builder.tempdir_in(folder);
    // Without the temporary folder's path, which nobody asked for.
    let temporary = made.map_err(|error| io(error.kind().into()))?;
    let version = temporary.path().join(VERSION);
    fs::create_dir(&version).map_err(io)?;
    files::write(&version.join(MODEL), |file| file.write_all(model))?;
    files::write(&temporary.path().join(CONFIG), |file| file.write_all(config.as_bytes()))?;
    if !classes.is_empty() {
        let lines: String = classes.iter().map(|class| format!("{class}\n")).collect();
        files::write(&temporary.path().join(LABELS), |file| file.write_all(lines.as_bytes()))?;
    }
    fs::rename(temporary.path(), target).map_err(io)?;
    // It has another name now, so there is nothing to remove.
    let _ = temporary.keep();
    sync_folder(folder).map_err(io)?;
    Ok(())
}
