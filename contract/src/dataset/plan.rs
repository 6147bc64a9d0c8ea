//! Which images a data set has, and which of them are a part's.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of several equal parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part.
    pub index: u64,
    /// Of how many.
    pub of: u64,
}

impl Shard {
    /// The part that is all of it.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// The images of this part of `count`: parts are consecutive, and differ by one image at most.
    pub fn range(self, count: u64) -> Range<u64> {
        let edge = |part: u64| (u128::from(count) * u128::from(part) / u128::from(self.of)) as u64;
        edge(self.index - 1)..edge(self.index)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected I/N, part I of N, such as 3/4".into()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.index, self.of)
    }
}

/// The label of each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Image i has label i mod the number of classes.
    InTurn {
        /// How many classes there are.
        classes: u64,
    },
    /// All have this one.
    All(i64),
}

impl Labels {
    /// The label of image `index`.
    pub fn of(self, index: u64) -> i64 {
        match self {
            Self::InTurn { classes } => (index % classes.max(1)) as i64,
            Self::All(label) => label,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_consecutive_and_even_and_all_there_is() {
        for (count, of) in [(10, 4), (3, 7), (60_000, 1), (u64::MAX, 3)] {
            let mut next = 0;
            for index in 1..=of {
                let range = Shard { index, of }.range(count);
                assert_eq!(range.start, next, "part {index} of {of} of {count}");
                assert!((range.end - range.start).abs_diff(count / of) <= 1);
                next = range.end;
            }
            assert_eq!(next, count);
        }
    }

    #[test]
    fn only_parts_that_there_are_can_be_named() {
        assert_eq!("3/4".parse(), Ok(Shard { index: 3, of: 4 }));
        for text in ["0/4", "5/4", "3", "3/", "/4", "3/0", "-1/4", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn labels_go_round() {
        let labels: Vec<_> = (8..13).map(|i| Labels::InTurn { classes: 10 }.of(i)).collect();
        assert_eq!(labels, [8, 9, 0, 1, 2]);
        assert_eq!(Labels::All(5).of(8), 5);
    }
}
