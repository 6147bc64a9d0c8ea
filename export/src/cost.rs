//! What 8 bits cost, layer by layer: pixels, and how many digits a judge reads otherwise.

use std::fmt;
use std::path::Path;

use contract::Contract;
use contract::latent::latent_batch;
use infer::{Engine, Generator, Judge, ModelSource};
use serde::Serialize;

use crate::Result;
use crate::form::EightBit;
use crate::onnx::{Graph, Model, Producer};
use crate::passes::int8;
use crate::proof::Difference;

/// Images that are drawn in each form.
const IMAGES: usize = 1000;
/// Images of a batch.
const BATCH: usize = 100;
/// Key of their latents: neither those of ranges nor those of the proof.
const SEED: u64 = 2;

/// What 8 bits cost.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// Images that were drawn in each form.
    pub images: usize,
    /// The share of them that the judge reads as their label in single precision, if there is one.
    pub agreement: Option<f64>,
    /// Of each layer alone, the others in single precision.
    pub layers: Vec<Cost>,
    /// Of all together.
    pub all: Cost,
}

/// What 8 bits cost in one form.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// The layer.
    pub layer: String,
    /// How far its pixels are from those of single precision.
    pub difference: Difference,
    /// The share of images that the judge reads as their label.
    pub agreement: Option<f64>,
}

/// As `8 bits in h2.deconv: pixels within 7.1e-2 (mean 1.2e-3), 99.9 % read as their label`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { largest, mean, levels, .. } = self.difference;
        write!(f, "8 bits in {}: pixels within {largest:.1e} (mean {mean:.1e}", self.layer)?;
        if let Some(levels) = levels {
            write!(f, ", {levels} of 255 levels")?;
        }
        write!(f, ")")?;
        match self.agreement {
            Some(agreement) => write!(f, ", {:.1} % read as their label", 100. * agreement),
            None => Ok(()),
        }
    }
}

/// Draws the same images in single precision, with each layer alone in 8 bits, and with all; `judge` reads
/// them, and `runtime` is the library to draw with.
///
/// # Errors
/// [`Error::Infer`](crate::Error::Infer) if ONNX Runtime can't run one of the graphs, or the judge is none of
/// such pictures.
pub fn costs(
    eight_bit: &EightBit,
    opset: i64,
    contract: &Contract,
    judge: Option<&Path>,
    runtime: Option<&Path>,
) -> Result<Costs> {
    let EightBit { float, ranges, layers } = eight_bit;
    let options = infer::Options {
        engine: Engine::OnnxRuntime,
        device: infer::Device::Cpu,
        runtime: runtime.map(Path::to_path_buf),
        expected_images: IMAGES,
        ..Default::default()
    };
    let load = |graph: &Graph| -> Result<Generator> {
        let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
        let mut model = Model::of_opset(opset, graph, producer)?;
        model.set_metadata(Contract { golden: None, ..contract.clone() }.to_metadata());
        let source = ModelSource::Bytes { name: "the exported graph", bytes: &model.encode() };
        Ok(Generator::load(&source, &options)?)
    };
    let mut single = load(float)?;
    let mut judge = judge.map(|path| Judge::load(&ModelSource::File(path), &single, &options)).transpose()?;
    let (expected, agreement) = draw(&mut single, contract, judge.as_mut())?;
    let mut cost = |layer: &str, chosen: &[String]| -> Result<Cost> {
        let (found, agreement) =
            draw(&mut load(&int8::quantise(float, ranges, chosen)?)?, contract, judge.as_mut())?;
        let mut difference = Difference::default();
        difference.add_pixels(contract.pixel_range, &expected, &found);
        Ok(Cost { layer: layer.to_string(), difference, agreement })
    };
    let of_layers =
        layers.iter().map(|layer| cost(layer, std::slice::from_ref(layer))).collect::<Result<_>>()?;
    Ok(Costs { images: IMAGES, agreement, layers: of_layers, all: cost("all of them", layers)? })
}

/// The pixels of the images, and the share that a judge reads as their label.
fn draw(
    generator: &mut Generator,
    contract: &Contract,
    mut judge: Option<&mut Judge>,
) -> Result<(Vec<f32>, Option<f64>)> {
    let (mut pixels, mut right) = (Vec::new(), 0);
    for first in (0..IMAGES).step_by(BATCH) {
        let indices: Vec<u64> = (first as u64..(first + BATCH) as u64).collect();
        let z = latent_batch(contract.latent_distribution, SEED, &indices, contract.latent_dim);
        let labels: Vec<i64> = match contract.is_labelled() {
            true => indices.iter().map(|i| (i % contract.classes.len() as u64) as i64).collect(),
            false => Vec::new(),
        };
        let drawn: Vec<f32> = generator.run(z.view(), &labels)?.into_iter().collect();
        if let Some(judge) = judge.as_deref_mut() {
            let levels: Vec<u8> = drawn.iter().map(|&pixel| contract.pixel_range.to_u8(pixel)).collect();
            let mut readings = Vec::new();
            judge.read(&levels, &mut readings)?;
            right += readings.iter().zip(&labels).filter(|(reading, label)| reading.label == **label).count();
        }
        pixels.extend(drawn);
    }
    Ok((pixels, judge.map(|_| right as f64 / IMAGES as f64)))
}
