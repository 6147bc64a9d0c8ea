//! `config.json`: what a run was started with, and how its iterations and epochs are counted.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use contract::files;
use contract::run::CONFIG;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batches;
use crate::networks;
use crate::options::value::Place;
use crate::options::{self, Options};
use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::sources::mnist::DEFAULT_FOLDER;
use crate::sources::{self, LabelledImages};

/// Batches count pictures in 32 bits.
const MOST_IMAGES: usize = u32::MAX as usize;

/// What a run is started with, and rebuilt from when it is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Version of this program.
    pub version: String,
    /// What its options decide.
    #[serde(flatten)]
    pub settings: Settings,
    /// Where the data were, from the root.
    #[serde(default)]
    pub data_absolute: Option<PathBuf>,
    /// The data's name.
    pub dataset: String,
    /// SHA-256 over the images and labels.
    pub dataset_sha256: String,
    /// The classes' names. A run of an older version has none, and its classes are their numbers; a run
    /// without labels has none either, and no classes.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How many images.
    pub images: usize,
    /// The device that the run was started on.
    pub device: String,
    /// Where the judge's file was, from the root.
    #[serde(default)]
    pub judge_absolute: Option<PathBuf>,
}

/// A path from the root, if it can stand in a file of JSON.
pub fn absolute(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok().filter(|path| path.to_str().is_some())
}

/// A place, as it was typed if that leads there from here.
fn as_typed(typed: Option<&PathBuf>, there: Option<&PathBuf>) -> Option<PathBuf> {
    let leads_there = |typed: &&PathBuf| there.is_some() && absolute(typed).as_ref() == there;
    typed.filter(leads_there).or(there).or(typed).cloned()
}

impl Config {
    /// A new run's configuration.
    ///
    /// # Errors
    /// If these settings don't fit the data.
    pub fn new(mut settings: Settings, data: &LabelledImages, device: &Device) -> Result<Config> {
        let projected = ("projected", settings.recipe.projected);
        for (key, weight) in settings.recipe.of_labels().into_iter().chain([projected]) {
            if weight > 0. && data.classes() == 1 {
                bail!(
                    "{key} is {weight}, but {} has one class, so no label is wrong; expected 0",
                    data.name()
                );
            }
        }
        settings.networks = networks::for_data(data, settings.networks)?;
        Ok(Config {
            version: env!("CARGO_PKG_VERSION").to_string(),
            data_absolute: absolute(settings.data.as_deref().unwrap_or(DEFAULT_FOLDER.as_ref())),
            dataset: data.name().to_string(),
            dataset_sha256: data.digest(),
            classes: data.class_names().to_vec(),
            images: data.len(),
            device: settings.precision.describe(device),
            judge_absolute: settings.judge.as_deref().and_then(absolute),
            settings,
        })
    }

    /// Reads a run's configuration, which may be anyone's.
    ///
    /// # Errors
    /// If it can't be read, or has a number that no run can have: the number's name, what was found and
    /// what was expected.
    pub fn read(run: &Path) -> Result<Config> {
        let path = run.join(CONFIG);
        let json = std::fs::read_to_string(&path).with_context(|| {
            format!("{} holds no run to resume: can't read {}", run.display(), path.display())
        })?;
        let unlike = || format!("{} is not a run's configuration", path.display());
        let json: Value = serde_json::from_str(&json).with_context(unlike)?;
        let wrong =
            || format!("{} describes no run that can be trained; put it back as it was", path.display());
        check_options(&json).with_context(wrong)?;
        let config: Config = serde_json::from_value(json).with_context(unlike)?;
        config.check().with_context(wrong)?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let Config { settings: Settings { networks, recipe, size, .. }, images, .. } = self;
        if let Some(size) = size {
            Options::check("size", &size.to_string().into())?;
        }
        if !(1..=MOST_IMAGES).contains(images) {
            bail!("images is {images}; expected a whole number from 1 to {MOST_IMAGES}");
        }
        if recipe.adam.epsilon <= 0. {
            bail!("epsilon is {}; expected a number above 0", recipe.adam.epsilon);
        }
        networks.generator()?;
        networks.discriminator()?;
        let (names, classes) = (self.classes.len(), networks.classes().unwrap_or(0));
        if names != classes && names > 0 {
            bail!("it names {names} classes, but its networks have {classes}");
        }
        Ok(())
    }

    /// Takes over the options that a resumed run may be given anew, but for its data.
    pub fn renew(&mut self, options: &Options) {
        let Settings { epochs, checkpoint_every, keep, evaluate_every, judge, .. } = &mut self.settings;
        let given = &options.run;
        *epochs = given.epochs.map_or(*epochs, |given| given.0);
        *checkpoint_every = given.checkpoint_every.map(|given| given.0).or(*checkpoint_every);
        *keep = given.keep.map_or(*keep, |given| given.0 as usize);
        *evaluate_every = given.evaluate_every.map(|given| given.0).or(*evaluate_every);
        if let Some(Place(given)) = &given.judge {
            self.judge_absolute = absolute(given);
            *judge = Some(given.clone());
        }
    }

    /// Records the folder that the data were found in: the one that was named, if one was.
    pub fn moved(&mut self, named: Option<&Path>, found: Option<&Path>) {
        self.data_absolute = absolute(found.unwrap_or(DEFAULT_FOLDER.as_ref()));
        if let Some(named) = named {
            self.settings.data = Some(named.to_path_buf());
        }
    }

