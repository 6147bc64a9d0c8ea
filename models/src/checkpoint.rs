//! Weights in a safetensors file, with what they are and where they come from in its header.
//!
//! Tensors are named `<group>.<layer>.<parameter>`. A run's `generator.safetensors` has the groups
//! `average` (the exponential moving average, which samples better) and `raw`; its
//! `state.safetensors` also holds what training needs to go on. The header's metadata has one key,
//! `edgegan`, with a [`Header`] as JSON.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::network::{Network, Parameters};
use crate::{Error, Result, dcgan, files};

/// The header's format; a reader refuses others.
pub const FORMAT: u32 = 1;
pub use crate::dcgan::LABELLED_DCGAN;

const KEY: &str = "edgegan";

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// [`LABELLED_DCGAN`].
    pub architecture: String,
    /// The networks' sizes.
    pub config: dcgan::Config,
    /// How the weights came about.
    pub provenance: Provenance,
}

/// How weights came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// "mnist", or the name of the data's folder.
    pub dataset: String,
    /// SHA-256 over the images and labels that were trained on.
    pub dataset_sha256: String,
    /// "train" or "all"; figures on the test set may be quoted for "train" alone.
    pub split: String,
    /// The classes' names, in the order of the labels.
    pub classes: Vec<String>,
    /// Images of one epoch.
    pub images: usize,
    /// "reference", …, and after a colon what the run has otherwise.
    pub recipe: String,
    /// Key of every random number.
    pub seed: u64,
    /// N
    pub batch_size: usize,
    /// Iterations done: one update of D each, and as many of G as the recipe has.
    pub iterations: u64,
    /// Passes over the data done.
    pub epochs: f64,
    /// "cpu", "cuda:0", …
    pub device: String,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// What it says of itself.
    pub header: Header,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    tensors: HashMap<String, Tensor>,
}

/// Tensors to be written, by name.
#[derive(Default)]
pub struct Contents(Vec<(String, Tensor)>);

impl Contents {
    /// Adds one tensor.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) {
        self.0.push((name.to_string(), tensor.clone()));
    }

    /// Adds every parameter under `group`.
    pub fn parameters(&mut self, group: &str, parameters: &Parameters) {
        for (name, value) in parameters.iter() {
            self.tensor(&format!("{group}.{name}"), value);
        }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder can't be written or the disk is full.
    pub fn save(self, header: &Header, path: &Path) -> Result<()> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        let json = serde_json::to_string(header).map_err(|e| wrong(e.to_string()))?;
        let host = self.0.into_iter().map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?.contiguous()?)));
        let host = host.collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([(KEY.to_string(), json)]);
        let bytes = safetensors::serialize(host, Some(metadata)).map_err(|e| wrong(e.to_string()))?;
        files::write_atomically(path, |file| file.write_all(&bytes))
    }
}

impl Checkpoint {
    /// Reads a checkpoint onto the host.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read; [`Error::Checkpoint`] if it is cut short, is no
    /// safetensors file, or is of another program, format or architecture.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            action: "read",
            path: path.to_path_buf(),
            source,
        })?;
        let broken = |e: safetensors::SafeTensorError| {
            wrong(format!("cut short, or no safetensors file ({e}); use another checkpoint or train again"))
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let json = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| {
            wrong("a safetensors file without edgegan's header; use one that `train` wrote".to_string())
        })?;
        let header: Header = serde_json::from_str(json).map_err(|e| {
            wrong(format!("its header is not understood ({e}); it may be of another version"))
        })?;
        if header.format != FORMAT {
            let found = header.format;
            return Err(wrong(format!("header format {found}, this version reads {FORMAT}")));
        }
        if header.architecture != LABELLED_DCGAN {
            let found = &header.architecture;
            return Err(wrong(format!("architecture {found:?}, this version knows {LABELLED_DCGAN:?}")));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let mut tensors = HashMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(wrong(format!("tensor {name} is of {:?}, F32 was expected", view.dtype())));
            }
            let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)?;
            tensors.insert(name.to_string(), tensor);
        }
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Checkpoint { header, sha256, tensors })
    }

    /// The weights of `network` under `group`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if one is missing or of another shape.
    pub fn parameters(&self, group: &str, network: &Network, device: &Device) -> Result<Parameters> {
        let prefix = format!("{group}.");
        let under = self.tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?, t)));
        network.with_weights(under.map(|(name, t)| (name.to_string(), t.clone())).collect(), device)
    }

    /// One tensor by its full name, if it is there.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}
