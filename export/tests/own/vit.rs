//! A small vision transformer (Dosovitskiy et al. 2020) of 3 × 20 × 28 pictures, with a class token.

use candle_core::{D, Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, Init, LayerNorm, Linear, Module, VarBuilder, conv2d, layer_norm, linear, ops,
};
use export::builder::{Builder, Step};

const WIDTH: usize = 16;
const HEADS: usize = 4;
/// Patches of 4 × 4 pixels, and the class token.
const TOKENS: usize = 5 * 7 + 1;

pub struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Block {
    fn new(vs: VarBuilder<'_>) -> Result<Block> {
        Ok(Block {
            norm1: layer_norm(WIDTH, 1e-6, vs.pp("norm1"))?,
            qkv: linear(WIDTH, 3 * WIDTH, vs.pp("qkv"))?,
            out: linear(WIDTH, WIDTH, vs.pp("out"))?,
            norm2: layer_norm(WIDTH, 1e-6, vs.pp("norm2"))?,
            fc1: linear(WIDTH, 4 * WIDTH, vs.pp("fc1"))?,
            fc2: linear(4 * WIDTH, WIDTH, vs.pp("fc2"))?,
        })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = (xs + self.attention(&self.norm1.forward(xs)?)?)?;
        let ys = self.norm2.forward(&xs)?;
        let ys = self.fc1.forward(&ys)?.gelu_erf()?;
        xs + self.fc2.forward(&ys)?
    }

    fn attention(&self, xs: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(xs)?;
        let qkv = qkv.reshape(((), TOKENS, 3 * HEADS, WIDTH / HEADS))?.transpose(1, 2)?;
        let qkv = qkv.contiguous()?.chunk(3, 1)?;
        let scale = 1. / ((WIDTH / HEADS) as f64).sqrt();
        let scores = (qkv[0].contiguous()?.matmul(&qkv[1].t()?.contiguous()?)? * scale)?;
        let ys = ops::softmax_last_dim(&scores)?.matmul(&qkv[2].contiguous()?)?;
        self.out.forward(&ys.transpose(1, 2)?.flatten_from(D::Minus2)?)
    }

    fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let xs = graph.add(xs, &self.describe_attention(graph, &graph.layer_norm(xs, &self.norm1)?)?)?;
        let ys = graph.layer_norm(&xs, &self.norm2)?;
        let ys = graph.gelu_erf(&graph.linear(&ys, &self.fc1)?)?;
        graph.add(&xs, &graph.linear(&ys, &self.fc2)?)
    }

    fn describe_attention(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let qkv = graph.linear(xs, &self.qkv)?;
        let qkv = graph.transpose(&graph.reshape(&qkv, (TOKENS, 3 * HEADS, WIDTH / HEADS))?, 1, 2)?;
        let qkv = graph.chunk(&qkv, 3, 1)?;
        let scale = 1. / ((WIDTH / HEADS) as f64).sqrt();
        let ys = graph.attention(&qkv[0], &qkv[1], &qkv[2], scale)?;
        graph.linear(&graph.reshape(&graph.transpose(&ys, 1, 2)?, (TOKENS, WIDTH))?, &self.out)
    }
}

pub struct ViT {
    patches: Conv2d,
    class: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl ViT {
    pub fn new(vs: VarBuilder<'_>) -> Result<ViT> {
        let config = Conv2dConfig { stride: 4, ..Default::default() };
        let init = Init::Randn { mean: 0., stdev: 0.5 };
        Ok(ViT {
            patches: conv2d(3, WIDTH, 4, config, vs.pp("patches"))?,
            class: vs.get_with_hints((1, 1, WIDTH), "class", init)?,
            positions: vs.get_with_hints((1, TOKENS, WIDTH), "positions", init)?,
            blocks: (0..2).map(|at| Block::new(vs.pp(format!("blocks.{at}")))).collect::<Result<_>>()?,
            norm: layer_norm(WIDTH, 1e-6, vs.pp("norm"))?,
            head: linear(WIDTH, 6, vs.pp("head"))?,
        })
    }

    /// (N, 3, 20, 28) → (N, 6)
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = self.patches.forward(xs)?.flatten_from(2)?.transpose(1, 2)?;
        let class = self.class.broadcast_as((xs.dim(0)?, 1, WIDTH))?;
        let xs = Tensor::cat(&[&class, &xs], 1)?;
        let mut xs = xs.broadcast_add(&self.positions)?;
        for block in &self.blocks {
            xs = block.forward(&xs)?;
        }
        let xs = self.norm.forward(&xs)?.narrow(1, 0, 1)?.squeeze(1)?;
        self.head.forward(&xs)
    }

    pub fn describe(&self, graph: &Builder, xs: &Step) -> export::Result<Step> {
        let xs = graph.reshape(&graph.conv2d(xs, &self.patches)?, (WIDTH, TOKENS - 1))?;
        let xs = graph.transpose(&xs, 1, 2)?;
        let xs = graph.concat(&[&graph.parameter(&self.class)?, &xs], 1)?;
        let mut xs = graph.add(&xs, &graph.parameter(&self.positions)?)?;
        for block in &self.blocks {
            xs = block.describe(graph, &xs)?;
        }
        let xs = graph.squeeze(&graph.narrow(&graph.layer_norm(&xs, &self.norm)?, 1, 0, 1)?, 1)?;
        graph.linear(&xs, &self.head)
    }
}
