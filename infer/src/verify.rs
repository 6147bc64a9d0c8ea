//! Redraws images until a judge reads each as its label.
//!
//! Image i of seed s is drawn from the first latents of its stream (see [`latent`]).
//! If a judge reads it as another class, or as its own with less confidence than a threshold, it is
//! drawn again from the stream's next latents, and so on. What is kept depends on the model, the
//! judge, the threshold, s, i and the label alone: not on the batch, the thread, the shard or
//! the other images.
//!
//! The judge reads the 8-bit pixels that are written, so that anyone can ask it again. Engines that
//! differ in the last bits of a confidence decide alike, unless it lies within these bits of the
//! threshold.
//!
//! An image that is not read as its label in [`DRAWS`] draws is an error: the model doesn't reach the
//! threshold, or the judge doesn't know its pictures.
//!
//! ```
//! use infer::{Engine, Generator, Judge, ModelSource, Options, Sample, verify::Verifier};
//!
//! # fn main() -> Result<(), infer::Error> {
//! # #[cfg(feature = "rten")] {
//! # let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained");
//! # let file = format!("{models}/mnist-generator.onnx");
//! # let judge = format!("{models}/mnist-judge.onnx");
//! let options = Options { engine: Engine::Rten, ..Options::default() };
//! let mut generator = Generator::load(&ModelSource::File(file.as_ref()), &options)?;
//! let judge = Judge::load(&ModelSource::File(judge.as_ref()), &generator, &options)?;
//! let mut verifier = Verifier::new(judge, 0.9);
//! let samples = [0, 1].map(|index| Sample { index, label: 5 });
//! let (images, kept) = verifier.samples(&mut generator, 7, &samples)?;
//! assert_eq!(images.dim(), (2, 1, 28, 28));
//! assert!(kept.confidences.iter().all(|confidence| *confidence >= 0.9));
//! # }
//! # Ok(())
//! # }
//! ```

use ndarray::Array4;

use contract::latent;

use crate::{Error, Generator, Judge, Reading, Sample, engine::BATCH};

/// How many times an image is drawn at most. Where half of all draws are refused, one image in 2¹⁰⁰ is
/// refused this often.
pub const DRAWS: u32 = 100;

/// A judge, and how sure it must be.
pub struct Verifier {
    judge: Judge,
    threshold: f64,
    /// Memory that every batch uses again.
    again: Again,
}

/// Images that are being redrawn.
#[derive(Default)]
struct Again {
    /// Their places in the batch.
    places: Vec<usize>,
    latents: Vec<f32>,
    labels: Vec<i64>,
    pixels: Vec<u8>,
    readings: Vec<Reading>,
}

/// What was kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// The judge's confidence in each image's label, 0 to 1 with four decimals.
    pub confidences: Vec<f64>,
    /// How many draws of each image were discarded.
    pub discarded: Vec<u32>,
}

impl Kept {
    /// How many images are not their first draw.
    pub fn redrawn(&self) -> u64 {
        self.discarded.iter().filter(|draws| **draws > 0).count() as u64
    }

    /// How many draws were discarded.
    pub fn redraws(&self) -> u64 {
        self.discarded.iter().map(|draws| u64::from(*draws)).sum()
    }
}

impl Verifier {
    /// A verifier that keeps what `judge` reads as its label with a confidence of `threshold` or
    /// more, 0 to 1.
    pub fn new(judge: Judge, threshold: f64) -> Self {
        Self { judge, threshold, again: Again::default() }
    }

    /// The judge.
    pub fn judge(&mut self) -> &mut Judge {
        &mut self.judge
    }

    /// As [`verify`](Self::verify) and [`samples`](Self::samples) from here on, with another threshold.
    pub fn set_threshold(&mut self, threshold: f64) {
        self.threshold = threshold;
    }

