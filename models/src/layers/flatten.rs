//! Planes taken as a vector. No number changes.

use candle_core::Tensor;

use super::Shape;
use crate::Result;

pub(super) fn output(input: Shape) -> Result<Shape, String> {
    match input {
        Shape::Planes { .. } => Ok(Shape::Vector(input.elements())),
        Shape::Vector(_) => Err("N, C, H, W".to_string()),
    }
}

pub(super) fn forward(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(1)?)
}
