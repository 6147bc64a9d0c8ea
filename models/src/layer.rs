//! One layer: what it is, which parameters it has, which shape it makes, and its forward pass in
//! Candle's own tensor operations.
//!
//! The forward pass here runs on any device and in any precision, and Candle differentiates it. It
//! is the definition of the layer; the kernels of [`crate::ops`] are measured against it.

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::network::{Mode, Parameters};
use crate::{Error, Result};

/// Batch norm's ε, added to the variance (DCGAN, Radford et al. 2015, as DCGAN-tensorflow has it).
pub const BATCH_NORM_EPSILON: f64 = 1e-5;
/// How much of the old running average each training pass keeps.
pub const BATCH_NORM_KEEP: f64 = 0.9;
/// Standard deviation of the initial weights (DCGAN, section 4).
pub const INITIAL_DEVIATION: f64 = 0.02;

/// The shape of one picture or vector of a batch, without N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// A vector of so many numbers.
    Vector(usize),
    /// Feature maps, or a picture.
    Planes {
        /// C
        channels: usize,
        /// H
        height: usize,
        /// W
        width: usize,
    },
}

impl Shape {
    /// How many numbers one item holds.
    pub fn elements(self) -> usize {
        match self {
            Shape::Vector(n) => n,
            Shape::Planes { channels, height, width } => channels * height * width,
        }
    }

    /// The dimensions of a batch of `n`: (N, features) or (N, C, H, W).
    pub fn dims(self, n: usize) -> Vec<usize> {
        match self {
            Shape::Vector(features) => vec![n, features],
            Shape::Planes { channels, height, width } => vec![n, channels, height, width],
        }
    }

    /// What batch norm and the label count: features of a vector, channels of planes.
    pub fn channels(self) -> usize {
        match self {
            Shape::Vector(n) => n,
            Shape::Planes { channels, .. } => channels,
        }
    }

    fn with_channels(self, channels: usize) -> Shape {
        match self {
            Shape::Vector(_) => Shape::Vector(channels),
            Shape::Planes { height, width, .. } => Shape::Planes { channels, height, width },
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Vector(n) => write!(f, "N, {n}"),
            Shape::Planes { channels, height, width } => write!(f, "N, {channels}, {height}, {width}"),
        }
    }
}

/// How a kernel moves over a picture: a convolution reads the picture through it, a transposed
/// convolution writes the picture through it. The *grid* is the other side, one point a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the square kernel.
    pub kernel: usize,
    /// Pixels between two positions.
    pub stride: usize,
    /// Zeros (rows above, rows below).
    pub rows: (usize, usize),
    /// Zeros (columns left, columns right).
    pub columns: (usize, usize),
}

impl Window {
    /// TensorFlow's SAME padding for a picture of this size: the grid is the ceiling of the size
    /// over the stride, and an odd zero goes *after*. A 5×5 kernel of stride 2 over an even size
    /// pads 1 before and 2 after; padding 2 and 2 has the same shape and a shifted picture.
    ///
    /// ```
    /// let window = models::Window::same(5, 2, 28, 14);
    /// assert_eq!((window.rows, window.columns), ((1, 2), (1, 2)));
    /// assert_eq!(models::Window::same(5, 2, 7, 7).rows, (2, 2));
    /// ```
    pub fn same(kernel: usize, stride: usize, height: usize, width: usize) -> Window {
        let sides = |size: usize| {
            let grid = size.div_ceil(stride);
            let zeros = (grid.saturating_sub(1) * stride + kernel).saturating_sub(size);
            (zeros / 2, zeros - zeros / 2)
        };
        Window { kernel, stride, rows: sides(height), columns: sides(width) }
    }

    /// Grid points that fit a picture of `height` × `width`; `None` if the kernel doesn't fit.
    pub fn grid(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let points = |size: usize, (before, after): (usize, usize)| {
            Some((size + before + after).checked_sub(self.kernel)? / self.stride + 1)
        };
        Some((points(height, self.rows)?, points(width, self.columns)?))
    }