    /// Redraws the images of a batch, in place, until each is read as its label.
    ///
    /// # Shapes
    ///
    /// `pixels` is `(N, C, H, W)`, the first draws of N samples; `shape` is C, H and W.
    ///
    /// # Errors
    ///
    /// [`Error::NotVerified`], [`Error::OtherJudge`] for pictures that are not of the judge's size,
    /// [`Error::BadInput`] for another number of them, and as [`Generator::draw`].
    pub fn verify(
        &mut self,
        generator: &mut Generator,
        seed: u64,
        samples: &[Sample],
        shape: [usize; 3],
        pixels: &mut [u8],
    ) -> Result<Kept, Error> {
        self.judge.check_shape(shape, generator)?;
        let size = shape.iter().product::<usize>();
        if pixels.len() != samples.len() * size {
            let (found, expected) = (pixels.len(), samples.len());
            return Err(Error::BadInput(format!("{found} pixels are not {expected} pictures of {size}")));
        }
        let mut kept = Kept { confidences: vec![0.0; samples.len()], discarded: vec![0; samples.len()] };
        let Self { judge, threshold, again } = self;
        again.places.clear();
        again.places.extend(0..samples.len());
        again.readings.clear();
        judge.read(pixels, &mut again.readings)?;
        let mut draw = 1;
        loop {
            let mut readings = again.readings.iter();
            again.places.retain(|&place| match readings.next() {
                Some(reading)
                    if reading.label == samples[place].label && reading.confidence >= *threshold =>
                {
                    kept.confidences[place] = reading.confidence;
                    false
                }
                _ => true,
            });
            let Some(&first) = again.places.first() else { return Ok(kept) };
            if draw == DRAWS {
                let Sample { index, label } = samples[first];
                let class = generator.contract().classes.get(label as usize).cloned();
                return Err(Error::NotVerified {
                    index,
                    seed,
                    class: class.unwrap_or_default(),
                    threshold: *threshold,
                    judge: judge.name().into(),
                    draws: DRAWS,
                });
            }
            again.places.iter().for_each(|&place| kept.discarded[place] += 1);
            again.draw(generator, seed, samples, draw)?;
            for (&place, image) in again.places.iter().zip(again.pixels.chunks_exact(size)) {
                pixels[place * size..][..size].copy_from_slice(image);
            }
            again.readings.clear();
            judge.read(&again.pixels, &mut again.readings)?;
            draw += 1;
        }
    }

    /// Draws any images of a seed, as [`Generator::samples`] does, and verifies them.
    ///
    /// # Shapes
    ///
    /// Returns `(N, C, H, W)` for N samples, N ≥ 1.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn samples(
        &mut self,
        generator: &mut Generator,
        seed: u64,
        samples: &[Sample],
    ) -> Result<(Array4<u8>, Kept), Error> {
        let mut kept = Kept::default();
        let mut images = generator.samples(seed, samples)?;
        let (_, c, h, w) = images.dim();
        // A concatenation is in its logical order.
        let pixels = images.as_slice_mut().unwrap_or_default();
        for (batch, pixels) in samples.chunks(BATCH).zip(pixels.chunks_mut(BATCH * c * h * w)) {
            let Kept { confidences, discarded } = self.verify(generator, seed, batch, [c, h, w], pixels)?;
            kept.confidences.extend(confidences);
            kept.discarded.extend(discarded);
        }
        Ok((images, kept))
    }
}

impl Again {
    /// Draws the images at `places` again, as their `redraw`-th redraw.
    fn draw(
        &mut self,
        generator: &mut Generator,
        seed: u64,
        samples: &[Sample],
        redraw: u32,
    ) -> Result<(), Error> {
        let (dim, distribution) = (generator.contract().latent_dim, generator.contract().latent_distribution);
        self.labels.clear();
        self.latents.resize(self.places.len() * dim, 0.0);
        for (&place, latents) in self.places.iter().zip(self.latents.chunks_exact_mut(dim)) {
            let Sample { index, label } = samples[place];
            self.labels.push(label);
            latent::fill_redraw(distribution, seed, index, redraw, latents);
        }
        self.pixels.clear();
        generator.draw(&self.latents, &self.labels, &mut self.pixels)?;
        Ok(())
    }
}
