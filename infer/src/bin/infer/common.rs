//! The options that the subcommands share.

use std::path::Path;

use anyhow::Result;
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};
use infer::{ModelFile, ModelSource, Options, cli::Running};
use serde::Serialize;

use crate::shipped::{GENERATORS, Shipped};

#[derive(Debug, Args)]
pub struct Common {
    /// The generator, a file that `cargo export` wrote, or one that comes with infer: avatars, or the default,
    /// mnist-generator
    #[arg(short, long, value_name = "FILE", value_parser = generator())]
    model: Option<Chosen>,
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

/// The generator that was chosen, or the default one.
pub fn source(model: Option<&Chosen>) -> ModelSource<'_> {
    model.map_or_else(|| GENERATORS[0].source(), Chosen::source)
}

/// A generator as the command line names it.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// One that comes with infer.
    Shipped(&'static Shipped),
    /// A file's.
    File(ModelFile),
}

impl Chosen {
    pub fn source(&self) -> ModelSource<'_> {
        match self {
            Chosen::Shipped(shipped) => shipped.source(),
            Chosen::File(file) => file.source(),
        }
    }

    /// A file, or a name, which a file would be called by in messages.
    pub fn path(&self) -> &Path {
        match self {
            Chosen::Shipped(shipped) => Path::new(shipped.name),
            Chosen::File(file) => file.path(),
        }
    }
}

/// A name of [`GENERATORS`], or a file: one that has such a name is `./avatars`.
pub fn generator() -> impl TypedValueParser<Value = Chosen> {
    PathBufValueParser::new().try_map(|path| match path.to_str().and_then(Shipped::named) {
        Some(shipped) => Ok(Chosen::Shipped(shipped)),
        None => ModelFile::open(path).map(Chosen::File),
    })
}

/// Reads a pipe at once, as it can't be read again for later questions.
pub fn model_file() -> impl TypedValueParser<Value = ModelFile> {
    PathBufValueParser::new().try_map(ModelFile::open)
}
