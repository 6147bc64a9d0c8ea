//! What is said on standard output and standard error.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The command line, or how the program ends after one that can't be read or asks for help.
///
/// # Errors
/// The exit status; what there is to say has been said.
pub fn parsed<P: Parser>() -> std::result::Result<P, ExitCode> {
    P::try_parse().map_err(|said| match said.print() {
        Err(error) if !said.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            print_error_line(&format!("error: can't write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(said.exit_code() as u8),
    })
}

/// A line on standard output. A reader that has seen enough may close the pipe.
///
/// # Errors
/// If it can't be written otherwise.
pub fn print_line(text: &str) -> Result<()> {
    Ok(contract::print(format!("{text}\n").as_bytes())?)
}

/// A message on standard error, as one line, whatever the text that it quotes. The terminal may be gone
/// by now.
pub fn print_error_line(text: &str) {
    let _ = writeln!(io::stderr(), "{}", contract::one_line(text));
}
