//! Which images a data set has, and which of them are a part's.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::stream::Stream;

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

/// Training and test images in files of equally many each, but for the last of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volumes {
    /// Training images, which come first.
    pub count: u64,
    /// Test images, which follow them.
    pub test: u64,
    /// Images of a file, at least one.
    pub per_file: u64,
}

/// One of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `train` or `test`.
    pub split: &'static str,
    /// Which file of this split, from 0 on.
    pub number: u64,
    /// How many files the split has.
    pub of: u64,
    /// Indices of its images.
    pub images: Range<u64>,
}

impl Volumes {
    /// Files of the training images and of the test images.
    fn splits(self) -> [u64; 2] {
        [self.count, self.test].map(|images| images.div_ceil(self.per_file.max(1)))
    }

    /// File `file` of all of them, counted from 0; none if there are fewer.
    pub fn get(self, file: u64) -> Option<Volume> {
        let [train, test] = self.splits();
        let all = self.count.checked_add(self.test)?;
        let (split, number, of, begin, end) = match file.checked_sub(train) {
            None => ("train", file, train, 0, self.count),
            Some(number) if number < test => ("test", number, test, self.count, all),
            Some(_) => return None,
        };
        let first = begin + number * self.per_file;
        Some(Volume { split, number, of, images: first..first.saturating_add(self.per_file).min(end) })
    }

    /// The number of the file that has this image, or would have it if there were one more.
    pub fn holding(self, image: u64) -> u64 {
        let [train, test] = self.splits();
        match image.checked_sub(self.count) {
            None => image / self.per_file.max(1),
            Some(image) => train + (image / self.per_file.max(1)).min(test),
        }
    }

    /// The images of a part, which are those of whole files.
    pub fn range(self, shard: Shard) -> Range<u64> {
        let [train, test] = self.splits();
        let files = shard.range(train + test);
        let edge = |file: u64| self.get(file).map_or(self.count + self.test, |volume| volume.images.start);
        edge(files.start)..edge(files.end)
    }
}

/// The label of each image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Image i has label i mod the number of classes.
    InTurn {
        /// How many classes there are.
        classes: u64,
    },
    /// All have this one.
    All(i64),
    /// These, over and over.
    Cycle(Vec<i64>),
}

/// Labels of a cycle, at most.
const LONGEST_CYCLE: u64 = 100_000;

impl Labels {
    /// Each class as often as its weight says, and as evenly as can be: in a cycle as long as the weights,
    /// divided by what they have in common, together.
    ///
    /// # Errors
    /// A sentence, if all weights are 0 or the cycle would be too long.
    pub fn weighted(weights: &[u32]) -> Result<Self, String> {
        let common = weights.iter().fold(0, |a, b| common_divisor(a, *b));
        let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / common.max(1))).collect();
        let length: i64 = weights.iter().sum();
        if length == 0 {
            return Err("no class has a weight; expected one above 0".into());
        }
        if length as u64 > LONGEST_CYCLE {
            return Err(format!(
                "the weights are {length} together, without what they have in common; expected {LONGEST_CYCLE} or \
                 less"
            ));
        }
        if weights.iter().all(|weight| *weight == 1) {
            return Ok(Self::InTurn { classes: length as u64 });
        }
        // Each time all classes gain their weights, and the one that has gained most pays for all.
        let mut gains = vec![0; weights.len()];
        let mut next = || {
            gains.iter_mut().zip(&weights).for_each(|(gain, weight)| *gain += weight);
            // The first of several that have as much.
            let most = (0..gains.len()).rev().max_by_key(|label| gains[*label]).unwrap_or_default();
            gains[most] -= length;
            most as i64
        };
        Ok(Self::Cycle((0..length).map(|_| next()).collect()))
    }

    /// The label of image `index`.
    pub fn of(&self, index: u64) -> i64 {
        match self {
            Self::InTurn { classes } => (index % classes.max(&1)) as i64,
            Self::All(label) => *label,
            Self::Cycle(labels) => match labels.len() as u64 {
                0 => 0,
                length => labels[(index % length) as usize],
            },
        }
    }

    /// Any label, each as often as it is among these.
    pub(crate) fn pick(&self, stream: &mut Stream) -> i64 {
        let count = match self {
            Self::InTurn { classes } => *classes,
            Self::All(_) => 1,
            Self::Cycle(labels) => labels.len() as u64,
        };
        self.of(stream.below(count.max(1)))
    }

    /// How often each of so many classes is in a cycle of them.
    pub(super) fn weights(&self, classes: usize) -> Vec<u64> {
        let mut weights = vec![0; classes];
        match self {
            Self::InTurn { .. } => weights.fill(1),
            Self::All(label) => {
                weights.iter_mut().skip(*label as usize).take(1).for_each(|weight| *weight = 1)
            }
            Self::Cycle(labels) => labels.iter().for_each(|label| {
                if let Some(weight) = weights.get_mut(*label as usize) {
                    *weight += 1;
                }
            }),
        }
        weights
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
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
    fn files_hold_all_images_and_parts_whole_files() {
        let volumes = Volumes { count: 25, test: 4, per_file: 10 };
        let all: Vec<_> = (0..).map_while(|file| volumes.get(file)).collect();
        let names = all.iter().map(|volume| (volume.split, volume.number, volume.of));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [("train", 0, 3), ("train", 1, 3), ("train", 2, 3), ("test", 0, 1)]
        );
        let ranges: Vec<_> = all.iter().map(|volume| volume.images.clone()).collect();
        assert_eq!(ranges, [0..10, 10..20, 20..25, 25..29]);
        for (file, range) in (0..).zip(&ranges) {
            assert!(range.clone().all(|image| volumes.holding(image) == file));
        }
        let parts = |of| (1..=of).map(|index| volumes.range(Shard { index, of })).collect::<Vec<_>>();
        assert_eq!(parts(2), [0..20, 20..29]);
        assert_eq!(parts(3), [0..10, 10..20, 20..29]);
        assert_eq!(parts(5), [0..0, 0..10, 10..20, 20..25, 25..29]);
        let only_test = Volumes { count: 1, test: u64::MAX - 1, per_file: u64::MAX };
        assert_eq!(only_test.get(1).unwrap().images, 1..u64::MAX);
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

    #[test]
    fn labels_have_their_weights_and_are_spread() {
        let labels = Labels::weighted(&[2, 6, 0, 2]).unwrap();
        assert_eq!(labels, Labels::Cycle(vec![1, 0, 1, 3, 1]));
        assert_eq!((5..10).map(|i| labels.of(i)).collect::<Vec<_>>(), [1, 0, 1, 3, 1]);
        assert_eq!(labels.weights(4), [1, 3, 0, 1]);
        assert_eq!(Labels::weighted(&[4, 4, 4]), Ok(Labels::InTurn { classes: 3 }));
        assert!(Labels::weighted(&[0, 0]).unwrap_err().contains("no class has a weight"));
        assert!(Labels::weighted(&[1, 100_000]).unwrap_err().contains("100001 together"));
    }
}
