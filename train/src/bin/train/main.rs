//! `train`: trains a DCGAN into a run's folder.

mod cli;
mod prepare;
mod voice;

use std::process::ExitCode;

use anyhow::Error;
use train::training_loop::{self, Outcome};
use train::{console, memory};

use cli::Cli;
use voice::Voice;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// A failure, and the status that the program ends with.
type Failure = (u8, Error);

fn main() -> ExitCode {
    memory::keep_freed();
    let cli: Cli = match console::parsed() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    run(cli).unwrap_or_else(|(status, error)| {
        console::print_error_line(&format!("error: {}", contract::sentence(error.as_ref())));
        ExitCode::from(status)
    })
}

/// Ends with 2 for a request that can't be served, as for wrong arguments; 1 for a failure on the way; 130
/// after Ctrl-C, SIGTERM or SIGHUP.
fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let (refused, failed) = (|error: Error| (2, error), |error: Error| (1, error));
    let voice = Voice::new(cli.json, cli.quiet).map_err(refused)?;
    if cli.dry_run {
        let plan = prepare::plan(&cli, &voice).map_err(refused)?;
        return console::print_line(&plan).map(|()| ExitCode::SUCCESS).map_err(failed);
    }
    let mut job = prepare::prepare(cli, &voice).map_err(refused)?;
    let outcome = training_loop::train(&mut job, &voice).map_err(failed)?;
    voice.end(outcome, &job.run, job.trainer.iterations()).map_err(failed)?;
    Ok(match outcome {
        Outcome::Done { .. } => ExitCode::SUCCESS,
        Outcome::Stopped => ExitCode::from(130),
    })
}
