//! A generator: a model in an engine, ready to draw.

use std::mem;

use ndarray::{Array2, Array4, ArrayView2, Axis, concatenate, s};

use contract::{Comparison, Contract, latent::latent_batch, onnx, tensor};

use crate::{
    Device, Engine, Error, ModelSource, Options, Placement, Skipped,
    engine::{self, BATCH, Chosen, Input, Reader, Values},
};

/// One image to draw: its index in the seed's sequence, and its label (0 in an unlabelled model).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Index of the image: which latents it gets.
    pub index: u64,
    /// Class of the image.
    pub label: i64,
}

/// A loaded generator.
pub struct Generator {
    name: String,
    contract: Contract,
    declared_shape: Option<[usize; 3]>,
    chosen: Chosen,
}

impl Generator {
    /// Loads a model: checks what it says about itself, then chooses engine and device.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]'s about models, runtimes, engines and devices.
    pub fn load(source: &ModelSource<'_>, options: &Options) -> Result<Self, Error> {
        let header = source.header()?;
        let contract = source.contract_in(&header)?;
        let declared_shape = onnx::declared_shape(&header);
        let chosen = engine::choose(source, options)?;
        let mut generator = Self { name: source.name(), contract, declared_shape, chosen };
        if options.device == Device::Auto && matches!(generator.device(), Device::Cuda(_)) {
            generator.leave_if_broken(source, options)?;
        }
        Ok(generator)
    }

    /// Moves to the CPU if the device fails at its first run, which is where a library or driver of the wrong
    /// version shows. A device that works has to make this run sooner or later anyway.
    fn leave_if_broken(&mut self, source: &ModelSource<'_>, options: &Options) -> Result<(), Error> {
        let z = vec![0.0; self.contract.latent_dim];
        let label = &[0][..usize::from(self.contract.is_labelled())];
        let Err(error) = self.infer(&z, label, &mut |_, _| Ok(())) else { return Ok(()) };
        let cpu = engine::choose(source, &Options { device: Device::Cpu, ..options.clone() })?;
        let Chosen { mut skipped, .. } = mem::replace(&mut self.chosen, cpu);
        skipped.push(Skipped { step: "CUDA", reason: error.to_string(), broken: true });
        self.chosen.skipped.splice(..0, skipped);
        Ok(())
    }

