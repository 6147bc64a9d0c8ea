use clap::Args;
use serde::{Deserialize, Serialize};

use super::value::{Colour, Pixels, Place, Switch, word};
use crate::sources::Split;

#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Data {
    /// Folder of the data, see below [default: data/mnist, fetched when missing, or the resumed run's]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<Place>,
    /// Learn all pictures in and below the folder, which have no labels, by the unlabelled networks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) unlabelled: Option<Switch>,
    /// Stretch all pictures to this size [default: their own, which must be one; 64x64 of unlabelled
    /// ones]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub(crate) size: Option<Pixels>,
    /// Of unlabelled pictures, cut off what makes them wider or higher than the size, left and right or
    /// above and below alike; stretch them otherwise [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) crop: Option<Switch>,
    /// What transparent unlabelled pictures lie on: white, black, grey or #rrggbb [default: white]
    #[arg(long, value_name = "COLOUR")]
    pub(crate) background: Option<Colour>,
    /// Which part of the data to train on, if there are two; after all of them, no figure on the test images
    /// says anything
    /// [default: train]
    #[arg(long, value_name = "PART", value_parser = word::<Split>(&["train", "test", "all"]))]
    pub(crate) split: Option<Split>,
}

impl Data {
    /// Whether the pictures have no labels.
    pub(crate) fn is_unlabelled(&self) -> bool {
        self.unlabelled.as_ref().is_some_and(|unlabelled| unlabelled.0)
    }
}
