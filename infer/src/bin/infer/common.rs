//! The options that the subcommands share.

use anyhow::Result;
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};
use infer::{ModelFile, ModelSource, Options, cli::Running};
use serde::Serialize;

use crate::shipped::shipped;

#[derive(Debug, Args)]
pub struct Common {
    /// The generator, a file that `cargo export` wrote [default: the one that comes with infer]
    #[arg(short, long, value_name = "FILE", value_parser = model_file())]
    model: Option<ModelFile>,
    #[command(flatten)]
    pub running: Running,
}

impl Common {
    pub fn source(&self) -> ModelSource<'_> {
        source(self.model.as_ref())
    }

    pub fn options(&self, expected_images: usize) -> Options {
        self.running.options(expected_images)
    }

    /// Prints the report in the form that was asked for.
    pub fn print(&self, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        Ok(self.running.print(report, text)?)
    }
}

/// A file's generator, or the one that comes with infer.
pub fn source(model: Option<&ModelFile>) -> ModelSource<'_> {
    match model {
        Some(file) => file.source(),
        None => shipped(),
    }
}

/// Reads a pipe at once, as it can't be read again for later questions.
pub fn model_file() -> impl TypedValueParser<Value = ModelFile> {
    PathBufValueParser::new().try_map(ModelFile::open)
}
