//! The operators that graphs here are made of, with their settings.
//!
//! What ONNX has as a constant input (the shape of a `Reshape`, the axes of an `Unsqueeze`) is a
//! setting here: passes read it without looking for an initializer, and it becomes one when the file
//! is written.

use super::tensor::{Element, Tensor};
use crate::Result;

/// How a kernel moves over planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Pixels between two positions.
    pub strides: [usize; 2],
    /// Zeros above, left, below, right.
    pub pads: [usize; 4],
}

/// An operator of ONNX's own set. The number is the operator set that last changed it, at or below
/// [`OPSET`](super::OPSET).
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Add-14: a + b, broadcast.
    Add,
    /// BatchNormalization-15 with running averages. Inputs: x, scale, B, mean, var.
    BatchNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Cast-13. To a whole number: towards 0.
    Cast {
        /// The new type of number.
        to: Element,
    },
    /// Clip-13.
    Clip {
        /// The least number that stays.
        least: f32,
        /// The largest one.
        largest: f32,
    },
    /// Concat-13.
    Concat {
        /// Along which axis.
        axis: usize,
    },
    /// Conv-11. Inputs: x, W (outputs, inputs, kernel), and B (outputs) if there is one.
    Conv(Sliding),
    /// ConvTranspose-11. Inputs: x, W (inputs, outputs, kernel), and B (outputs) if there is one. The
    /// picture is (grid − 1) · stride + kernel − pads.
    ConvTranspose(Sliding),
    /// DepthToSpace-13, mode DCR: channel (row · block + column) · C + c becomes pixel (row, column)
    /// of each block of plane c.
    DepthToSpace {
        /// Rows and columns of a block.
        block: usize,
    },
    /// Expand-13.
    Expand {
        /// To which shape; 1 keeps a dimension.
        dims: Vec<usize>,
    },
    /// Flatten-13 along axis 1.
    Flatten,
    /// Gather-13 along axis 0. Inputs: table, indices.
    Gather,
    /// Gemm-13: x·Wᵀ + C. Inputs: x, W (outputs, inputs), and C, broadcast, if there is one.
    Gemm,
    /// Identity-16.
    Identity,
    /// LeakyRelu-16.
    LeakyRelu {
        /// The slope of negative numbers.
        alpha: f32,
    },
    /// MatMul-13: a · b of the last two axes, broadcast over those before them.
    MatMul,
    /// MatMulInteger-10: (a − zero) · b in int32. Inputs: a (uint8), b (int8).
    MatMulInteger {
        /// The number of a that stands for 0.
        zero: u8,
    },
    /// Mul-14: a · b, broadcast.
    Mul,
    /// QuantizeLinear-13 to uint8: x / scale + zero, half to even, limited.
    QuantizeLinear {
        /// The step between two numbers.
        scale: f32,
        /// The number that stands for 0.
        zero: u8,
    },
    /// Relu-14.
    Relu,
    /// Reshape-14 of everything but the first dimension, which stays.
    Reshape {
        /// The other dimensions.
        item: Vec<usize>,
    },
    /// Sigmoid-13.
    Sigmoid,
    /// Slice-13 from the start along the last two axes.
    Crop {
        /// Rows that stay.
        height: usize,
        /// Columns that stay.
        width: usize,
    },
    /// Squeeze-13.
    Squeeze {
        /// Dimensions of 1 that go, in rising order.
        axes: Vec<usize>,
    },
    /// Tanh-13.
    Tanh,
    /// Unsqueeze-13.
    Unsqueeze {
        /// Where the new dimensions of 1 stand.
        axes: Vec<usize>,
    },
}

/// A setting of a node in the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A number of single precision.
    Float(f32),
    /// A whole number, or a truth value as 0 or 1.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A word.
    String(&'static str),
}