    /// What messages call the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the model's file says about itself.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Channels, height and width of a picture: as the model's file declares them, or, if it doesn't, of one
    /// that is drawn for this.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn image_shape(&mut self) -> Result<[usize; 3], Error> {
        if let Some(declared) = self.declared_shape {
            return Ok(declared);
        }
        let label = &[0][..usize::from(self.contract.is_labelled())];
        let drawn = self.run(Array2::zeros((1, self.contract.latent_dim)).view(), label)?;
        let (_, c, h, w) = drawn.dim();
        Ok([c, h, w])
    }

    /// Channels, height and width of a picture, if the model's file declares them.
    pub(crate) fn declared_shape(&self) -> Option<[usize; 3]> {
        self.declared_shape
    }

    /// The engine that was chosen: never [`Engine::Auto`].
    pub fn engine(&self) -> Engine {
        self.chosen.engine
    }

    /// The engine's name and version, such as `ONNX Runtime 1.32.0`.
    pub fn engine_name(&self) -> String {
        self.chosen.engine_name.clone()
    }

    /// The loaded ONNX Runtime, if it is the engine.
    #[cfg(feature = "onnxruntime")]
    pub fn runtime(&self) -> Option<&'static crate::Runtime> {
        self.chosen.runtime
    }

    /// The device that was chosen: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.chosen.device
    }

    /// Which execution providers run the graph, in ONNX Runtime's own words; empty if the library
    /// doesn't say, and for an engine that has none.
    pub fn placements(&self) -> &[Placement] {
        &self.chosen.placements
    }

    /// Engines and devices that `auto` passed over before this one, in order.
    pub fn skipped(&self) -> &[Skipped] {
        &self.chosen.skipped
    }

    /// What a user should know about how engine and device were chosen; often empty.
    pub fn notes(&self) -> Vec<String> {
        let instead = match (self.engine(), self.device()) {
            (Engine::Rten, _) => "rten",
            (_, Device::Cuda(_)) => "CUDA",
            _ => "the CPU",
        };
        (self.skipped().iter().filter(|skipped| skipped.broken))
            .map(|Skipped { step, reason, .. }| format!("{step} can't be used, so {instead} is: {reason}"))
            .collect()
    }

    /// Runs the network once.
    ///
    /// # Shapes
    ///
    /// `z` is `(N, latent_dim)` with N ≥ 1; `labels` has N numbers, or none for an unlabelled
    /// model. Returns `(N, C, H, W)`.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] for other shapes or labels, [`Error::RunFailed`] if the engine fails or
    /// the output is not finite.
    pub fn run(&mut self, z: ArrayView2<'_, f32>, labels: &[i64]) -> Result<Array4<f32>, Error> {
        let batch = z.nrows();
        self.check_run(z.dim(), labels)?;
        let z = z.as_standard_layout();
        let mut drawn = Array4::default([0; 4]);
        self.infer(z.as_slice().unwrap_or_default(), labels, &mut |shape, pixels| {
            let shape = check_images(shape, pixels, batch)?;
            drawn = Array4::from_shape_vec(shape, pixels.to_vec()).map_err(|error| error.to_string())?;
            Ok(())
        })?;
        Ok(drawn)
    }

    /// Runs the network once and appends its images to `pixels`, 8 bits each: what a program that
    /// draws many images does over and over, with the same memory. An image is the same, bit for bit,
    /// however many are drawn with it; for this, a single one is drawn as a batch of two.
    ///
    /// # Shapes
    ///
    /// `latents` holds N ≥ 1 rows of `latent_dim` numbers; `labels` N numbers, or none for an
    /// unlabelled model. Appends `(N, C, H, W)` and returns C, H and W.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn draw(
        &mut self,
        latents: &[f32],
        labels: &[i64],
        pixels: &mut Vec<u8>,
    ) -> Result<[usize; 3], Error> {
        let range = self.contract.pixel_range;
        let levels = &mut |values: &[f32]| pixels.extend(values.iter().map(|value| range.to_u8(*value)));
        self.draw_with(latents, labels, levels)
    }

    /// As [`draw`](Self::draw), with the network's own values in place of their 8 bits.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn draw_values(
        &mut self,
        latents: &[f32],
        labels: &[i64],
        values: &mut Vec<f32>,
    ) -> Result<[usize; 3], Error> {
        self.draw_with(latents, labels, &mut |drawn| values.extend_from_slice(drawn))
    }

    /// Runs the network on one batch, or on a single image twice, and lends the values to `take`.
    fn draw_with(
        &mut self,
        latents: &[f32],
        labels: &[i64],
        take: &mut dyn FnMut(&[f32]),
    ) -> Result<[usize; 3], Error> {
        let dim = self.contract.latent_dim;
        let batch = latents.len() / dim;
        self.check_run((batch, if latents.len() == batch * dim { dim } else { 0 }), labels)?;
        let mut drawn = [0; 3];
        if batch == 1 {
            // The order of additions in a matrix product of one row is not that of several.
            self.infer(&latents.repeat(2), &labels.repeat(2), &mut |shape, values| {
                let [_, image @ ..] = check_images(shape, values, 2)?;
                drawn = image;
                take(&values[..values.len() / 2]);
                Ok(())
            })?;
            return Ok(drawn);
        }
        self.infer(latents, labels, &mut |shape, values| {
            let [_, image @ ..] = check_images(shape, values, batch)?;
            drawn = image;
            take(values);
            Ok(())
        })?;
        Ok(drawn)
    }

    /// Draws consecutive images of a seed: image `first_index + i` with label `labels[i]`, as
    /// 8-bit pixels. Each picture depends on the model, the seed, its index and its label; how many
    /// are drawn together, and where, can move a pixel by one level at most where its value lies
    /// on a rounding edge.
    ///
    /// # Shapes
    ///
    /// Returns `(N, C, H, W)` for N labels.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn images(&mut self, labels: &[i64], seed: u64, first_index: u64) -> Result<Array4<u8>, Error> {
        let samples: Vec<Sample> = (labels.iter().zip(0..))
            .map(|(&label, offset)| Sample { index: first_index.wrapping_add(offset), label })
            .collect();
        self.samples(seed, &samples)
    }

    /// Draws any images of a seed, as 8-bit pixels.
    ///
    /// # Shapes
    ///
    /// Returns `(N, C, H, W)` for N samples, N ≥ 1.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn samples(&mut self, seed: u64, samples: &[Sample]) -> Result<Array4<u8>, Error> {
        let labels: Vec<i64> = match self.contract.is_labelled() {
            true => samples.iter().map(|sample| sample.label).collect(),
            false => Vec::new(),
        };
        let indices: Vec<u64> = samples.iter().map(|sample| sample.index).collect();
        self.of_latents(self.latents(seed, &indices).view(), &labels)
    }

    /// The latents of any images of a seed.
    ///
    /// # Shapes
    ///
    /// Returns `(N, latent_dim)` for N indices.
    pub fn latents(&self, seed: u64, indices: &[u64]) -> Array2<f32> {
        let Contract { latent_distribution, latent_dim, .. } = self.contract;
        latent_batch(latent_distribution, seed, indices, latent_dim)
    }

    /// Draws images of any latents, as 8-bit pixels: in batches, so that there may be thousands. A single
    /// image is run alone; among several, each is as [`draw`](Self::draw) draws it.
    ///
    /// # Shapes
    ///
    /// `z` is `(N, latent_dim)` with N ≥ 1; `labels` has N numbers, or none for an unlabelled
    /// model. Returns `(N, C, H, W)`.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn of_latents(&mut self, z: ArrayView2<'_, f32>, labels: &[i64]) -> Result<Array4<u8>, Error> {
        let range = self.contract.pixel_range;
        let mut batches = Vec::new();
        self.batches_of_latents(z, labels, &mut |images| {
            batches.push(range.quantize(images));
            Ok(())
        })?;
        let views: Vec<_> = batches.iter().map(|batch| batch.view()).collect();
        concatenate(Axis(0), &views).map_err(|error| Error::RunFailed {
            model: self.name.clone(),
            reason: format!("it drew pictures of different sizes ({error})"),
        })
    }

    /// As [`of_latents`](Self::of_latents), with the network's own values, which each batch lends to `take`,
    /// in order; an error of `take` ends the drawing.
    ///
    /// # Shapes
    ///
    /// What `take` gets is `(n, C, H, W)`; all n together are N.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and those of `take`.
    pub fn batches_of_latents(
        &mut self,
        z: ArrayView2<'_, f32>,
        labels: &[i64],
        take: &mut dyn FnMut(&Array4<f32>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_run(z.dim(), labels)?;
        for (i, z) in z.axis_chunks_iter(Axis(0), BATCH).enumerate() {
            let labels = labels.get(i * BATCH..i * BATCH + z.nrows()).unwrap_or_default();
            let mut images = match (z.nrows(), i) {
                // What is left over is drawn as all others are, see `draw`.
                (1, 1..) => {
                    let twice = concatenate![Axis(0), z, z];
                    self.run(twice.view(), &labels.repeat(2))?
                }
                _ => self.run(z, labels)?,
            };
            images.slice_collapse(s![..z.nrows(), .., .., ..]);
            take(&images)?;
        }
        Ok(())
    }

    /// Draws the pictures that the model's file promises, and compares.
    ///
    /// # Errors
    ///
    /// [`Error::NotAGenerator`] if the file promises none, or damaged ones; and as [`run`](Self::run).
    pub fn self_test(&mut self) -> Result<Comparison, Error> {
        let model = self.name.clone();
        let refused = |found| Error::NotAGenerator { model, found };
        let Some(golden) = self.contract.golden.clone() else {
            let found = "it has no edgegan.golden in its metadata, so it promises no pictures";
            return Err(refused(found.into()));
        };
        let images = self.images(&golden.labels, golden.seed, 0)?;
        golden.compare(&images).map_err(refused)
    }

    /// Runs the network on latents and labels that it takes.
    fn infer(&mut self, latents: &[f32], labels: &[i64], read: &mut Reader<'_>) -> Result<(), Error> {
        let dim = self.contract.latent_dim;
        let (z, label) = ([latents.len() / dim, dim], [labels.len()]);
        let inputs = [
            Input { name: tensor::Z.into(), shape: (&z).into(), values: Values::Float32(latents.into()) },
            Input {
                name: tensor::LABEL.into(),
                shape: (&label).into(),
                values: Values::Int64(labels.into()),
            },
        ];
        let inputs = &inputs[..1 + usize::from(self.contract.is_labelled())];
        let run = self.chosen.network.run(inputs, tensor::IMAGE, read);
        run.map_err(|reason| Error::RunFailed { model: self.name.clone(), reason })
    }

    fn check_run(&self, (batch, latents): (usize, usize), labels: &[i64]) -> Result<(), Error> {
        let Contract { latent_dim, classes, .. } = &self.contract;
        if batch == 0 || latents != *latent_dim {
            return Err(Error::BadInput(format!(
                "z has shape ({batch}, {latents}), but model {} takes (1 or more, {latent_dim})",
                self.name
            )));
        }
        let expected = if self.contract.is_labelled() { batch } else { 0 };
        if labels.len() != expected {
            return Err(Error::BadInput(format!(
                "{} labels for {batch} images: model {} takes {expected}",
                labels.len(),
                self.name
            )));
        }
        // ONNX's Gather counts negative indices from the end: −1 would draw the last class.
        match labels.iter().find(|label| !(0..classes.len() as i64).contains(label)) {
            Some(label) => Err(Error::UnknownClass {
                asked: format!("label {label}"),
                model: self.name.clone(),
                classes: self.contract.describe_classes(),
                nearest: None,
            }),
            None => Ok(()),
        }
    }
}

