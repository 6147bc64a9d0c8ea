//! The command line: from options, checked, to plain calls of the library.

use anyhow::{Result, bail};
use clap::{Args, CommandFactory, Parser, Subcommand};
use infer::{
    Device, Error, Generator,
    cli::{Source, View},
};

#[cfg(feature = "serve")]
use crate::serve;
use crate::{
    bench,
    common::{Chosen, Common, generator, source},
    dataset,
    doctor::Diagnosis,
    draw,
    manual::{Completions, Pages},
    report::SelfTest,
};

const EXAMPLES: &str = "\
Examples:
  infer --digit 5                          a five, in digit-5.png and in the terminal
  infer --digit 5 --seed 7                 the same five each time
  infer --digit 3 --count 16 --out 3s.png  a grid of sixteen threes
  infer --all --count 4 --captions         four rows of all ten digits, named, in digits.png
  infer --digits 2024                      a number, in 2024.png
  infer --digits 2024 --hands one --spacing=-2..3 --json
                                           joined, of one hand; where each digit is, as JSON
  infer --digit 5 --out - | viewer         the PNG to a pipe
  infer --digits 2024 --verify             drawn anew until a judge reads 2, 0, 2, 4
  infer --digit 8 --model generator.onnx   from a file that `cargo export` wrote
  infer --label rose --model flowers.onnx  a class by its name, in rose.png
  infer --model avatars --count 36         faces without labels, in avatars.png
  infer --digit 8 --device cuda --json     on the GPU or not at all; what was done as JSON
  infer --digit 8 --engine rten            without any library
  infer look walk --out walk.gif           from digit to digit; `infer look --help` has more
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
    Dataset(Box<dataset::Request>),
    /// Look into the latent space: samples, one dimension after the other, ways from image to image
    #[command(after_help = "\
Examples:
  infer look grid --digit 5 --captions --seed 7   64 fives, each with its index, in grid.png
  infer look sweep --digit 5 --seed 7 --index 3   what each latent changes in image 3, in sweep.png
  infer look sweep --digit 5 --dimensions 0-9 --steps 25 --out sweep.gif
  infer look walk                                 from random digits to others, all ten, in walk.gif
  infer look walk --digit 8 --stops 5 --scale 8   one of them, larger
  infer look between --from 3 --to 8 --seed 7     twelve images on the way, of each digit
  infer look classes --count 10                   ten rows of all digits, in classes.png
  infer look walk --model faces.onnx --out walk.png
  cargo export look walk                          of a run that is under way

A file ends in .png, where steps lie side by side, or in .gif, where they follow on each other. Exit
status as of drawing.")]
    Look(Look),
    /// Serve digits to other programs by HTTP, and a page to people
    #[cfg(feature = "serve")]
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<serve::Request>),
    /// Measure how long this machine takes
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::Request),
    /// Say what this machine can run the model with, what is wrong, and what to install
    #[command(after_help = "\
Examples:
  infer doctor                              the whole machine
  infer doctor --device cuda                and exit with 2 if CUDA doesn't work
  infer doctor --runtime libonnxruntime.so  with this library
  infer doctor --json                       for a bug report

A picture is drawn on each device. Exit status: 0, or 2 if --engine or --device can't serve.")]
    Doctor(Common),
    /// List engines and devices, and whether they draw here
    #[command(after_help = "\
Examples:
  infer providers                          one line each
  infer providers --json                   with all nodes that ran

A picture is drawn on each. Exit status: 0, or 2 if --engine or --device can't serve.")]
    Providers(Common),
    /// Print a shell's script that completes infer's command lines
    #[command(after_help = "\
Examples:
  infer completions bash > infer.bash      for a shell that reads `. ./infer.bash`
  infer completions fish > infer.fish      for ~/.config/fish/completions/

Exit status: 0 done; 1 nothing can be written; 2 there is no such shell.")]
    Completions(Completions),
    /// Write the manual pages, one for the program and one for each of its commands
    #[command(after_help = "\
Examples:
  infer man                                infer.1, infer-dataset.1 and so on, here
  infer man . && ls infer-*.1              those of the commands alone, listed

Exit status: 0 done; 1 nothing can be written; 2 there is no such folder.")]
    Man(Pages),
}

#[derive(Debug, Args)]
struct Look {
    #[command(subcommand)]
    view: View,
    /// The generator, a file that `cargo export` wrote, or one that comes with infer: avatars, or the default,
    /// mnist-generator
    #[arg(short, long, value_name = "FILE", global = true, value_parser = generator())]
    model: Option<Chosen>,
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
        Some(Command::Look(Look { view, model })) => {
            let drawn = view.draw(&source(model.as_ref()))?;
            Ok(view.print(&drawn)?)
        }
        #[cfg(feature = "serve")]
        Some(Command::Serve(request)) => serve::serve(&request),
        Some(Command::Bench(request)) => bench::bench(&request),
        Some(Command::Dataset(request)) => dataset::write(&request),
        Some(Command::Completions(completions)) => completions.print(Cli::command()),
        Some(Command::Man(pages)) => pages.write(Cli::command()),
        None => draw::draw(&cli.draw),
    }
}

fn self_test(common: &Common) -> Result<()> {
    let source = common.source();
    let images = source.contract()?.golden.map_or(1, |golden| golden.labels.len());
    let mut generator = Generator::load(&source, &common.options(images))?;
    let comparison = generator.self_test()?;
    let report = SelfTest {
        passed: comparison.passed(),
        images,
        comparison,
        source: Source::new(&source, &generator, &common.running),
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

/// Examines the machine and shows what was found; an error if the engine or device asked for can't serve.
fn diagnose(common: &Common, show: impl FnOnce(&Common, &Diagnosis) -> Result<()>) -> Result<()> {
    let source = common.source();
    source.contract()?;
    let found = Diagnosis::make(&source, &common.options(1));
    show(common, &found)?;
    match found.lacking(common.running.engine, common.running.device) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