    /// Writes it into the run's folder.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        files::write(&run.join(CONFIG), |file| file.write_all(json.as_bytes()))?;
        Ok(())
    }

    /// Where the data are, seen from here: where they were, if something is still there, else what was
    /// given. `None` is MNIST, in its usual folder or to be fetched.
    pub fn data_path(&self) -> Option<PathBuf> {
        let is_mnist_here = self.settings.data.is_none() && Path::new(DEFAULT_FOLDER).is_dir();
        let there = self.data_absolute.as_ref().filter(|path| !is_mnist_here && sources::is_there(path));
        as_typed(self.settings.data.as_ref(), there)
    }

    /// Where the judge's file is, if it isn't the shipped one: as [`Config::data_path`].
    pub fn judge_path(&self) -> Option<PathBuf> {
        let there = self.judge_absolute.as_ref().filter(|path| path.exists());
        as_typed(self.settings.judge.as_ref(), there)
    }

    /// Iterations that show every image `epochs` times.
    pub fn iterations(&self) -> u64 {
        self.iterations_of(self.settings.epochs)
    }

    fn iterations_of(&self, epochs: u64) -> u64 {
        (epochs * self.images as u64).div_ceil(self.settings.batch_size as u64)
    }

    /// How the run's pictures come in batches.
    pub fn batches(&self) -> batches::Options {
        let Settings { batch_size, seed, flip, networks, .. } = self.settings;
        batches::Options { batch_size, seed, black: networks.black(), flip }
    }

    /// How the learning rates change over the run.
    pub fn schedule(&self) -> Schedule {
        let Recipe { decay, decay_from, .. } = self.settings.recipe;
        Schedule { decay, first: self.iterations_of(decay_from), total: self.iterations() }
    }

    /// The classes' names, in the labels' order.
    pub(super) fn class_names(&self) -> Vec<String> {
        match self.classes.is_empty() {
            true => {
                (0..self.settings.networks.classes().unwrap_or(0)).map(|class| class.to_string()).collect()
            }
            false => self.classes.clone(),
        }
    }

    /// Epochs that `iterations` iterations have completed.
    pub fn epochs_done(&self, iterations: u64) -> f64 {
        (iterations * self.settings.batch_size as u64) as f64 / self.images as f64
    }

    /// Epochs that `iterations` iterations have completed, without a fraction, of those that the run has:
    /// a batch of more pictures than there are may pass over them many times.
    pub fn whole_epochs(&self, iterations: u64) -> u64 {
        (iterations * self.settings.batch_size as u64 / self.images as u64).min(self.settings.epochs)
    }

    /// Whether an epoch ends with the last of `iterations` iterations, as the last epoch does with the
    /// last of all.
    pub fn ends_epoch(&self, iterations: u64) -> bool {
        iterations > 0 && self.whole_epochs(iterations) > self.whole_epochs(iterations - 1)
    }

    /// Whether the generator is to be measured after `iterations` iterations.
    pub fn is_measured(&self, iterations: u64) -> bool {
        self.settings.evaluate_every.is_some_and(|every| {
            iterations == self.iterations()
                || self.ends_epoch(iterations) && self.whole_epochs(iterations).is_multiple_of(every)
        })
    }

    /// Whether there is to be a checkpoint after `iterations` iterations.
    pub fn is_scheduled(&self, iterations: u64) -> bool {
        let every = self.settings.checkpoint_every.is_some_and(|every| iterations.is_multiple_of(every));
        every || self.ends_epoch(iterations)
    }
}

/// Refuses what no option of this name may be. A configuration has them in its own object, the recipe's and
/// the optimiser's.
fn check_options(config: &Value) -> Result<()> {
    let objects = [Some(config), config.get("recipe"), config.pointer("/recipe/adam")];
    for (key, value) in objects.into_iter().flatten().filter_map(Value::as_object).flatten() {
        let key = key.replace('_', "-");
        if !value.is_object() && options::names().any(|name| name == key) {
            Options::check(&key, value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Config;
    use crate::device::Precision;
    use crate::recipe::Recipe;
    use crate::sources::Split;

    /// As the first version wrote it.
    const OLD: &str = r#"{
        "version": "0.1.0",
        "networks": {"latent_dim": 100, "classes": 10, "channels": 1, "height": 28, "width": 28,
            "generator_filters": 64, "generator_units": 1024,
            "discriminator_filters": 64, "discriminator_units": 1024},
        "recipe_name": "reference",
        "recipe": {"adam": {"learning_rate": 0.0002, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-8},
            "generator_updates": 2, "average_keep": 0.999},
        "epochs": 25, "batch_size": 64, "seed": 18446744073709551615, "precision": "float32", "data": null, "split": "train",
        "dataset": "mnist", "dataset_sha256": "0123", "images": 60000, "device": "cpu"
    }"#;

    #[test]
    fn a_configuration_of_before_most_options_is_read() {
        let run = tempfile::tempdir().unwrap();
        std::fs::write(run.path().join("config.json"), OLD).unwrap();
        let config = Config::read(run.path()).unwrap();
        let settings = &config.settings;
        assert_eq!(
            (settings.recipe, settings.networks),
            (Recipe::default(), models::Architecture::LabelledDcgan(models::Sizes::default()))
        );
        assert_eq!((settings.seed, settings.keep, settings.flip), (u64::MAX, 2, false));
        assert_eq!((settings.split, settings.precision), (Split::Train, Precision::Float32));
        assert_eq!((config.iterations(), config.classes.len()), (23_438, 0));
        config.write(run.path()).unwrap();
        assert_eq!(Config::read(run.path()).unwrap(), config);
    }
}
