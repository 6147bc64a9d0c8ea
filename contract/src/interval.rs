//! Intervals of numbers, as command lines and manifests have them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// All numbers from one to another: `A..B`, or one number alone.
///
/// ```
/// use contract::Interval;
/// let interval: Interval = "-2..4.5".parse().unwrap();
/// assert_eq!((interval.from, interval.to, interval.to_string()), (-2.0, 4.5, "-2..4.5".into()));
/// assert_eq!("3".parse(), Ok(Interval { from: 3.0, to: 3.0 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The least.
    pub from: f64,
    /// The greatest.
    pub to: f64,
}

impl Interval {
    /// The number that lies at a part of the way, 0 to 1, from one end to the other.
    pub fn at(self, part: f64) -> f64 {
        self.from + (self.to - self.from) * part
    }

    /// Whether it is an interval at all, and within these bounds.
    pub fn is_within(self, least: f64, greatest: f64) -> bool {
        least <= self.from && self.from <= self.to && self.to <= greatest
    }
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        let ends = text.split_once("..").unwrap_or((text, text));
        match (number(ends.0), number(ends.1)) {
            (Some(from), Some(to)) if from <= to => Ok(Self { from, to }),
            _ => Err("expected a number, or A..B with A no greater than B".into()),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}", self.from),
            false => write!(f, "{}..{}", self.from, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Interval;

    #[test]
    fn only_intervals_are_read() {
        for text in ["", "..", "1..", "..1", "2..1", "1..nan", "inf", "1...2", "a"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
        let interval = Interval { from: -1.0, to: 3.0 };
        assert_eq!([0.0, 0.25, 1.0].map(|part| interval.at(part)), [-1.0, 0.0, 3.0]);
        assert!(interval.is_within(-1.0, 3.0) && !interval.is_within(0.0, 3.0));
        assert!(!Interval { from: f64::NAN, to: 1.0 }.is_within(0.0, 3.0));
    }
}
