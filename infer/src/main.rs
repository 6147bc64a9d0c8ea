//! Draws labelled digits from a generator's ONNX file.
//!
//! Exit status: 0 done; 1 this machine can't (nothing can be written, the model fails its self-test); 2
//! the request can't be served (a wrong argument, model, library, engine or device).

mod cli;
mod report;
mod shipped;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            match error.downcast_ref::<infer::Error>() {
                Some(error) if error.is_bad_request() => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
