//! A figure of networks as in figure 1 of the DCGAN paper: what goes through a network as boxes, and the
//! operations between them. It is drawn from the lists of layers themselves, or from the nodes of an ONNX
//! file, as an SVG that is the same to the byte for the same networks.

mod layers;
mod nodes;
mod svg;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use contract::files::{Destination, STDOUT, is_stdout};
use models::checkpoint::Checkpoint;
use models::judge::{Judge, is_judge};
use serde::Serialize;

pub use layers::of_network;
pub use nodes::of_file;
pub use svg::svg;

use crate::export::check_output;
use crate::{Error, Result, inspect, reader};

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A checkpoint's generator and discriminator, or a judge's file.
    Checkpoint(PathBuf),
    /// What an ONNX file holds.
    Model(PathBuf),
}

impl Source {
    /// The file that is read.
    pub fn path(&self) -> &Path {
        let (Source::Checkpoint(path) | Source::Model(path)) = self;
        path
    }
}

/// A network as the figure shows it, from its input to its output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strip {
    /// `generator`, `discriminator`, …
    pub name: String,
    /// What stands beside the name, such as `7,065,211 trainable parameters`.
    pub about: String,
    /// What goes through it; the first is its input.
    pub blocks: Vec<Block>,
}

/// Feature maps or a vector: what some operations made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Block {
    /// The operations that lead to it, in order.
    pub operations: Vec<String>,
    /// Its name, if it is the network's input or output and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its sizes without the batch: (features) or (channels, rows, columns). `None`: the file doesn't say.
    pub sizes: Vec<Option<u64>>,
    /// How many there are side by side.
    pub copies: usize,
    /// Numbers, or planes, of the one-hot label that is appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<u64>,
}

impl Block {
    /// One block of these sizes.
    fn new(sizes: Vec<Option<u64>>) -> Block {
        Block { sizes, copies: 1, ..Block::default() }
    }

    /// `128 × 14 × 14`, or `4 of 128 × 7 × 7`.
    fn describe(&self) -> String {
        let size = |size: &Option<u64>| size.map_or_else(|| "?".to_string(), |size| size.to_string());
        let sizes = self.sizes.iter().map(size).collect::<Vec<_>>().join(" × ");
        match self.copies {
            1 => sizes,
            copies => format!("{copies} of {sizes}"),
        }
    }

    /// `⊕ y → 138`: the channels, or features, with those of the label.
    fn with_label(&self) -> Option<String> {
        let channels = self.sizes.first().copied().flatten();
        Some(format!("⊕ y → {}", self.label? + channels.unwrap_or(0)))
    }
}

/// A figure that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The figure.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// The file that it was drawn from.
    pub source: PathBuf,
    /// What it shows.
    pub networks: Vec<Strip>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.networks.iter().map(|strip| contract::printable(&strip.name)).collect();
        write!(
            f,
            "{}: {} of {}",
            contract::shown(&self.file),
            names.join(" and "),
            contract::shown(&self.source)
        )
    }
}

/// Draws the networks of a checkpoint, or what an ONNX file holds, into the file `out`, or to standard
/// output if that is [`STDOUT`].
///
/// # Errors
/// [`Error::Output`] if `out` can't be such a file; those of reading the source; [`Error::Form`] if it
/// holds more than a figure shows. Nothing is written then.
pub fn figure(source: &Source, out: &Path) -> Result<Report> {
    check_output(out, [source.path()], "figure.svg")?;
    let is_svg = out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    if !is_svg && !is_stdout(out) && matches!(Destination::of(out), Ok(Destination::File(_))) {
        let message = "only SVG files are written; give it a name that ends in .svg".to_string();
        return Err(Error::Output { path: out.to_path_buf(), message });
    }
    let networks = strips(source)?;
    let text = svg(&networks);
    let failed = |error| contract::files::Error { path: out.to_path_buf(), source: error };
    match out == Path::new(STDOUT) {
        true => std::io::stdout().write_all(text.as_bytes()).map_err(failed)?,
        false => contract::files::write(out, |file| file.write_all(text.as_bytes()))?,
    }
    Ok(Report { file: out.to_path_buf(), bytes: text.len(), source: source.path().to_path_buf(), networks })
}

fn strips(source: &Source) -> Result<Vec<Strip>> {
    let path = match source {
        Source::Model(path) => {
            let report = inspect::describe(&reader::read(path)?, path)?;
            let wrong =
                |found| Error::Form { message: format!("model {} can't be drawn: {found}", path.display()) };
            return Ok(vec![of_file(&report).map_err(wrong)?]);
        }
        Source::Checkpoint(path) => path,
    };
    let read = contract::files::read(path);
    let bytes = read.map_err(|source| models::Error::Io { action: "read", path: path.clone(), source })?;
    if is_judge(&bytes) {
        let judge = Judge::from_bytes(&bytes, path, &candle_core::Device::Cpu)?;
        return Ok(vec![of_network(&judge.header.config.network()?)]);
    }
    let architecture = Checkpoint::from_bytes(&bytes, path)?.header.architecture;
    Ok(vec![of_network(&architecture.generator()?), of_network(&architecture.discriminator()?)])
}

#[cfg(test)]
mod tests;
