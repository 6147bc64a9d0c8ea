//! What a run can be told. One struct is the flags, a `--config` file, a recipe and, through
//! [`Settings`](crate::settings::Settings), the part of `config.json` that they decide: flags go over
//! the file, the file over the recipe.
//!
//! | file | options |
//! |---|---|
//! | `run` | how long, how often saved and measured |
//! | `data` | which pictures |
//! | `learning` | how the networks learn |
//! | `networks` | what they are |
//! | `value` | the types of their values, with the ranges |

mod data;
mod learning;
mod networks;
mod run;
pub mod value;

use std::io;
use std::iter;
use std::path::Path;
use std::{fmt, sync::LazyLock};

use anyhow::{Result, anyhow, bail};
use clap::{Arg, Args, Command, Id};
use contract::{files, one_line};
use serde::de::value::MapDeserializer;
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use crate::console;
pub(crate) use data::Data;

/// The heading in `--help` of what a run is.
pub const RUN: &str = "Run";
/// The heading of which pictures are learned.
pub const DATA: &str = "Data";
/// The heading of how the networks learn. What a run has otherwise than its recipe, under this heading and
/// the next, its provenance says.
const LEARNING: &str = "Learning";
/// The heading of what the networks are.
const NETWORKS: &str = "Networks";

/// So many that no product of epochs and images overflows.
pub const EPOCHS: u64 = 1_000_000_000;

/// Some options with their values. Its `Display` is a file that `--config` takes.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
pub struct Options {
    #[command(flatten, next_help_heading = RUN)]
    #[serde(flatten)]
    pub(crate) run: run::Run,
    #[command(flatten, next_help_heading = DATA)]
    #[serde(flatten)]
    pub(crate) data: Data,
    #[command(flatten, next_help_heading = LEARNING)]
    #[serde(flatten)]
    pub(crate) learning: learning::Learning,
    #[command(flatten, next_help_heading = NETWORKS)]
    #[serde(flatten)]
    pub(crate) networks: networks::Networks,
}

/// The flags, in the order of `--help` and of a printed file.
static FLAGS: LazyLock<Vec<Arg>> =
    LazyLock::new(|| Options::augment_args(Command::new("train")).get_arguments().cloned().collect());

/// What options are called, in a file and, after two dashes, on the command line.
pub fn names() -> impl Iterator<Item = &'static str> {
    FLAGS.iter().filter_map(Arg::get_long)
}

/// Options that a resumed run may be given anew; it has the others already.
pub const RESUMABLE: [&str; 6] = ["epochs", "checkpoint-every", "keep", "evaluate-every", "judge", "data"];

/// The flags of the others.
pub fn fixed() -> impl Iterator<Item = &'static Id> {
    let is_fixed = |flag: &&Arg| flag.get_long().is_some_and(|name| !RESUMABLE.contains(&name));
    FLAGS.iter().filter(is_fixed).map(Arg::get_id)
}

impl Options {
    /// Reads a file.
    ///
    /// # Errors
    /// One sentence with the file, the key, what was found and what was expected.
    pub fn read(path: &Path) -> Result<Options> {
        let name = path.display().to_string();
        let text = files::read(path).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let text = text.map_err(|error| anyhow!("--config {name}: can't be read ({error})"))?;
        Options::parse(&text, &name)
    }

