//! Convolution, whose weight has ONNX's shape.

use models::layers::Conv2d;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(lowering: &mut Lowering<'_>, conv: &Conv2d, name: &str, x: &Step) -> Result<Step> {
    let kernels = lowering.kernels(name, conv.window)?;
    lowering.graph.named(name).convolution(x, &kernels)
}
