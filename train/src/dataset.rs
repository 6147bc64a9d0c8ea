//! The pictures that a run learns from, with labels or without.

use std::path::PathBuf;

use anyhow::{Result, bail};
use contract::picture::Framing;

use crate::run::Config;
use crate::settings::Settings;
use crate::sources::unlabelled::{self, Folder};
use crate::sources::{self, Loaded, Progress, Size, Source, Split};

/// Where decoded pictures without labels are kept, so that the next run has them at once.
pub const CACHE: &str = "data/cache";

/// Which pictures.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Their folder; without one, MNIST.
    pub path: Option<PathBuf>,
    /// The one mirror to fetch MNIST from.
    pub mirror: Option<String>,
    /// What they are resized to.
    pub size: Option<Size>,
    /// Which part of them.
    pub split: Split,
    /// How they are made, if they have no labels.
    pub unlabelled: Option<Framing>,
    /// Where decoded ones without labels are kept.
    pub cache: Option<PathBuf>,
}

impl Dataset {
    /// The pictures of a new run.
    pub fn of_settings(settings: &Settings) -> Dataset {
        let Settings { data, size, split, unlabelled, .. } = settings;
        Dataset {
            path: data.clone(),
            mirror: None,
            size: *size,
            split: *split,
            unlabelled: *unlabelled,
            cache: Some(PathBuf::from(CACHE)),
        }
    }

    /// The pictures of a run that goes on.
    pub fn of_run(config: &Config) -> Dataset {
        Dataset { path: config.data_path(), ..Dataset::of_settings(&config.settings) }
    }

    /// Reads them; `progress` is called as it goes on.
    ///
    /// # Errors
    /// One sentence that says what is wrong with them and what to do.
    pub fn load(self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Loaded> {
        let Dataset { path, mirror, size, split, unlabelled, cache } = self;
        let Some(framing) = unlabelled else {
            let source = Source { path, mirror, size, framing: Framing::default() };
            return Ok(sources::load(&source, split, progress)?);
        };
        let (Some(path), Some(size)) = (path, size) else {
            bail!("pictures without labels need a folder and a size; expected data and size");
        };
        Ok(unlabelled::load(&Folder { path, size, framing, split, cache }, progress)?)
    }
}
