//! `export look`: the views of `infer look`, of a checkpoint.

use std::path::PathBuf;

use ::export::trained::{Weights, Which};
use ::export::{Error, checkpoint, export};
use clap::Args;
use infer::ModelSource;
use infer::cli::View;

const EXAMPLES: &str = "\
Examples:
  cargo export look walk                            the newest run in runs/, in walk.gif
  cargo export look grid --count 100 --checkpoint runs/mnist
  cargo export look sweep --digit 5 --seed 7 --checkpoint runs/mnist/checkpoints/00000938.safetensors
  cargo export look between --from 3 --to 8 --seed 7 --out way.gif --weights raw

Options and pictures are those of `infer look`, and the images those that `infer` draws from the exported \
file. The checkpoint is lowered as `export` does, in memory and without its proof. Exit status: 0 written, \
1 failed, 2 a request that can't be served.";

/// Look into the latent space of a checkpoint's generator, as `infer look` does of a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Look {
    #[command(subcommand)]
    view: View,
    /// Run's folder, or .safetensors file; without it, the newest run in runs/
    #[arg(long, value_name = "RUN", global = true)]
    checkpoint: Option<PathBuf>,
    /// Which of the checkpoint's weights
    #[arg(long, value_enum, default_value_t, global = true)]
    weights: Weights,
}

impl Look {
    pub fn run(self) -> anyhow::Result<()> {
        let checkpoint = checkpoint::find(self.checkpoint.as_deref(), Which::Generator)?;
        let (name, bytes) = (checkpoint.display().to_string(), export::unproven(&checkpoint, self.weights)?);
        let drawn =
            self.view.draw(&ModelSource::Bytes { name: &name, bytes: &bytes }).map_err(Error::from)?;
        Ok(self.view.print(&drawn)?)
    }
}
