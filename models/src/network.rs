//! A network: an ordered list of named layers, and its weights by name.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

use crate::layers::{
    Activation, BatchNorm, Conv2d, ConvTranspose2d, Initial, Label, Layer, Linear, Mode, ParameterSpec,
    Reshape, Shape, Window,
};
use crate::ops::Factors;
use crate::{Error, Parameters, Result};

/// A layer and its name, which is also its path in a checkpoint and in the ONNX file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLayer {
    /// `h0.linear`, `h2.deconv`, …
    pub name: String,
    /// What it is.
    pub layer: Layer,
}

/// An ordered list of named layers, with the shape that each one makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    name: String,
    input: Shape,
    layers: Vec<NamedLayer>,
    shapes: Vec<Shape>,
    classes: Option<usize>,
    factors: Factors,
}

/// Writes a network's list from top to bottom; each layer takes the shape that the last one made.
///
/// ```
/// use models::{Network, Shape};
/// # fn main() -> models::Result<()> {
/// let network = Network::builder("tiny", Shape::Vector(4))
///     .label("y", 3)             // N, 7
///     .linear("h0.linear", 12)   // N, 12
///     .batch_norm("h0.norm")
///     .relu("h0.relu")
///     .reshape("h0.planes", 2, 2, 3) // N, 2, 2, 3
///     .conv_transpose_same("out.deconv", 1, 5, 2, (4, 6)) // N, 1, 4, 6
///     .build()?;
/// assert_eq!(network.output().dims(5), [5, 1, 4, 6]);
/// # Ok(())
/// # }
/// ```
pub struct Builder {
    network: Network,
    error: Option<Error>,
}

impl Builder {
    /// Adds any layer.
    pub fn layer(mut self, name: &str, layer: Layer) -> Builder {
        if self.error.is_none() {
            match layer.output(name, self.network.output()) {
                Ok(shape) => {
                    if let Layer::Label(Label { classes }) = layer {
                        self.network.classes = Some(classes);
                    }
                    self.network.shapes.push(shape);
                    self.network.layers.push(NamedLayer { name: name.to_string(), layer });
                }
                Err(error) => self.error = Some(error),
            }
        }
        self
    }

    /// ⊕ y: the one-hot label.
    pub fn label(self, name: &str, classes: usize) -> Builder {
        self.layer(name, Layer::Label(Label { classes }))
    }

    /// A linear layer to `outputs` features.
    pub fn linear(self, name: &str, outputs: usize) -> Builder {
        let inputs = self.network.output().channels();
        self.layer(name, Layer::Linear(Linear { inputs, outputs }))
    }

    /// A convolution with SAME padding.
    pub fn conv_same(self, name: &str, outputs: usize, kernel: usize, stride: usize) -> Builder {
        let (inputs, height, width) = self.planes();
        let window = Window::same(kernel, stride, height, width);
        self.layer(name, Layer::Conv2d(Conv2d { inputs, outputs, window }))
    }

    /// A transposed convolution with SAME padding, to a picture of (height, width).
    pub fn conv_transpose_same(
        self,
        name: &str,
        outputs: usize,
        kernel: usize,
        stride: usize,
        (height, width): (usize, usize),
    ) -> Builder {
        let (inputs, ..) = self.planes();
        let window = Window::same(kernel, stride, height, width);
        self.layer(name, Layer::ConvTranspose2d(ConvTranspose2d { inputs, outputs, window }))
    }

    /// Batch norm over every channel or feature.
    pub fn batch_norm(self, name: &str) -> Builder {
        let features = self.network.output().channels();
        self.layer(name, Layer::BatchNorm(BatchNorm { features }))
    }

    /// max(x, 0)
    pub fn relu(self, name: &str) -> Builder {
        self.layer(name, Layer::Activation(Activation::Relu))
    }

    /// x where positive, `slope`·x where negative.
    pub fn leaky_relu(self, name: &str, slope: f32) -> Builder {
        self.layer(name, Layer::Activation(Activation::LeakyRelu { slope }))
    }

    /// 1 / (1 + e⁻ˣ)
    pub fn sigmoid(self, name: &str) -> Builder {
        self.layer(name, Layer::Activation(Activation::Sigmoid))
    }

    /// tanh x
    pub fn tanh(self, name: &str) -> Builder {
        self.layer(name, Layer::Activation(Activation::Tanh))
    }

    /// A vector as planes.
    pub fn reshape(self, name: &str, channels: usize, height: usize, width: usize) -> Builder {
        self.layer(name, Layer::Reshape(Reshape { channels, height, width }))
    }

