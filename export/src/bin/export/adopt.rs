//! `export adopt`.

use std::path::PathBuf;

use ::export::Error;
use ::export::adopt::{Layout, Options, Pixels, adopt};
use clap::{Args, ValueEnum};
use contract::LatentDistribution;
use contract::files::is_stdout;

use super::print_beside;

const EXAMPLES: &str = "\
Examples:
  cargo export adopt dcgan.onnx --latent normal --out gen.onnx
  cargo export adopt torch.onnx --latent uniform --classes 0..9 --out gen.onnx
  cargo export adopt keras.onnx --latent normal --classes cat,dog --dataset pets --out gen.onnx
  cargo export adopt other.onnx --latent normal --pixels -1..1 --layout nhwc --out gen.onnx
  cargo infer --digit 5 --model gen.onnx

What the file doesn't say is asked for. The new file is run by ONNX Runtime and by rten before it is written; \
nothing is written if it draws something else than the other. Exit status: 0 written, 1 failed, 2 a request that \
can't be served.";

/// Make a file that `infer` draws from of another program's generator: an ONNX file of PyTorch, Keras or others
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Adopt {
    /// ONNX file in single precision that takes latents, and a label or none, and gives pictures
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// ONNX file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How its latents are drawn: N(0, 1), or evenly from -1 to 1
    #[arg(long, value_enum)]
    latent: Option<Latent>,
    /// What its classes are called, in the label's order: 0..9, or names with commas between them
    #[arg(long, value_name = "NAMES", value_parser = classes)]
    classes: Option<Classes>,
    /// Black and white in its output: 0..1, -1..1 or 0..255, where the graph doesn't show it
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pixels: Option<Pixels>,
    /// Order of its output's axes, where both would do
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// Its input that takes latents, where two could be
    #[arg(long, value_name = "NAME")]
    latent_input: Option<String>,
    /// Its input that takes the label, where two could be
    #[arg(long, value_name = "NAME")]
    label_input: Option<String>,
    /// Its output that gives pictures, where several could be
    #[arg(long, value_name = "NAME")]
    image_output: Option<String>,
    /// What the network is to be called
    #[arg(long, value_name = "NAME", default_value = "adopted")]
    architecture: String,
    /// What it was trained on
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    dataset: String,
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

/// How latents are drawn, in words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Latent {
    /// N(0, 1)
    Normal,
    /// U(-1, 1)
    Uniform,
}

/// Names of classes.
#[derive(Clone, Debug)]
struct Classes(Vec<String>);

impl Adopt {
    pub fn run(self) -> anyhow::Result<()> {
        let Adopt { file, out, latent, classes, pixels, layout, latent_input, label_input, .. } = self;
        let Adopt { image_output, architecture, dataset, runtime, json, quiet, .. } = self;
        let streams = is_stdout(&out);
        if streams && json {
            let message = "--json and the file can't both go there; name a file".to_string();
            return Err(Error::Output { path: out, message }.into());
        }
        let report = adopt(&Options {
            file,
            out,
            latent: latent.map(|latent| match latent {
                Latent::Normal => LatentDistribution::Normal,
                Latent::Uniform => LatentDistribution::Uniform,
            }),
            classes: classes.map(|Classes(names)| names),
            pixels,
            layout,
            latent_input,
            label_input,
            image_output,
            architecture: Some(architecture),
            dataset: Some(dataset),
            runtime,
        })?;
        if quiet { Ok(()) } else { print_beside(streams, &report, json) }
    }
}

/// The most numbers that a range of them may name.
const MOST: u64 = 1 << 16;

/// `0..9`, both ends included, or `cat,dog`.
fn classes(text: &str) -> Result<Classes, String> {
    let expected = || "expected a range such as 0..9, or names such as cat,dog".to_string();
    if let Some((first, last)) = text.split_once("..") {
        let [first, last] = [first, last].map(|end| end.parse::<u64>().map_err(|_| expected()));
        let (first, last) = (first?, last?);
        return match last.checked_sub(first) {
            Some(..MOST) => Ok(Classes((first..=last).map(|number| number.to_string()).collect())),
            Some(_) => Err(format!("expected at most {MOST} classes")),
            None => Err(expected()),
        };
    }
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_string()).collect();
    match names.iter().any(String::is_empty) {
        true => Err(expected()),
        false => Ok(Classes(names)),
    }
}
