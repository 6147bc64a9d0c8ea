//! ⊕ y: the one-hot label, appended as numbers to a vector, as constant planes to feature maps.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::Shape;
use crate::Result;

/// Appends the label of so many classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// How many classes there are.
    pub classes: usize,
}

impl Label {
    pub(super) fn output(&self, input: Shape) -> Shape {
        input.with_channels(input.channels() + self.classes)
    }

    /// (N, features) → (N, features + classes), or (N, C, H, W) → (N, C + classes, H, W).
    pub(super) fn forward(&self, x: &Tensor, label: &Tensor) -> Result<Tensor> {
        let classes = self.classes;
        let y = Tensor::eye(classes, DType::F32, x.device())?.index_select(label, 0)?.to_dtype(x.dtype())?;
        Ok(match x.dims() {
            &[n, _, h, w] => {
                let planes = y.reshape((n, classes, 1, 1))?.expand((n, classes, h, w))?.contiguous()?;
                Tensor::cat(&[x, &planes], 1)?
            }
            _ => Tensor::cat(&[x, &y], 1)?,
        })
    }
}
