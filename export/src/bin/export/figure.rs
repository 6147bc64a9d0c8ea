//! `export figure`.

use std::path::PathBuf;

use ::export::figure::{Source, figure};
use ::export::trained::Which;
use ::export::{Error, checkpoint};
use clap::Args;

use super::print_beside;

const EXAMPLES: &str = "\
Examples:
  cargo export figure --out pair.svg                both networks of the newest run in runs/
  cargo export figure --checkpoint runs/mnist --out pair.svg
  cargo export figure --model gen.onnx --out gen.svg
  cargo export figure --checkpoint models/pretrained/mnist-judge.safetensors --out judge.svg
  cargo export figure --model gen.onnx --out - > gen.svg

Exit status: 0 drawn, 1 failed, 2 a request that can't be served.";

/// Draw a checkpoint's two networks, or an ONNX file's graph, as in figure 1 of the DCGAN paper
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Figure {
    /// Run's folder, or .safetensors file; without it, the newest run in runs/
    #[arg(long, value_name = "RUN")]
    checkpoint: Option<PathBuf>,
    /// ONNX file, whose nodes are drawn as they are
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    model: Option<PathBuf>,
    /// SVG file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print what was drawn as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing unless something goes wrong
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

impl Figure {
    pub fn run(self) -> anyhow::Result<()> {
        let Figure { checkpoint, model, out, json, quiet } = self;
        let streams = contract::files::is_stdout(&out);
        if streams && json {
            let message = "--json and the figure can't both go there; name a file".to_string();
            return Err(Error::Output { path: out, message }.into());
        }
        let source = match model {
            Some(model) => Source::Model(model),
            None => Source::Checkpoint(checkpoint::find(checkpoint.as_deref(), Which::Generator)?),
        };
        let report = figure(&source, &out)?;
        if quiet { Ok(()) } else { print_beside(streams, &report, json) }
    }
}
