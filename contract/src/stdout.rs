//! Standard output.

use std::io::{self, ErrorKind, Write};

/// Writes to standard output. That a pipe's reader has closed it is no error.
///
/// # Errors
///
/// If it can't be written, with a sentence that says so.
pub fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    // What is still in its buffer when the program ends would be lost in silence.
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
