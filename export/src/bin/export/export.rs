//! `export` without a subcommand: checkpoint → ONNX file.

use std::path::{Path, PathBuf};

use ::export::export::{Options, export, verify};
use ::export::form::Form;
use ::export::reader;
use ::export::target::Target;
use ::export::trained::{Weights, Which};
use ::export::triton::{Settings, name_of, write};
use ::export::{Error, checkpoint, from_file};
use clap::Args;
use contract::files::{Destination, STDOUT};

use super::print_beside;

/// What to export.
#[derive(Debug, Args)]
pub struct Export {
    /// Run's folder, or .safetensors file, to export; without it, the newest run in runs/
    #[arg(long, value_name = "RUN")]
    checkpoint: Option<PathBuf>,
    /// ONNX file to write, or - for standard output
    #[arg(long, value_name = "FILE", required_unless_present = "verify_only")]
    out: Option<PathBuf>,
    /// Make the file from this generator's ONNX file in single precision that `export` wrote, where its
    /// checkpoint isn't
    #[arg(long, value_name = "FILE", conflicts_with_all = ["checkpoint", "network", "weights", "quality", "verify_only"])]
    from: Option<PathBuf>,
    /// Check a generator's file against the checkpoint instead, and write nothing
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    verify_only: Option<PathBuf>,
    /// Which of the checkpoint's networks; of a judge's file, the judge
    #[arg(long, value_enum, default_value_t)]
    network: Which,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t)]
    weights: Weights,
    /// Where the file is to run: the form, precision and operator set that are best there
    #[arg(long, value_enum, conflicts_with_all = ["optimize", "deconv", "precision", "int8_layers", "batch", "uint8", "opset"])]
    target: Option<Target>,
    #[command(flatten)]
    form: Form,
    /// Judge, an ONNX file, that reads what an int8 file draws: each layer's cost is then said in agreement
    /// too
    #[arg(long, value_name = "FILE", conflicts_with = "verify_only")]
    judge: Option<PathBuf>,
    /// Write the figures that `evaluate CHECKPOINT --json` gave into the file's metadata
    #[arg(long, value_name = "FILE", conflicts_with = "verify_only")]
    quality: Option<PathBuf>,
    /// Also write a model repository for NVIDIA Triton Inference Server into this folder; `export
    /// triton` has settings for it
    #[arg(long, value_name = "FOLDER", conflicts_with = "verify_only")]
    triton: Option<PathBuf>,
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
        let Export { checkpoint, from, out, verify_only, network, weights, form, quality, triton, .. } = self;
        let Export { target, judge, runtime, json, quiet, .. } = self;
        let form = target.map_or(form, Target::form);
        let only_verify = verify_only.is_some();
        let out = out.or(verify_only).unwrap_or_default();
        // What goes into a pipe or a terminal can't be read again, nor be told from a report there.
        let streams = !only_verify
            && (out == Path::new(STDOUT) || matches!(Destination::of(&out), Ok(Destination::Stream(_))));
        let refuse = |message: &str| Err(Error::Output { path: out.clone(), message: message.to_string() });
        if streams && json {
            refuse("--json and the file can't both go there; name a file")?;
        }
        if streams && triton.is_some() {
            refuse("--triton reads the file once more; name a file")?;
        }
        let mut report = match from {
            Some(from) => from_file::export(&from_file::Options { from, form, target, judge, out, runtime })?,
            None => {
                let checkpoint = checkpoint::find(checkpoint.as_deref(), network)?;
                let options =
                    Options { checkpoint, network, weights, form, target, judge, quality, out, runtime };
                if only_verify { verify(&options)? } else { export(&options)? }
            }
        };
        if let Some(folder) = triton {
            let settings = Settings::new(name_of(&report.file));
            let written = write(&reader::read(&report.file)?, &report.file, &settings, &folder)?;
            report.repository = Some(written.folder);
        }
        if quiet { Ok(()) } else { print_beside(streams, &report, json) }
    }
}
