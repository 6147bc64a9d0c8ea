//! y = x·Wᵀ + b.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::parameter::{INITIAL_DEVIATION, Initial, ParameterSpec, weight_and_bias};
use super::{Shape, Site};
use crate::{Result, Wanted, ops};

/// A linear layer. `weight` is (outputs, inputs), `bias` (outputs).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// Features in, the label's numbers included.
    pub inputs: usize,
    /// Features out.
    pub outputs: usize,
}

impl Linear {
    pub(super) fn parameters(&self) -> Vec<ParameterSpec> {
        let weight = [self.outputs, self.inputs];
        weight_and_bias(&weight, Initial::Normal(INITIAL_DEVIATION), self.outputs)
    }

    pub(super) fn output(&self, input: Shape) -> Result<Shape, String> {
        match input {
            Shape::Vector(n) if n == self.inputs => Ok(Shape::Vector(self.outputs)),
            _ => Err(format!("N, {}", self.inputs)),
        }
    }

    /// (N, inputs) → (N, outputs)
    pub(super) fn forward(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&weight.t()?)?.broadcast_add(bias)?)
    }

    pub(crate) fn forward_with(&self, site: &Site<'_>, x: &Tensor) -> Result<Tensor> {
        Ok(site.kernels.linear(site.weights()?, x, site.labels)?)
    }

    pub(crate) fn backward(
        &self,
        site: &Site<'_>,
        x: &Tensor,
        dy: &Tensor,
        wanted: Wanted,
    ) -> Result<ops::Gradients> {
        Ok(site.kernels.linear_backward(site.weights()?, x, site.labels, dy, wanted)?)
    }
}
