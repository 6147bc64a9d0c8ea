//! A run's checkpoints: which there are, which one training goes on from, and which are kept.
//!
//! `checkpoints/00004688.safetensors` holds everything that training needs to go on after 4,688
//! iterations. Runs of an older version have one `state.safetensors` instead, which counts as the
//! oldest.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use models::Error;
use models::checkpoint::Checkpoint;

/// The folder of a run that holds them.
pub const FOLDER: &str = contract::run::CHECKPOINTS;
/// The only checkpoint of an older version's run.
const STATE: &str = "state.safetensors";
const EXTENSION: &str = "safetensors";

/// How many are kept unless `--keep` says otherwise: one to go on from, and one in case it is damaged.
pub const KEEP: usize = 2;

/// A checkpoint on the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// Iterations done, from its name; `None` for an older version's.
    iterations: Option<u64>,
    path: PathBuf,
}

/// What training goes on from.
pub struct Usable<T> {
    /// What was made of the checkpoint.
    pub made: T,
    /// A sentence about newer checkpoints that can't be used.
    pub warning: Option<String>,
}

/// Where the checkpoint after `iterations` goes.
pub fn path(run: &Path, iterations: u64) -> PathBuf {
    run.join(FOLDER).join(format!("{iterations:08}.{EXTENSION}"))
}

/// The files of a run's checkpoints, newest first.
pub fn files(run: &Path) -> Vec<PathBuf> {
    found(run).into_iter().map(|found| found.path).collect()
}

/// What `make` makes of the newest checkpoint that it can use; `None` if there is no checkpoint.
///
/// # Errors
/// If there are checkpoints and none can be used, naming each; or if `make` fails for another reason
/// than its checkpoint.
pub fn newest_usable<T>(
    run: &Path,
    mut make: impl FnMut(Checkpoint, &Path) -> models::Result<T>,
) -> Result<Option<Usable<T>>> {
    let mut complaints: Vec<String> = Vec::new();
    for path in files(run) {
        match Checkpoint::load(&path).and_then(|checkpoint| make(checkpoint, &path)) {
            Ok(made) => {
                let warning = (!complaints.is_empty())
                    .then(|| format!("{}; going on from {}", complaints.join("; "), path.display()));
                return Ok(Some(Usable { made, warning }));
            }
            Err(Error::Damaged { message, .. } | Error::Checkpoint { message, .. }) => {
                complaints.push(format!("{} can't be used, {message}", path.display()));
            }
            Err(error @ Error::Parameter { .. }) => {
                complaints.push(format!("{} can't be used, {error}", path.display()));
            }
            Err(error @ Error::Io { .. }) => complaints.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    if complaints.is_empty() {
        return Ok(None);
    }
    bail!(
        "no checkpoint of {} is left to go on from: {}; put back a copy of one, or start a new run",
        run.display(),
        complaints.join("; ")
    )
}

/// Removes what isn't needed once the checkpoint after `newest` iterations is on the disk: all but
/// the last `keep` scheduled ones and the `best`, what a stop saved out of schedule before, and later
/// ones, which are damaged or of work that was lost.
///
/// # Errors
/// If one can't be removed.
pub fn prune(
    run: &Path,
    newest: u64,
    best: Option<u64>,
    keep: usize,
    is_scheduled: impl Fn(u64) -> bool,
) -> Result<()> {
    let mut scheduled = 0;
    for Found { iterations, path } in found(run) {
        let is_kept = match iterations {
            Some(iterations) if iterations > newest => false,
            Some(iterations) if !is_scheduled(iterations) => iterations == newest,
            _ => {
                scheduled += 1;
                scheduled <= keep || iterations.is_some_and(|iterations| Some(iterations) == best)
            }
        };
        if !is_kept {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("can't remove {}", path.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn found(run: &Path) -> Vec<Found> {
    let entries = std::fs::read_dir(run.join(FOLDER)).into_iter().flatten().flatten();
    let iterations = |path: &Path| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()
    };
    let mut found: Vec<Found> = entries
        .map(|entry| entry.path())
        .filter_map(|path| Some(Found { iterations: Some(iterations(&path)?), path }))
        .collect();
    let state = run.join(STATE);
    if state.exists() {
        found.push(Found { iterations: None, path: state });
    }
    found.sort();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{FOLDER, files, path, prune};

    fn write(run: &Path, iterations: &[u64]) {
        fs::create_dir_all(run.join(FOLDER)).unwrap();
        for &iterations in iterations {
            fs::write(path(run, iterations), "").unwrap();
        }
    }

    fn names(run: &Path) -> Vec<String> {
        let name = |file: &std::path::PathBuf| file.file_name().unwrap().to_str().unwrap().to_string();
        files(run).iter().map(|file| name(file).replace(".safetensors", "")).collect()
    }

    #[test]
    fn checkpoints_come_newest_first_and_an_older_version_s_comes_last() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(names(run.path()), [""; 0]);
        write(run.path(), &[20, 100_000_000, 3, 99_999_999]);
        fs::write(run.path().join("state.safetensors"), "").unwrap();
        fs::write(run.path().join(FOLDER).join("notes.txt"), "").unwrap();
        assert_eq!(names(run.path()), ["100000000", "99999999", "00000020", "00000003", "state"]);
    }

    #[test]
    fn the_last_scheduled_ones_are_kept() {
        let run = tempfile::tempdir().unwrap();
        let run = run.path();
        let every_ten = |iterations| iterations % 10 == 0;
        fs::write(run.join("state.safetensors"), "").unwrap();
        write(run, &[10]);
        prune(run, 10, None, 2, every_ten).unwrap();
        assert_eq!(names(run), ["00000010", "state"]);
        write(run, &[20]);
        prune(run, 20, None, 2, every_ten).unwrap();
        assert_eq!(names(run), ["00000020", "00000010"]);
        // What a stop saved is kept beside them until there is another.
        for (stopped, expected) in
            [(23, ["00000023", "00000020", "00000010"]), (27, ["00000027", "00000020", "00000010"])]
        {
            write(run, &[stopped]);
            prune(run, stopped, None, 2, every_ten).unwrap();
            assert_eq!(names(run), expected);
        }
        // A later one is of work that was lost.
        write(run, &[30, 40]);
        prune(run, 30, None, 2, every_ten).unwrap();
        assert_eq!(names(run), ["00000030", "00000020"]);
        prune(run, 30, None, 1, every_ten).unwrap();
        assert_eq!(names(run), ["00000030"]);
        // The best stays beside them, also when it is one of them.
        write(run, &[10, 20]);
        prune(run, 30, Some(10), 1, every_ten).unwrap();
        assert_eq!(names(run), ["00000030", "00000010"]);
        prune(run, 30, Some(30), 1, every_ten).unwrap();
        assert_eq!(names(run), ["00000030"]);
    }
}
