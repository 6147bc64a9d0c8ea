//! ⊕ y: a row of the identity for each label, as constant planes behind feature maps.

use models::Shape;
use models::layers::Label;

use super::Lowering;
use crate::onnx::{Operator, Tensor, Value};
use crate::{Error, Result};

pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    &Label { classes }: &Label,
    name: &str,
    x: &Value,
    output: Shape,
) -> Result<Value> {
    let label = lowering.label.clone().ok_or_else(|| Error::Graph {
        node: name.to_string(),
        message: "takes labels, but the network has none".to_string(),
    })?;
    let graph = &mut lowering.graph;
    let identity = (0..classes * classes).map(|i| if i % (classes + 1) == 0 { 1. } else { 0. });
    let identity = Tensor::float32(&[classes, classes], identity)?;
    let identity = graph.initializer(&format!("{name}.identity"), identity)?;
    let mut y = graph.node(&format!("{name}.one_hot"), Operator::Gather, &[&identity, &label])?;
    if let Shape::Planes { height, width, .. } = output {
        let points = Operator::Unsqueeze { axes: vec![2, 3] };
        y = graph.node(&format!("{name}.points"), points, &[&y])?; // N, classes, 1, 1
        let planes = Operator::Expand { dims: vec![1, classes, height, width] };
        y = graph.node(&format!("{name}.planes"), planes, &[&y])?; // N, classes, H, W
    }
    graph.node(name, Operator::Concat { axis: 1 }, &[x, &y])
}
