//! What is exported: a network, its weights, and what its file says of it.

use std::path::{Path, PathBuf};

use candle_core::Device;
use contract::tensor;
use models::checkpoint::{Checkpoint, Header, Provenance};
use models::judge::{Judge, Score, is_judge};
use models::{Network, Parameters};
use serde::Serialize;

use crate::lower::Names;
use crate::{Error, Result};

/// Which of a checkpoint's networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The one that draws
    #[default]
    Generator,
    /// The one that tells drawn pictures from real ones, as it is after training: logits
    Discriminator,
}

/// Which of a checkpoint's weights to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// The exponential moving average of training's steps, which draws better
    #[default]
    Average,
    /// The weights after the last step
    Raw,
}

impl Weights {
    /// Its name on the command line, and in a run's generator.safetensors.
    pub fn group(self) -> &'static str {
        match self {
            Weights::Average => "average",
            Weights::Raw => "raw",
        }
    }
}

/// A trained network.
pub struct Trained {
    /// Where it comes from.
    pub path: PathBuf,
    /// SHA-256 of that file.
    pub sha256: String,
    /// `generator`, `discriminator` or `judge`.
    pub kind: &'static str,
    /// Such as `labelled-dcgan`.
    pub architecture: &'static str,
    /// How it was trained.
    pub provenance: Provenance,
    /// The header of a generator's checkpoint.
    pub header: Option<Header>,
    /// How a judge did on pictures that it was not trained on.
    pub score: Option<Score>,
    /// Which of the weights, where there is a choice.
    pub weights: Option<Weights>,
    /// The network.
    pub network: Network,
    /// Its weights.
    pub parameters: Parameters,
}

impl Trained {
    /// Reads a checkpoint, or a judge's file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] or [`Error::Model`] if it is no such file, its weights are not those of
    /// its header, or training failed.
    pub fn load(path: &Path, which: Which, weights: Weights) -> Result<Trained> {
        let bytes = contract::files::read(path).map_err(models::Error::reading(path))?;
        match is_judge(&bytes) {
            true => judge(&bytes, path),
            false => checkpoint(&bytes, path, which, weights),
        }
    }

    /// Names of the graph's inputs and its output.
    pub fn names(&self) -> Names<'static> {
        let (input, output) = match self.kind {
            "generator" => (tensor::Z, tensor::IMAGE),
            _ => (tensor::IMAGE, "logits"),
        };
        Names { input, label: tensor::LABEL, output }
    }
}

fn checkpoint(bytes: &[u8], path: &Path, which: Which, weights: Weights) -> Result<Trained> {
    let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
    let checkpoint = Checkpoint::from_bytes(bytes, path)?;
    let architecture = checkpoint.header.architecture;
    let (kind, group, network) = match which {
        Which::Generator => {
            ("generator", checkpoint.generator_group(weights.group()), architecture.generator())
        }
        Which::Discriminator => ("discriminator", "discriminator", architecture.discriminator()),
    };
    let network =
        network.map_err(|error| wrong(format!("its header describes no network ({error}); train again")))?;
    let has = |group: &str| {
        let first = network.parameters().into_iter().next();
        first.is_some_and(|(name, _)| checkpoint.tensor(&format!("{group}.{name}")).is_some())
    };
    if which == Which::Discriminator && !has(group) {
        let expected =
            "expected one of a run's checkpoints, such as runs/001-mnist/checkpoints/00000938.safetensors";
        return Err(wrong(format!(
            "it holds no discriminator, as only the generator is for sampling; {expected}"
        )));
    }
    let parameters = checkpoint
        .parameters(group, &network, &Device::Cpu)
        .map_err(|error| wrong(format!("its {group} weights are not those of its header: {error}")))?;
    finite(path, group, &parameters)?;
    let Checkpoint { header, sha256, .. } = checkpoint;
    Ok(Trained {
        path: path.to_path_buf(),
        sha256,
        kind,
        architecture: header.architecture.name(),
        provenance: header.provenance.clone(),
        weights: (which == Which::Generator).then_some(weights),
        header: Some(header),
        score: None,
        network,
        parameters,
    })
}

fn judge(bytes: &[u8], path: &Path) -> Result<Trained> {
    let judge = Judge::from_bytes(bytes, path, &Device::Cpu)?;
    finite(path, "judge", judge.parameters())?;
    Ok(Trained {
        path: path.to_path_buf(),
        sha256: judge.sha256.clone(),
        kind: "judge",
        architecture: models::architectures::judge::NAME,
        provenance: judge.header.provenance.clone(),
        header: None,
        score: judge.header.score,
        weights: None,
        network: judge.header.config.network()?,
        parameters: judge.parameters().clone(),
    })
}

/// A difference to a number that isn't one would tell nothing of the graph.
fn finite(path: &Path, group: &str, parameters: &Parameters) -> Result<()> {
    for (name, value) in parameters.iter() {
        if !value.flatten_all()?.to_vec1::<f32>()?.into_iter().all(f32::is_finite) {
            let message = format!("{group}.{name} holds numbers that are not finite: training failed");
            return Err(Error::Checkpoint { path: path.to_path_buf(), message });
        }
    }
    Ok(())
}
