//! Draws labelled digits from a generator's ONNX file.
//!
//! Exit status: 0 done; 1 this machine can't (nothing can be written, the model fails its self-test); 2
//! the request can't be served (a wrong argument, model, library, engine or device).

mod bench;
mod cli;
mod common;
mod dataset;
mod doctor;
mod draw;
mod manual;
mod report;
#[cfg(feature = "serve")]
mod serve;
mod shipped;
mod strings;
mod verification;

use std::process::ExitCode;

use contract::dataset::Error;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It may quote an untrusted file, and a library's message of several lines.
            eprintln!("error: {}", contract::one_line(&format!("{error:#}")));
            ExitCode::from(status(&error))
        }
    }
}

fn status(error: &anyhow::Error) -> u8 {
    if error.is::<dataset::Interrupted>() {
        return 130;
    }
    let refused = (error.downcast_ref::<infer::Error>()).is_some_and(infer::Error::is_bad_request);
    let is_refused = |error: &Error| matches!(error, Error::Refused(_));
    if refused || error.downcast_ref().is_some_and(is_refused) { 2 } else { 1 }
}
