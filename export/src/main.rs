//! The program `export`: a trained generator → an ONNX file that ONNX Runtime draws from.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", cli::sentence(&error));
            cli::status(&error)
        }
    }
}
