//! The settings of a run: what its options come to, once flags, file and recipe are one.

mod unlabelled;

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use candle_core::Device;
use contract::picture::Framing;
use models::{Architecture, Sizes};
use serde::{Deserialize, Serialize};

use crate::adam;
use crate::device::{Precision, PrecisionChoice};
use crate::evaluate::known;
use crate::options::Options;
use crate::options::value::{Place, Weight, Whole};
use crate::recipe::Recipe;
use crate::run::checkpoints;
use crate::schedule::Decay;
use crate::sources::{Size, Split};

/// The part of a run's `config.json` that its options decide.
///
/// What was written before a field was there reads as what it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The networks; the sizes that the data give are the data's once these are known.
    #[serde(deserialize_with = "Architecture::of_run")]
    pub networks: Architecture,
    /// The recipe's name, and after a colon the options of learning and networks that differ from it.
    pub recipe_name: String,
    /// How the networks learn.
    pub recipe: Recipe,
    /// Passes over the data.
    pub epochs: u64,
    /// N
    pub batch_size: usize,
    /// Key of every random number.
    pub seed: u64,
    /// The data's folder, if one was given, as it was given.
    pub data: Option<PathBuf>,
    /// What all pictures are resized to, if they are.
    #[serde(default)]
    pub size: Option<Size>,
    /// How files become pictures without labels; for labelled ones, nothing.
    #[serde(default)]
    pub unlabelled: Option<Framing>,
    /// Whether half of the pictures are mirrored in each epoch.
    #[serde(default)]
    pub flip: bool,
    /// Which part of the data.
    pub split: Split,
    /// How exactly a GPU multiplies.
    #[serde(default)]
    pub precision: Precision,
    /// Iterations between two checkpoints within an epoch; without it, epochs end with one and that is
    /// all.
    #[serde(default)]
    pub checkpoint_every: Option<u64>,
    /// How many checkpoints are kept.
    #[serde(default = "keep")]
    pub keep: usize,
    /// Epochs between two measurements of the generator, if there are to be such.
    #[serde(default)]
    pub evaluate_every: Option<u64>,
    /// The judge's file, if it isn't the shipped one, as it was given.
    #[serde(default)]
    pub judge: Option<PathBuf>,
    /// The file of the judge that the run's guide is a copy of, where it is one, as it was given.
    #[serde(default)]
    pub features: Option<PathBuf>,
}

/// What runs of an older version keep from now on.
fn keep() -> usize {
    checkpoints::KEEP
}

/// All options of a new run: the flags over the file over the recipe that they name.
///
/// # Errors
/// One sentence with the file, the key, what was found and what was expected.
pub fn resolve(flags: &Options, file: Option<&Path>) -> Result<Options> {
    let file = file.map(Options::read).transpose()?.unwrap_or_default();
    let given = flags.clone().over(file)?;
    let recipe = given.run.recipe.unwrap_or_default();
    let mut options = given.over(recipe.options()?)?;
    options.run.recipe = Some(recipe);
    unlabelled::check(&options)?;
    unlabelled::complete(options)
}

/// The value of an option that every recipe gives.
macro_rules! required {
    ($group:ident.$option:ident) => {
        $group.$option.clone().ok_or_else(|| anyhow!("no recipe says what {} is", stringify!($option)))?
    };
}

