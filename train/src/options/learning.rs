use clap::Args;
use serde::{Deserialize, Serialize};

use super::EPOCHS;
use super::value::{BelowOne, Place, Positive, Switch, UpToHalf, UpToOne, Weight, Whole, word};
use crate::schedule::Decay;

#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Learning {
    /// Updates of the generator for each one of the discriminator [default: 2]
    #[arg(long, value_name = "N")]
    pub(crate) generator_updates: Option<Whole<1, 1000>>,
    /// Adam's learning rate, for both networks [default: 0.0002]
    #[arg(long, value_name = "LR")]
    pub(crate) learning_rate: Option<Positive>,
    /// The same for the generator alone
    #[arg(long, value_name = "LR")]
    pub(crate) learning_rate_g: Option<Positive>,
    /// The same for the discriminator alone
    #[arg(long, value_name = "LR")]
    pub(crate) learning_rate_d: Option<Positive>,
    /// How the learning rates go to 0 by the run's end [default: constant]
    #[arg(long, value_name = "CURVE", value_parser = word::<Decay>(&["constant", "linear", "cosine"]))]
    pub(crate) decay: Option<Decay>,
    /// Epochs before they begin to [default: 0]
    #[arg(long, value_name = "E")]
    pub(crate) decay_from: Option<Whole<0, EPOCHS>>,
    /// How much of the gradient's mean Adam keeps a step [default: 0.5]
    #[arg(long, value_name = "B")]
    pub(crate) beta1: Option<BelowOne>,
    /// How much of the squared gradient's mean Adam keeps a step [default: 0.999]
    #[arg(long, value_name = "B")]
    pub(crate) beta2: Option<BelowOne>,
    /// The discriminator sees half of the pictures mirrored left to right, others in each epoch
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) flip: Option<Switch>,
    /// The discriminator learns real pictures toward 1 - S [default: 0.0]
    #[arg(long, value_name = "S")]
    pub(crate) smoothing: Option<UpToHalf>,
    /// The discriminator also learns, with this weight, that a real picture under a wrong label isn't
    /// real [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) mismatch: Option<Weight>,
    /// The generator also learns, with this weight, that its picture under a wrong label isn't real
    /// [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) contrast: Option<Weight>,
    /// The generator also learns, with this weight, to draw what a classifier reads as its label; that
    /// one is trained on the real pictures first [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) guide: Option<Weight>,
    /// In the last quarter of the run that weight is this many times as large [default: 1.0]
    #[arg(long, value_name = "TIMES")]
    pub(crate) guide_finish: Option<Weight>,
    /// The generator also learns, with this weight each, from three discriminators that see what that
    /// classifier makes of pictures, after its third and its last convolution and at its features [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) projected: Option<Weight>,
    /// What these see of unlabelled pictures is what this judge makes of them, trained on the same pictures in
    /// folders of kinds
    #[arg(long, value_name = "FILE")]
    pub(crate) features: Option<Place>,
    /// The discriminator sees pictures shifted, and with a square cut out, real and drawn ones alike, each
    /// change with this probability [default: 0.0]
    #[arg(long, value_name = "P")]
    pub(crate) augment_probability: Option<UpToOne>,
    /// Shifts of up to this part of the picture's size [default: 0.125]
    #[arg(long, value_name = "PART")]
    pub(crate) translation: Option<UpToHalf>,
    /// A square of this part of the picture's size is cut out [default: 0.25]
    #[arg(long, value_name = "PART")]
    pub(crate) cutout: Option<UpToHalf>,
    /// The discriminator also learns, with this weight, to judge a picture and a shifted and cut copy of
    /// it alike, real or drawn [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) consistency: Option<Weight>,
    /// The discriminator's logits of real pictures are held, with this weight, near their moving average
    /// of drawn ones, and the other way round [default: 0.0]
    #[arg(long, value_name = "W")]
    pub(crate) lecam: Option<Weight>,
    /// How much of the averaged generator an iteration keeps: a horizon of 1 / (1 - K) iterations
    /// [default: 0.999]
    #[arg(long, value_name = "K")]
    pub(crate) average_keep: Option<BelowOne>,
}

impl Learning {
    /// A learning rate for both networks is one for each, where there is no other for that one.
    pub(super) fn spread(&mut self) {
        if let Some(both) = self.learning_rate.take() {
            self.learning_rate_g.get_or_insert_with(|| both.clone());
            self.learning_rate_d.get_or_insert(both);
        }
    }
}
