//! What pages and other programs are told of a generator.

use contract::{Contract, LatentDistribution, metadata::Quality};
use serde::{Serialize, Serializer};

use crate::path;

/// A generator's contract and pictures, as JSON has them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description<'a> {
    /// The generator's network.
    pub architecture: &'a str,
    /// What it was trained on.
    pub dataset: &'a str,
    /// Names of its classes, in the labels' order; none of an unlabelled model.
    pub classes: &'a [String],
    /// What one of them is called, such as `digit`.
    pub noun: &'static str,
    /// Numbers of a latent.
    pub latent_dim: usize,
    /// Where they come from, such as `uniform(-1,1)`.
    #[serde(serialize_with = "as_text")]
    pub latent_distribution: LatentDistribution,
    /// How far a sweep goes to both sides of 0, see [`path::reach`].
    pub latent_reach: f32,
    /// Channels of an image, 1 or 3.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// What was measured of it.
    pub quality: &'a Quality,
}

impl<'a> Description<'a> {
    /// Of what a model's file says, and the channels, height and width of what it draws.
    pub fn new(contract: &'a Contract, [channels, height, width]: [usize; 3]) -> Self {
        Self {
            architecture: &contract.architecture,
            dataset: &contract.dataset,
            classes: &contract.classes,
            noun: contract.noun(),
            latent_dim: contract.latent_dim,
            latent_distribution: contract.latent_distribution,
            latent_reach: path::reach(contract.latent_distribution),
            channels,
            height,
            width,
            quality: &contract.quality,
        }
    }
}

fn as_text<S: Serializer>(distribution: &LatentDistribution, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(distribution)
}
