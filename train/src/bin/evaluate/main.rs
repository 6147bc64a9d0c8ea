//! `evaluate`: measures how good generated pictures are.

mod cli;

use std::process::ExitCode;

use train::{console, memory};

use cli::Cli;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    // 2 for a request that can't be served, as for wrong arguments; 1 for a failure on the way.
    let cli: Cli = match console::parsed() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let done = cli::prepare(cli).map_err(|error| (cli::status(&error), error));
    match done.and_then(|job| job().map_err(|error| (1, error))) {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, error)) => {
            console::print_error_line(&format!("error: {}", contract::sentence(error.as_ref())));
            ExitCode::from(status)
        }
    }
}