    /// Reads the text of a file of this name.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Options> {
        let table = DeTable::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let message = one_line(error.message());
            anyhow!("{name}: line {line} is not TOML ({message}); expected lines such as epochs = 25")
        })?;
        for (key, value) in table.get_ref() {
            let (key, found) = (key.get_ref().as_ref(), describe(value.get_ref()));
            if !names().any(|name| name == key) {
                bail!("{name}: there is no setting {key:?}{}", suggestion(key));
            }
            Options::check_as(key, value.clone(), &found).map_err(|error| anyhow!("{name}: {error}"))?;
        }
        Ok(Options::deserialize(table.into_deserializer())?)
    }

    fn check_as<'de, E: Error>(key: &str, value: impl IntoDeserializer<'de, E>, found: &str) -> Result<()> {
        // Alone, so that it is known whose fault an error is.
        match Options::deserialize(MapDeserializer::new(iter::once((key, value)))) {
            Ok(_) => Ok(()),
            Err(_) => bail!("{key} is {found}; {}", expected(key)),
        }
    }

    /// Refuses a value that no run can have.
    ///
    /// # Errors
    /// One sentence with the key, what was found and what was expected.
    pub(crate) fn check(key: &str, value: &Value) -> Result<()> {
        Options::check_as(key, value.clone(), &written(value))
    }

    /// These options, and those of `below` that are not among them. A learning rate for both networks
    /// here is also one for each, whatever lies below.
    pub(crate) fn over(mut self, mut below: Options) -> Result<Options> {
        self.learning.spread();
        below.learning.spread();
        let mut all = below.values()?;
        all.extend(self.values()?);
        Ok(Options::deserialize(Value::Object(all))?)
    }

    /// The data's folder, if one is given.
    pub fn data_folder(&self) -> Option<&Path> {
        self.data.data.as_ref().map(|data| data.0.as_path())
    }

    /// All but these.
    pub(crate) fn without(&self, keys: &[&str]) -> Result<Options> {
        let mut values = self.values()?;
        values.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(Options::deserialize(Value::Object(values))?)
    }

    /// Those that have a value, by their names.
    pub(crate) fn values(&self) -> serde_json::Result<Map<String, Value>> {
        let Value::Object(mut values) = serde_json::to_value(self)? else { return Ok(Map::new()) };
        values.retain(|_, value| !value.is_null());
        Ok(values)
    }

    /// Those of learning and networks that a recipe has otherwise, as in a file.
    pub(crate) fn changes(&self, recipe: &Options) -> Result<Vec<String>> {
        let (values, recipe) = (self.values()?, recipe.values()?);
        let own =
            FLAGS.iter().filter(|flag| [Some(LEARNING), Some(NETWORKS)].contains(&flag.get_help_heading()));
        let changed = own.filter_map(Arg::get_long).filter_map(|key| {
            let value = values.get(key).filter(|value| recipe.get(key) != Some(*value))?;
            Some(format!("{key} = {}", written(value)))
        });
        Ok(changed.collect())
    }
}

/// A file that `--config` takes.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values().map_err(|_| fmt::Error)?;
        names()
            .filter_map(|key| Some((key, values.get(key)?)))
            .try_for_each(|(key, value)| writeln!(f, "{key} = {}", written(value)))
    }
}

/// What an option may be, as its type says it.
fn expected(key: &str) -> String {
    let flag = FLAGS.iter().find(|flag| flag.get_long() == Some(key));
    let words = flag.map(Arg::get_possible_values).unwrap_or_default();
    if words.is_empty() {
        // No option is a list.
        return Options::deserialize(json!({ key: [] }))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
    }
    let words: Vec<String> = words.iter().map(|word| format!("{:?}", word.get_name())).collect();
    format!("expected {}", words.join(" or "))
}

fn suggestion(key: &str) -> String {
    let key = key.replace('_', "-").to_lowercase();
    let near = |name: &str| strsim::normalized_damerau_levenshtein(&key, name);
    match names().max_by(|a, b| near(a).total_cmp(&near(b))).filter(|name| near(name) > 0.5) {
        Some(name) => format!("; expected one of those in cargo train --help, such as {name}"),
        None => "; expected one of those in cargo train --help".to_string(),
    }
}

/// A value as TOML has it.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            // TOML's readers take no more than 2⁶³ − 1.
            (Some(whole), _) if i64::try_from(whole).is_err() => format!("\"{whole}\""),
            (_, Some(fraction)) if number.is_f64() => format!("{fraction:?}"),
            _ => number.to_string(),
        },
        // A text is the same in both.
        other => console::json(other).unwrap_or_default(),
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
