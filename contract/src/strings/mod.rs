//! Strings: several characters, each an image of its own, as one picture.
//!
//! String i of a seed is always the same: its characters and how they stand come from streams of their own
//! (see [`Purpose`]), and its character j of at most M is image i · M + j of the seed,
//! or, of one hand, image i.

mod compose;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Interval,
    dataset::plan::Labels,
    stream::{Purpose, Stream},
};

pub(crate) use compose::is_light;
pub use compose::{Bounds, Composed};

/// Characters of a string, at most.
pub const MOST_CHARACTERS: u64 = 64;
/// Pixels a side of a picture, at most.
const MOST_SIDE: usize = 0xffff;

/// How strings are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strings {
    /// How many characters each has.
    pub length: Length,
    /// Whose hands.
    pub hands: Hands,
    /// Pixels between the ink of two neighbours; below 0 they overlap, by at most half of the narrower.
    pub spacing: Interval,
    /// Pixels up or down of each character, at most.
    pub jitter: f64,
    /// Size of the whole: 1 is that of the images.
    pub zoom: Interval,
    /// Degrees that the whole leans to the right.
    pub slant: Interval,
    /// How wide the pictures are.
    pub width: Width,
}

/// How many characters, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// At least 1.
    pub least: u64,
    /// [`MOST_CHARACTERS`] at most.
    pub most: u64,
}

/// Whose hands the characters of a string are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hands {
    /// All have the same latents.
    One,
    /// Each has its own.
    #[default]
    Mixed,
}

/// How wide the pictures of strings are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// All as wide as the most characters side by side.
    #[default]
    Strip,
    /// All this many pixels.
    Pixels(usize),
    /// Each as wide as its string.
    Free,
}

impl Strings {
    /// Strings of this length, as they are made where nothing else is asked for.
    pub fn new(length: Length) -> Self {
        Self {
            length,
            hands: Hands::default(),
            spacing: Interval { from: 0.0, to: 5.0 },
            jitter: 2.0,
            zoom: Interval { from: 0.9, to: 1.1 },
            slant: Interval { from: -10.0, to: 10.0 },
            width: Width::default(),
        }
    }

    /// The first setting that can't be, as a sentence about its option.
    pub fn fault(&self) -> Option<String> {
        let Self { length: Length { least, most }, spacing, jitter, zoom, slant, width, .. } = *self;
        if !(1 <= least && least <= most && most <= MOST_CHARACTERS) {
            return Some(format!("--strings {}: expected 1 to {MOST_CHARACTERS} characters", self.length));
        }
        for (option, value, least, greatest) in [
            ("spacing", spacing, -64.0, 256.0),
            ("jitter", Interval { from: jitter, to: jitter }, 0.0, 64.0),
            ("zoom", zoom, 0.5, 4.0),
            ("slant", slant, -45.0, 45.0),
        ] {
            if !value.is_within(least, greatest) {
                return Some(format!("--{option} {value}: expected numbers from {least} to {greatest}"));
            }
        }
        match width {
            Width::Pixels(pixels) if !(1..=MOST_SIDE).contains(&pixels) => {
                Some(format!("--width {pixels}: expected 1 to {MOST_SIDE} pixels, or free"))
            }
            _ => None,
        }
    }

    /// The labels of a string's characters.
    pub fn text(&self, seed: u64, index: u64, labels: &Labels) -> Vec<i64> {
        let Length { least, most } = self.length;
        let mut stream = Stream::new(seed, Purpose::Text, index);
        let length = least + stream.below(most - least + 1);
        (0..length).map(|_| labels.pick(&mut stream)).collect()
    }

    /// The index of the image that is character `character` of a string.
    pub fn image(&self, index: u64, character: u64) -> u64 {
        match self.hands {
            Hands::One => index,
            Hands::Mixed => index.wrapping_mul(self.length.most).wrapping_add(character),
        }
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        match (least.parse(), most.parse()) {
            (Ok(least), Ok(most)) if 1 <= least && least <= most && most <= MOST_CHARACTERS => {
                Ok(Self { least, most })
            }
            _ => Err(format!(
                "expected a number of characters from 1 to {MOST_CHARACTERS}, or A..B, such as 4..8"
            )),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.most),
            false => write!(f, "{}..{}", self.least, self.most),
        }
    }
}

