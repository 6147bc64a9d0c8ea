//! Linear layers, convolutions and embeddings: what multiplies by weights.

use candle_core::Tensor as Numbers;
use candle_nn::{Conv2d, ConvTranspose2d, Embedding, Linear, Module};

use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Node, Operator, Sliding, Value, evaluate};

/// A convolution's numbers, where no candle-nn module holds them: zeros that differ between the sides.
#[derive(Clone, Debug)]
pub struct Kernels {
    /// (outputs, inputs, kernel); of a transposed convolution (inputs, outputs, kernel).
    pub weight: Numbers,
    /// (outputs)
    pub bias: Option<Numbers>,
    /// Kernel, strides and zeros.
    pub sliding: Sliding,
}

impl Builder {
    /// x·Wᵀ + b of the last axis.
    ///
    /// # Shapes
    /// (N, …, inputs) → (N, …, outputs)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other features.
    pub fn linear(&self, x: &Step, linear: &Linear) -> Result<Step> {
        let is_vector = x.rank() == 2;
        let lower = |nodes: &mut Nodes<'_>| match is_vector {
            true => weighted(nodes, Operator::Gemm, &x.value, linear.weight(), linear.bias()),
            false => {
                let weight = nodes.weight("weight", &linear.weight().t()?.contiguous()?)?;
                let Some(bias) = linear.bias() else {
                    return nodes.last(Operator::MatMul, &[&x.value, &weight]);
                };
                let product = nodes.node("product", Operator::MatMul, &[&x.value, &weight])?;
                let bias = nodes.weight("bias", bias)?;
                nodes.last(Operator::Add, &[&product, &bias])
            }
        };
        self.step("linear", &[x], lower, |x| linear.forward(x[0]))
    }

    /// A convolution, with its strides, zeros, gaps and groups.
    ///
    /// # Shapes
    /// (N, inputs, H, W) → (N, outputs, H′, W′)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other channels, or fewer pixels than the kernel.
    pub fn conv2d(&self, x: &Step, conv: &Conv2d) -> Result<Step> {
        let config = *conv.config();
        let sliding = Sliding {
            kernel: kernel(conv.weight())?,
            strides: [config.stride; 2],
            pads: [config.padding; 4],
        };
        let operator = match (config.dilation, config.groups) {
            (1, 1) => Operator::Conv(sliding),
            (dilation, groups) => Operator::GroupedConv { sliding, dilations: [dilation; 2], groups },
        };
        let lower = |nodes: &mut Nodes<'_>| weighted(nodes, operator, &x.value, conv.weight(), conv.bias());
        self.step("conv2d", &[x], lower, |x| conv.forward(x[0]))
    }

    /// A transposed convolution, with its strides, zeros and gaps.
    ///
    /// # Shapes
    /// (N, inputs, H, W) → (N, outputs, H′, W′)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has other channels, or nothing is left of the picture.
    pub fn conv_transpose2d(&self, x: &Step, conv: &ConvTranspose2d) -> Result<Step> {
        let config = *conv.config();
        // Rows and columns that `output_padding` adds are rows and columns that are not cut off; where too
        // few are, the kernel gets zeros behind it.
        let cut = config.padding.saturating_sub(config.output_padding);
        let more = config.output_padding.saturating_sub(config.padding);
        let weight = widened(conv.weight(), config.dilation, more)?;
        let sliding = Sliding {
            kernel: kernel(&weight)?,
            strides: [config.stride; 2],
            pads: [config.padding, config.padding, cut, cut],
        };
        let operator = Operator::ConvTranspose(sliding);
        let lower = |nodes: &mut Nodes<'_>| weighted(nodes, operator, &x.value, &weight, conv.bias());
        self.step("conv_transpose2d", &[x], lower, |x| conv.forward(x[0]))
    }

    /// [`Builder::conv2d`] with zeros that may differ between the sides.
    ///
    /// # Errors
    /// As [`Builder::conv2d`].
    pub fn convolution(&self, x: &Step, kernels: &Kernels) -> Result<Step> {
        self.kernels("convolution", Operator::Conv(kernels.sliding), x, kernels)
    }

    /// [`Builder::conv_transpose2d`] with zeros that may differ between the sides.
    ///
    /// # Errors
    /// As [`Builder::conv_transpose2d`].
    pub fn transposed_convolution(&self, x: &Step, kernels: &Kernels) -> Result<Step> {
        self.kernels("transposed_convolution", Operator::ConvTranspose(kernels.sliding), x, kernels)
    }

    fn kernels(
        &self,
        kind: &'static str,
        operator: Operator,
        x: &Step,
        Kernels { weight, bias, .. }: &Kernels,
    ) -> Result<Step> {
        let node = Node { name: kind.to_string(), operator: operator.clone(), inputs: Vec::new() };
        let lower = |nodes: &mut Nodes<'_>| weighted(nodes, operator, &x.value, weight, bias.as_ref());
        self.step(kind, &[x], lower, |x| {
            let inputs: Vec<_> = [x[0], weight].into_iter().chain(bias).collect();
            evaluate::evaluate(&node, &inputs).map_err(|error| candle_core::Error::Msg(error.to_string()))
        })
    }

    /// A row of the table for each index.
    ///
    /// # Shapes
    /// (N, …) of indices → (N, …, hidden)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if `indices` are no whole numbers.
    pub fn embedding(&self, indices: &Step, embedding: &Embedding) -> Result<Step> {
        let lower = |nodes: &mut Nodes<'_>| {
            let table = nodes.weight("weight", embedding.embeddings())?;
            nodes.last(Operator::Gather, &[&table, &indices.value])
        };
        self.step("embedding", &[indices], lower, |indices| embedding.forward(indices[0]))
    }
}

/// x, `weight` and `bias` in one node.
fn weighted(
    nodes: &mut Nodes<'_>,
    operator: Operator,
    x: &Value,
    weight: &Numbers,
    bias: Option<&Numbers>,
) -> Result<Value> {
    let weight = nodes.weight("weight", weight)?;
    let bias = bias.map(|bias| nodes.weight("bias", bias)).transpose()?;
    let inputs: Vec<&Value> = [x, &weight].into_iter().chain(&bias).collect();
    nodes.last(operator, &inputs)
}

/// Rows and columns of a kernel.
fn kernel(weight: &Numbers) -> Result<[usize; 2]> {
    let (_, _, rows, columns) = weight.dims4()?;
    Ok([rows, columns])
}

/// Kernels whose weights are `dilation` pixels apart, with `more` rows and columns of zeros behind them.
fn widened(weight: &Numbers, dilation: usize, more: usize) -> Result<Numbers> {
    let mut wide = weight.clone();
    for axis in [2, 3] {
        let size = wide.dim(axis)?;
        let parts = (0..size).map(|at| {
            let gap = if at + 1 < size { dilation - 1 } else { more };
            wide.narrow(axis, at, 1)?.pad_with_zeros(axis, 0, gap)
        });
        let parts = parts.collect::<candle_core::Result<Vec<_>>>()?;
        wide = Numbers::cat(&parts, axis)?;
    }
    Ok(wide)
}
