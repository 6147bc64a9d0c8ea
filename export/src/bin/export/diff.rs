//! `export diff`.

use std::path::PathBuf;

use ::export::diff::{Options, TOLERANCE, diff};
use clap::Args;

use super::print;

const EXAMPLES: &str = "\
Examples:
  cargo export diff gen.onnx torch.onnx
  cargo export diff gen.onnx smaller.onnx --tolerance 0.002 --quiet && echo near enough
  cargo export diff a.onnx b.onnx --size height=224 --size width=224 --json

Exit status: 0 the same within the tolerance, 1 not the same, 2 not to be compared.";

/// Compare two ONNX files: what they state, and what ONNX Runtime computes from them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// ONNX file, of any program
    #[arg(value_name = "A")]
    a: PathBuf,
    /// ONNX file with the same inputs and outputs
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Largest difference of two numbers that counts as none
    #[arg(long, value_name = "NUMBER", default_value_t = TOLERANCE, value_parser = tolerance,
        allow_negative_numbers = true)]
    tolerance: f64,
    /// Seed of the inputs
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Size of a dimension that the files leave open, by its name or by its input and axis, as in
    /// state.2=64; again for each
    #[arg(long, value_name = "NAME=NUMBER", value_parser = size)]
    size: Vec<(String, usize)>,
    /// ONNX Runtime library to run both with; without it, it is looked for as `infer` does
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print the comparison as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing: the exit status tells
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

impl Diff {
    /// Whether both are the same within the tolerance.
    pub fn run(self) -> anyhow::Result<bool> {
        let Diff { a, b, tolerance, seed, size, runtime, json, quiet } = self;
        let report = diff(&Options { a, b, tolerance, seed, sizes: size.into_iter().collect(), runtime })?;
        if !quiet {
            print(&report, json)?;
        }
        Ok(report.within)
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0. ..=f64::MAX).contains(number));
    number.ok_or_else(|| "expected a number from 0".to_string())
}

fn size(text: &str) -> Result<(String, usize), String> {
    let pair = text.split_once('=').and_then(|(name, size)| Some((name.to_string(), size.parse().ok()?)));
    pair.filter(|(_, size)| *size > 0).ok_or_else(|| "expected NAME=NUMBER, such as height=28".to_string())
}