/// The shape of an engine's output, if it is one of pictures.
fn check_images(shape: &[i64], pixels: &[f32], batch: usize) -> Result<[usize; 4], String> {
    let &[n, c @ (1 | 3), h, w] = shape else {
        return Err(format!("its output has shape {shape:?}, expected (batch, 1 or 3, height, width)"));
    };
    if n != batch as i64 || h < 1 || w < 1 {
        return Err(format!("it drew {shape:?} for a batch of {batch}"));
    }
    if let Some(value) = pixels.iter().find(|value| !value.is_finite()) {
        return Err(format!("it drew a pixel of value {value}"));
    }
    Ok([n, c, h, w].map(|dim| dim as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_are_no_pictures_are_refused() {
        let refused =
            |shape: &[i64], pixels: &[f32]| check_images(shape, pixels, 2).err().unwrap_or_default();
        assert!(refused(&[2, 6], &[0.0; 12]).contains("[2, 6]"));
        assert!(refused(&[2, 2, 1, 3], &[0.0; 12]).contains("1 or 3"));
        assert!(refused(&[1, 1, 2, 3], &[0.0; 6]).contains("batch of 2"));
        assert!(refused(&[2, 1, 0, 3], &[]).contains("batch of 2"));
        let mut pixels = [0.5; 12];
        pixels[7] = f32::INFINITY;
        assert!(refused(&[2, 1, 2, 3], &pixels).contains("inf"));
        pixels[7] = 0.25;
        assert_eq!(check_images(&[2, 1, 2, 3], &pixels, 2), Ok([2, 1, 2, 3]));
    }
}
