//! Progress on standard error: one line that is rewritten in a terminal, a line now and then elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Between two lines in a terminal, and elsewhere.
const OFTEN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(30);

pub struct Progress {
    total: u64,
    done: u64,
    started: Instant,
    shown: Instant,
    quiet: bool,
    in_terminal: bool,
}

impl Progress {
    /// For `total` images that are still to be written.
    pub fn new(total: u64, quiet: bool) -> Self {
        let now = Instant::now();
        Self { total, done: 0, started: now, shown: now, quiet, in_terminal: io::stderr().is_terminal() }
    }

    /// More images are written.
    pub fn advance(&mut self, images: u64) {
        self.done += images;
        let pause = if self.in_terminal { OFTEN } else { SELDOM };
        if self.quiet || self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let line = line(self.done, self.total, self.started.elapsed().as_secs_f64());
        // Work goes on whether or not anybody can see how far it is.
        let _ = match self.in_terminal {
            true => write!(io::stderr(), "\r{line}\x1b[K"),
            false => writeln!(io::stderr(), "{line}"),
        };
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if self.in_terminal && !self.quiet {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(done: u64, total: u64, seconds: f64) -> String {
    let rate = done as f64 / seconds.max(1e-9);
    let left = (total.saturating_sub(done)) as f64 / rate.max(1e-9);
    let left = match left as u64 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    };
    format!("{done} of {total} images, {rate:.0} a second, {left} left")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn time_left_is_told_in_a_fitting_unit() {
        assert_eq!(line(500, 2000, 5.0), "500 of 2000 images, 100 a second, 15 s left");
        assert_eq!(line(1, 1001, 1.0), "1 of 1001 images, 1 a second, 16 min left");
        assert_eq!(line(1, 100_001, 1.0), "1 of 100001 images, 1 a second, 27 h left");
        assert_eq!(line(7, 7, 1.0), "7 of 7 images, 7 a second, 0 s left");
    }
}
