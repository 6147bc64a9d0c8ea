//! The command line: arguments → options → [`export::generator::export`] → what is printed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use export::checkpoint;
use export::export::{Options, export, verify};
use export::form::Form;
use export::trained::{Weights, Which};

const EXAMPLES: &str = "\
Examples:
  cargo export --out gen.onnx                       the newest run in runs/
  cargo export --checkpoint runs/mnist --out gen.onnx
  cargo export --checkpoint old.safetensors --weights raw --out gen.onnx
  cargo export --out gen.onnx --json | jq .difference.largest

The file is run in ONNX Runtime before it is written; nothing is written if it draws something else \
than the checkpoint. Exit status: 0 written, 1 failed, 2 a request that can't be served.";

/// Write a trained generator as an ONNX file, checked against its checkpoint
#[derive(Debug, Parser)]
#[command(name = "export", version, after_help = EXAMPLES)]
struct Arguments {
    /// Run's folder, or .safetensors file, to export; without it, the newest run in runs/
    #[arg(long, value_name = "RUN")]
    checkpoint: Option<PathBuf>,
    /// ONNX file to write
    #[arg(long, value_name = "FILE", required_unless_present = "verify_only")]
    out: Option<PathBuf>,
    /// Check a generator's file against the checkpoint instead, and write nothing
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    verify_only: Option<PathBuf>,
    /// Which of the checkpoint's networks; of a judge's file, the judge
    #[arg(long, value_enum, default_value_t)]
    network: Which,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t)]
    weights: Weights,
    #[command(flatten)]
    form: Form,
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

/// Does what the command line asks.
pub fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let checkpoint = match &arguments.checkpoint {
        Some(asked) => checkpoint::find(asked)?,
        None => checkpoint::newest(Path::new(checkpoint::RUNS))?,
    };
    let verify_only = arguments.verify_only.is_some();
    let options = Options {
        checkpoint,
        network: arguments.network,
        weights: arguments.weights,
        form: arguments.form,
        out: arguments.out.or(arguments.verify_only).unwrap_or_default(),
        runtime: arguments.runtime,
    };
    let report = if verify_only { verify(&options)? } else { export(&options)? };
    let text = match (arguments.quiet, arguments.json) {
        (true, _) => return Ok(()),
        (_, true) => serde_json::to_string_pretty(&report).context("the report can't be JSON")?,
        _ => report.to_string(),
    };
    // A reader that has seen enough may close the pipe; the file is written all the same.
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("the file is written, but the report can't be")
        }
        _ => Ok(()),
    }
}

/// An error and its causes, without the causes that its text tells already.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(|cause| cause.to_string()) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// 2 for a request that can't be served, as for wrong arguments; 1 for a failure.
pub fn status(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<export::Error>() {
        Some(error) if error.is_bad_request() => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
