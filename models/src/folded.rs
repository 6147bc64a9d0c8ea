//! A network for sampling alone, without batch norm: with the running averages each one is a factor and an
//! offset of its channel, which the weights before it can take over. What is left can be differentiated by
//! [`Network::trace`], one picture apart from the others of its batch.

use std::collections::HashMap;

use candle_core::Tensor;

use crate::layers::Layer;
use crate::layers::batch_norm::EPSILON;
use crate::network::NamedLayer;
use crate::{Error, Network, Parameters, Result};

impl Network {
    /// This network with every batch norm folded into the layer before it, and its weights. It makes what
    /// [`Network::sample`] makes, within rounding.
    ///
    /// # Errors
    /// [`Error::Shape`] if a batch norm follows no layer with weights; Candle's.
    pub fn folded(&self, p: &Parameters) -> Result<(Network, Parameters)> {
        let mut builder = Network::builder(self.name(), self.input());
        let mut weights: HashMap<String, Tensor> =
            p.iter().map(|(name, value)| (name.to_string(), value.as_detached_tensor())).collect();
        let mut before = None;
        for named in self.layers() {
            match named.layer {
                Layer::BatchNorm(_) => weights.extend(taken_over(named, before, p)?),
                layer => builder = builder.layer(&named.name, layer),
            }
            before = Some(named);
        }
        let network = builder.build()?.with_factors(self.factors());
        // What belongs to batch norms is left.
        let parameters = network.with_weights(weights, p.device())?;
        Ok((network, parameters))
    }
}

/// The weights of the layer before a batch norm, once it has taken that over.
fn taken_over(
    norm: &NamedLayer,
    before: Option<&NamedLayer>,
    p: &Parameters,
) -> Result<[(String, Tensor); 2]> {
    let (layer, channels) = match before {
        Some(NamedLayer { name, layer: Layer::Linear(_) | Layer::Conv2d(_) }) => (name, 0),
        Some(NamedLayer { name, layer: Layer::ConvTranspose2d(_) }) => (name, 1),
        _ => {
            let message = "a batch norm that follows no layer with weights can't be folded".to_string();
            return Err(Error::Shape { layer: norm.name.clone(), message });
        }
    };
    let of_norm = |of: &str| p.get(&format!("{}.{of}", norm.name));
    let [weight, bias] = ["weight", "bias"].map(|of| format!("{layer}.{of}"));
    let deviation = (of_norm("running_variance")?.as_tensor() + EPSILON)?.sqrt()?;
    let scale = of_norm("weight")?.div(&deviation)?; // channels
    let mut dims = vec![1; p.get(&weight)?.rank()];
    dims[channels] = scale.elem_count();
    let scaled = p.get(&weight)?.broadcast_mul(&scale.reshape(dims)?)?;
    let centred = p.get(&bias)?.sub(of_norm("running_mean")?)?;
    let shifted = (centred * &scale)?.add(of_norm("bias")?)?;
    Ok([(weight, scaled), (bias, shifted)])
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use crate::{Network, Shape};

    #[test]
    fn it_makes_what_sampling_makes() {
        let network = Network::builder("folded", Shape::Vector(4))
            .label("y", 3)
            .linear("h0.linear", 12)
            .batch_norm("h0.norm")
            .relu("h0.relu")
            .reshape("h0.planes", 2, 2, 3)
            .conv_transpose_same("h1.deconv", 5, 3, 2, (4, 6))
            .batch_norm("h1.norm")
            .leaky_relu("h1.relu", 0.2)
            .conv_same("h2.conv", 3, 3, 1)
            .batch_norm("h2.norm")
            .tanh("out")
            .build()
            .unwrap();
        let p = network.initialise(3, &Device::Cpu).unwrap();
        // Neither the averages nor the offsets are what they start from.
        for (i, (name, value)) in p.iter().enumerate().filter(|(_, (name, _))| name.contains("norm")) {
            let n = value.elem_count();
            let numbers = (0..n).map(|k| 0.3 + ((i * 7 + k * 5) % 11) as f32 / 9.);
            value.set(&Tensor::from_iter(numbers, &Device::Cpu).unwrap()).unwrap();
            assert_eq!(value.dims(), [n], "{name}");
        }
        let (folded, weights) = network.folded(&p).unwrap();
        assert!(weights.iter().all(|(name, _)| !name.contains("norm")));
        let x = Tensor::rand(-1f32, 1., (6, 4), &Device::Cpu).unwrap();
        let y = Tensor::new(&[0u32, 1, 2, 2, 1, 0], &Device::Cpu).unwrap();
        let expected = network.sample(&p, &x, Some(&y)).unwrap();
        let found = folded.trace(&weights, &x, Some(&y)).unwrap().output;
        let most = (expected - found).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(most < 1e-5, "{most}");
    }

    #[test]
    fn a_norm_without_weights_before_it_is_refused() {
        let network = Network::builder("norm", Shape::Vector(4)).batch_norm("h0.norm").build().unwrap();
        let p = network.initialise(0, &Device::Cpu).unwrap();
        let error = network.folded(&p).unwrap_err().to_string();
        assert!(error.contains("h0.norm"), "{error}");
    }
}
