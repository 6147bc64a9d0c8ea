//! `export` without a subcommand: checkpoint → ONNX file.

use std::path::{Path, PathBuf};

use ::export::checkpoint;
use ::export::generator::{Options, Weights, export};
use clap::Args;

use super::print;

/// What to export.
#[derive(Debug, Args)]
pub struct Export {
    /// Run's folder, or .safetensors file, to export; without it, the newest run in runs/
    #[arg(long, value_name = "RUN")]
    checkpoint: Option<PathBuf>,
    /// ONNX file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t)]
    weights: Weights,
    /// ONNX Runtime library to check the file with; without it, it is looked for as `infer` does
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing unless something goes wrong
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        let Export { checkpoint, out, weights, runtime, json, quiet } = self;
        let checkpoint = match checkpoint {
            Some(asked) => checkpoint::find(&asked)?,
            None => checkpoint::newest(Path::new(checkpoint::RUNS))?,
        };
        let report = export(&Options { checkpoint, weights, out, runtime })?;
        if quiet { Ok(()) } else { print(&report, json) }
    }
}
