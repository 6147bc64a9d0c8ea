//! x ⊕ y: a label as a row of the identity, behind features or as constant planes behind feature maps.

use candle_core::{DType, Tensor as Numbers};

use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Operator, Tensor};

impl Builder {
    /// Appends the one-hot label.
    ///
    /// # Shapes
    /// x (N, features), label (N) → (N, features + classes);
    /// x (N, C, H, W), label (N) → (N, C + classes, H, W)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x is neither, or the labels are no whole numbers.
    pub fn append_label(&self, x: &Step, label: &Step, classes: usize) -> Result<Step> {
        let item = x.item();
        let lower = |nodes: &mut Nodes<'_>| {
            let identity = (0..classes * classes).map(|i| if i % (classes + 1) == 0 { 1. } else { 0. });
            let identity = nodes.initializer("identity", Tensor::float32(&[classes, classes], identity)?)?;
            let mut y = nodes.node("one_hot", Operator::Gather, &[&identity, &label.value])?;
            if let &[_, height, width] = item.as_slice() {
                y = nodes.node("points", Operator::Unsqueeze { axes: vec![2, 3] }, &[&y])?; // N, classes, 1, 1
                let planes = Operator::Expand { dims: vec![1, classes, height, width] };
                y = nodes.node("planes", planes, &[&y])?; // N, classes, H, W
            }
            nodes.last(Operator::Concat { axis: 1 }, &[&x.value, &y])
        };
        self.step("append_label", &[x, label], lower, |x| {
            let y = Numbers::eye(classes, DType::F32, x[0].device())?.index_select(x[1], 0)?;
            let y = match x[0].dims() {
                &[n, _, height, width] => {
                    y.reshape((n, classes, 1, 1))?.broadcast_as((n, classes, height, width))?.contiguous()?
                }
                _ => y,
            };
            Numbers::cat(&[x[0], &y], 1)
        })
    }
}
