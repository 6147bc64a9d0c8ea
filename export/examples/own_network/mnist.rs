//! The models of Candle's mnist-training example, and beside each `forward` what describes it.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Linear, Module, ModuleT, VarBuilder, conv2d, linear};
use export::builder::{Builder, Step};

pub const IMAGE_DIM: usize = 784;
const LABELS: usize = 10;

pub struct Mlp {
    pub ln1: Linear,
    pub ln2: Linear,
}

impl Mlp {
    pub fn new(vs: VarBuilder<'_>) -> Result<Self> {
        let ln1 = linear(IMAGE_DIM, 100, vs.pp("ln1"))?;
        let ln2 = linear(100, LABELS, vs.pp("ln2"))?;
        Ok(Self { ln1, ln2 })
    }

    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = self.ln1.forward(xs)?;
        let xs = xs.relu()?;
        self.ln2.forward(&xs)
    }

    pub fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let xs = graph.linear(xs, &self.ln1)?;
        let xs = graph.relu(&xs)?;
        graph.linear(&xs, &self.ln2)
    }
}

pub struct ConvNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    dropout: candle_nn::Dropout,
}

impl ConvNet {
    pub fn new(vs: VarBuilder<'_>) -> Result<Self> {
        let conv1 = conv2d(1, 32, 5, Default::default(), vs.pp("c1"))?;
        let conv2 = conv2d(32, 64, 5, Default::default(), vs.pp("c2"))?;
        let fc1 = linear(1024, 1024, vs.pp("fc1"))?;
        let fc2 = linear(1024, LABELS, vs.pp("fc2"))?;
        let dropout = candle_nn::Dropout::new(0.5);
        Ok(Self { conv1, conv2, fc1, fc2, dropout })
    }

    pub fn forward(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let (b_sz, _img_dim) = xs.dims2()?;
        let xs = xs
            .reshape((b_sz, 1, 28, 28))?
            .apply(&self.conv1)?
            .max_pool2d(2)?
            .apply(&self.conv2)?
            .max_pool2d(2)?
            .flatten_from(1)?
            .apply(&self.fc1)?
            .relu()?;
        self.dropout.forward_t(&xs, train)?.apply(&self.fc2)
    }

    pub fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let xs = graph.reshape(xs, (1, 28, 28))?;
        let xs = graph.conv2d(&xs, &self.conv1)?;
        let xs = graph.max_pool2d(&xs, 2)?;
        let xs = graph.conv2d(&xs, &self.conv2)?;
        let xs = graph.max_pool2d(&xs, 2)?;
        let xs = graph.linear(&graph.flatten(&xs)?, &self.fc1)?;
        let xs = graph.relu(&xs)?;
        graph.linear(&xs, &self.fc2)
    }
}
