//! The values of options. Each type defines its range once: a flag, a `--config` file and a run's
//! `config.json` refuse the same values in the same words.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer};
use serde::{Deserialize, Serialize};

use contract::picture::Background;

use crate::sources::Size;

/// What stands in the place of a value.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Found {
    #[serde(skip)]
    Flag(String),
    Whole(u64),
    Number(f64),
    Switch(bool),
    Text(String),
    /// A list, a table, a date.
    Other(IgnoredAny),
}

impl Found {
    fn whole(self) -> Option<u64> {
        match self {
            Found::Flag(text) => text.parse().ok(),
            Found::Whole(number) => Some(number),
            // A seed beyond the 2⁶³ − 1 that every reader of TOML takes is printed in quotes.
            Found::Text(text) => text.parse().ok().filter(|&number| i64::try_from(number).is_err()),
            _ => None,
        }
    }

    fn number(self) -> Option<f64> {
        let number = match self {
            Found::Flag(text) => text.parse().ok(),
            Found::Whole(number) => Some(number as f64),
            Found::Number(number) => Some(number),
            _ => None,
        };
        number.filter(|number| number.is_finite())
    }

    fn switch(self) -> Option<bool> {
        match self {
            Found::Flag(text) => text.parse().ok(),
            Found::Switch(switch) => Some(switch),
            _ => None,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Found::Flag(text) | Found::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Makes a type of value: what it holds, which values that are, in words, and how they are read.
macro_rules! value {
    (
        $(#[$attribute:meta])*
        $name:ident $([$(const $bound:ident: $of:ty),*])? ($inner:ty), $which:expr, $read:expr
    ) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(try_from = "Found")]
        $(#[$attribute])*
        pub struct $name $(<$(const $bound: $of),*>)? (pub $inner);

        impl $(<$(const $bound: $of),*>)? TryFrom<Found> for $name $(<$($bound),*>)? {
            type Error = String;

            fn try_from(found: Found) -> Result<Self, String> {
                let read: fn(Found) -> Option<$inner> = $read;
                read(found).map($name).ok_or_else(|| format!("expected {}", $which))
            }
        }

        impl $(<$(const $bound: $of),*>)? FromStr for $name $(<$($bound),*>)? {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Found::Flag(text.to_string()).try_into()
            }
        }
    };
}

value!(
    /// A whole number from `LEAST` to `MOST`.
    #[derive(Copy)]
    Whole[const LEAST: u64, const MOST: u64](u64),
    format_args!("a whole number from {LEAST} to {MOST}"),
    |found| found.whole().filter(|number| (LEAST..=MOST).contains(number))
);

impl<const LEAST: u64, const MOST: u64> fmt::Display for Whole<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(
    /// Above 0.
    Positive(f64), "a number above 0", |found| found.number().filter(|&x| x > 0.));
value!(
    /// From 0 up to but not 1.
    BelowOne(f64), "a number from 0 up to but not 1", |found| {
    found.number().filter(|x| (0. ..1.).contains(x))
});
value!(
    /// From 0 to 0.5.
    UpToHalf(f64), "a number from 0 to 0.5", |found| found.number().filter(|x| (0. ..=0.5).contains(x)));
value!(
    /// From 0 to 1.
    UpToOne(f64), "a number from 0 to 1", |found| found.number().filter(|x| (0. ..=1.).contains(x)));
value!(
    /// From 0 to 100.
    Weight(f64), "a number from 0 to 100", |found| found.number().filter(|x| (0. ..=100.).contains(x)));
value!(
    /// On or off.
    Switch(bool), "true or false", Found::switch);
value!(
    /// As seen from where `train` is started.
    Place(PathBuf),
    "a path, such as \"flowers\"",
    |found| found.text().filter(|text| !text.is_empty()).map(PathBuf::from)
);
value!(
    /// What transparent pictures lie on.
    Colour(Background), "white, black, grey or #rrggbb", |found| found.text()?.parse().ok());
value!(
    /// Columns and rows.
    #[serde(into = "String")]
    Pixels(Size),
    "WIDTHxHEIGHT, each from 1 to 1024, such as 64x48, or one number for both",
    |found| match found {
        Found::Whole(side) => side.to_string().parse().ok(),
        found => found.text()?.parse().ok(),
    }
);

impl From<Pixels> for String {
    fn from(Pixels(size): Pixels) -> String {
        size.to_string()
    }
}

/// Reads one of these words, which are those of an enum in files, from a flag.
pub(super) fn word<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| {
        let word: StrDeserializer<'_, Error> = word.as_str().into_deserializer();
        T::deserialize(word)
    })
}
