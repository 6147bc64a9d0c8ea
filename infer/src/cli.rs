//! The command line: options, checked, to plain calls of the library.

use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    num::NonZeroUsize,
    path::PathBuf,
};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use infer::{
    Device, Engine, Error, Generator, ModelSource, Options, Picture, Sample,
    contract::Contract,
    terminal::{self, Style},
};
use serde::Serialize;

use crate::{
    report::{self, Drawing, SelfTest, Source},
    shipped::shipped,
};

/// Columns of a terminal that doesn't tell its width.
const USUAL_COLUMNS: usize = 80;

/// Characters of a file's name, before its extension.
const LONGEST_NAME: usize = 60;

/// A grid of more would be a picture that few programs open.
const MOST_PICTURES: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  infer --digit 5                          a five, in digit-5.png and in the terminal
  infer --digit 5 --seed 7                 the same five each time
  infer --digit 3 --count 16 --out 3s.png  a grid of sixteen threes
  infer --all --count 4                    four rows of all ten digits, in digits.png
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
    draw: Draw,
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
}

#[derive(Debug, Args)]
struct Draw {
    /// The digit to draw
    #[arg(short, long, value_name = "DIGIT", conflicts_with = "all", allow_negative_numbers = true)]
    digit: Option<String>,
    /// The class to draw, by its name, of a model of any things
    #[arg(short, long, value_name = "NAME", conflicts_with_all = ["digit", "all"], allow_hyphen_values = true)]
    label: Option<String>,
    /// Draw every class, one column each
    #[arg(long)]
    all: bool,
    /// How many pictures: of one class in a near-square grid, of all classes in rows
    #[arg(short = 'n', long, value_name = "K", default_value = "1", value_parser = count)]
    count: usize,
    /// Seed of the pictures; without it another one each time, which is printed
    #[arg(short, long)]
    seed: Option<u64>,
    /// The PNG file to write [default: digit-<DIGIT>.png or <NAME>.png; for --all digits.png or
    /// classes.png]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to show the picture
    #[arg(long, value_enum, default_value_t)]
    preview: Preview,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
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
    threads: Option<NonZeroUsize>,
    /// The ONNX Runtime library [default: $ORT_DYLIB_PATH, else beside infer, in the checkout's
    /// runtime folder, or the system's]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Preview {
    /// In a terminal: colour, or ASCII where it has none. Elsewhere nothing.
    #[default]
    Auto,
    /// Colour, wherever the text goes
    Colour,
    /// ASCII, wherever the text goes
    Ascii,
    /// Nothing
    None,
}

/// Parses the command line and does what it says.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::SelfTest(common)) => self_test(&common),
        None => draw(&cli.draw),
    }
}

