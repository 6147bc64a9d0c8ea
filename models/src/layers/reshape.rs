//! A vector taken as planes, row by row. No number changes.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Shape;
use crate::Result;

/// A vector taken as planes (C, H, W), row by row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reshape {
    /// C
    pub channels: usize,
    /// H
    pub height: usize,
    /// W
    pub width: usize,
}

impl Reshape {
    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        let Reshape { channels, height, width } = *self;
        match input {
            Shape::Vector(n) if n == channels * height * width => {
                Ok(Shape::Planes { channels, height, width })
            }
            _ => Err(format!("N, {}", channels * height * width)),
        }
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.reshape(((), self.channels, self.height, self.width))?)
    }
}
