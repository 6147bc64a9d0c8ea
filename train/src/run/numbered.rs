//! The numbered folders under `runs/`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail};
use contract::run::CONFIG;

use super::checkpoints;

/// Where runs go unless `--out` says otherwise.
pub const RUNS: &str = "runs";

/// A folder under `runs/` that no other process has.
pub(super) fn claim(dataset: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(RUNS)?;
    loop {
        let folder = Path::new(RUNS).join(format!("{:05}-{dataset}", next_number()));
        match fs::create_dir(&folder) {
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            result => return result.map(|()| folder),
        }
    }
}

/// The run under `runs/` that was started or saved last.
///
/// # Errors
/// If there is none.
pub fn newest() -> Result<PathBuf> {
    let modified = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
    let changed = |folder: &PathBuf| -> Option<SystemTime> {
        let started = modified(&folder.join(CONFIG))?;
        let saved = checkpoints::files(folder).iter().filter_map(modified).max();
        Some(saved.map_or(started, |saved| saved.max(started)))
    };
    let folders = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = folders.filter_map(|folder| Some((changed(&folder)?, folder))).max();
    match newest {
        Some((_, folder)) => Ok(folder),
        None => {
            bail!("there is no run under {RUNS}/; name the run's folder, or start one with `cargo train`")
        }
    }
}

/// One more than the largest number that a folder under `runs/` begins with.
fn next_number() -> u32 {
    let names = fs::read_dir(RUNS).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.split('-').next()?.parse::<u32>().ok());
    numbers.max().map_or(1, |n| n + 1)
}
