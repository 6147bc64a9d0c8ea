//! What a layer finds where it stands in a network that is walked with kernels.

use candle_core::{Tensor, Var};

use super::{Shape, Window, wrong};
use crate::ops::geometry::{Convolution, Direction, Geometry};
use crate::ops::{Gradients, Kernels, Labels, Weights};
use crate::{Parameters, Result, Wanted};

/// A layer's place in its network, and what is at hand there.
pub(crate) struct Site<'a> {
    /// The layer's name.
    pub name: &'a str,
    /// What computes.
    pub kernels: &'a dyn Kernels,
    /// The network's weights.
    pub parameters: &'a Parameters,
    /// The labels, if they are appended to what the layer takes.
    pub labels: Option<Labels<'a>>,
    /// The shape that comes in, without the labels' part.
    pub input: Shape,
    /// The shape that goes out.
    pub output: Shape,
}

impl<'a> Site<'a> {
    /// One of the layer's parameters.
    pub fn get(&self, parameter: &str) -> Result<&'a Tensor> {
        self.parameters.get(&format!("{}.{parameter}", self.name)).map(Var::as_tensor)
    }

    /// The layer's `weight` and `bias`.
    pub fn weights(&self) -> Result<Weights<'a>> {
        Ok(Weights { weight: self.get("weight")?, bias: self.get("bias")? })
    }

    /// The layer's output, if it is a convolution or a transposed one.
    pub fn convolution(&self, direction: Direction, window: Window, x: &Tensor) -> Result<Tensor> {
        let between = self.between(direction, window)?;
        Ok(self.kernels.convolution(&between, self.weights()?, x, self.labels)?)
    }

    /// The backward pass of [`Site::convolution`].
    pub fn convolution_backward(
        &self,
        direction: Direction,
        window: Window,
        x: &Tensor,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<Gradients> {
        let between = self.between(direction, window)?;
        Ok(self.kernels.convolution_backward(&between, self.weights()?, x, self.labels, dy, wanted)?)
    }

    fn between(&self, direction: Direction, window: Window) -> Result<Convolution> {
        let planes = |shape| match shape {
            Shape::Planes { channels, height, width } => Ok((channels, (height, width))),
            Shape::Vector(_) => Err(wrong(self.name, "planes", shape)),
        };
        let (input, output) = (planes(self.input)?, planes(self.output)?);
        let ((channels, picture), (filters, grid)) = match direction {
            Direction::Gather => (input, output),
            Direction::Scatter => (output, input),
        };
        Ok(Convolution { direction, geometry: Geometry { channels, picture, filters, grid, window } })
    }
}
