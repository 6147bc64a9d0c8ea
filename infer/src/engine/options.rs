//! How a model is to be run.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use super::Engine;
use crate::Device;

/// How many images go through the network at once: enough to fill the matrix products, and small
/// enough to keep a request for thousands of images within tens of megabytes.
pub(crate) const BATCH: usize = 64;

/// How to run a model.
#[derive(Debug, Clone)]
pub struct Options {
    /// What runs it.
    pub engine: Engine,
    /// Where to run it.
    pub device: Device,
    /// The ONNX Runtime library to load; without it, it is looked for (see
    /// [`runtime`](crate::runtime)).
    pub runtime: Option<PathBuf>,
    /// CPU threads; without it, one for a single image and all for more.
    pub threads: Option<NonZeroUsize>,
    /// About how many images will be drawn: few start faster, many run faster, from
    /// [`LOADING_WEIGHTS_PAYS`](crate::LOADING_WEIGHTS_PAYS) on.
    pub expected_images: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            engine: Engine::Auto,
            device: Device::Auto,
            runtime: None,
            threads: None,
            expected_images: BATCH,
        }
    }
}

impl Options {
    /// The threads that a run may use.
    pub(crate) fn threads(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match (self.threads, self.expected_images) {
            (Some(threads), _) => threads.get(),
            (None, 0 | 1) => 1,
            (None, _) => all(),
        }
    }
}
