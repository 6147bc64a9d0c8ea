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

/// How a window that sums planes up moves over them; it stays within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Pixels between two positions.
    pub strides: [usize; 2],
}

/// An operator of ONNX's own set. The number is the operator set that last changed it, at or below
/// [`OPSET`](super::OPSET).
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Add-14: a + b, broadcast.
    Add,
    /// AveragePool-11 without zeros around the planes.
    AveragePool(Pool),
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
    /// DequantizeLinear-13 of uint8 with one step: (x − zero) · scale.
    DequantizeLinear {
        /// The step between two numbers.
        scale: f32,
        /// The number that stands for 0.
        zero: u8,
    },
    /// DequantizeLinear-13 along axis 0, one step for each of its places: x · scale. Inputs: x (int8 or
    /// int32), scale, and the numbers that stand for 0, which are 0.
    DequantizeChannels,
    /// DepthToSpace-13, mode DCR: channel (row · block + column) · C + c becomes pixel (row, column)
    /// of each block of plane c.
    DepthToSpace {
        /// Rows and columns of a block.
        block: usize,
    },
    /// Div-14: a / b, broadcast.
    Div,
    /// Elu-6: x, and alpha · (eˣ − 1) below 0.
    Elu {
        /// What large negative numbers come near, negated.
        alpha: f32,
    },
    /// Erf-13, the error function.
    Erf,
    /// Expand-13.
    Expand {
        /// To which shape; 1 keeps a dimension.
        dims: Vec<usize>,
    },
    /// Flatten-13 along axis 1.
    Flatten,
    /// Gather-13 along axis 0. Inputs: table, indices.
    Gather,
    /// Gather-13 along any axis. Inputs: x, and indices of one axis.
    GatherAlong {
        /// Which axis the indices are of.
        axis: usize,
    },
    /// Gemm-13: x·Wᵀ + C. Inputs: x, W (outputs, inputs), and C, broadcast, if there is one.
    Gemm,
    /// Conv-11 whose channels are in groups, or whose kernel has gaps. Inputs: x, W (outputs, inputs of a
    /// group, kernel), and B (outputs) if there is one. Passes that take kernels apart know [`Operator::Conv`]
    /// alone.
    GroupedConv {
        /// How the kernel moves.
        sliding: Sliding,
        /// Pixels from one row and one column of the kernel to the next.
        dilations: [usize; 2],
        /// Into how many groups inputs and outputs are divided.
        groups: usize,
    },
    /// HardSigmoid-6: alpha · x + beta, limited to 0…1.
    HardSigmoid {
        /// The slope.
        alpha: f32,
        /// The value at 0.
        beta: f32,
    },
    /// Identity-16.
    Identity,
    /// InstanceNormalization-6: each plane of each item by its own mean and variance. Inputs: x (N, C, …),
    /// scale (C), B (C).
    InstanceNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
    /// LayerNormalization-17 along the last axis. Inputs: x, scale, and B if there is one.
    LayerNormalization {
        /// Added to the variance.
        epsilon: f32,
    },
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
    /// MaxPool-12 without anything around the planes.
    MaxPool(Pool),
    /// Mul-14: a · b, broadcast.
    Mul,
    /// Pad-13 with zeros.
    Pad {
        /// How many before, axis by axis.
        before: Vec<usize>,
        /// How many behind.
        after: Vec<usize>,
    },
    /// PRelu-16: x, and slope · x below 0. Inputs: x, slope, broadcast.
    PRelu,
    /// QuantizeLinear-13 to uint8: x / scale + zero, half to even, limited.
    QuantizeLinear {
        /// The step between two numbers.
        scale: f32,
        /// The number that stands for 0.
        zero: u8,
    },
    /// ReduceMean-13.
    ReduceMean {
        /// Over which axes, in rising order.
        axes: Vec<usize>,
        /// Whether they stay, as dimensions of 1.
        keep: bool,
    },
    /// Relu-14.
    Relu,
    /// Reshape-14 of everything but the first dimension, which stays.
    Reshape {
        /// The other dimensions.
        item: Vec<usize>,
    },
    /// Resize-13 to the nearest pixel: each one becomes a block.
    Enlarge {
        /// Rows and columns of a block.
        block: [usize; 2],
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
    /// Slice-13 along one axis.
    SliceAlong {
        /// Which one.
        axis: usize,
        /// From here…
        start: usize,
        /// …to before this.
        end: usize,
    },
    /// Softmax-13.
    Softmax {
        /// Along which axis the numbers add up to 1.
        axis: usize,
    },
    /// Softplus-1: ln(1 + eˣ).
    Softplus,
    /// Sqrt-13.
    Sqrt,
    /// Squeeze-13.
    Squeeze {
        /// Dimensions of 1 that go, in rising order.
        axes: Vec<usize>,
    },
    /// Sub-14: a − b, broadcast.
    Sub,
    /// Tanh-13.
    Tanh,
    /// Transpose-13.
    Transpose {
        /// For each axis of the output, which of the input it is.
        order: Vec<usize>,
    },
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
            Operator::AveragePool(_) => "AveragePool",
            Operator::BatchNormalization { .. } => "BatchNormalization",
            Operator::Cast { .. } => "Cast",
            Operator::Clip { .. } => "Clip",
            Operator::Concat { .. } => "Concat",
            Operator::Conv(_) | Operator::GroupedConv { .. } => "Conv",
            Operator::ConvTranspose(_) => "ConvTranspose",
            Operator::Crop { .. } | Operator::SliceAlong { .. } => "Slice",
            Operator::DepthToSpace { .. } => "DepthToSpace",
            Operator::DequantizeLinear { .. } | Operator::DequantizeChannels => "DequantizeLinear",
            Operator::Div => "Div",
            Operator::Elu { .. } => "Elu",
            Operator::Enlarge { .. } => "Resize",
            Operator::Erf => "Erf",
            Operator::Expand { .. } => "Expand",
            Operator::Flatten => "Flatten",
            Operator::Gather | Operator::GatherAlong { .. } => "Gather",
            Operator::Gemm => "Gemm",
            Operator::HardSigmoid { .. } => "HardSigmoid",
            Operator::Identity => "Identity",
            Operator::InstanceNormalization { .. } => "InstanceNormalization",
            Operator::LayerNormalization { .. } => "LayerNormalization",
            Operator::LeakyRelu { .. } => "LeakyRelu",
            Operator::MatMul => "MatMul",
            Operator::MatMulInteger { .. } => "MatMulInteger",
            Operator::MaxPool(_) => "MaxPool",
            Operator::Mul => "Mul",
            Operator::PRelu => "PRelu",
            Operator::Pad { .. } => "Pad",
            Operator::QuantizeLinear { .. } => "QuantizeLinear",
            Operator::ReduceMean { .. } => "ReduceMean",
            Operator::Relu => "Relu",
            Operator::Reshape { .. } => "Reshape",
            Operator::Sigmoid => "Sigmoid",
            Operator::Softmax { .. } => "Softmax",
            Operator::Softplus => "Softplus",
            Operator::Sqrt => "Sqrt",
            Operator::Squeeze { .. } => "Squeeze",
            Operator::Sub => "Sub",
            Operator::Tanh => "Tanh",
            Operator::Transpose { .. } => "Transpose",
            Operator::Unsqueeze { .. } => "Unsqueeze",
        }
    }

    /// The operator set in which it first means what it means here; 13 for all that were there before.
    pub fn since(&self) -> i64 {
        match self {
            Operator::LayerNormalization { .. } => 17,
            _ => 13,
        }
    }

    /// Its attributes in the file.
    pub fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|&value| value as i64).collect());
        match self {
            Operator::AveragePool(pool) | Operator::MaxPool(pool) => {
                vec![("kernel_shape", ints(&pool.kernel)), ("strides", ints(&pool.strides))]
            }
            Operator::BatchNormalization { epsilon }
            | Operator::InstanceNormalization { epsilon }
            | Operator::LayerNormalization { epsilon } => vec![("epsilon", Attribute::Float(*epsilon))],
            Operator::Cast { to } => vec![("to", Attribute::Int(to.data_type().into()))],
            Operator::Concat { axis } | Operator::GatherAlong { axis } | Operator::Softmax { axis } => {
                vec![("axis", Attribute::Int(*axis as i64))]
            }
            Operator::Conv(sliding) | Operator::ConvTranspose(sliding) => vec![
                ("kernel_shape", ints(&sliding.kernel)),
                ("strides", ints(&sliding.strides)),
                ("pads", ints(&sliding.pads)),
            ],
            Operator::DepthToSpace { block } => {
                vec![("blocksize", Attribute::Int(*block as i64)), ("mode", Attribute::String("DCR"))]
            }
            Operator::DequantizeChannels => vec![("axis", Attribute::Int(0))],
            Operator::Elu { alpha } => vec![("alpha", Attribute::Float(*alpha))],
            Operator::Enlarge { .. } => vec![
                ("mode", Attribute::String("nearest")),
                ("coordinate_transformation_mode", Attribute::String("asymmetric")),
                ("nearest_mode", Attribute::String("floor")),
            ],
            Operator::Flatten => vec![("axis", Attribute::Int(1))],
            Operator::Gather => vec![("axis", Attribute::Int(0))],
            Operator::Gemm => vec![("transB", Attribute::Int(1))],
            Operator::GroupedConv { sliding, dilations, groups } => vec![
                ("kernel_shape", ints(&sliding.kernel)),
                ("strides", ints(&sliding.strides)),
                ("pads", ints(&sliding.pads)),
                ("dilations", ints(dilations)),
                ("group", Attribute::Int(*groups as i64)),
            ],
            Operator::HardSigmoid { alpha, beta } => {
                vec![("alpha", Attribute::Float(*alpha)), ("beta", Attribute::Float(*beta))]
            }
            Operator::LeakyRelu { alpha } => vec![("alpha", Attribute::Float(*alpha))],
            Operator::ReduceMean { axes, keep } => {
                vec![("axes", ints(axes)), ("keepdims", Attribute::Int((*keep).into()))]
            }
            Operator::Transpose { order } => vec![("perm", ints(order))],
            Operator::Add
            | Operator::Clip { .. }
            | Operator::Crop { .. }
            | Operator::DequantizeLinear { .. }
            | Operator::Div
            | Operator::Erf
            | Operator::Expand { .. }
            | Operator::Identity
            | Operator::MatMul
            | Operator::MatMulInteger { .. }
            | Operator::Mul
            | Operator::PRelu
            | Operator::Pad { .. }
            | Operator::QuantizeLinear { .. }
            | Operator::Relu
            | Operator::Reshape { .. }
            | Operator::Sigmoid
            | Operator::SliceAlong { .. }
            | Operator::Softplus
            | Operator::Sqrt
            | Operator::Squeeze { .. }
            | Operator::Sub
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
            // The first is a region that another mode would read.
            Operator::Enlarge { block } => vec![
                ("region", Tensor::float32(&[0], [])?),
                ("scales", Tensor::float32(&[4], [1., 1., block[0] as f32, block[1] as f32])?),
            ],
            Operator::Expand { dims } => vec![("dims", vector(dims)?)],
            Operator::MatMulInteger { zero } => vec![("zero", Tensor::uint8(&[], [*zero])?)],
            Operator::Pad { before, after } => vec![("pads", vector(&[before.as_slice(), after].concat())?)],
            Operator::QuantizeLinear { scale, zero } | Operator::DequantizeLinear { scale, zero } => {
                vec![("scale", number(*scale)?), ("zero", Tensor::uint8(&[], [*zero])?)]
            }
            // A 0 keeps that dimension, here N.
            Operator::Reshape { item } => vec![("shape", vector(&[&[0], item.as_slice()].concat())?)],
            Operator::SliceAlong { axis, start, end } => {
                vec![("starts", vector(&[*start])?), ("ends", vector(&[*end])?), ("axes", vector(&[*axis])?)]
            }
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
                | Operator::Elu { .. }
                | Operator::Erf
                | Operator::HardSigmoid { .. }
                | Operator::Softplus
                | Operator::Sqrt
        )
    }
}
