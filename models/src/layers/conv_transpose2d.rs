//! Transposed convolution: each point of the grid adds the kernel to the picture there.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::parameter::{INITIAL_DEVIATION, Initial, ParameterSpec, weight_and_bias};
use super::{Shape, Site, Window, wrong};
use crate::ops::geometry::Direction;
use crate::{Result, Wanted, ops};

/// A transposed convolution. `weight` is (inputs, outputs, kernel, kernel), `bias` (outputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvTranspose2d {
    /// Channels in, the label's planes included.
    pub inputs: usize,
    /// Channels out: the filters.
    pub outputs: usize,
    /// How the kernel moves over the picture that goes out.
    pub window: Window,
}

impl ConvTranspose2d {
    pub(super) fn parameters(&self) -> Vec<ParameterSpec> {
        let ConvTranspose2d { inputs, outputs, window: Window { kernel, .. } } = *self;
        let weight = [inputs, outputs, kernel, kernel];
        weight_and_bias(&weight, Initial::Normal(INITIAL_DEVIATION), outputs)
    }

    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Planes { channels, height, width } if channels == self.inputs => {
                let (height, width) = self.picture(height, width)?;
                Ok(Shape::Planes { channels: self.outputs, height, width })
            }
            _ => Err(format!("N, {}, H, W", self.inputs)),
        }
    }

    fn picture(&self, height: usize, width: usize) -> Result<(usize, usize), String> {
        self.window.picture(height, width).ok_or_else(|| "a grid larger than its padding".to_string())
    }

    /// (N, inputs, H, W) → (N, outputs, H′, W′)
    pub(super) fn forward(&self, name: &str, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let window = self.window;
        let (_, channels, height, width) = x.dims4()?;
        let input = Shape::Planes { channels, height, width };
        let (height, width) = self.picture(height, width).map_err(|takes| wrong(name, &takes, input))?;
        // The full picture, then the padding cut away: Candle pads both sides alike.
        let full = x.conv_transpose2d(weight, 0, 0, window.stride, 1)?;
        let y = full.narrow(2, window.rows.0, height)?.narrow(3, window.columns.0, width)?;
        Ok(y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?)
    }

    pub(crate) fn forward_with(&self, site: &Site<'_>, x: &Tensor) -> Result<Tensor> {
        site.convolution(Direction::Scatter, self.window, x)
    }

    pub(crate) fn backward(
        &self,
        site: &Site<'_>,
        x: &Tensor,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<ops::Gradients> {
        site.convolution_backward(Direction::Scatter, self.window, x, dy, wanted)
    }
}
