//! The decoder of a variational autoencoder (Kingma and Welling 2013): latents to 3 × 20 × 28 pictures.

use candle_core::{Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, GroupNorm, Linear, Module, PReLU,
    VarBuilder, conv_transpose2d, conv2d, group_norm, linear, ops, prelu,
};
use export::builder::{Builder, Step};

pub struct Decoder {
    fc: Linear,
    norm1: GroupNorm,
    deconv1: ConvTranspose2d,
    norm2: GroupNorm,
    deconv2: ConvTranspose2d,
    prelu: PReLU,
    conv: Conv2d,
}

impl Decoder {
    pub fn new(vs: VarBuilder<'_>) -> Result<Decoder> {
        let twice = ConvTranspose2dConfig { padding: 1, output_padding: 1, stride: 2, dilation: 1 };
        let same = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Decoder {
            fc: linear(10, 12 * 5 * 7, vs.pp("fc"))?,
            norm1: group_norm(3, 12, 1e-6, vs.pp("norm1"))?,
            deconv1: conv_transpose2d(12, 8, 3, twice, vs.pp("deconv1"))?,
            norm2: group_norm(2, 8, 1e-6, vs.pp("norm2"))?,
            deconv2: conv_transpose2d(8, 6, 3, twice, vs.pp("deconv2"))?,
            prelu: prelu(Some(6), vs.pp("prelu"))?,
            conv: conv2d(6, 3, 3, same, vs.pp("conv"))?,
        })
    }

    /// (N, 10) → (N, 3, 20, 28)
    pub fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let xs = self.fc.forward(z)?.reshape(((), 12, 5, 7))?;
        let xs = self.norm1.forward(&xs)?.silu()?;
        let xs = self.deconv1.forward(&xs)?;
        let xs = self.norm2.forward(&xs)?.silu()?;
        let xs = self.prelu.forward(&self.deconv2.forward(&xs)?)?;
        ops::sigmoid(&self.conv.forward(&xs)?)
    }

    pub fn describe(&self, graph: &Builder, z: &Step) -> export::Result<Step> {
        let xs = graph.reshape(&graph.linear(z, &self.fc)?, (12, 5, 7))?;
        let xs = graph.silu(&graph.group_norm(&xs, &self.norm1)?)?;
        let xs = graph.conv_transpose2d(&xs, &self.deconv1)?;
        let xs = graph.silu(&graph.group_norm(&xs, &self.norm2)?)?;
        let xs = graph.prelu(&graph.conv_transpose2d(&xs, &self.deconv2)?, &self.prelu)?;
        graph.sigmoid(&graph.conv2d(&xs, &self.conv)?)
    }
}
