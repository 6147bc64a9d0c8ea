//! The names in a run's folder, which `train` writes and every other program reads or leaves alone.

use std::path::Path;

/// Marks a run's folder as one.
pub const MARKER: &str = ".edgegan-run";
/// What the run was started with.
pub const CONFIG: &str = "config.json";
/// A line of losses every few iterations.
pub const METRICS: &str = "metrics.jsonl";
/// A line of the judge's figures every few epochs.
pub const QUALITY: &str = "quality.jsonl";
/// The folder of the fixed-noise grids.
pub const SAMPLES: &str = "samples";
/// These grids one after the other.
pub const ANIMATION: &str = "samples.gif";
/// The generator, which `export` reads.
pub const GENERATOR: &str = "generator.safetensors";
/// The classifier that the generator learns from.
pub const GUIDE: &str = "guide.safetensors";
/// The folder of what `--resume` needs.
pub const CHECKPOINTS: &str = "checkpoints";
/// Held by the process that trains.
pub const LOCK: &str = ".lock";
/// How TensorBoard's files begin.
pub const EVENTS: &str = "events.out.tfevents.";

/// Whether a folder is a run's. Runs from before [`MARKER`] was written have a configuration and metrics.
pub fn is_run(folder: &Path) -> bool {
    folder.join(MARKER).exists() || (folder.join(CONFIG).is_file() && folder.join(METRICS).is_file())
}

/// Whether a path is that of a file which `train` writes in a run's folder. Other files there, such as an
/// exported model, are the user's own.
pub fn owns(path: &Path) -> bool {
    // A link may lead into a run.
    let path = path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            folder.canonicalize().map_or_else(|_| path.into(), |folder| folder.join(name))
        }
        _ => path.into(),
    });
    let mut rest = path.as_path();
    while let (Some(folder), Some(name)) = (rest.parent(), rest.file_name()) {
        if is_run(folder) {
            let name = name.to_string_lossy();
            let files = [MARKER, CONFIG, METRICS, QUALITY, ANIMATION, GENERATOR, GUIDE, LOCK];
            return [SAMPLES, CHECKPOINTS].contains(&&*name)
                || (rest == path && (files.contains(&&*name) || name.starts_with(EVENTS)));
        }
        rest = folder;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_train_writes_belongs_to_the_run_and_the_rest_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("runs/a");
        fs::create_dir_all(run.join(CHECKPOINTS)).unwrap();
        assert!(!is_run(&run) && !owns(&run.join(CONFIG)));
        fs::write(run.join(CONFIG), "{}").unwrap();
        fs::write(run.join(METRICS), "").unwrap();
        assert!(is_run(&run));
        fs::remove_file(run.join(METRICS)).unwrap();
        fs::write(run.join(MARKER), "").unwrap();
        assert!(is_run(&run) && !is_run(folder.path()));
        for name in [CONFIG, GENERATOR, LOCK, "checkpoints/00000002.safetensors", "samples/x.png"] {
            assert!(owns(&run.join(name)), "{name}");
        }
        assert!(owns(&run.join("events.out.tfevents.1")));
        for name in ["gen.onnx", "notes/config.json", "../config.json", "report.png"] {
            assert!(!owns(&run.join(name)), "{name}");
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(run.join(CONFIG), &link).unwrap();
            assert!(owns(&link));
        }
    }
}
