//! The command line: options, checked, to plain calls of the library.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use infer::{Device, Engine, Error, Generator, ModelSource, Options};
use serde::Serialize;

use crate::{
    bench, dataset,
    doctor::Diagnosis,
    draw,
    report::{self, SelfTest, Source},
    shipped::shipped,
};

const EXAMPLES: &str = "\
Examples:
  infer --digit 5                          a five, in digit-5.png and in the terminal
  infer --digit 5 --seed 7                 the same five each time
  infer --digit 3 --count 16 --out 3s.png  a grid of sixteen threes
  infer --all --count 4 --captions         four rows of all ten digits, named, in digits.png
  infer --digits 2024                      a number, in 2024.png
  infer --digit 5 --out - | viewer         the PNG to a pipe
  infer --digits 2024 --verify             drawn anew until a judge reads 2, 0, 2, 4
  infer --digit 8 --model generator.onnx   from a file that `cargo export` wrote
  infer --label rose --model flowers.onnx  a class by its name, in rose.png
  infer --digit 8 --device cuda --json     on the GPU or not at all; what was done as JSON
  infer --digit 8 --engine rten            without any library
  infer self-test                          whether this machine draws what the model promises

Exit status: 0 done; 1 this machine can't (nothing can be written, running the model fails);
2 the request can't be served (a wrong argument, model, library, engine or device).";

/// Draw labelled digits, or pictures of other classes, from a generator's ONNX file.
#[derive(Debug, Parser)]
#[command(name = "infer", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    draw: draw::Draw,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw the pictures that the model's file says it draws, and compare.
    #[command(after_help = "\
Examples:
  infer self-test                          the shipped model, on the device `auto` chooses
  infer self-test --device cpu             on the CPU
  infer self-test --model generator.onnx   another file

Exit status: 0 the pictures are the promised ones; 1 they differ, or this machine can't run
the model; 2 the request can't be served.")]
    SelfTest(Common),
    /// Draw any number of images into a data set
    #[command(after_help = dataset::EXAMPLES)]
    Dataset(dataset::Request),
    /// Measure how long this machine takes
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::Request),
    /// Say what this machine can run the model with, what is wrong, and what to install
    #[command(after_help = "\
Examples:
  infer doctor                             the whole machine
  infer doctor --device cuda               and exit with 2 if CUDA doesn't work
  infer doctor --runtime libonnxruntime.so with this library
  infer doctor --json                      for a bug report

A picture is drawn on each device. Exit status: 0, or 2 if --engine or --device can't serve.")]
    Doctor(Common),
    /// List engines and devices, and whether they draw here
    #[command(after_help = "\
Examples:
  infer providers                          one line each
  infer providers --json                   with all nodes that ran

A picture is drawn on each. Exit status: 0, or 2 if --engine or --device can't serve.")]
    Providers(Common),
}

#[derive(Debug, Args)]
pub struct Common {
    /// The generator, a file that `cargo export` wrote [default: the one that comes with infer]
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// What runs it: onnxruntime (the machine's library), rten (part of infer; CPU only), or auto,
    /// the first of them that serves
    #[arg(long, default_value_t)]
    engine: Engine,
    /// Where to run it: cpu, cuda, cuda:<number>, tensorrt, tensorrt:<number>, or auto, the fastest
    /// that serves
    #[arg(long, default_value_t)]
    device: Device,
    /// CPU threads [default: one for one picture, all for more]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// The ONNX Runtime library [default: $ORT_DYLIB_PATH, else beside infer, in the checkout's
    /// runtime folder, or the system's]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print what was done as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Print nothing
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
}

/// Parses the command line and does what it says.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::SelfTest(common)) => self_test(&common),
        Some(Command::Doctor(common)) => {
            diagnose(&common, |common, found| common.print(found, || found.to_string()))
        }
        Some(Command::Providers(common)) => diagnose(&common, |common, found| {
            let lines = || found.steps.iter().map(|step| format!("{step}\n")).collect();
            common.print(&found.steps, lines)
        }),
        Some(Command::Bench(request)) => bench::bench(&request),
        Some(Command::Dataset(request)) => dataset::write(&request),
        None => draw::draw(&cli.draw),
    }
}

fn self_test(common: &Common) -> Result<()> {
    let source = common.source();
    let not_a_generator = |found: String| Error::NotAGenerator { model: source.name(), found };
    let Some(golden) = source.contract()?.golden else {
        let found = "it has no edgegan.golden in its metadata, so it promises no pictures";
        bail!(not_a_generator(found.into()));
    };
    let mut generator = Generator::load(&source, &common.options(golden.labels.len()))?;
    let images = generator.images(&golden.labels, golden.seed, 0)?;
    let comparison = golden.compare(&images).map_err(not_a_generator)?;
    let report = SelfTest {
        passed: comparison.passed(),
        images: golden.labels.len(),
        comparison,
        source: Source::new(&source, &generator),
    };
    common.print(&report, || report.to_string())?;
    if !report.passed {
        bail!(
            "model {} fails its self-test on {}: a pixel differs by {} levels of 255, \
             expected {} at most; try another --device or --engine",
            source.name(),
            generator.device(),
            comparison.largest,
            comparison.tolerance
        );
    }
    Ok(())
}

/// Looks at the machine and shows what was found; an error if what was asked for can't serve.
fn diagnose(common: &Common, show: impl FnOnce(&Common, &Diagnosis) -> Result<()>) -> Result<()> {
    let source = common.source();
    source.contract()?;
    let found = Diagnosis::make(&source, &common.options(1));
    show(common, &found)?;
    match found.lacking(common.engine, common.device) {
        Some(step) => {
            let reason = step.reason.clone().unwrap_or_default();
            bail!(match step.device {
                Device::Auto | Device::Cpu => Error::EngineUnavailable { engine: step.engine, reason },
                device => Error::DeviceUnavailable { device: device.to_string(), reason },
            })
        }
        None => Ok(()),
    }
}

impl Common {
    pub fn source(&self) -> ModelSource<'_> {
        match &self.model {
            Some(path) => ModelSource::File(path),
            None => shipped(),
        }
    }

    pub fn options(&self, expected_images: usize) -> Options {
        Options {
            engine: self.engine,
            device: self.device,
            runtime: self.runtime.clone(),
            threads: self.threads,
            expected_images,
        }
    }

    /// Prints the report in the form that was asked for.
    pub fn print(&self, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = match (self.quiet, self.json) {
            (true, _) => return Ok(()),
            (_, true) => serde_json::to_string(report)? + "\n",
            _ => text(),
        };
        report::print(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
