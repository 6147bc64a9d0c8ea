//! Nodes that multiply their input by weights and add up: linear layers and convolutions.

use crate::Result;
use crate::onnx::{Graph, Node, Operator, Tensor};

/// The weights of such a node.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// (outputs, inputs, …), of a transposed convolution (inputs, outputs, …).
    pub weight: &'a Tensor,
    /// (outputs)
    pub bias: Option<&'a Tensor>,
    /// The axis of `weight` that counts output channels: 0 or 1. The other one counts the inputs.
    pub output_axis: usize,
}

impl<'a> Weights<'a> {
    /// A node's weights, if it has any, and if they are constants with one bias a channel.
    pub fn of(graph: &'a Graph, node: &Node) -> Option<Weights<'a>> {
        let output_axis = match node.operator {
            Operator::Gemm | Operator::Conv(_) => 0,
            Operator::ConvTranspose(_) => 1,
            _ => return None,
        };
        let weight = graph.constant(node.inputs.get(1)?)?;
        let bias = match node.inputs.get(2) {
            Some(name) => Some(graph.constant(name).filter(|bias| bias.dims().len() == 1)?),
            None => None,
        };
        Some(Weights { weight, bias, output_axis })
    }

    /// The weight, (outputs, inputs), of a linear layer of `least` weights or more, whatever it adds.
    pub fn of_large_linear(graph: &'a Graph, node: &Node, least: usize) -> Option<(&'a Tensor, [usize; 2])> {
        let weight = graph.constant(node.inputs.get(1)?)?;
        let dims = <[usize; 2]>::try_from(weight.dims()).ok()?;
        (node.operator == Operator::Gemm && dims.iter().product::<usize>() >= least).then_some((weight, dims))
    }

    /// How many output channels there are.
    pub fn outputs(&self) -> usize {
        self.weight.dims()[self.output_axis]
    }

    /// The same weights with what comes behind multiplied in: y · scale + shift, one of each an output.
    pub fn followed_by(&self, scale: &[f64], shift: &[f64]) -> Result<(Tensor, Tensor)> {
        let dims = self.weight.dims();
        let inner: usize = dims[self.output_axis + 1..].iter().product();
        let weight = self.weight.floats();
        let scaled = weight.iter().enumerate().map(|(at, &w)| {
            let output = at / inner.max(1) % self.outputs();
            (f64::from(w) * scale[output]) as f32
        });
        let bias = match self.bias {
            Some(bias) => bias.floats(),
            None => vec![0.; self.outputs()],
        };
        let bias = (0..self.outputs()).map(|o| (f64::from(bias[o]) * scale[o] + shift[o]) as f32);
        Ok((Tensor::float32(dims, scaled)?, Tensor::float32(&[self.outputs()], bias)?))
    }

    /// The weights of the input channels before and from `at` on.
    pub fn split_inputs(&self, at: usize) -> Result<(Tensor, Tensor)> {
        let axis = 1 - self.output_axis;
        let inputs = self.weight.dims()[axis];
        Ok((narrow(self.weight, axis, 0, at)?, narrow(self.weight, axis, at, inputs - at)?))
    }
}

/// The part of a tensor from `start` on along one axis.
fn narrow(tensor: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor> {
    let mut dims = tensor.dims().to_vec();
    let inner: usize = dims[axis + 1..].iter().product();
    let (row, part) = (dims[axis] * inner, start * inner..(start + length) * inner);
    dims[axis] = length;
    let numbers = tensor.floats();
    Tensor::float32(&dims, numbers.chunks(row.max(1)).flat_map(|row| row[part.clone()].iter().copied()))
}
