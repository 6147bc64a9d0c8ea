//! A generator and its judge, which answer requests.

use std::num::NonZeroUsize;

use contract::{
    dataset::{idx, interleaved, npz, plan::Labels},
    latent::latent_batch,
};
use crc32fast::Hasher;
use infer::{
    Description, Device, Engine, Generator, Judge, ModelSource, Options, Reading, Sample, path,
    verify::{Kept, Verifier},
};
use ndarray::ArrayView2;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    message::{bytes, join, numbers, split},
    request::{Format, Part, Request},
};

/// What a page can ask.
#[derive(Default)]
pub struct Studio {
    loaded: Option<Loaded>,
}

/// A generator that is ready to draw.
struct Loaded {
    generator: Generator,
    /// Channels, height and width of an image.
    shape: [usize; 3],
    /// The judge, once it is loaded.
    verifier: Option<Verifier>,
}

/// A reply: its text and its other bytes.
type Reply = (Value, Vec<u8>);

/// An image as a judge reads it.
#[derive(Serialize)]
struct Read {
    label: i64,
    confidence: f64,
    /// Whether it was drawn more than once.
    redrawn: bool,
}

impl From<&Reading> for Read {
    fn from(&Reading { label, confidence }: &Reading) -> Self {
        Self { label, confidence, redrawn: false }
    }
}

impl Studio {
    /// Answers a request ([`crate::message`]): the reply's text has `error`, a sentence, if there is no answer.
    pub fn answer(&mut self, request: Vec<u8>) -> Vec<u8> {
        match self.reply(request) {
            Ok((head, body)) => join(&head, &body),
            Err(error) => join(&json!({ "error": error.to_string() }), &[]),
        }
    }

    fn reply(&mut self, request: Vec<u8>) -> Result<Reply, Failure> {
        let (head, start) =
            split(&request).ok_or_else(|| Failure::Other("a request was cut short".into()))?;
        let asked = serde_json::from_slice(head)
            .map_err(|error| Failure::Other(format!("a request is wrong: {error}")))?;
        match asked {
            Request::LoadGenerator { name } => self.load(name, request, start),
            Request::LoadJudge { name } => self.loaded()?.load_judge(name, request, start),
            Request::SelfTest => self.loaded()?.self_test(),
            Request::Draw { labels, seed, index, verify } => {
                let samples: Vec<Sample> = (labels.into_iter().zip(0..))
                    .map(|(label, i)| Sample { index: index.wrapping_add(i), label })
                    .collect();
                self.loaded()?.draw(seed, &samples, verify)
            }
            Request::DrawLatents { labels } => {
                self.loaded()?.draw_latents(&numbers(&request[start..]), &labels)
            }
            Request::Latents { seed, index } => {
                Ok((json!({}), bytes(&self.loaded()?.latents(seed, &[index]))))
            }
            Request::Changes { label, first, count } => {
                self.loaded()?.changes(&numbers(&request[start..]), label, first, count)
            }
            Request::Part(part) => self.loaded()?.part(part),
            Request::Frame { format, count, crc } => Ok(self.loaded()?.frame(format, count, crc)),
        }
    }

    fn loaded(&mut self) -> Result<&mut Loaded, Failure> {
        self.loaded.as_mut().ok_or_else(|| Failure::Other("no generator is loaded".into()))
    }

    /// Loads the generator whose file begins at `start` of a request.
    fn load(&mut self, name: String, request: Vec<u8>, start: usize) -> Result<Reply, Failure> {
        let source = endless(name, request, start);
        let mut generator = Generator::load(&source, &options())?;
        let contract = generator.contract();
        let z = vec![0.0; contract.latent_dim];
        let label = &[0][..usize::from(contract.is_labelled())];
        // The shape of what it draws, and memory for it.
        let shape = generator.draw(&z, label, &mut Vec::new())?;
        let mut head = json!(Description::new(generator.contract(), shape));
        head["engine"] = generator.engine_name().into();
        head["sha256"] = source.sha256()?.into();
        self.loaded = Some(Loaded { generator, shape, verifier: None });
        Ok((head, Vec::new()))
    }
}

/// Why there is no answer, in a sentence.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Model(#[from] infer::Error),
    #[error("{0}")]
    Other(String),
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::Other(sentence)
    }
}

impl Loaded {
    fn load_judge(&mut self, name: String, request: Vec<u8>, start: usize) -> Result<Reply, Failure> {
        let source = endless(name, request, start);
        let judge = Judge::load(&source, &self.generator, &options())?;
        // Whoever verifies says how sure it must be.
        self.verifier = Some(Verifier::new(judge, 1.0));
        Ok((json!({ "sha256": source.sha256()? }), Vec::new()))
    }

    fn self_test(&mut self) -> Result<Reply, Failure> {
        let Some(golden) = self.generator.contract().golden.clone() else {
            return Ok((json!({ "images": 0 }), Vec::new()));
        };
        let images = self.generator.images(&golden.labels, golden.seed, 0)?;
        let found = golden.compare(&images)?;
        let mut head = json!(found);
        head["images"] = golden.labels.len().into();
        head["passed"] = found.passed().into();
        Ok((head, Vec::new()))
    }

    /// Images of a seed, as the command line draws them.
    fn draw(&mut self, seed: u64, samples: &[Sample], verify: Option<f64>) -> Result<Reply, Failure> {
        let (pixels, kept) = self.pixels(seed, samples, verify)?;
        let readings = match kept {
            None => self.read(&pixels)?,
            Some(Kept { confidences, discarded }) => {
                let kept = samples.iter().zip(confidences).zip(discarded);
                let read = kept.map(|((sample, confidence), discarded)| Read {
                    label: sample.label,
                    confidence,
                    redrawn: discarded > 0,
                });
                Some(read.collect())
            }
        };
        Ok((json!({ "readings": readings }), pixels))
    }

