//! `train`: see [`train::cli`].

use std::process::ExitCode;

use clap::Parser;
use train::cli::{self, Cli, Outcome};
use train::{failure, memory};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    let failed = |error: anyhow::Error, status| {
        cli::print_error_line(&format!("error: {}", failure::sentence(&error)));
        ExitCode::from(status)
    };
    // 2 for a request that can't be served, as for wrong arguments; 1 for a failure on the way; 130
    // after Ctrl-C or SIGTERM.
    let cli = Cli::parse();
    if cli.is_dry_run() {
        return match cli::plan(&cli) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(error, 2),
        };
    }
    match cli::prepare(cli) {
        Err(error) => failed(error, 2),
        Ok(job) => match cli::train(job) {
            Ok(Outcome::Done) => ExitCode::SUCCESS,
            Ok(Outcome::Stopped) => ExitCode::from(130),
            Err(error) => failed(error, 1),
        },
    }
}
