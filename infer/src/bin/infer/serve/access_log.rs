//! A JSON line for each request, written by a thread of its own so that a slow disk delays no answer.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use contract::files;
use infer::Error;
use serde_json::json;

use super::Server;

/// Lines that may wait for the disk.
const WAITING: usize = 4096;

enum Message {
    Line(String),
    /// The file was moved away: begin it anew.
    Reopen,
    /// The last one: say when all is written.
    End(SyncSender<()>),
}

/// Where lines go.
pub struct AccessLog(SyncSender<Message>);

impl AccessLog {
    /// Opens the file, or standard output for `-`.
    ///
    /// # Errors
    ///
    /// If it can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |error: io::Error| Error::BadInput(format!("access log {}: {error}", path.display()));
        let target = open(path).map_err(refuse)?;
        let (lines, waiting) = sync_channel(WAITING);
        let path = path.to_path_buf();
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write(&path, target, &waiting))
            .map_err(refuse)?;
        Ok(Self(lines))
    }

    /// Opens the file of this name anew, as after it was moved away.
    pub fn reopen(&self) {
        let _ = self.0.try_send(Message::Reopen);
    }

    /// Waits, for some seconds, until all lines are written.
    pub fn end(&self) {
        let (done, written) = sync_channel(1);
        if self.0.try_send(Message::End(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(5));
        }
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Write + Send>> {
    Ok(match files::is_stdout(path) {
        true => Box::new(io::stdout()),
        false => Box::new(File::options().append(true).create(true).open(path)?),
    })
}

fn write(path: &Path, target: Box<dyn Write + Send>, waiting: &Receiver<Message>) {
    let mut target = BufWriter::new(target);
    while let Ok(mut message) = waiting.recv() {
        loop {
            // A full disk loses lines, and nothing else.
            match message {
                Message::Line(line) => drop(target.write_all(line.as_bytes())),
                Message::Reopen => {
                    let _ = target.flush();
                    if let Ok(anew) = open(path) {
                        target = BufWriter::new(anew);
                    }
                }
                Message::End(done) => {
                    let _ = target.flush();
                    let _ = done.send(());
                }
            }
            let Ok(next) = waiting.try_recv() else { break };
            message = next;
        }
        let _ = target.flush();
    }
}

/// Writes a line about each request once its answer begins.
pub async fn record(
    State(server): State<Arc<Server>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let Some(AccessLog(lines)) = &server.access_log else { return next.run(request).await };
    let (started, time) = (Instant::now(), SystemTime::now());
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    let response = next.run(request).await;
    let bytes = http_body::Body::size_hint(response.body()).exact();
    let line = json!({
        "time": date(time.duration_since(UNIX_EPOCH).unwrap_or_default()),
        "client": client.ip().to_string(),
        "method": method,
        "target": target,
        "status": response.status().as_u16(),
        "bytes": bytes,
        "milliseconds": (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
    });
    if let Err(TrySendError::Full(_)) = lines.try_send(Message::Line(format!("{line}\n"))) {
        server.metrics.lost_log_lines.fetch_add(1, Relaxed);
    }
    response
}

/// A time of day in UTC, as RFC 3339 writes it. The year from days: Howard Hinnant's `civil_from_days`.
fn date(since_1970: Duration) -> String {
    let (seconds, milliseconds) = (since_1970.as_secs(), since_1970.subsec_millis());
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @N`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(date(Duration::from_millis(1_700_000_000_007)), "2023-11-14T22:13:20.007Z");
    }
}
