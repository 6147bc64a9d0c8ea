//! Activation functions, elementwise.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::Result;

/// An activation function, elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x where positive, `slope`·x where negative (Maas et al. 2013).
    LeakyRelu {
        /// 0.2 in DCGAN.
        slope: f32,
    },
    /// 1 / (1 + e⁻ˣ), in [0, 1]
    Sigmoid,
    /// tanh x, in [−1, 1]
    Tanh,
}

impl Activation {
    /// The function, elementwise, in Candle's own operations.
    ///
    /// # Errors
    /// Candle's.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Activation::Relu => x.relu()?,
            Activation::LeakyRelu { slope } => (x.relu()? - (x.neg()?.relu()? * f64::from(slope))?)?,
            Activation::Sigmoid => (((x * 0.5)?.tanh()? + 1.)? * 0.5)?,
            Activation::Tanh => x.tanh()?,
        })
    }

    pub(crate) fn forward_with(self, site: &Site<'_>, x: &Tensor) -> Result<Tensor> {
        Ok(site.kernels.activation(self, x)?)
    }

    /// From y = f(x).
    pub(crate) fn backward(self, site: &Site<'_>, y: &Tensor, dy: &Tensor) -> Result<Tensor> {
        Ok(site.kernels.activation_backward(self, y, dy)?)
    }
}
