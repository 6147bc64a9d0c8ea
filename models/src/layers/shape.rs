//! The shape of what goes through a network.

use serde::{Deserialize, Serialize};

/// The shape of one picture or vector of a batch, without N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// A vector of so many numbers.
    Vector(usize),
    /// Feature maps, or a picture.
    Planes {
        /// C
        channels: usize,
        /// H
        height: usize,
        /// W
        width: usize,
    },
}

impl Shape {
    /// How many numbers one item holds.
    pub fn elements(self) -> usize {
        match self {
            Shape::Vector(n) => n,
            Shape::Planes { channels, height, width } => channels * height * width,
        }
    }

    /// The dimensions of a batch of `n`: (N, features) or (N, C, H, W).
    pub fn dims(self, n: usize) -> Vec<usize> {
        match self {
            Shape::Vector(features) => vec![n, features],
            Shape::Planes { channels, height, width } => vec![n, channels, height, width],
        }
    }

    /// What batch norm and the label count: features of a vector, channels of planes.
    pub fn channels(self) -> usize {
        match self {
            Shape::Vector(n) => n,
            Shape::Planes { channels, .. } => channels,
        }
    }

    /// The same rows and columns of other channels; a vector of so many numbers.
    pub fn with_channels(self, channels: usize) -> Shape {
        match self {
            Shape::Vector(_) => Shape::Vector(channels),
            Shape::Planes { height, width, .. } => Shape::Planes { channels, height, width },
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Vector(n) => write!(f, "N, {n}"),
            Shape::Planes { channels, height, width } => write!(f, "N, {channels}, {height}, {width}"),
        }
    }
}
