//! The program `export`: a trained generator → an ONNX file that ONNX Runtime draws from; and what
//! looks into such files.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
