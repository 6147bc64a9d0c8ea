//! A small ResNet (He et al. 2015) of 3 × 20 × 28 pictures.

use candle_core::{ModuleT, Result, Tensor};
use candle_nn::{
    BatchNorm, Conv2d, Conv2dConfig, Linear, Module, VarBuilder, batch_norm, conv2d_no_bias, linear,
};
use export::builder::{Builder, Step};

pub struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, vs: VarBuilder<'_>) -> Result<Block> {
        let wide = Conv2dConfig { padding: 1, stride, ..Default::default() };
        let same = Conv2dConfig { padding: 1, ..Default::default() };
        let point = Conv2dConfig { stride, ..Default::default() };
        let downsample = match inputs == outputs && stride == 1 {
            true => None,
            false => Some((
                conv2d_no_bias(inputs, outputs, 1, point, vs.pp("downsample.0"))?,
                batch_norm(outputs, 1e-5, vs.pp("downsample.1"))?,
            )),
        };
        Ok(Block {
            conv1: conv2d_no_bias(inputs, outputs, 3, wide, vs.pp("conv1"))?,
            bn1: batch_norm(outputs, 1e-5, vs.pp("bn1"))?,
            conv2: conv2d_no_bias(outputs, outputs, 3, same, vs.pp("conv2"))?,
            bn2: batch_norm(outputs, 1e-5, vs.pp("bn2"))?,
            downsample,
        })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let ys = self.bn1.forward_t(&self.conv1.forward(xs)?, false)?.relu()?;
        let ys = self.bn2.forward_t(&self.conv2.forward(&ys)?, false)?;
        let xs = match &self.downsample {
            Some((conv, bn)) => bn.forward_t(&conv.forward(xs)?, false)?,
            None => xs.clone(),
        };
        (xs + ys)?.relu()
    }

    fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let ys = graph.relu(&graph.batch_norm(&graph.conv2d(xs, &self.conv1)?, &self.bn1)?)?;
        let ys = graph.batch_norm(&graph.conv2d(&ys, &self.conv2)?, &self.bn2)?;
        let xs = match &self.downsample {
            Some((conv, bn)) => graph.batch_norm(&graph.conv2d(xs, conv)?, bn)?,
            None => xs.clone(),
        };
        graph.relu(&graph.add(&xs, &ys)?)
    }
}

pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    blocks: Vec<Block>,
    fc: Linear,
}

impl ResNet {
    pub fn new(vs: VarBuilder<'_>) -> Result<ResNet> {
        let config = Conv2dConfig { padding: 3, stride: 2, ..Default::default() };
        let widths = [(8, 8, 1), (8, 12, 2), (12, 12, 1)];
        let blocks = widths.into_iter().enumerate();
        let blocks = blocks.map(|(at, (inputs, outputs, stride))| {
            Block::new(inputs, outputs, stride, vs.pp(format!("layer{at}")))
        });
        Ok(ResNet {
            conv1: conv2d_no_bias(3, 8, 7, config, vs.pp("conv1"))?,
            bn1: batch_norm(8, 1e-5, vs.pp("bn1"))?,
            blocks: blocks.collect::<Result<_>>()?,
            fc: linear(12, 5, vs.pp("fc"))?,
        })
    }

    /// (N, 3, 20, 28) → (N, 5)
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = self.bn1.forward_t(&self.conv1.forward(xs)?, false)?.relu()?;
        let mut xs = xs.max_pool2d_with_stride(3, 2)?;
        for block in &self.blocks {
            xs = block.forward(&xs)?;
        }
        self.fc.forward(&xs.mean((2, 3))?)
    }

    pub fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let xs = graph.relu(&graph.batch_norm(&graph.conv2d(xs, &self.conv1)?, &self.bn1)?)?;
        let mut xs = graph.max_pool2d_with_stride(&xs, 3, 2)?;
        for block in &self.blocks {
            xs = block.describe(graph, &xs)?;
        }
        graph.linear(&graph.mean(&xs, [2, 3])?, &self.fc)
    }
}
