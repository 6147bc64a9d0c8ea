//! Which checkpoint to export.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use contract::run::{CHECKPOINTS, GENERATOR};

use crate::trained::Which;
use crate::{Error, Result};

/// Where `train` puts its runs, seen from the folder that it is started in.
const RUNS: &str = "runs";

/// The checkpoint that `asked` names: a run's folder, or a file; without it, that of the newest run in
/// `runs`. A discriminator is only in those that a run keeps for going on, of which the newest is taken.
///
/// # Errors
/// [`Error::Checkpoint`] if there is nothing, or a folder without a checkpoint; [`Error::NoRun`].
pub fn find(asked: Option<&Path>, network: Which) -> Result<PathBuf> {
    let Some(asked) = asked else { return newest(Path::new(RUNS)) };
    let wrong = |message: String| Error::Checkpoint { path: asked.to_path_buf(), message };
    let metadata = std::fs::metadata(asked).map_err(|error| {
        wrong(format!("{error}; expected a run's folder or a .safetensors file that `cargo train` wrote"))
    })?;
    if !metadata.is_dir() {
        return Ok(asked.to_path_buf());
    }
    let file = match network {
        Which::Generator => Some(asked.join(GENERATOR)).filter(|file| file.is_file()),
        Which::Discriminator => last(&asked.join(CHECKPOINTS)),
    };
    if let Some(file) = file {
        return Ok(file);
    }
    let missing = if network == Which::Generator { GENERATOR } else { CHECKPOINTS };
    Err(wrong(format!("this folder holds no {missing}; expected a run that `cargo train` wrote")))
}

/// The file of a folder whose name is the last: they are called by their iterations, in eight digits.
fn last(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|file| file.extension().is_some_and(|extension| extension == "safetensors")).max()
}

/// The checkpoint of the newest run in a folder of runs, by its time of writing; of two that were
/// written at once, the one whose name is later in the alphabet.
///
/// # Errors
/// [`Error::NoRun`] if there is none.
fn newest(runs: &Path) -> Result<PathBuf> {
    let written = |file: &Path| -> Option<SystemTime> {
        std::fs::metadata(file).ok().filter(|metadata| metadata.is_file())?.modified().ok()
    };
    std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let file = entry.ok()?.path().join(GENERATOR);
            Some((written(&file)?, file))
        })
        .max()
        .map(|(_, file)| file)
        .ok_or_else(|| Error::NoRun {
            folder: runs.to_path_buf(),
            message: "run `cargo train` first, or name a run or a checkpoint with --checkpoint",
        })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_newest_run_is_the_last_written_one() {
        let runs = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        // Neither the first nor the last by name, and a newer folder without a checkpoint.
        for (name, age) in [("a", 3), ("b", 9), ("c", 5)] {
            let run = runs.path().join(name);
            fs::create_dir(&run).unwrap();
            let file = File::create(run.join(GENERATOR)).unwrap();
            file.set_modified(start + Duration::from_secs(age)).unwrap();
        }
        fs::create_dir(runs.path().join("d")).unwrap();
        fs::write(runs.path().join("e"), "a file among the runs").unwrap();
        assert_eq!(newest(runs.path()).unwrap(), runs.path().join("b").join(GENERATOR));
    }

    #[test]
    fn without_a_run_the_message_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        for runs in [empty.path().to_path_buf(), empty.path().join("missing")] {
            let message = newest(&runs).unwrap_err().to_string();
            assert!(message.contains("run `cargo train` first"), "{message}");
        }
    }
}
