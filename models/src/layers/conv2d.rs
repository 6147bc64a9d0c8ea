//! Convolution: each point of the grid sums what the kernel sees of the picture there.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::parameter::{INITIAL_DEVIATION, Initial, ParameterSpec, weight_and_bias};
use super::{Shape, Site, Window, wrong};
use crate::ops::geometry::Direction;
use crate::{Result, Wanted, ops};

/// A convolution. `weight` is (outputs, inputs, kernel, kernel), `bias` (outputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Channels in, the label's planes included.
    pub inputs: usize,
    /// Channels out: the filters.
    pub outputs: usize,
    /// How the kernel moves over the picture that comes in.
    pub window: Window,
}

impl Conv2d {
    pub(super) fn parameters(&self) -> Vec<ParameterSpec> {
        let Conv2d { inputs, outputs, window: Window { kernel, .. } } = *self;
        let weight = [outputs, inputs, kernel, kernel];
        weight_and_bias(&weight, Initial::TruncatedNormal(INITIAL_DEVIATION), outputs)
    }

    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Planes { channels, height, width } if channels == self.inputs => {
                let (height, width) = self.grid(height, width)?;
                Ok(Shape::Planes { channels: self.outputs, height, width })
            }
            _ => Err(format!("N, {}, H, W", self.inputs)),
        }
    }

    fn grid(&self, height: usize, width: usize) -> Result<(usize, usize), String> {
        let kernel = self.window.kernel;
        let grid = self.window.grid(height, width);
        grid.ok_or_else(|| format!("at least {kernel}×{kernel} pixels, padding included"))
    }

    /// (N, inputs, H, W) → (N, outputs, H′, W′)
    pub(super) fn forward(&self, name: &str, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let window = self.window;
        let (_, channels, height, width) = x.dims4()?;
        let input = Shape::Planes { channels, height, width };
        let (rows, columns) = self.grid(height, width).map_err(|takes| wrong(name, &takes, input))?;
        // Rows and columns that no position reaches are cut off: Candle's gradient of conv2d doesn't
        // expect them.
        let reached = |points| (points - 1) * window.stride + window.kernel;
        let padded = x
            .pad_with_zeros(2, window.rows.0, window.rows.1)?
            .pad_with_zeros(3, window.columns.0, window.columns.1)?
            .narrow(2, 0, reached(rows))?
            .narrow(3, 0, reached(columns))?;
        let y = padded.conv2d(weight, 0, window.stride, 1, 1)?;
        Ok(y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?)
    }

    pub(crate) fn forward_with(&self, site: &Site<'_>, x: &Tensor) -> Result<Tensor> {
        site.convolution(Direction::Gather, self.window, x)
    }

    pub(crate) fn backward(
        &self,
        site: &Site<'_>,
        x: &Tensor,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<ops::Gradients> {
        site.convolution_backward(Direction::Gather, self.window, x, dy, wanted)
    }
}