impl Operator {
    /// Its name in ONNX.
    pub fn name(&self) -> &'static str {
        match self {
            Operator::Add => "Add",
            Operator::BatchNormalization { .. } => "BatchNormalization",
            Operator::Cast { .. } => "Cast",
            Operator::Clip { .. } => "Clip",
            Operator::Concat { .. } => "Concat",
            Operator::Conv(_) => "Conv",
            Operator::ConvTranspose(_) => "ConvTranspose",
            Operator::Crop { .. } => "Slice",
            Operator::DepthToSpace { .. } => "DepthToSpace",
            Operator::Expand { .. } => "Expand",
            Operator::Flatten => "Flatten",
            Operator::Gather => "Gather",
            Operator::Gemm => "Gemm",
            Operator::Identity => "Identity",
            Operator::LeakyRelu { .. } => "LeakyRelu",
            Operator::MatMul => "MatMul",
            Operator::MatMulInteger { .. } => "MatMulInteger",
            Operator::Mul => "Mul",
            Operator::QuantizeLinear { .. } => "QuantizeLinear",
            Operator::Relu => "Relu",
            Operator::Reshape { .. } => "Reshape",
            Operator::Sigmoid => "Sigmoid",
            Operator::Squeeze { .. } => "Squeeze",
            Operator::Tanh => "Tanh",
            Operator::Unsqueeze { .. } => "Unsqueeze",
        }
    }

    /// Its attributes in the file.
    pub fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|&value| value as i64).collect());
        match self {
            Operator::BatchNormalization { epsilon } => vec![("epsilon", Attribute::Float(*epsilon))],
            Operator::Cast { to } => vec![("to", Attribute::Int(to.data_type().into()))],
            Operator::Concat { axis } => vec![("axis", Attribute::Int(*axis as i64))],
            Operator::Conv(sliding) | Operator::ConvTranspose(sliding) => vec![
                ("kernel_shape", ints(&sliding.kernel)),
                ("strides", ints(&sliding.strides)),
                ("pads", ints(&sliding.pads)),
            ],
            Operator::DepthToSpace { block } => {
                vec![("blocksize", Attribute::Int(*block as i64)), ("mode", Attribute::String("DCR"))]
            }
            Operator::Flatten => vec![("axis", Attribute::Int(1))],
            Operator::Gather => vec![("axis", Attribute::Int(0))],
            Operator::Gemm => vec![("transB", Attribute::Int(1))],
            Operator::LeakyRelu { alpha } => vec![("alpha", Attribute::Float(*alpha))],
            Operator::Add
            | Operator::Clip { .. }
            | Operator::Crop { .. }
            | Operator::Expand { .. }
            | Operator::Identity
            | Operator::MatMul
            | Operator::MatMulInteger { .. }
            | Operator::Mul
            | Operator::QuantizeLinear { .. }
            | Operator::Relu
            | Operator::Reshape { .. }
            | Operator::Sigmoid
            | Operator::Squeeze { .. }
            | Operator::Tanh
            | Operator::Unsqueeze { .. } => Vec::new(),
        }
    }

    /// The settings that the file has as constant inputs behind the others: what to call each, and its
    /// value.
    ///
    /// # Errors
    /// None; [`Tensor`]'s constructors check.
    pub fn constants(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let vector = |values: &[usize]| Tensor::int64(&[values.len()], values.iter().map(|&v| v as i64));
        let number = |value: f32| Tensor::float32(&[], [value]);
        Ok(match self {
            Operator::Clip { least, largest } => {
                vec![("least", number(*least)?), ("largest", number(*largest)?)]
            }
            Operator::Crop { height, width } => {
                vec![
                    ("starts", vector(&[0, 0])?),
                    ("ends", vector(&[*height, *width])?),
                    ("axes", vector(&[2, 3])?),
                ]
            }
            Operator::Expand { dims } => vec![("dims", vector(dims)?)],
            Operator::MatMulInteger { zero } => vec![("zero", Tensor::uint8(&[], [*zero])?)],
            Operator::QuantizeLinear { scale, zero } => {
                vec![("scale", number(*scale)?), ("zero", Tensor::uint8(&[], [*zero])?)]
            }
            // A 0 keeps that dimension, here N.
            Operator::Reshape { item } => vec![("shape", vector(&[&[0], item.as_slice()].concat())?)],
            Operator::Squeeze { axes } | Operator::Unsqueeze { axes } => vec![("axes", vector(axes)?)],
            _ => Vec::new(),
        })
    }

    /// Whether each number of the output is a function of one number of the only input.
    pub fn is_elementwise(&self) -> bool {
        matches!(
            self,
            Operator::Relu
                | Operator::LeakyRelu { .. }
                | Operator::Sigmoid
                | Operator::Tanh
                | Operator::Identity
        )
    }
}