impl FromStr for Hands {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "one" => Ok(Self::One),
            "mixed" => Ok(Self::Mixed),
            _ => Err("expected one or mixed".into()),
        }
    }
}

impl fmt::Display for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one",
            Self::Mixed => "mixed",
        })
    }
}

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "free" => Ok(Self::Free),
            Ok(pixels) if (1..=MOST_SIDE).contains(&pixels) => Ok(Self::Pixels(pixels)),
            _ => Err(format!("expected 1 to {MOST_SIDE} pixels, or free")),
        }
    }
}

/// The options that ask for it.
impl fmt::Display for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, hands, spacing, jitter, zoom, slant, width } = self;
        write!(f, "--strings {length} --hands {hands} --spacing {spacing} --jitter {jitter} --zoom {zoom} ")?;
        write!(f, "--slant {slant}")?;
        match width {
            Width::Strip => Ok(()),
            Width::Pixels(pixels) => write!(f, " --width {pixels}"),
            Width::Free => write!(f, " --width free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_all_characters() {
        let strings = Strings::new(Length { least: 2, most: 5 });
        let texts: Vec<_> =
            (0..400).map(|index| strings.text(7, index, &Labels::InTurn { classes: 3 })).collect();
        for length in 2..=5 {
            assert!(texts.iter().filter(|text| text.len() == length).count() > 60, "{length}");
        }
        assert!(texts.iter().all(|text| (2..=5).contains(&text.len())));
        let all: Vec<i64> = texts.concat();
        for label in 0..3 {
            let part = all.iter().filter(|other| **other == label).count() as f64 / all.len() as f64;
            assert!((part - 1.0 / 3.0).abs() < 0.05, "{label}: {part}");
        }
        assert_ne!(texts[0], strings.text(8, 0, &Labels::InTurn { classes: 3 }));
        assert_eq!(strings.text(7, 3, &Labels::All(2)), vec![2; texts[3].len()]);
        let images =
            |hands| (0..3).map(|j| Strings { hands, ..strings.clone() }.image(4, j)).collect::<Vec<_>>();
        assert_eq!((images(Hands::One), images(Hands::Mixed)), (vec![4; 3], vec![20, 21, 22]));
    }

    #[test]
    fn only_what_can_be_is_taken() {
        let strings = Strings::new("4..8".parse().unwrap());
        assert_eq!(strings.fault(), None);
        let interval = |from, to| Interval { from, to };
        for (strings, part) in [
            (
                Strings { zoom: interval(0.1, 1.0), ..strings.clone() },
                "--zoom 0.1..1: expected numbers from 0.5",
            ),
            (Strings { slant: interval(0.0, 50.0), ..strings.clone() }, "--slant 0..50"),
            (Strings { spacing: interval(2.0, -2.0), ..strings.clone() }, "--spacing 2..-2"),
            (Strings { jitter: f64::NAN, ..strings.clone() }, "--jitter NaN"),
            (Strings { length: Length { least: 0, most: 4 }, ..strings.clone() }, "--strings 0..4"),
            (Strings { width: Width::Pixels(0), ..strings.clone() }, "--width 0"),
        ] {
            assert!(strings.fault().is_some_and(|fault| fault.contains(part)), "{part}");
        }
        for text in ["0", "8..4", "65", "4..", "a", "-4"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
        assert_eq!(
            strings.to_string(),
            "--strings 4..8 --hands mixed --spacing 0..5 --jitter 2 --zoom 0.9..1.1 --slant -10..10"
        );
        assert_eq!(["free", "96"].map(str::parse), [Ok(Width::Free), Ok(Width::Pixels(96))]);
    }
}