    /// Their pixels, and what was kept if they are verified.
    fn pixels(
        &mut self,
        seed: u64,
        samples: &[Sample],
        verify: Option<f64>,
    ) -> Result<(Vec<u8>, Option<Kept>), Failure> {
        let Self { generator, verifier, .. } = self;
        let (images, kept) = match (verify, verifier) {
            (None, _) => (generator.samples(seed, samples)?, None),
            (Some(threshold), Some(verifier)) => {
                verifier.set_threshold(threshold);
                let (images, kept) = verifier.samples(generator, seed, samples)?;
                (images, Some(kept))
            }
            (Some(_), None) => return Err(Failure::Other("no judge is loaded to verify images".into())),
        };
        Ok((images.iter().copied().collect(), kept))
    }

    fn draw_latents(&mut self, z: &[f32], labels: &[i64]) -> Result<Reply, Failure> {
        let dim = self.generator.contract().latent_dim;
        let shaped = ArrayView2::from_shape((z.len() / dim, dim), z);
        let z = shaped.map_err(|error| Failure::Other(error.to_string()))?;
        let pixels: Vec<u8> = self.generator.of_latents(z, labels)?.iter().copied().collect();
        let readings = self.read(&pixels)?;
        Ok((json!({ "readings": readings }), pixels))
    }

    /// What the judge reads images as; `None` without one.
    fn read(&mut self, pixels: &[u8]) -> Result<Option<Vec<Read>>, Failure> {
        let Some(verifier) = &mut self.verifier else { return Ok(None) };
        let mut readings = Vec::new();
        verifier.judge().read(pixels, &mut readings)?;
        Ok(Some(readings.iter().map(Read::from).collect()))
    }

    fn latents(&self, seed: u64, indices: &[u64]) -> Vec<f32> {
        let contract = self.generator.contract();
        latent_batch(contract.latent_distribution, seed, indices, contract.latent_dim)
            .into_raw_vec_and_offset()
            .0
    }

    fn changes(&mut self, z: &[f32], label: i64, first: usize, count: usize) -> Result<Reply, Failure> {
        let contract = self.generator.contract();
        let last = first.saturating_add(count).min(z.len());
        let dimensions = first.min(last)..last;
        let labels = match contract.is_labelled() {
            true => vec![label; 2 * dimensions.len()],
            false => Vec::new(),
        };
        let latents = path::ends(contract.latent_distribution, z, dimensions);
        let mut pixels = Vec::new();
        self.generator.draw(&latents, &labels, &mut pixels)?;
        let size: usize = self.shape.iter().product();
        let changes: Vec<f64> = (pixels.chunks_exact(2 * size))
            .map(|ends| {
                let (low, high) = ends.split_at(size);
                path::change(low, high)
            })
            .collect();
        Ok((json!({ "changes": changes }), Vec::new()))
    }

    fn part(&mut self, part: Part) -> Result<Reply, Failure> {
        let Part { format, seed, first, count, verify, crc } = part;
        let labels = self.data_labels();
        let samples: Vec<Sample> = (first..first.saturating_add(count))
            .map(|index| Sample { index, label: labels.of(index) })
            .collect();
        let (pixels, _) = self.pixels(seed, &samples, verify)?;
        let size: usize = self.shape.iter().product();
        let mut hasher = Hasher::new_with_initial_len(crc, first * size as u64);
        hasher.update(&pixels);
        let bytes = match format {
            Format::Npz => pixels,
            Format::Idx => {
                let images = pixels.chunks_exact(size);
                images.flat_map(|image| interleaved(image, self.shape[0]).into_owned()).collect()
            }
        };
        Ok((json!({ "crc": hasher.finalize() }), bytes))
    }

    /// A data set's bytes but for its pixels: of npz, what is before and after them; of IDX, what is before
    /// them, and the file of labels.
    fn frame(&self, format: Format, count: u64, crc: u32) -> Reply {
        let [channels, height, width] = self.shape;
        let labels = self.data_labels();
        let all = || (0..count).map(|index| labels.of(index) as u8);
        let [before, after] = match format {
            Format::Npz => {
                let size = self.shape.iter().product::<usize>() as u64;
                let pixels = Hasher::new_with_initial_len(crc, count * size);
                let npz::Frame { before, between, after } =
                    npz::Frame::new(self.shape, &[count], &pixels, all().map(|label| [label]));
                [before, between.into_iter().chain(all()).chain(after).collect()]
            }
            Format::Idx => {
                let mut dims = vec![height as u32, width as u32];
                dims.extend((channels > 1).then_some(channels as u32));
                let header = idx::header(count as u32, &[]);
                [idx::header(count as u32, &dims), header.into_iter().chain(all()).collect()]
            }
        };
        (json!({ "before": before.len() }), [before, after].concat())
    }

    /// Which label an image of a data set has.
    fn data_labels(&self) -> Labels {
        Labels::InTurn { classes: self.generator.contract().classes.len() as u64 }
    }
}

/// A model's source whose bytes are kept for good: a page loads each model once, and runs it until it is closed.
fn endless(name: String, request: Vec<u8>, start: usize) -> ModelSource<'static> {
    ModelSource::Embedded { name: name.leak(), bytes: &request.leak()[start..] }
}

/// One thread, as a worker is.
fn options() -> Options {
    Options {
        engine: Engine::Rten,
        device: Device::Cpu,
        threads: NonZeroUsize::new(1),
        expected_images: 1,
        ..Options::default()
    }
}
