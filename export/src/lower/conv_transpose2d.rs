//! Transposed convolution, whose weight has ONNX's shape.

use models::layers::ConvTranspose2d;

use super::Lowering;
use crate::Result;
use crate::builder::Step;

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    conv: &ConvTranspose2d,
    name: &str,
    x: &Step,
) -> Result<Step> {
    let kernels = lowering.kernels(name, conv.window)?;
    lowering.graph.named(name).transposed_convolution(x, &kernels)
}
