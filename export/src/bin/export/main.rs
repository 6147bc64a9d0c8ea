//! The program `export`: a trained generator → an ONNX file that ONNX Runtime draws from; and what
//! looks into such files.
//!
//! Arguments → options → a library call → what is printed. A file for each subcommand, and [`export`] for
//! none.

mod adopt;
mod diff;
mod export;
mod figure;
mod inspect;
mod look;
mod triton;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use contract::{printable, sentence};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  cargo export --out gen.onnx                       the newest run in runs/
  cargo export --checkpoint runs/mnist --out gen.onnx
  cargo export --checkpoint old.safetensors --weights raw --out gen.onnx
  cargo export --out small.onnx --target cpu        what is fastest there: 8 bits
  cargo export --out small.onnx --precision int8 --judge models/pretrained/mnist-judge.onnx
  cargo export --from gen.onnx --out small.onnx --precision int8
  cargo export --out plain.onnx --optimize none     as the network reads, for Netron
  cargo export --checkpoint models/pretrained/mnist-judge.safetensors --out judge.onnx
  cargo evaluate runs/mnist --json > quality.json && \
    cargo export --checkpoint runs/mnist --out gen.onnx --quality quality.json
  cargo export --out gen.onnx --triton repository   for a server as well
  cargo export --verify-only gen.onnx --checkpoint runs/mnist
  cargo export --out gen.onnx --json | jq '.comparisons[].difference.largest'
  cargo export adopt torch.onnx --latent normal --classes 0..9 --out gen.onnx
  cargo export inspect gen.onnx                     what is in it
  cargo export diff gen.onnx other.onnx             whether they draw the same
  cargo export triton gen.onnx --out repository     for NVIDIA Triton Inference Server
  cargo export look walk                            what the newest run draws now
  cargo export figure --out pair.svg                its two networks, as a picture

The file is run by ONNX Runtime and by rten before it is written; nothing is written if one of them \
makes something else of it than Candle of the checkpoint. Exit status: 0 written, 1 failed, 2 a request that can't be served.";

/// Write a trained generator as an ONNX file, checked against its checkpoint
#[derive(Debug, Parser)]
#[command(name = "export", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    export: export::Export,
}

#[derive(Debug, Subcommand)]
enum Command {
    Adopt(adopt::Adopt),
    Inspect(inspect::Inspect),
    Diff(diff::Diff),
    Triton(triton::Triton),
    Look(look::Look),
    Figure(figure::Figure),
}

fn main() -> ExitCode {
    let done = match Arguments::parse() {
        Arguments { command: Some(Command::Adopt(adopt)), .. } => adopt.run(),
        Arguments { command: Some(Command::Inspect(inspect)), .. } => inspect.run(),
        Arguments { command: Some(Command::Triton(triton)), .. } => triton.run(),
        Arguments { command: Some(Command::Look(look)), .. } => look.run(),
        Arguments { command: Some(Command::Figure(figure)), .. } => figure.run(),
        Arguments { command: Some(Command::Diff(diff)), .. } => {
            return match diff.run() {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                // 1 means that the models differ, and nothing else.
                Err(error) => fail(&error, ExitCode::from(2)),
            };
        }
        Arguments { export, .. } => export.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, status(&error)),
    }
}

/// Prints a report, as text or as JSON.
fn print(report: &(impl Display + Serialize), json: bool) -> anyhow::Result<()> {
    let text = match json {
        true => serde_json::to_string_pretty(report).context("the report can't be JSON")?,
        false => report.to_string(),
    };
    // A reader that has seen enough may close the pipe; the work is done all the same.
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("the work is done, but the report can't be written")
        }
        _ => Ok(()),
    }
}

/// As [`print`]; on standard error if the file itself goes to standard output.
fn print_beside(streams: bool, report: &(impl Display + Serialize), json: bool) -> anyhow::Result<()> {
    if !streams {
        return print(report, json);
    }
    eprintln!("{report}");
    Ok(())
}

fn fail(error: &anyhow::Error, status: ExitCode) -> ExitCode {
    // It may quote a file that anyone may have written.
    eprintln!("error: {}", printable(&sentence(error.as_ref())));
    status
}

/// 2 for a request that can't be served, as for wrong arguments; 1 for a failure.
fn status(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<::export::Error>() {
        Some(error) if error.is_bad_request() => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
