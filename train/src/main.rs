//! `train`: see [`train::cli`].

use std::process::ExitCode;

use clap::Parser;

// Training allocates and frees the same large buffers in every iteration; this allocator keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match train::cli::run(train::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("train: {error:#}");
            ExitCode::FAILURE
        }
    }
}