    /// The picture that a grid of `height` × `width` points covers; `None` if the padding eats it.
    pub fn picture(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let size = |points: usize, (before, after): (usize, usize)| {
            ((points.checked_sub(1)?) * self.stride + self.kernel)
                .checked_sub(before + after)
                .filter(|&size| size > 0)
        };
        Some((size(height, self.rows)?, size(width, self.columns)?))
    }
}

/// A convolution's settings, transposed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convolution {
    /// Channels in, the label's planes included.
    pub inputs: usize,
    /// Channels out: the filters.
    pub outputs: usize,
    /// How the kernel moves.
    pub window: Window,
}

/// An activation function, elementwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x where positive, `slope`·x where negative (Maas et al. 2013).
    LeakyRelu {
        /// 0.2 in DCGAN.
        slope: f32,
    },
    /// 1 / (1 + e⁻ˣ), in [0, 1]
    Sigmoid,
    /// tanh x, in [−1, 1]
    Tanh,
}

/// A layer. [`Network`](crate::Network) is a list of these; whoever walks the list matches on all
/// of them, so a layer that the exporter can't lower doesn't compile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Layer {
    /// ⊕ y: appends the one-hot label, as numbers to a vector, as constant planes to feature maps.
    Label {
        /// How many classes there are.
        classes: usize,
    },
    /// y = x·Wᵀ + b. `weight` is (outputs, inputs), `bias` (outputs).
    Linear {
        /// Features in.
        inputs: usize,
        /// Features out.
        outputs: usize,
    },
    /// Convolution. `weight` is (outputs, inputs, kernel, kernel), `bias` (outputs).
    Conv2d(Convolution),
    /// Transposed convolution. `weight` is (inputs, outputs, kernel, kernel), `bias` (outputs).
    ConvTranspose2d(Convolution),
    /// Batch norm over N (and H, W): `gain`, `offset`, `running_mean`, `running_variance`.
    BatchNorm {
        /// Channels of planes, or features of a vector.
        features: usize,
    },
    /// An activation function.
    Activation(Activation),
    /// A vector taken as planes (C, H, W), row by row.
    Reshape {
        /// C
        channels: usize,
        /// H
        height: usize,
        /// W
        width: usize,
    },
    /// Planes taken as a vector.
    Flatten,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// N(0, deviation)
    Normal(f64),
    /// N(0, deviation), redrawn beyond two deviations.
    TruncatedNormal(f64),
    /// The same number everywhere.
    Constant(f32),
}

/// A parameter of a layer: its name there, shape, start, and whether an optimiser moves it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// `weight`, `bias`, `gain`, `offset`, `running_mean` or `running_variance`.
    pub name: &'static str,
    /// The tensor's shape.
    pub dims: Vec<usize>,
    /// How it starts.
    pub initial: Initial,
    /// False for the running averages.
    pub trainable: bool,
}