    /// Planes as a vector.
    pub fn flatten(self, name: &str) -> Builder {
        self.layer(name, Layer::Flatten)
    }

    /// The network.
    ///
    /// # Errors
    /// [`Error::Shape`], naming the first layer that doesn't take the shape before it.
    pub fn build(self) -> Result<Network> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.network),
        }
    }

    fn planes(&self) -> (usize, usize, usize) {
        match self.network.output() {
            Shape::Planes { channels, height, width } => (channels, height, width),
            // The layer's own check says what is wrong.
            Shape::Vector(n) => (n, 1, 1),
        }
    }
}

impl Network {
    /// Starts a list whose first layer takes `input`.
    pub fn builder(name: &str, input: Shape) -> Builder {
        let network = Network {
            name: name.to_string(),
            input,
            layers: Vec::new(),
            shapes: Vec::new(),
            classes: None,
            factors: Factors::default(),
        };
        Builder { network, error: None }
    }

    /// "generator", "discriminator", …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The list.
    pub fn layers(&self) -> &[NamedLayer] {
        &self.layers
    }

    /// The shape of one input, without N.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The shape that each layer makes, in the list's order.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The shape of one output, without N.
    pub fn output(&self) -> Shape {
        self.shapes.last().copied().unwrap_or(self.input)
    }

    /// The list in parts: one up to and with each of these layers, and one for what follows the last of them.
    /// All of them find their weights in those of the whole.
    ///
    /// # Errors
    /// [`Error::Shape`] for the first layer that the list has not, or not behind the one before it.
    pub fn split(&self, after: &[&str]) -> Result<Vec<Network>> {
        let start = |input| Network::builder(&self.name, input);
        let (mut parts, mut part) = (Vec::new(), start(self.input));
        let mut after = after.iter().peekable();
        for (NamedLayer { name, layer }, &shape) in self.layers.iter().zip(&self.shapes) {
            part = part.layer(name, *layer);
            if after.next_if(|end| **end == name).is_some() {
                parts.push(std::mem::replace(&mut part, start(shape)));
            }
        }
        if let Some(end) = after.next() {
            let message = format!("not a layer to split the {} after", self.name);
            return Err(Error::Shape { layer: (*end).to_string(), message });
        }
        parts.push(part);
        parts.into_iter().map(|part| Ok(part.build()?.with_factors(self.factors))).collect()
    }

    /// The same network, whose matrix products are of such factors in training; sampling is in float32.
    pub fn with_factors(self, factors: Factors) -> Network {
        Network { factors, ..self }
    }

    /// What the factors of its matrix products are rounded to.
    pub fn factors(&self) -> Factors {
        self.factors
    }

    /// How many classes the labels have; `None` for a network without labels.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// Every parameter as `<layer>.<parameter>`, in the list's order.
    pub fn parameters(&self) -> Vec<(String, ParameterSpec)> {
        self.layers
            .iter()
            .flat_map(|l| l.layer.parameters().into_iter().map(|p| (format!("{}.{}", l.name, p.name), p)))
            .collect()
    }

    /// How many numbers an optimiser moves.
    pub fn trainable(&self) -> usize {
        let size = |p: ParameterSpec| p.dims.iter().product::<usize>();
        self.parameters().into_iter().filter(|(_, p)| p.trainable).map(|(_, p)| size(p)).sum()
    }

