use clap::Args;
use contract::LatentDistribution;
use serde::{Deserialize, Serialize};

use super::value::{Whole, word};

#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Networks {
    /// U(-1, 1) or N(0, 1) [default: uniform]
    #[arg(long, value_name = "DISTRIBUTION", value_parser = word::<LatentDistribution>(&["uniform", "normal"]))]
    pub(crate) latent: Option<LatentDistribution>,
    /// Numbers in a latent [default: 100]
    #[arg(long, value_name = "N")]
    pub(crate) latent_dim: Option<Whole<1, 65535>>,
    /// Half as many as the transposed convolution's in the middle; of the unlabelled one, as many as the
    /// last but one [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) generator_filters: Option<Whole<1, 65536>>,
    /// Features of the generator's linear stage [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) generator_units: Option<Whole<1, 65536>>,
    /// Filters of the second convolution, to which one a class is added; of the unlabelled one, of the
    /// first [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) discriminator_filters: Option<Whole<1, 65536>>,
    /// Features of the discriminator's linear stage [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) discriminator_units: Option<Whole<1, 65536>>,
}
