//! Another program's file as it is, in ONNX Runtime, on inputs of its own kind: what the new file is compared
//! with.

use contract::LatentDistribution;
use contract::latent::latent_batch;
use infer::{Input, ModelSource, Runtime, Session, Values};
use ndarray::{Array2, s};

use super::inputs::{Inputs, Labels};
use super::picture::{Output, Picture};
use super::{Known, Options};
use crate::proof::{BATCHES, Difference, TOLERANCE};

/// Key of the latents of the first look.
const SEED: u64 = 0;
/// Images of the first look.
const LOOK: usize = 2;

/// The file in ONNX Runtime.
pub struct Original<'a> {
    session: Session,
    inputs: &'a Inputs,
    output: &'a Output,
    latent: LatentDistribution,
    classes: usize,
}

impl<'a> Original<'a> {
    /// Loads it.
    ///
    /// # Errors
    /// A sentence with ONNX Runtime's words.
    pub fn load(
        source: &ModelSource<'_>,
        runtime: &'static Runtime,
        known: &'a Known,
    ) -> Result<Original<'a>, String> {
        let session = Session::load(source, runtime, Some(std::num::NonZeroUsize::MIN))
            .map_err(|reason| format!("ONNX Runtime {} can't load it: {reason}", runtime.version()))?;
        let Known { inputs, output, latent, classes } = known;
        Ok(Original { session, inputs, output, latent: *latent, classes: classes.len() })
    }

    /// What its pictures are like, from a first run.
    ///
    /// # Errors
    /// A sentence, if it can't be run, or they are no pictures.
    pub fn picture(&mut self, options: &Options) -> Result<Picture, String> {
        let z = latent_batch(self.latent, SEED, &[0, 1], self.inputs.latents.size());
        let (shape, numbers) = self.run(&z, &[0; LOOK])?;
        let picture = Picture::of(self.output, &shape, LOOK, options.layout)?;
        picture.check_range(&numbers)?;
        Ok(picture)
    }

    /// The contract's pictures of latents (N, d) and labels, drawn in batches of each size that the new file
    /// is compared in: an image may not depend on the others of its batch.
    ///
    /// # Errors
    /// A sentence, if it does, if it isn't the same each time, or isn't finite.
    pub fn drawings(
        &mut self,
        z: &Array2<f32>,
        labels: &[i64],
        picture: &Picture,
    ) -> Result<Vec<f32>, String> {
        let whole = self.in_batches(z, labels, picture, z.nrows())?;
        if let Some(number) = whole.iter().find(|number| !number.is_finite()) {
            return Err(format!("it draws a pixel of value {number}"));
        }
        picture.check_range(&whole.iter().map(|&number| picture.of_original(number)).collect::<Vec<_>>())?;
        let allowed = TOLERANCE + if picture.is_rounded() { 1. / 255. } else { 0. };
        let differs = |other: &[f32]| {
            let mut difference = Difference::default();
            difference.add(&whole, other);
            difference.largest > allowed
        };
        if differs(&self.in_batches(z, labels, picture, z.nrows())?) {
            return Err(
                "it draws something else each time: noise is drawn within its graph, so an image doesn't \
                        follow from its latents; export it with the noise as an input or without it"
                    .to_string(),
            );
        }
        for batch in BATCHES {
            let drawn = self.in_batches(z, labels, picture, batch).map_err(|reason| {
                format!("{reason}, in batches of {batch}; export it with a batch of any size")
            })?;
            if differs(&drawn) {
                return Err(
                    "what it draws of an image depends on the others of its batch, as with batch norm in \
                            training mode; export it for inference (model.eval() in PyTorch)"
                        .to_string(),
                );
            }
        }
        Ok(whole)
    }

    /// The contract's pictures, so many at a time.
    fn in_batches(
        &mut self,
        z: &Array2<f32>,
        labels: &[i64],
        picture: &Picture,
        batch: usize,
    ) -> Result<Vec<f32>, String> {
        let mut drawn = Vec::new();
        for first in (0..z.nrows()).step_by(batch) {
            let end = z.nrows().min(first + batch);
            let labels = labels.get(first..end).unwrap_or_default();
            let (shape, numbers) = self.run(&z.slice(s![first..end, ..]).to_owned(), labels)?;
            let found = Picture::of(self.output, &shape, end - first, Some(picture.layout))?;
            if found != *picture {
                return Err(format!("it draws pictures of different sizes, such as {shape:?}"));
            }
            drawn.extend(picture.of_contract(&numbers));
        }
        Ok(drawn)
    }

    /// One run on latents (N, d): the shape and the numbers of its output.
    fn run(&mut self, z: &Array2<f32>, labels: &[i64]) -> Result<(Vec<i64>, Vec<f32>), String> {
        let n = z.nrows();
        let Inputs { latents, labels: taken } = self.inputs;
        let shape = |item: &[usize]| [&[n], item].concat();
        let z: Vec<f32> = z.iter().copied().collect();
        let mut inputs = vec![Input {
            name: latents.name.as_str().into(),
            shape: shape(&latents.item).into(),
            values: Values::Float32(z.into()),
        }];
        if let Some(taken) = taken {
            inputs.push(Input {
                name: taken.name.as_str().into(),
                shape: shape(&taken.item).into(),
                values: values(taken, labels, self.classes),
            });
        }
        let mut found = (Vec::new(), Vec::new());
        let ran = self.session.run(&inputs, &[&self.output.name], |shape, values| {
            let numbers = match values {
                Values::Float32(numbers) => numbers.into_owned(),
                Values::Uint8(levels) => levels.iter().map(|&level| level.into()).collect(),
                _ => return Err(format!("its output {} is neither float32 nor uint8", self.output.name)),
            };
            found = (shape.to_vec(), numbers);
            Ok(())
        });
        ran.map_err(|reason| format!("ONNX Runtime can't run it ({reason})"))?;
        Ok(found)
    }
}

/// Labels as the file takes them.
fn values(taken: &Labels, labels: &[i64], classes: usize) -> Values<'static> {
    let numbers: Vec<i64> = match taken.one_hot() {
        Some(_) => labels
            .iter()
            .flat_map(|&label| (0..classes as i64).map(move |class| i64::from(class == label)))
            .collect(),
        None => labels.to_vec(),
    };
    match taken.element.as_str() {
        "int64" => Values::Int64(numbers.into()),
        "int32" => Values::Int32(numbers.into_iter().map(|number| number as i32).collect()),
        _ => Values::Float32(numbers.into_iter().map(|number| number as f32).collect()),
    }
}
