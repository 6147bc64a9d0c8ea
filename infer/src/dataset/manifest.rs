//! What a data set is and how far it is, beside the data set.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use contract::files;
use serde::{Deserialize, Serialize};

use crate::verification::Verification;

use super::{
    Format,
    plan::{Labels, Shard},
    sink::Tail,
};

/// The file in a data set's folder, or the end of its name beside a data set of one file.
const NAME: &str = "manifest.json";

/// A data set, or a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: Format,
    pub model: String,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    pub engine: String,
    pub seed: u64,
    /// Images of the whole data set.
    pub count: u64,
    pub shard: Shard,
    /// Index of the first image of this part.
    pub first: u64,
    /// How many images this part has.
    pub images: u64,
    /// How many of them, from the first on, are written and safe.
    pub complete: u64,
    pub labels: Labels,
    pub classes: Vec<String>,
    /// The judge, and what it refused among the complete images; null if there is none.
    pub verified: Option<Verification>,
    /// Channels, height and width; known once an image is drawn.
    pub shape: Option<[usize; 3]>,
    /// Where to go on.
    pub tail: Tail,
}

impl Manifest {
    /// Where the manifest of this output lies.
    pub fn path(format: Format, output: &Path) -> PathBuf {
        match format.is_folder() {
            true => output.join(NAME),
            false => {
                let mut name = output.file_name().unwrap_or_default().to_owned();
                name.push(".");
                name.push(NAME);
                output.with_file_name(name)
            }
        }
    }

    /// Reads a manifest, if there is one.
    ///
    /// # Errors
    ///
    /// If it can't be read or is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("{} can't be read", path.display())),
        };
        let read = serde_json::from_str(&text);
        read.map(Some).with_context(|| format!("{} is no manifest of infer's", path.display()))
    }

    /// Replaces the file at once.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let written = files::write(path, |mut file| {
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")
        });
        written.map_err(|error| error.source)
    }

    fn threshold(&self) -> String {
        self.verified.as_ref().map_or("off".into(), |verified| verified.threshold.to_string())
    }

    fn judge_sha256(&self) -> &str {
        self.verified.as_ref().map_or("", |verified| &verified.judge_sha256)
    }

    /// Refuses to go on with another data set than the one that was begun.
    pub fn check_same(&self, asked: &Self, path: &Path) -> Result<()> {
        let differs = |what: &str, begun: &dyn std::fmt::Debug, asked: &dyn std::fmt::Debug| {
            format!("{}: begun with {what} {begun:?}, and now it is {asked:?}", path.display())
        };
        let difference = if self.format != asked.format {
            differs("--format", &self.format, &asked.format)
        } else if self.model_sha256 != asked.model_sha256 {
            differs("a model of SHA-256", &self.model_sha256, &asked.model_sha256)
        } else if self.seed != asked.seed {
            differs("--seed", &self.seed, &asked.seed)
        } else if self.count != asked.count {
            differs("--count", &self.count, &asked.count)
        } else if self.shard != asked.shard {
            differs("--shard", &self.shard.to_string(), &asked.shard.to_string())
        } else if self.labels != asked.labels {
            differs("labels", &self.labels, &asked.labels)
        } else if self.threshold() != asked.threshold() {
            differs("--verify", &self.threshold(), &asked.threshold())
        } else if self.judge_sha256() != asked.judge_sha256() {
            differs("a judge of SHA-256", &self.judge_sha256(), &asked.judge_sha256())
        } else {
            return Ok(());
        };
        bail!(super::Refused(format!("{difference}; resume with the same, or name another --out")))
    }
}
