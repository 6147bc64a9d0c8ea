//! `train`: see [`train::cli`].

use std::process::ExitCode;

use train::cli::{self, Cli, Outcome};
use train::{console, failure, memory};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    let failed = |error: anyhow::Error, status| {
        console::print_error_line(&format!("error: {}", failure::sentence(&error)));
        ExitCode::from(status)
    };
    // 2 for a request that can't be served, as for wrong arguments; 1 for a failure on the way; 130
    // after Ctrl-C, SIGTERM or SIGHUP.
    let cli: Cli = match console::parsed() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    if cli.is_dry_run() {
        return match cli::plan(&cli).map(|plan| console::print_line(&plan)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => failed(error, 1),
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