impl Layer {
    /// The layer's parameters, in a fixed order.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |name, dims: &[usize], initial, trainable| ParameterSpec {
            name,
            dims: dims.to_vec(),
            initial,
            trainable,
        };
        let weight = |dims: &[usize], initial| spec("weight", dims, initial, true);
        let bias = |outputs| spec("bias", &[outputs], Initial::Constant(0.), true);
        match *self {
            Layer::Linear { inputs, outputs } => {
                vec![weight(&[outputs, inputs], Initial::Normal(INITIAL_DEVIATION)), bias(outputs)]
            }
            Layer::Conv2d(Convolution { inputs, outputs, window: Window { kernel: k, .. } }) => vec![
                weight(&[outputs, inputs, k, k], Initial::TruncatedNormal(INITIAL_DEVIATION)),
                bias(outputs),
            ],
            Layer::ConvTranspose2d(Convolution { inputs, outputs, window: Window { kernel: k, .. } }) => {
                vec![weight(&[inputs, outputs, k, k], Initial::Normal(INITIAL_DEVIATION)), bias(outputs)]
            }
            Layer::BatchNorm { features } => vec![
                spec("gain", &[features], Initial::Constant(1.), true),
                spec("offset", &[features], Initial::Constant(0.), true),
                spec("running_mean", &[features], Initial::Constant(0.), false),
                spec("running_variance", &[features], Initial::Constant(1.), false),
            ],
            Layer::Label { .. } | Layer::Activation(_) | Layer::Reshape { .. } | Layer::Flatten => vec![],
        }
    }

    /// The shape that this layer makes of `input`.
    ///
    /// # Errors
    /// [`Error::Shape`], naming `name`, if the layer doesn't take that shape.
    pub fn output(&self, name: &str, input: Shape) -> Result<Shape> {
        let wrong = |expected: String| Error::Shape {
            layer: name.to_string(),
            message: format!("takes {expected}, was given {input}"),
        };
        match (*self, input) {
            (Layer::Label { classes }, _) => Ok(input.with_channels(input.channels() + classes)),
            (Layer::Linear { inputs, outputs }, Shape::Vector(n)) if n == inputs => {
                Ok(Shape::Vector(outputs))
            }
            (Layer::Linear { inputs, .. }, _) => Err(wrong(format!("N, {inputs}"))),
            (Layer::Conv2d(c), Shape::Planes { channels, height, width }) if channels == c.inputs => {
                let (height, width) = c.window.grid(height, width).ok_or_else(|| {
                    wrong(format!("at least {0}×{0} pixels, padding included", c.window.kernel))
                })?;
                Ok(Shape::Planes { channels: c.outputs, height, width })
            }
            (Layer::ConvTranspose2d(c), Shape::Planes { channels, height, width })
                if channels == c.inputs =>
            {
                let (height, width) = c
                    .window
                    .picture(height, width)
                    .ok_or_else(|| wrong("a grid larger than its padding".to_string()))?;
                Ok(Shape::Planes { channels: c.outputs, height, width })
            }
            (Layer::Conv2d(c) | Layer::ConvTranspose2d(c), _) => Err(wrong(format!("N, {}, H, W", c.inputs))),
            (Layer::BatchNorm { features }, _) if features == input.channels() => Ok(input),
            (Layer::BatchNorm { features }, _) => Err(wrong(format!("{features} channels"))),
            (Layer::Activation(_), _) => Ok(input),
            (Layer::Reshape { channels, height, width }, Shape::Vector(n))
                if n == channels * height * width =>
            {
                Ok(Shape::Planes { channels, height, width })
            }
            (Layer::Reshape { channels, height, width }, _) => {
                Err(wrong(format!("N, {}", channels * height * width)))
            }
            (Layer::Flatten, Shape::Planes { .. }) => Ok(Shape::Vector(input.elements())),
            (Layer::Flatten, _) => Err(wrong("N, C, H, W".to_string())),
        }
    }

    /// The forward pass in Candle's own operations.
    ///
    /// `statistics` receives (mean, variance) of a batch norm in [`Mode::Train`]; the variance is
    /// the unbiased one that the running average takes.
    ///
    /// # Shapes
    /// `x` (N, features) or (N, C, H, W) as [`Layer::output`] describes; `label` (N) of u32.
    ///
    /// # Errors
    /// Candle's, if a tensor is of another shape, type or device.
    pub fn forward(
        &self,
        parameters: &Parameters,
        name: &str,
        x: &Tensor,
        label: Option<&Tensor>,
        mode: Mode,
        statistics: &mut Vec<(Tensor, Tensor)>,
    ) -> Result<Tensor> {
        let get = |parameter| parameters.get(&format!("{name}.{parameter}")).map(Var::as_tensor);
        match *self {
            Layer::Label { classes } => {
                let label = label.ok_or_else(|| Error::Shape {
                    layer: name.to_string(),
                    message: "takes labels, was given none".to_string(),
                })?;
                append_label(x, label, classes)
            }
            Layer::Linear { .. } => Ok(x.matmul(&get("weight")?.t()?)?.broadcast_add(get("bias")?)?),
            Layer::Conv2d(Convolution { window, .. }) => {
                // Rows and columns that no position reaches are cut off: Candle's way back through
                // conv2d doesn't expect them.
                let (_, _, h, w) = x.dims4()?;
                let (rows, columns) = window.grid(h, w).ok_or_else(|| Error::Shape {
                    layer: name.to_string(),
                    message: format!("the kernel is larger than a {h}×{w} picture"),
                })?;
                let reached = |points| (points - 1) * window.stride + window.kernel;
                let padded = x
                    .pad_with_zeros(2, window.rows.0, window.rows.1)?
                    .pad_with_zeros(3, window.columns.0, window.columns.1)?
                    .narrow(2, 0, reached(rows))?
                    .narrow(3, 0, reached(columns))?;
                let y = padded.conv2d(get("weight")?, 0, window.stride, 1, 1)?;
                Ok(y.broadcast_add(&get("bias")?.reshape((1, (), 1, 1))?)?)
            }
            Layer::ConvTranspose2d(Convolution { window, .. }) => {
                // The full picture, then the padding cut away: Candle pads both sides alike.
                let (_, _, h, w) = x.dims4()?;
                let full = x.conv_transpose2d(get("weight")?, 0, 0, window.stride, 1)?;
                let (height, width) = window.picture(h, w).ok_or_else(|| Error::Shape {
                    layer: name.to_string(),
                    message: format!("the padding leaves nothing of a {h}×{w} grid"),
                })?;
                let y = full.narrow(2, window.rows.0, height)?.narrow(3, window.columns.0, width)?;
                Ok(y.broadcast_add(&get("bias")?.reshape((1, (), 1, 1))?)?)
            }
            Layer::BatchNorm { .. } => {
                let (mean, variance) = match mode {
                    Mode::Sample => (get("running_mean")?.clone(), get("running_variance")?.clone()),
                    Mode::Train => {
                        let (mean, variance, unbiased) = batch_statistics(x)?;
                        statistics.push((mean.detach(), unbiased.detach()));
                        (mean, variance)
                    }
                };
                let planes = |t: &Tensor| match x.rank() {
                    4 => t.reshape((1, (), 1, 1)),
                    _ => t.reshape((1, ())),
                };
                let scale = (get("gain")? / (variance + BATCH_NORM_EPSILON)?.sqrt()?)?;
                Ok(x.broadcast_sub(&planes(&mean)?)?
                    .broadcast_mul(&planes(&scale)?)?
                    .broadcast_add(&planes(get("offset")?)?)?)
            }
            Layer::Activation(activation) => activation.forward(x),
            Layer::Reshape { channels, height, width } => Ok(x.reshape(((), channels, height, width))?),
            Layer::Flatten => Ok(x.flatten_from(1)?),
        }
    }
}