    /// Initial weights, drawn on the host so that every device starts alike: parameter i of the
    /// list comes from stream i of a ChaCha8 generator of key `seed`.
    ///
    /// # Errors
    /// Candle's, if the device has no room.
    pub fn initialise(&self, seed: u64, device: &Device) -> Result<Parameters> {
        let tensors = self.parameters().into_iter().enumerate().map(|(i, (name, spec))| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(i as u64);
            let n = spec.dims.iter().product();
            let mut normal = || random.sample::<f64, _>(StandardNormal);
            let values: Vec<f32> = match spec.initial {
                Initial::Constant(value) => vec![value; n],
                Initial::Normal(deviation) => (0..n).map(|_| (normal() * deviation) as f32).collect(),
                Initial::TruncatedNormal(deviation) => (0..n)
                    .map(|_| {
                        loop {
                            let value = normal();
                            if value.abs() <= 2. {
                                break (value * deviation) as f32;
                            }
                        }
                    })
                    .collect(),
            };
            Ok((name, Tensor::from_vec(values, spec.dims, device)?))
        });
        self.with_weights(tensors.collect::<Result<HashMap<_, _>>>()?, device)
    }

    /// Takes weights by name, checking that each parameter is there in its shape.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first one that is missing or of another shape.
    pub fn with_weights(&self, mut tensors: HashMap<String, Tensor>, device: &Device) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        for (name, spec) in self.parameters() {
            let wrong = |message| Error::Parameter { name: name.clone(), message };
            let tensor = tensors.remove(&name).ok_or_else(|| {
                wrong(format!("not there; the {} needs it in shape {:?}", self.name, spec.dims))
            })?;
            if tensor.dims() != spec.dims {
                let found = tensor.dims();
                return Err(wrong(format!(
                    "shape {found:?}, but the {} needs {:?}: another architecture",
                    self.name, spec.dims
                )));
            }
            let var = Var::from_tensor(&tensor.to_device(device)?.contiguous()?)?;
            parameters.push(name, var, spec.trainable);
        }
        Ok(parameters)
    }

    /// The forward pass in Candle's own operations, which Candle can differentiate.
    ///
    /// # Shapes
    /// `x` (N, …) as [`Network::input`], `label` (N) of u32 → (N, …) as [`Network::output`].
    ///
    /// # Errors
    /// [`Error::Input`] if `x` or `label` don't fit; Candle's.
    pub fn forward(&self, p: &Parameters, x: &Tensor, label: Option<&Tensor>, mode: Mode) -> Result<Tensor> {
        Ok(self.forward_with_statistics(p, x, label, mode)?.0)
    }

    /// As [`Network::forward`], with (mean, unbiased variance) of each batch norm in [`Mode::Train`].
    pub(crate) fn forward_with_statistics(
        &self,
        p: &Parameters,
        x: &Tensor,
        label: Option<&Tensor>,
        mode: Mode,
    ) -> Result<(Tensor, Vec<(Tensor, Tensor)>)> {
        self.check(x, label)?;
        let mut statistics = Vec::new();
        let mut h = x.clone();
        for NamedLayer { name, layer } in &self.layers {
            h = layer.forward(p, name, &h, label, mode, &mut statistics)?;
        }
        Ok((h, statistics))
    }

    /// Checks an input and its labels before the walk.
    pub(crate) fn check(&self, x: &Tensor, label: Option<&Tensor>) -> Result<()> {
        let wrong = |message| Err(Error::Input { network: self.name.clone(), message });
        let n = x.dims().first().copied().unwrap_or(0);
        if n == 0 || x.dims() != self.input.dims(n) {
            return wrong(format!("takes ({}), was given {:?}", self.input, x.dims()));
        }
        match (self.classes, label) {
            (None, _) => Ok(()),
            (Some(_), None) => wrong("takes labels, was given none".to_string()),
            (Some(_), Some(label)) if label.dims() != [n] || label.dtype() != DType::U32 => {
                wrong(format!("takes {n} labels of u32, was given {:?} of {:?}", label.dims(), label.dtype()))
            }
            (Some(_), Some(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{Network, Shape};
    use crate::layers::Mode;

    fn network() -> Network {
        Network::builder("list", Shape::Vector(4))
            .linear("h0.linear", 12)
            .relu("h0.relu")
            .reshape("h0.planes", 2, 2, 3)
            .label("y", 3)
            .conv_same("h1.conv", 3, 3, 1)
            .tanh("out")
            .build()
            .unwrap()
    }

    #[test]
    fn its_parts_one_after_the_other_are_the_list() {
        let network = network();
        let p = network.initialise(3, &Device::Cpu).unwrap();
        let x = Tensor::rand(-1f32, 1., (2, 4), &Device::Cpu).unwrap();
        let y = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        for after in [&[][..], &["h0.relu"], &["h0.linear", "h0.planes", "h1.conv"]] {
            let parts = network.split(after).unwrap();
            assert_eq!(parts.len(), after.len() + 1);
            let through =
                parts.iter().fold(x.clone(), |x, part| part.forward(&p, &x, Some(&y), Mode::Train).unwrap());
            let whole = network.forward(&p, &x, Some(&y), Mode::Train).unwrap();
            let [found, expected] =
                [through, whole].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            assert_eq!(found, expected, "{after:?}");
        }
    }

    #[test]
    fn a_layer_that_is_not_there_or_not_in_order_splits_nothing() {
        for (after, named) in [(&["h3.relu"][..], "h3.relu"), (&["h0.relu", "h0.linear"], "h0.linear")] {
            let error = network().split(after).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("list"), "{error}");
        }
    }
}
