use clap::Args;
use serde::{Deserialize, Serialize};

use super::EPOCHS;
use super::value::{Place, Switch, Whole, word};
use crate::device::PrecisionChoice;
use crate::recipe::RecipeName;

#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Run {
    /// The settings to start from: reference, DCGAN-tensorflow's labelled MNIST; quality, better digits
    /// in fewer epochs [default: reference]
    #[arg(long, value_name = "NAME", value_parser = word::<RecipeName>(&["reference", "quality"]))]
    pub(crate) recipe: Option<RecipeName>,
    /// Passes over the data [default: 25, or the resumed run's]
    #[arg(long, value_name = "E")]
    pub(crate) epochs: Option<Whole<1, EPOCHS>>,
    /// Images of one iteration [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<Whole<2, 65536>>,
    /// Key of every random number: weights, order, latents [default: 0]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<Whole<0, { u64::MAX }>>,
    /// The same as --precision tf32
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) tf32: Option<Switch>,
    /// What the factors of matrix products are rounded to: f32, nothing; tf32, 11 bits, on a GPU; bf16, 8
    /// bits; auto, bf16 on a CPU that has units for it, else f32. Faster, and the run's numbers differ
    /// [default: f32]
    #[arg(long, value_name = "FORMAT", value_parser = word::<PrecisionChoice>(&["f32", "tf32", "bf16", "auto"]))]
    pub(crate) precision: Option<PrecisionChoice>,
    /// Save every so many iterations too, beside each epoch's end [default: never, or as the resumed run]
    #[arg(long, value_name = "ITERATIONS")]
    pub(crate) checkpoint_every: Option<Whole<1, { u64::MAX }>>,
    /// How many checkpoints are kept [default: 2, or the resumed run's]
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<Whole<1, { 1 << 32 }>>,
    /// Let the judge measure the averaged generator every so many epochs, and keep the best checkpoint
    /// too [default: never, or as the resumed run]
    #[arg(long, value_name = "EPOCHS")]
    pub(crate) evaluate_every: Option<Whole<1, EPOCHS>>,
    /// The judge's file; the shipped one knows MNIST's digits, and unlabelled pictures need another
    /// [default: the shipped one, or the resumed run's]
    #[arg(long, value_name = "FILE")]
    pub(crate) judge: Option<Place>,
}