impl Activation {
    /// The function, elementwise, in Candle's own operations.
    ///
    /// # Errors
    /// Candle's.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Activation::Relu => x.relu()?,
            Activation::LeakyRelu { slope } => (x.relu()? - (x.neg()?.relu()? * f64::from(slope))?)?,
            Activation::Sigmoid => (((x * 0.5)?.tanh()? + 1.)? * 0.5)?,
            Activation::Tanh => x.tanh()?,
        })
    }
}

/// ⊕ y: (N, features) → (N, features + classes), or (N, C, H, W) → (N, C + classes, H, W).
fn append_label(x: &Tensor, label: &Tensor, classes: usize) -> Result<Tensor> {
    let y = Tensor::eye(classes, DType::F32, x.device())?.index_select(label, 0)?.to_dtype(x.dtype())?;
    Ok(match x.dims() {
        &[n, _, h, w] => {
            Tensor::cat(&[x, &y.reshape((n, classes, 1, 1))?.expand((n, classes, h, w))?.contiguous()?], 1)?
        }
        _ => Tensor::cat(&[x, &y], 1)?,
    })
}

/// Mean, variance (÷ n) and unbiased variance (÷ n − 1) of each channel, over N (and H, W).
fn batch_statistics(x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    // (channels, everything else)
    let rows = x.transpose(0, 1)?.flatten_from(1)?;
    let n = rows.dim(1)? as f64;
    let mean = rows.mean(1)?;
    let variance = rows.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.mean(1)?;
    let unbiased = (&variance * (n / (n - 1.).max(1.)))?;
    Ok((mean, variance, unbiased))
}