impl Settings {
    /// The settings of all options of a run on this device, as [`resolve`] gives them.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn new(options: &Options, device: &Device) -> Result<Settings> {
        let Options { run, data, learning, networks } = options;
        let (rate_g, rate_d) = (required!(learning.learning_rate_g).0, required!(learning.learning_rate_d).0);
        // Unlabelled pictures have neither these weights nor these widths.
        let weight = |weight: &Option<Weight>| weight.as_ref().map_or(0., |weight| weight.0);
        let units = |units: Option<Whole<1, 65536>>| units.map_or(0, |units| units.0 as usize);
        let recipe = Recipe {
            adam: adam::Config {
                learning_rate: rate_g,
                beta1: required!(learning.beta1).0,
                beta2: required!(learning.beta2).0,
                ..adam::Config::default()
            },
            learning_rate_d: (rate_d != rate_g).then_some(rate_d),
            decay: required!(learning.decay),
            decay_from: required!(learning.decay_from).0,
            generator_updates: required!(learning.generator_updates).0 as usize,
            smoothing: required!(learning.smoothing).0,
            mismatch: weight(&learning.mismatch),
            contrast: weight(&learning.contrast),
            guide: weight(&learning.guide),
            guide_finish: learning.guide_finish.as_ref().map_or(1., |times| times.0),
            projected: weight(&learning.projected),
            augment_probability: required!(learning.augment_probability).0,
            translation: required!(learning.translation).0,
            cutout: required!(learning.cutout).0,
            consistency: weight(&learning.consistency),
            lecam: weight(&learning.lecam),
            average_keep: required!(learning.average_keep).0,
        };
        let is_unlabelled = data.is_unlabelled();
        let pair = match is_unlabelled {
            true => Architecture::UnlabelledDcgan(Sizes::unlabelled()),
            false => Architecture::LabelledDcgan(Sizes::default()),
        };
        let networks = pair.with_sizes(Sizes {
            latent: required!(networks.latent),
            latent_dim: required!(networks.latent_dim).0 as usize,
            generator_filters: required!(networks.generator_filters).0 as usize,
            generator_units: units(networks.generator_units),
            discriminator_filters: required!(networks.discriminator_filters).0 as usize,
            discriminator_units: units(networks.discriminator_units),
            ..*pair.sizes()
        });
        let (epochs, from) = (required!(run.epochs).0, recipe.decay_from);
        match recipe.decay {
            Decay::Constant if from > 0 => {
                bail!("decay-from is {from}, but decay is \"constant\"; expected \"linear\" or \"cosine\"")
            }
            Decay::Linear | Decay::Cosine if from >= epochs => {
                bail!("decay-from is {from}, but the run has {epochs} epochs; expected fewer than that")
            }
            _ => {}
        }
        let changes =
            [("augment-probability", recipe.augment_probability), ("consistency", recipe.consistency)];
        for (key, value) in changes.into_iter().filter(|(_, value)| *value > 0.) {
            if recipe.translation.max(recipe.cutout) == 0. {
                bail!(
                    "{key} is {value}, but translation and cutout are 0, so no picture is changed; expected \
                     one of them above 0"
                );
            }
        }
        match (&learning.features, recipe.projected > 0.) {
            (Some(Place(features)), false) => bail!(
                "features is {:?}, but projected is 0, so nothing sees them; expected both",
                features.display().to_string()
            ),
            (None, true) if is_unlabelled => bail!(
                "projected is {}, but features is not given; expected the file of a judge of such pictures, as \
                 `{}` trains it",
                recipe.projected,
                known::train_judge()
            ),
            _ => {}
        }
        if run.judge.is_some() && run.evaluate_every.is_none() {
            bail!("judge is given, but not evaluate-every, so it has nothing to measure; expected both");
        }
        let name = required!(run.recipe);
        let changes = options.changes(&name.options()?)?.join(", ");
        let precision = match (required!(run.precision), run.tf32.as_ref().is_some_and(|tf32| tf32.0)) {
            (PrecisionChoice::Fixed(Precision::Bf16), true) => {
                bail!("tf32 is true, but precision is \"bf16\"; expected one of them")
            }
            (_, true) => Precision::Tf32,
            (choice, false) => choice.on(device),
        };
        Ok(Settings {
            networks,
            recipe_name: if changes.is_empty() {
                name.name().to_string()
            } else {
                format!("{}: {changes}", name.name())
            },
            recipe,
            epochs,
            batch_size: required!(run.batch_size).0 as usize,
            seed: required!(run.seed).0,
            data: data.data.as_ref().map(|data| data.0.clone()),
            size: data.size.as_ref().map(|size| size.0),
            unlabelled: unlabelled::of(data),
            flip: learning.flip.as_ref().is_some_and(|flip| flip.0),
            split: data.split.unwrap_or_default(),
            precision,
            checkpoint_every: run.checkpoint_every.map(|every| every.0),
            keep: required!(run.keep).0 as usize,
            evaluate_every: run.evaluate_every.map(|every| every.0),
            judge: run.judge.as_ref().map(|judge| judge.0.clone()),
            features: learning.features.as_ref().map(|features| features.0.clone()),
        })
    }
}

#[cfg(test)]
mod tests;
