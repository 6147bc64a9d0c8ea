//! Recipes: how the two networks learn, and the named sets of options that a run starts from.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::adam;
use crate::augmentation::Augmentation;
use crate::average;
use crate::options::Options;
use crate::schedule::{Decay, Schedule};

/// A named set of options. The first is the default and says every one that has a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipeName {
    /// DCGAN-tensorflow's labelled MNIST.
    #[default]
    Reference,
    /// Better digits in fewer epochs.
    Quality,
}

impl RecipeName {
    /// What `--recipe` and a file's `recipe` call it.
    pub fn name(self) -> &'static str {
        match self {
            RecipeName::Reference => "reference",
            RecipeName::Quality => "quality",
        }
    }

    /// Its options. What it doesn't say is as in the reference recipe.
    ///
    /// # Errors
    /// If its file is wrong.
    pub fn options(self) -> Result<Options> {
        let reference = Options::parse(include_str!("../recipes/reference.toml"), "reference")?;
        match self {
            RecipeName::Reference => reference.over(Options::default()),
            RecipeName::Quality => {
                Options::parse(include_str!("../recipes/quality.toml"), "quality")?.over(reference)
            }
        }
    }
}

/// How the two networks learn; the default is the reference recipe.
///
/// Part of a run's `config.json`. What was written before a field was there reads as what it did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Both optimisers'; the learning rate is G's.
    pub adam: adam::Config,
    /// D's learning rate, where it is not G's.
    #[serde(default)]
    pub learning_rate_d: Option<f64>,
    /// How the learning rates change over the run.
    #[serde(default)]
    pub decay: Decay,
    /// Epochs before they begin to.
    #[serde(default)]
    pub decay_from: u64,
    /// Updates of G for each update of D.
    pub generator_updates: usize,
    /// s: D learns real pictures toward 1 − s, fake ones toward 0 (one-sided label smoothing,
    /// Salimans et al. 2016, section 3.4).
    #[serde(default)]
    pub smoothing: f64,
    /// How much D's loss on real pictures under a wrong label counts, beside 1 for fake ones: it learns
    /// that these are not real either (Reed et al. 2016, section 4.2).
    #[serde(default)]
    pub mismatch: f64,
    /// How much G's loss on its pictures under a wrong label counts, beside 1 under their own: it learns
    /// to draw what D takes for no other class.
    #[serde(default)]
    pub contrast: f64,
    /// How much the cross-entropy of a classifier of the real pictures counts in G's loss, beside 1 for D's
    /// word: it learns to draw what that reads as its label.
    #[serde(default)]
    pub guide: f64,
    /// How many times as much it counts in the last quarter of the run.
    #[serde(default = "one")]
    pub guide_finish: f64,
    /// How much the word of each [discriminator of what that classifier sees](crate::projected) counts in G's
    /// loss, beside 1 for D's.
    #[serde(default)]
    pub projected: f64,
    /// How often D sees a picture shifted, and how often cut, real and drawn ones alike
    /// ([`augmentation`](crate::augmentation)).
    #[serde(default)]
    pub augment_probability: f64,
    /// The largest shift, as a part of the picture's size.
    #[serde(default = "translation")]
    pub translation: f64,
    /// What is cut out, as a part of the picture's size.
    #[serde(default = "cutout")]
    pub cutout: f64,
    /// How much the squared difference of D's logits of a picture and of a changed copy counts in D's loss,
    /// for real and for drawn ones (Zhao et al. 2021, <https://arxiv.org/abs/2002.04724>, section 3.1).
    #[serde(default)]
    pub consistency: f64,
    /// How much the [LeCam regulariser](crate::lecam) counts in D's loss.
    #[serde(default)]
    pub lecam: f64,
    /// How much of the generator's moving average an iteration keeps.
    pub average_keep: f64,
}

fn one() -> f64 {
    1.
}

fn translation() -> f64 {
    Augmentation::TRANSLATION
}

fn cutout() -> f64 {
    Augmentation::CUTOUT
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            adam: adam::Config::default(),
            learning_rate_d: None,
            decay: Decay::Constant,
            decay_from: 0,
            generator_updates: 2,
            smoothing: 0.,
            mismatch: 0.,
            contrast: 0.,
            guide: 0.,
            guide_finish: one(),
            projected: 0.,
            augment_probability: 0.,
            translation: translation(),
            cutout: cutout(),
            consistency: 0.,
            lecam: 0.,
            average_keep: average::KEEP,
        }
    }
}

impl Recipe {
    /// The settings of D's optimiser.
    pub fn adam_d(&self) -> adam::Config {
        let learning_rate = self.learning_rate_d.unwrap_or(self.adam.learning_rate);
        adam::Config { learning_rate, ..self.adam }
    }

    /// How much counts what is learned from labels, by the settings' names.
    pub fn of_labels(&self) -> [(&'static str, f64); 3] {
        let &Recipe { mismatch, contrast, guide, .. } = self;
        [("mismatch", mismatch), ("contrast", contrast), ("guide", guide)]
    }

    /// Whether G learns from what a classifier sees too.
    pub fn has_guide(&self) -> bool {
        self.guide > 0. || self.projected > 0.
    }

    /// How much the classifier's cross-entropy counts in iteration `t`, counted from 0.
    pub fn guide_at(&self, t: u64, schedule: &Schedule) -> f64 {
        let times = if schedule.is_last_quarter(t) { self.guide_finish } else { 1. };
        self.guide * times
    }

    /// How the pictures that D sees are changed, if they are to be.
    pub fn augmentation(&self) -> Option<Augmentation> {
        let &Recipe { augment_probability: probability, translation, cutout, .. } = self;
        (probability > 0.).then_some(Augmentation { probability, translation, cutout })
    }

    /// How the copies are, with which D is to be consistent: each by every change.
    pub fn copies(&self) -> Option<Augmentation> {
        let &Recipe { translation, cutout, .. } = self;
        (self.consistency > 0.).then_some(Augmentation { probability: 1., translation, cutout })
    }

    /// What D learns real pictures toward.
    pub fn real_target(&self) -> f64 {
        1. - self.smoothing
    }
}
