//! Downloads from a mirror, which need not be trusted: a file that doesn't match its digest is discarded.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use contract::dataset::gzip::{self, Gzip};
use contract::files::{self, sha256};
use ureq::Agent;
use ureq::http::Uri;

use super::files::MnistFile;
use crate::sources::DataError;
use crate::sources::layout::Download;

/// How long to wait for a connection, an answer or the next bytes. Short, so that a machine without a
/// network soon says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// A gzip file is hardly ever longer than what it holds; this much is granted for its headers.
const GZIP_ALLOWANCE: u64 = 1 << 16;

const CHUNK: usize = 1 << 16;

/// Puts the missing files, uncompressed, into the folder: from the first mirror that has them all.
pub(super) fn fetch(
    folder: &Path,
    mut missing: Vec<MnistFile>,
    mirrors: &[&str],
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<(), DataError> {
    let mut failures = Vec::new();
    for mirror in mirrors {
        while let Some(&file) = missing.first() {
            match download(mirror, file, progress) {
                Ok(data) => keep(folder, file, &data)?,
                Err(failure) => {
                    failures.push(failure);
                    break;
                }
            }
            missing.remove(0);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|file| file.name).collect();
    Err(DataError::Unusable(format!(
        "MNIST is not in {} and could not be downloaded ({}); run `make setup`, or put {} there, plain or as .gz, \
         or give a folder that has them with --data",
        folder.display(),
        failures.join("; "),
        names.join(", ")
    )))
}

/// A file's uncompressed bytes, whose digest is the genuine one; else what went wrong, and where.
fn download(
    mirror: &str,
    file: MnistFile,
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<Vec<u8>, String> {
    let address = format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
    let failed = |why: &dyn std::fmt::Display| format!("{address}: {why}");

    let response = agent(&address).get(&address).call().map_err(|e| failed(&e))?;
    let limit = file.length + GZIP_ALLOWANCE;
    let mut body = response.into_body().into_with_config().limit(limit).reader();

    // A server may also take the compression for the transfer's own, and the client then undoes it.
    let mut start = Vec::new();
    body.by_ref().take(2).read_to_end(&mut start).map_err(|e| failed(&e))?;
    let is_gzip = start == gzip::MAGIC;
    let whole = io::Cursor::new(start).chain(body);
    let mut plain: Box<dyn Read> =
        if is_gzip { Box::new(Gzip::new(BufReader::new(whole))) } else { Box::new(whole) };

    let mut data = Vec::new();
    loop {
        let read = plain.by_ref().take(CHUNK as u64).read_to_end(&mut data).map_err(|e| failed(&e))?;
        if read == 0 {
            break;
        }
        if data.len() as u64 > file.length {
            return Err(failed(&format!("holds more than the {} bytes of {}", file.length, file.name)));
        }
        let received = data.len() as u64;
        progress(Download { file: file.name, received, total: file.length });
    }
    let found = sha256(&data);
    if found != file.sha256 {
        return Err(failed(&format!("is not the genuine file: SHA-256 {found}, not {}", file.sha256)));
    }
    Ok(data)
}

fn agent(address: &str) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    // A proxy's own loopback isn't this machine's.
    let uri = address.parse::<Uri>().ok();
    if matches!(uri.as_ref().and_then(Uri::host), Some("localhost" | "127.0.0.1" | "[::1]")) {
        config = config.proxy(None);
    }
    config.build().into()
}

fn keep(folder: &Path, file: MnistFile, data: &[u8]) -> Result<(), DataError> {
    let name = folder.display();
    let failed = |error: String| {
        DataError::Unusable(format!(
            "cannot keep MNIST in {name}: {error}; run in a folder you can write to, or give a folder that has \
             MNIST with --data"
        ))
    };
    fs::create_dir_all(folder).map_err(|error| failed(format!("can't create {name}: {error}")))?;
    files::write(&folder.join(file.name), |target| target.write_all(data))
        .map_err(|error| failed(error.to_string()))
}
