//! Standard output and standard error: lines of text, JSON, the command line's own messages.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use contract::printable;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

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

/// JSON on one line, without characters that could steer a terminal.
///
/// # Errors
/// If the value has no form in JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let escaped = |c: char| match printable(c.encode_utf8(&mut [0; 4])) {
        Cow::Borrowed(_) => c.to_string(),
        // All of them are among Unicode's first 65,536.
        Cow::Owned(_) => format!("\\u{:04x}", u32::from(c)),
    };
    Ok(serde_json::to_string(value)?.chars().map(escaped).collect())
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

/// Progress on standard error, where that is a terminal.
///
/// # Errors
/// If this is no template.
pub fn bar(template: &str, is_quiet: bool) -> Result<ProgressBar> {
    if is_quiet || !io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(template)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_has_nothing_that_steers_a_terminal() {
        let text = "a\u{1b}\u{9b}\u{202e}é\n";
        let json = super::json(&text).unwrap();
        assert_eq!(json, r#""a\u001b\u009b\u202eé\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
