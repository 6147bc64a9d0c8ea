//! The settings of a run: what each is called, what it may be, and where it comes from.
//!
//! One table, [`SETTINGS`], makes the flags and reads the keys of a `--config` file, so that both
//! know the same names and refuse the same values. A setting is taken from the flags, else from the
//! file, else from the recipe.

mod unlabelled;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use contract::{files, one_line, printable};
use models::Sizes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::de::{DeTable, DeValue};

use crate::adam;
use crate::device::Precision;
use crate::recipe::{LATENTS, RECIPES, Recipe};
use crate::schedule::Decay;
use crate::sources::unlabelled::Background;
use crate::sources::{Size, Split};
pub use unlabelled::Unlabelled;

/// Headings of `--help`: the settings under the last two are the recipe's own, and a run that
/// changes one of them says so in its provenance.
pub const RUN: &str = "Run";
/// Which pictures.
pub const DATA: &str = "Data";
/// How the networks learn.
pub const LEARNING: &str = "Learning";
/// What the networks are.
pub const NETWORKS: &str = "Networks";

/// One setting.
pub struct Setting {
    /// The key in a file, and with two dashes the flag.
    pub key: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What `--help` calls a value.
    value_name: &'static str,
    /// Where `--help` shows it.
    pub heading: &'static str,
    help: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A whole number.
    Whole {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A number that fits.
    Number {
        /// Whether it does.
        fits: fn(f64) -> bool,
        /// Which ones do, in words.
        which: &'static str,
    },
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// WIDTHxHEIGHT, or a number for both.
    Size,
    /// A name, or #rrggbb.
    Colour,
    /// A folder or file, as seen from where `train` is started.
    Path,
    /// true or false; the flag alone means true.
    Switch,
}

/// The value of a setting, within its range.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of [`Kind::Whole`].
    Whole(u64),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Choice`], [`Kind::Size`], [`Kind::Colour`] and [`Kind::Path`].
    Text(String),
    /// Of [`Kind::Switch`].
    Switch(bool),
}

const fn whole(least: u64, most: u64) -> Kind {
    Kind::Whole { least, most }
}

const POSITIVE: Kind = Kind::Number { fits: |x| x > 0., which: "a number above 0" };
const BELOW_ONE: Kind =
    Kind::Number { fits: |x| (0. ..1.).contains(&x), which: "a number from 0 up to but not 1" };
const UP_TO_HALF: Kind = Kind::Number { fits: |x| (0. ..=0.5).contains(&x), which: "a number from 0 to 0.5" };
const UP_TO_TEN: Kind = Kind::Number { fits: |x| (0. ..=10.).contains(&x), which: "a number from 0 to 10" };
const WIDTH: Kind = whole(1, 1 << 16);
/// So many that no product of epochs and images overflows.
const EPOCHS: u64 = 1_000_000_000;

const fn setting(
    heading: &'static str,
    key: &'static str,
    value_name: &'static str,
    kind: Kind,
    help: &'static str,
) -> Setting {
    Setting { key, kind, value_name, heading, help }
}

/// Every setting, in the order of `--help` and of a printed file.
pub const SETTINGS: &[Setting] = &[
    setting(RUN, "recipe", "NAME", Kind::Choice(recipes), "The settings to start from"),
    setting(RUN, "epochs", "E", whole(1, EPOCHS), "Passes over the data"),
    setting(RUN, "batch-size", "N", whole(2, 1 << 16), "Images of one iteration"),
    setting(RUN, "seed", "S", whole(0, u64::MAX), "Key of every random number: weights, order, latents"),
    setting(
        RUN,
        "tf32",
        "BOOL",
        Kind::Switch,
        "Multiply with 11 bits of precision in place of 24, on a GPU's tensor cores: faster, and the run's \
         numbers differ",
    ),
    setting(
        RUN,
        "checkpoint-every",
        "ITERATIONS",
        whole(1, u64::MAX),
        "Save every so many iterations too, beside each epoch's end",
    ),
    setting(RUN, "keep", "N", whole(1, 1 << 32), "How many checkpoints are kept"),
    setting(
        RUN,
        "evaluate-every",
        "EPOCHS",
        whole(1, EPOCHS),
        "Let the judge measure the averaged generator every so many epochs, and keep the best checkpoint too",
    ),
    setting(RUN, "judge", "FILE", Kind::Path, "The judge's file; the shipped one knows MNIST's digits"),
    setting(DATA, "data", "FOLDER", Kind::Path, "Folder of the data, see below"),
    setting(
        DATA,
        "unlabelled",
        "BOOL",
        Kind::Switch,
        "Learn all pictures in and below the folder, which have no labels, by the unlabelled networks",
    ),
    setting(DATA, "size", "WIDTHxHEIGHT", Kind::Size, "Stretch all pictures to this size"),
    setting(
        DATA,
        "crop",
        "BOOL",
        Kind::Switch,
        "Of unlabelled pictures, cut off what makes them wider or higher than the size, left and right or \
         above and below alike; stretch them otherwise",
    ),
    setting(
        DATA,
        "background",
        "COLOUR",
        Kind::Colour,
        "What transparent unlabelled pictures lie on: white, black, grey or #rrggbb",
    ),
    setting(
        DATA,
        "split",
        "PART",
        Kind::Choice(splits),
        "Which part of the data to train on; after all of them, no figure on the test images says anything",
    ),
    setting(
        LEARNING,
        "generator-updates",
        "N",
        whole(1, 1000),
        "Updates of the generator for each one of the discriminator",
    ),
    setting(LEARNING, "learning-rate", "LR", POSITIVE, "Adam's learning rate, for both networks"),
    setting(LEARNING, "learning-rate-g", "LR", POSITIVE, "The same for the generator alone"),
    setting(LEARNING, "learning-rate-d", "LR", POSITIVE, "The same for the discriminator alone"),
    setting(
        LEARNING,
        "decay",
        "CURVE",
        Kind::Choice(|| vec!["constant", "linear", "cosine"]),
        "How the learning rates go to 0 by the run's end",
    ),
    setting(LEARNING, "decay-from", "E", whole(0, EPOCHS), "Epochs before they begin to"),
    setting(LEARNING, "beta1", "B", BELOW_ONE, "How much of the gradient's mean Adam keeps a step"),
    setting(LEARNING, "beta2", "B", BELOW_ONE, "How much of the squared gradient's mean Adam keeps a step"),
    setting(
        LEARNING,
        "flip",
        "BOOL",
        Kind::Switch,
        "The discriminator sees half of the pictures mirrored left to right, others in each epoch",
    ),
    setting(LEARNING, "smoothing", "S", UP_TO_HALF, "The discriminator learns real pictures toward 1 - S"),
    setting(
        LEARNING,
        "mismatch",
        "W",
        UP_TO_TEN,
        "The discriminator also learns, with this weight, that a real picture under a wrong label isn't real",
    ),
    setting(
        LEARNING,
        "contrast",
        "W",
        UP_TO_TEN,
        "The generator also learns, with this weight, that its picture under a wrong label isn't real",
    ),
    setting(
        LEARNING,
        "guide",
        "W",
        UP_TO_TEN,
        "The generator also learns, with this weight, to draw what a classifier reads as its label; that one is \
         trained on the real pictures first",
    ),
    setting(
        LEARNING,
        "average-keep",
        "K",
        BELOW_ONE,
        "How much of the averaged generator an iteration keeps: a horizon of 1 / (1 - K) iterations",
    ),
    setting(NETWORKS, "latent", "DISTRIBUTION", Kind::Choice(latents), "U(-1, 1) or N(0, 1)"),
    setting(NETWORKS, "latent-dim", "N", whole(1, 65535), "Numbers in a latent"),
    setting(
        NETWORKS,
        "generator-filters",
        "N",
        WIDTH,
        "Half as many as the transposed convolution's in the middle; of the unlabelled one, as many as the last \
         but one",
    ),
    setting(NETWORKS, "generator-units", "N", WIDTH, "Features of the generator's linear stage"),
    setting(
        NETWORKS,
        "discriminator-filters",
        "N",
        WIDTH,
        "Filters of the second convolution, to which one a class is added; of the unlabelled one, of the first",
    ),
    setting(NETWORKS, "discriminator-units", "N", WIDTH, "Features of the discriminator's linear stage"),
];

/// Settings that a resumed run may be given anew.
const RESUMABLE: [&str; 6] = ["epochs", "checkpoint-every", "keep", "evaluate-every", "judge", "data"];

fn recipes() -> Vec<&'static str> {
    RECIPES.iter().map(|recipe| recipe.name).collect()
}

fn splits() -> Vec<&'static str> {
    vec!["train", "test", "all"]
}

fn latents() -> Vec<&'static str> {
    LATENTS.iter().map(|(name, _)| *name).collect()
}

/// What the values may be, after "expected".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Whole { least, most } => write!(f, "a whole number from {least} to {most}"),
            Kind::Number { which, .. } => f.write_str(which),
            Kind::Choice(words) => {
                let words: Vec<String> = words().iter().map(|word| format!("{word:?}")).collect();
                f.write_str(&words.join(" or "))
            }
            Kind::Size => {
                f.write_str("WIDTHxHEIGHT, each from 1 to 1024, such as 64x48, or one number for both")
            }
            Kind::Colour => f.write_str("white, black, grey or #rrggbb"),
            Kind::Path => f.write_str("a path, such as \"flowers\""),
            Kind::Switch => f.write_str("true or false"),
        }
    }
}

impl Kind {
    /// A value as a flag has it.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Kind::Whole { .. } => text.parse().ok().map(Value::Whole),
            Kind::Number { .. } => text.parse().ok().map(Value::Number),
            Kind::Choice(_) | Kind::Size | Kind::Colour | Kind::Path => Some(Value::Text(text.to_string())),
            Kind::Switch => text.parse().ok().map(Value::Switch),
        };
        value.and_then(|value| self.within(value)).ok_or_else(|| format!("expected {self}"))
    }

    /// A value as a file has it.
    fn read(self, value: &DeValue<'_>) -> Option<Value> {
        let value = match (self, value) {
            // As many digits as there are: a seed may be beyond the 2⁶³ − 1 that every reader of TOML takes.
            (Kind::Whole { .. }, DeValue::Integer(number)) => {
                Value::Whole(u64::from_str_radix(number.as_str(), number.radix()).ok()?)
            }
            // Such a one is printed in quotes, for other readers.
            (Kind::Whole { .. }, DeValue::String(text)) => {
                Value::Whole(text.parse().ok().filter(|&number| i64::try_from(number).is_err())?)
            }
            (Kind::Number { .. }, DeValue::Float(number)) => Value::Number(number.as_str().parse().ok()?),
            (Kind::Number { .. }, DeValue::Integer(number)) => {
                Value::Number(i64::from_str_radix(number.as_str(), number.radix()).ok()? as f64)
            }
            (Kind::Choice(_) | Kind::Size | Kind::Colour | Kind::Path, DeValue::String(text)) => {
                Value::Text(text.to_string())
            }
            (Kind::Size, DeValue::Integer(side)) => {
                Value::Text(u64::from_str_radix(side.as_str(), side.radix()).ok()?.to_string())
            }
            (Kind::Switch, DeValue::Boolean(value)) => Value::Switch(*value),
            _ => return None,
        };
        self.within(value)
    }

    fn within(self, value: Value) -> Option<Value> {
        let fits = match (self, &value) {
            (Kind::Whole { least, most }, Value::Whole(number)) => (least..=most).contains(number),
            (Kind::Number { fits, .. }, Value::Number(number)) => number.is_finite() && fits(*number),
            (Kind::Choice(words), Value::Text(text)) => words().contains(&text.as_str()),
            (Kind::Size, Value::Text(text)) => text.parse::<Size>().is_ok(),
            (Kind::Colour, Value::Text(text)) => text.parse::<Background>().is_ok(),
            (Kind::Path, Value::Text(text)) => !text.is_empty(),
            (Kind::Switch, Value::Switch(_)) => true,
            _ => false,
        };
        fits.then_some(value)
    }
}

/// As in a TOML file.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(number) if i64::try_from(*number).is_err() => write!(f, "\"{number}\""),
            Value::Whole(number) => write!(f, "{number}"),
            Value::Number(number) => write!(f, "{number:?}"),
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::Switch(value) => write!(f, "{value}"),
        }
    }
}

/// A text as TOML and JSON have it, without characters that could steer a terminal.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match printable(c.encode_utf8(&mut [0; 4])) {
        Cow::Borrowed(_) => c.to_string(),
        // All of them are among Unicode's first 65,536.
        Cow::Owned(_) => format!("\\u{:04x}", u32::from(c)),
    };
    json!(text).to_string().chars().map(escaped).collect()
}

/// Refuses a setting's value that no run can have.
///
/// # Errors
/// One sentence with the key, what was found and what was expected.
pub fn check(key: &str, value: Value) -> Result<()> {
    let Some(Setting { kind, .. }) = SETTINGS.iter().find(|setting| setting.key == key) else {
        bail!("there is no setting {key:?}");
    };
    let found = value.to_string();
    match kind.within(value) {
        Some(_) => Ok(()),
        None => bail!("{key} is {found}; expected {kind}"),
    }
}

/// Some settings with their values: a recipe's, a file's, the flags'.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Layer(BTreeMap<&'static str, Value>);

impl Layer {
    /// Reads a file.
    ///
    /// # Errors
    /// One sentence with the file, the key, what was found and what was expected.
    pub fn read(path: &Path) -> Result<Layer> {
        let name = path.display().to_string();
        let text = files::read(path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let text = text.map_err(|error| anyhow!("--config {name}: can't be read ({error})"))?;
        Layer::parse(&text, &name)
    }

    fn parse(text: &str, name: &str) -> Result<Layer> {
        let table = DeTable::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow!(
                "{name}: line {line} is not TOML ({}); expected lines such as epochs = 25",
                one_line(error.message())
            )
        })?;
        let mut layer = BTreeMap::new();
        for (key, value) in table.get_ref() {
            let (key, value) = (key.get_ref().as_ref(), value.get_ref());
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
                bail!("{name}: there is no setting {key:?}{}", suggestion(key));
            };
            let value = setting
                .kind
                .read(value)
                .ok_or_else(|| anyhow!("{name}: {key} is {}; expected {}", describe(value), setting.kind))?;
            layer.insert(setting.key, value);
        }
        Ok(Layer(layer))
    }

    /// These settings, and those of `below` that are not among them. A learning rate for both
    /// networks here is also one for each, whatever lies below.
    fn over(mut self, below: Layer) -> Layer {
        if let Some(rate) = self.0.remove("learning-rate") {
            for key in ["learning-rate-g", "learning-rate-d"] {
                self.0.entry(key).or_insert(rate.clone());
            }
        }
        for (key, value) in below.0 {
            self.0.entry(key).or_insert(value);
        }
        self
    }

    /// The first recipe's settings: all that have a default.
    fn plain() -> Result<Layer> {
        let Some(first) = RECIPES.first() else { bail!("there are no recipes") };
        Ok(Layer::parse(first.settings, first.name)?.over(Layer::default()))
    }

    /// A recipe's settings, all of them.
    fn of_recipe(name: &str) -> Result<Layer> {
        let plain = Layer::plain()?;
        match RECIPES.iter().skip(1).find(|recipe| recipe.name == name) {
            Some(recipe) => Ok(Layer::parse(recipe.settings, recipe.name)?.over(plain)),
            None => Ok(plain),
        }
    }

    /// A setting's value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    fn whole(&self, key: &str) -> Result<u64> {
        match self.get(key) {
            Some(Value::Whole(number)) => Ok(*number),
            _ => Err(missing(key)),
        }
    }

    fn number(&self, key: &str) -> Result<f64> {
        match self.get(key) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(missing(key)),
        }
    }

    fn switch(&self, key: &str) -> bool {
        self.get(key) == Some(&Value::Switch(true))
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// One of an enum's words.
    fn word<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<T> {
        let word = self.text(key).ok_or_else(|| missing(key))?;
        Ok(serde_json::from_value(json!(word))?)
    }
}

/// A file that `--config` takes.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = SETTINGS.iter().filter_map(|setting| Some((setting, self.get(setting.key)?)));
        for (setting, value) in present {
            writeln!(f, "{} = {value}", setting.key)?;
        }
        Ok(())
    }
}

/// Recipes say every setting that has a default, so this is a recipe's fault.
fn missing(key: &str) -> anyhow::Error {
    anyhow!("no recipe says what {key} is")
}

fn suggestion(key: &str) -> String {
    let key = key.replace('_', "-").to_lowercase();
    let near = |setting: &Setting| strsim::normalized_damerau_levenshtein(&key, setting.key);
    let best = SETTINGS.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    match best.filter(|setting| near(setting) > 0.5) {
        Some(setting) => format!("; expected one of those in cargo train --help, such as {}", setting.key),
        None => "; expected one of those in cargo train --help".to_string(),
    }
}

/// What a file has in place of a value, in words.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => format!("{number:?}"),
            Err(_) => number.to_string(),
        },
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_string(),
        DeValue::Table(_) => "a table".to_string(),
    }
}

/// The settings that stand on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags(Layer);

impl Flags {
    /// The passes over the data. This setting and the next five, `RESUMABLE`, may be given to a
    /// resumed run.
    pub fn epochs(&self) -> Option<u64> {
        self.0.whole("epochs").ok()
    }

    /// Iterations between two checkpoints.
    pub fn checkpoint_every(&self) -> Option<u64> {
        self.0.whole("checkpoint-every").ok()
    }

    /// How many checkpoints are kept.
    pub fn keep(&self) -> Option<usize> {
        self.0.whole("keep").ok().map(|keep| keep as usize)
    }

    /// Epochs between two measurements of the generator.
    pub fn evaluate_every(&self) -> Option<u64> {
        self.0.whole("evaluate-every").ok()
    }

    /// The judge's file.
    pub fn judge(&self) -> Option<PathBuf> {
        self.0.text("judge").map(PathBuf::from)
    }

    /// The data's folder.
    pub fn data(&self) -> Option<PathBuf> {
        self.0.text("data").map(PathBuf::from)
    }
}

impl Setting {
    fn arg(&'static self) -> Arg {
        let kind = self.kind;
        let default = match self.key {
            "recipe" => RECIPES.first().map(|recipe| recipe.name.to_string()),
            "data" => Some("data/mnist, fetched when missing, or the resumed run's".to_string()),
            "size" => Some(format!("their own, which must be one; {} of unlabelled ones", unlabelled::SIZE)),
            "crop" => Some("true".to_string()),
            "background" => Some(unlabelled::BACKGROUND.to_string()),
            "checkpoint-every" | "evaluate-every" => Some("never, or as the resumed run".to_string()),
            "judge" => Some("the shipped one, or the resumed run's".to_string()),
            "tf32" | "unlabelled" | "flip" => None,
            key if RESUMABLE.contains(&key) => {
                default(key).map(|value| format!("{value}, or the resumed run's"))
            }
            key => default(key),
        };
        let mut help = self.help.to_string();
        if self.key == "recipe" {
            let recipes = RECIPES.iter().map(|recipe| format!("{}, {}", recipe.name, recipe.about));
            help = format!("{help}: {}", recipes.collect::<Vec<_>>().join("; "));
        }
        if let Some(default) = default {
            help = format!("{help} [default: {default}]");
        }
        let arg = Arg::new(self.key).long(self.key).value_name(self.value_name).help(help);
        let arg = arg.help_heading(self.heading).allow_negative_numbers(true);
        // A resumed run has its settings already.
        let arg = if RESUMABLE.contains(&self.key) { arg } else { arg.conflicts_with("resume") };
        match kind {
            Kind::Choice(words) => arg.value_parser(PossibleValuesParser::new(words()).map(Value::Text)),
            Kind::Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .hide_possible_values(true)
                .value_parser(move |text: &str| kind.parse(text)),
            _ => arg.value_parser(move |text: &str| kind.parse(text)),
        }
    }
}

/// What the first recipe says, without quotes.
fn default(key: &str) -> Option<String> {
    let recipe = RECIPES.first()?;
    let layer = Layer::parse(recipe.settings, recipe.name).ok()?;
    Some(layer.get(key)?.to_string().replace('"', ""))
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(Setting::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags, clap::Error> {
        let mut flags = Flags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in SETTINGS.iter().map(|setting| setting.key) {
            if matches.value_source(key) == Some(ValueSource::CommandLine)
                && let Some(value) = matches.get_one::<Value>(key)
            {
                self.0.0.insert(key, value.clone());
            }
        }
        Ok(())
    }
}

/// All settings of a new run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every setting with its value; [`Layer`]'s `Display` is a file that gives them again.
    pub values: Layer,
    /// The recipe's name, and after a colon the settings of learning and networks that differ from it.
    pub recipe_name: String,
    /// How the networks learn.
    pub recipe: Recipe,
    /// The networks' sizes, but for what the data give: classes and the pictures' size.
    pub networks: Sizes,
    /// Passes over the data.
    pub epochs: u64,
    /// N
    pub batch_size: usize,
    /// Key of every random number.
    pub seed: u64,
    /// The data's folder, if one was given.
    pub data: Option<PathBuf>,
    /// What all pictures are resized to.
    pub size: Option<Size>,
    /// How files become pictures without labels; for labelled ones, nothing.
    pub unlabelled: Option<Unlabelled>,
    /// Whether pictures are mirrored left to right, half of them in each epoch.
    pub flip: bool,
    /// Which part of the data.
    pub split: Split,
    /// How exactly a GPU multiplies.
    pub precision: Precision,
    /// Iterations between two checkpoints within an epoch, if there are to be such.
    pub checkpoint_every: Option<u64>,
    /// How many checkpoints are kept.
    pub keep: usize,
    /// Epochs between two measurements of the generator, if there are to be such.
    pub evaluate_every: Option<u64>,
    /// The judge's file, if it isn't the shipped one.
    pub judge: Option<PathBuf>,
}

/// The flags over the file over the recipe that they name.
///
/// # Errors
/// One sentence with the file, the key, what was found and what was expected.
pub fn resolve(flags: &Flags, file: Option<&Path>) -> Result<Settings> {
    let file = file.map(Layer::read).transpose()?.unwrap_or_default();
    let given = flags.0.clone().over(file.over(Layer::default()));
    let name =
        given.text("recipe").or(RECIPES.first().map(|recipe| recipe.name)).unwrap_or_default().to_string();
    let recipe = Layer::of_recipe(&name)?;
    let mut values = given.over(recipe.clone());
    values.0.insert("recipe", Value::Text(name.clone()));
    unlabelled::check(&values, &Layer::plain()?)?;
    unlabelled::complete(&mut values);
    Settings::new(values, &recipe, &name)
}

impl Settings {
    fn new(values: Layer, recipe: &Layer, name: &str) -> Result<Settings> {
        let size = |key: &str| values.whole(key).map(|number| number as usize);
        let unlabelled = unlabelled::is_asked(&values);
        let (rate_g, rate_d) = (values.number("learning-rate-g")?, values.number("learning-rate-d")?);
        let learning = Recipe {
            adam: adam::Config {
                learning_rate: rate_g,
                beta1: values.number("beta1")?,
                beta2: values.number("beta2")?,
                ..adam::Config::default()
            },
            learning_rate_d: (rate_d != rate_g).then_some(rate_d),
            decay: values.word("decay")?,
            decay_from: values.whole("decay-from")?,
            generator_updates: size("generator-updates")?,
            smoothing: values.number("smoothing")?,
            mismatch: if unlabelled { 0. } else { values.number("mismatch")? },
            contrast: if unlabelled { 0. } else { values.number("contrast")? },
            guide: if unlabelled { 0. } else { values.number("guide")? },
            average_keep: values.number("average-keep")?,
        };
        let networks = Sizes {
            latent: values.word("latent")?,
            latent_dim: size("latent-dim")?,
            generator_filters: size("generator-filters")?,
            generator_units: if unlabelled { 0 } else { size("generator-units")? },
            discriminator_filters: size("discriminator-filters")?,
            discriminator_units: if unlabelled { 0 } else { size("discriminator-units")? },
            ..if unlabelled { Sizes::unlabelled() } else { Sizes::default() }
        };
        let epochs = values.whole("epochs")?;
        let from = learning.decay_from;
        match learning.decay {
            Decay::Constant if from > 0 => {
                bail!("decay-from is {from}, but decay is \"constant\"; expected \"linear\" or \"cosine\"")
            }
            Decay::Linear | Decay::Cosine if from >= epochs => {
                bail!("decay-from is {from}, but the run has {epochs} epochs; expected fewer than that")
            }
            _ => {}
        }
        if values.get("judge").is_some() && values.get("evaluate-every").is_none() {
            bail!("judge is given, but not evaluate-every, so it has nothing to measure; expected both");
        }
        let differs = |setting: &&Setting| {
            [LEARNING, NETWORKS].contains(&setting.heading)
                && values.get(setting.key).is_some_and(|value| recipe.get(setting.key) != Some(value))
        };
        let changes = SETTINGS.iter().filter(differs);
        let changes: Vec<String> = changes
            .filter_map(|setting| Some(format!("{} = {}", setting.key, values.get(setting.key)?)))
            .collect();
        Ok(Settings {
            recipe_name: match changes.as_slice() {
                [] => name.to_string(),
                changes => format!("{name}: {}", changes.join(", ")),
            },
            recipe: learning,
            networks,
            epochs,
            batch_size: size("batch-size")?,
            seed: values.whole("seed")?,
            data: values.text("data").map(PathBuf::from),
            size: values.text("size").map(str::parse).transpose().map_err(|error: String| anyhow!(error))?,
            unlabelled: unlabelled::of(&values)?,
            flip: values.switch("flip"),
            split: if unlabelled { Split::Train } else { values.word("split")? },
            precision: if values.switch("tf32") { Precision::Tf32 } else { Precision::Float32 },
            checkpoint_every: values.whole("checkpoint-every").ok(),
            keep: size("keep")?,
            evaluate_every: values.whole("evaluate-every").ok(),
            judge: values.text("judge").map(PathBuf::from),
            values,
        })
    }
}

#[cfg(test)]
mod tests;
