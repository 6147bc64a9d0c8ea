//! `export triton`.

use std::path::PathBuf;

use ::export::reader;
use ::export::triton::{DELAY_US, Device, MAX_BATCH, Settings, name_of, write};
use clap::Args;

use super::print;

const EXAMPLES: &str = "\
Examples:
  cargo export triton gen.onnx --out repository
  cargo export triton gen.onnx --out repository --name digits --max-batch 256 --preferred 64,256
  tritonserver --model-repository repository

The folder is written whole or not at all; one that is there stays. Exit status: 0 written, 1 failed, \
2 a request that can't be served.";

/// Write a model repository for NVIDIA Triton Inference Server
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Triton {
    /// ONNX file to serve
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Repository's folder; it is made if it isn't there
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Model's name in the server; without it, the file's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=65_536),
        help = format!("Largest batch that the server makes of requests [default: {MAX_BATCH}]"))]
    max_batch: Option<u32>,
    /// Sizes at which a batch doesn't wait for more [default: the largest]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    preferred: Vec<u32>,
    #[arg(long, value_name = "NUMBER",
        help = format!("Microseconds that a request may wait for others [default: {DELAY_US}]"))]
    delay_us: Option<u64>,
    /// Copies of the model that run at once, on each GPU if it runs on GPUs
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    instances: u32,
    /// What the server runs it on
    #[arg(long, value_enum, default_value_t)]
    device: Device,
    /// Print what was written as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing unless something goes wrong
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

impl Triton {
    pub fn run(self) -> anyhow::Result<()> {
        let Triton { file, out, name, max_batch, preferred, delay_us, instances, device, json, quiet } = self;
        let name = name.unwrap_or_else(|| name_of(&file));
        let settings = Settings { name, max_batch, preferred, delay_us, instances, device };
        let report = write(&reader::read(&file)?, &file, &settings, &out)?;
        if quiet { Ok(()) } else { print(&report, json) }
    }
}
