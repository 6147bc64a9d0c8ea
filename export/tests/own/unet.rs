//! A U-Net (Ronneberger et al. 2015) that knows the noise's step, as diffusion models have it.

use candle_core::{Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, Embedding, GroupNorm, Linear, Module, VarBuilder, conv2d, embedding, group_norm,
    linear,
};
use export::builder::{Builder, Step};

pub struct Block {
    norm: GroupNorm,
    conv: Conv2d,
    time: Linear,
}

impl Block {
    fn new(inputs: usize, outputs: usize, vs: VarBuilder<'_>) -> Result<Block> {
        let same = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Block {
            norm: group_norm(2, inputs, 1e-5, vs.pp("norm"))?,
            conv: conv2d(inputs, outputs, 3, same, vs.pp("conv"))?,
            time: linear(9, outputs, vs.pp("time"))?,
        })
    }

    fn forward(&self, xs: &Tensor, time: &Tensor) -> Result<Tensor> {
        let xs = self.norm.forward(xs)?.silu()?.apply(&self.conv)?;
        let time = self.time.forward(time)?.unsqueeze(2)?.unsqueeze(3)?;
        xs.broadcast_add(&time)
    }

    fn describe(&self, graph: &Builder, xs: &Step, time: &Step) -> export::Result<Step> {
        let xs = graph.conv2d(&graph.silu(&graph.group_norm(xs, &self.norm)?)?, &self.conv)?;
        let time = graph.unsqueeze(&graph.unsqueeze(&graph.linear(time, &self.time)?, 2)?, 3)?;
        graph.add(&xs, &time)
    }
}

pub struct UNet {
    times: Embedding,
    first: Conv2d,
    down: [Block; 2],
    middle: Block,
    up: [Block; 2],
    last: Conv2d,
}

impl UNet {
    pub fn new(vs: VarBuilder<'_>) -> Result<UNet> {
        let same = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(UNet {
            times: embedding(20, 9, vs.pp("times"))?,
            first: conv2d(2, 4, 3, same, vs.pp("first"))?,
            down: [Block::new(4, 6, vs.pp("down1"))?, Block::new(6, 8, vs.pp("down2"))?],
            middle: Block::new(8, 8, vs.pp("middle"))?,
            up: [Block::new(16, 6, vs.pp("up1"))?, Block::new(12, 4, vs.pp("up2"))?],
            last: conv2d(4, 2, 3, same, vs.pp("last"))?,
        })
    }

    /// (N, 2, 12, 16) and (N) → (N, 2, 12, 16)
    pub fn forward(&self, xs: &Tensor, time: &Tensor) -> Result<Tensor> {
        let time = self.times.forward(time)?.silu()?;
        let xs = self.first.forward(xs)?;
        let down1 = self.down[0].forward(&xs, &time)?; // N, 6, 12, 16
        let down2 = self.down[1].forward(&down1.avg_pool2d(2)?, &time)?; // N, 8, 6, 8
        let xs = self.middle.forward(&down2.avg_pool2d(2)?, &time)?; // N, 8, 3, 4
        let xs = xs.upsample_nearest2d(6, 8)?;
        let xs = self.up[0].forward(&Tensor::cat(&[&xs, &down2], 1)?, &time)?;
        let xs = xs.upsample_nearest2d(12, 16)?;
        let xs = self.up[1].forward(&Tensor::cat(&[&xs, &down1], 1)?, &time)?;
        self.last.forward(&xs.silu()?)
    }

    pub fn describe(&self, graph: &Builder, xs: &Step, time: &Step) -> export::Result<Step> {
        let time = graph.silu(&graph.embedding(time, &self.times)?)?;
        let xs = graph.conv2d(xs, &self.first)?;
        let down1 = self.down[0].describe(graph, &xs, &time)?;
        let down2 = self.down[1].describe(graph, &graph.avg_pool2d(&down1, 2)?, &time)?;
        let xs = self.middle.describe(graph, &graph.avg_pool2d(&down2, 2)?, &time)?;
        let xs = graph.upsample_nearest2d(&xs, 6, 8)?;
        let xs = self.up[0].describe(graph, &graph.concat(&[&xs, &down2], 1)?, &time)?;
        let xs = graph.upsample_nearest2d(&xs, 12, 16)?;
        let xs = self.up[1].describe(graph, &graph.concat(&[&xs, &down1], 1)?, &time)?;
        graph.conv2d(&graph.silu(&xs)?, &self.last)
    }
}