fn draw(request: &Draw) -> Result<()> {
    let common = &request.common;
    if let Some(out) = &request.out {
        Picture::check_output(out)?;
    }
    let source = common.source();
    let contract = source.contract()?;
    let layout = Layout::new(request, &source, &contract)?;
    let out = match &request.out {
        Some(out) => out.clone(),
        None => layout.default_file(&contract),
    };
    Picture::check_output(&out)?;
    // 32 bits are enough to differ, and short enough to type.
    let seed = (request.seed).unwrap_or_else(|| rand::random::<u32>().into());

    let mut generator = Generator::load(&source, &common.options(layout.samples.len()))?;
    let images = generator.samples(seed, &layout.samples)?;
    let picture = Picture::grid(&images, layout.columns);
    picture.write_png(
        &out,
        &[
            ("Software", format!("edgegan infer {}", env!("CARGO_PKG_VERSION"))),
            ("Model", format!("{} {}", contract.architecture, contract.dataset)),
            ("Seed", seed.to_string()),
            ("Classes", report::list(contract.noun(), &layout.classes)),
        ],
    )?;

    let drawing = Drawing {
        noun: contract.noun(),
        file: out.display().to_string(),
        classes: &layout.classes,
        count: layout.samples.len(),
        seed,
        rows: layout.samples.len().div_ceil(layout.columns),
        columns: layout.columns,
        width: picture.width(),
        height: picture.height(),
        source: Source::new(&source, &generator),
    };
    common.print(&drawing, || {
        let preview = preview(request.preview, &picture).unwrap_or_default();
        format!("{preview}{drawing}")
    })
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

/// Which images to draw, and how many to a row.
struct Layout {
    samples: Vec<Sample>,
    columns: usize,
    classes: Vec<String>,
}

impl Layout {
    fn new(request: &Draw, source: &ModelSource<'_>, contract: &Contract) -> Result<Self> {
        let count = request.count;
        if request.all {
            if !contract.is_labelled() {
                bail!(Error::BadInput(format!(
                    "model {} draws {}, so there is no --all of them; leave it out",
                    source.name(),
                    contract.describe_classes()
                )));
            }
            // A row has one index: the same latents, seen as each class.
            let labels = 0..contract.classes.len() as i64;
            let rows = 0..count as u64;
            return Ok(Self {
                samples: rows
                    .flat_map(|index| labels.clone().map(move |label| Sample { index, label }))
                    .collect(),
                columns: contract.classes.len(),
                classes: contract.classes.clone(),
            });
        }
        let asked = match (&request.digit, &request.label) {
            (Some(name), _) => Some(("--digit", name)),
            (None, name) => name.as_ref().map(|name| ("--label", name)),
        };
        let (label, classes) = match asked {
            None if !contract.is_labelled() => (0, Vec::new()),
            None => bail!(Error::BadInput(format!(
                "nothing to draw was named: model {} draws {}; name one with --{}, or use --all",
                source.name(),
                contract.describe_classes(),
                if contract.noun() == "digit" { "digit" } else { "label" }
            ))),
            Some((option, name)) => match contract.label(name) {
                Some(label) => (label, vec![name.clone()]),
                None => bail!(Error::UnknownClass {
                    asked: format!("{option} {name}"),
                    model: source.name(),
                    classes: contract.describe_classes(),
                    nearest: contract.nearest_class(name).map(Into::into),
                }),
            },
        };
        Ok(Self {
            samples: (0..count as u64).map(|index| Sample { index, label }).collect(),
            columns: near_square(count),
            classes,
        })
    }

    fn default_file(&self, contract: &Contract) -> PathBuf {
        // A class may have any name; a file may not.
        let safe = |name: &str| -> String {
            let kept = |c: char| if c.is_alphanumeric() { c } else { '-' };
            name.chars().map(kept).take(LONGEST_NAME).collect()
        };
        match (self.classes.as_slice(), contract.noun()) {
            ([class], "digit") => format!("digit-{}.png", safe(class)).into(),
            ([class], _) => format!("{}.png", safe(class)).into(),
            ([], _) => format!("{}.png", safe(&contract.dataset)).into(),
            (_, "digit") => "digits.png".into(),
            _ => "classes.png".into(),
        }
    }
}

/// Parses `--count`.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_PICTURES) => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {MOST_PICTURES}")),
    }
}

/// Columns of a grid that is as square as `count` images allow: ⌈√count⌉.
fn near_square(count: usize) -> usize {
    let root = count.isqrt();
    if root * root < count { root + 1 } else { root }
}

impl Common {
    fn source(&self) -> ModelSource<'_> {
        match &self.model {
            Some(path) => ModelSource::File(path),
            None => shipped(),
        }
    }

    fn options(&self, expected_images: usize) -> Options {
        Options {
            engine: self.engine,
            device: self.device,
            runtime: self.runtime.clone(),
            threads: self.threads,
            expected_images,
        }
    }

    /// Prints the report in the form that was asked for.
    fn print(&self, report: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = match (self.quiet, self.json) {
            (true, _) => return Ok(()),
            (_, true) => serde_json::to_string(report)? + "\n",
            _ => text(),
        };
        match io::stdout().write_all(text.as_bytes()) {
            // The reader of a pipe has seen enough: the file is written, nothing is wrong.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}

/// The picture as text, if it is to be shown and fits.
fn preview(wanted: Preview, picture: &Picture) -> Option<String> {
    let stdout = io::stdout();
    let columns = terminal_size::terminal_size_of(&stdout)
        .map_or(USUAL_COLUMNS, |(terminal_size::Width(columns), _)| columns.into());
    let style = match wanted {
        Preview::None => return None,
        Preview::Colour => Style::Colour,
        Preview::Ascii => Style::Ascii,
        Preview::Auto if stdout.is_terminal() => Style::of_terminal(|name| env::var(name).ok()),
        Preview::Auto => return None,
    };
    terminal::render(picture, style, columns)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn grids_are_as_square_as_they_can_be() {
        let columns: Vec<_> = (1..=17).map(near_square).collect();
        assert_eq!(columns, [1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5]);
    }
}
