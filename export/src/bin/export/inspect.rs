//! `export inspect`.

use std::path::PathBuf;

use ::export::inspect::inspect;
use clap::Args;

use super::print;

const EXAMPLES: &str = "\
Examples:
  cargo export inspect gen.onnx
  cargo export inspect resnet50.onnx --json | jq .operators

Exit status: 0 described, 2 no ONNX file.";

/// Describe any ONNX file: inputs, outputs, nodes, tensors, metadata
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Inspect {
    /// ONNX file, of any program
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the description as one JSON object, with all of the metadata
    #[arg(long)]
    json: bool,
    /// Print nothing: the exit status tells
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

impl Inspect {
    pub fn run(&self) -> anyhow::Result<()> {
        let report = inspect(&self.file)?;
        if self.quiet { Ok(()) } else { print(&report, self.json) }
    }
}
