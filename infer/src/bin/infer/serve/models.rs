//! The models that are served, and reading them anew.

use std::{
    io,
    num::NonZeroUsize,
    sync::{Arc, PoisonError, RwLock},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use contract::{Contract, dataset::manifest::Verification, files};
use infer::{
    Device, Error, Generator, Judge, LOADING_WEIGHTS_PAYS, ModelFile, ModelSource, Options, Placement,
    verify::Verifier,
};
use ndarray::Array4;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    answer::Refusal,
    batching::{Batcher, Batching, Failure, Order, Runner, Verify, Wanted},
    metrics::ModelMetrics,
    options::Request,
    studio::{Images, Shown, Studio, Verified},
};
use crate::{
    common::Chosen,
    shipped::{GENERATORS, shipped_judge},
};

/// The version of every model: an ONNX file has none.
pub const VERSION: &str = "1";

/// Threads that draw a batch together: each reads its part of the weights, where copies of the model would each
/// read all of their own.
const THREADS: usize = 4;

/// So many images are as good as endless: whatever is worth its start-up time is used.
const ENDLESS: usize = 100_000;

/// Pictures of many images that are drawn at a time.
const MANY: usize = 4;

/// Times that a single image is drawn to tell how long it takes.
const TRIES: usize = 5;

/// A model that is ready to draw.
pub struct Model {
    /// As addresses have it.
    pub name: String,
    pub contract: Contract,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    pub about: About,
    /// The judge of its images, or why there is none.
    pub judge: Result<Verification, String>,
    pub batcher: Batcher,
    studio: Studio,
    many: Semaphore,
}

/// What it is and what runs it.
pub struct About {
    pub file: String,
    pub sha256: String,
    pub engine: String,
    pub device: String,
    pub placements: Vec<Placement>,
    /// How long a single image takes.
    pub milliseconds: f64,
}

/// All models, in the order of the command line.
pub struct Models(Vec<Arc<Model>>);

impl Models {
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.0.iter()
    }

    /// The model of this name, or the first.
    pub fn named(&self, name: Option<&str>) -> Result<Arc<Model>, Refusal> {
        let found = self.0.iter().find(|model| name.is_none_or(|name| name == model.name));
        found.cloned().ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(|model| model.name.as_str()).collect();
            let asked = contract::visible(name.unwrap_or_default());
            Refusal::not_found(format!("there is no model {asked}; this server has {}", known.join(", ")))
        })
    }
}

/// The models of the moment, and how to read them anew.
pub struct Shelf {
    /// Each with a name of its own; the default one if none is named.
    generators: Vec<(String, Chosen)>,
    judge: Option<ModelFile>,
    options: Options,
    workers: usize,
    batching: Batching,
    metrics: Vec<Arc<ModelMetrics>>,
    current: RwLock<Arc<Models>>,
}

impl Shelf {
    /// Loads what the command line names.
    pub fn load(request: &Request) -> Result<Self> {
        let generators = match &request.models[..] {
            [] => named(&[Chosen::Shipped(&GENERATORS[0])]),
            models => named(models),
        }?;
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = request.running.threads.map_or_else(all, NonZeroUsize::get);
        let mut shelf = Self {
            metrics: generators.iter().map(|_| Arc::new(ModelMetrics::new())).collect(),
            generators,
            judge: request.judge.clone(),
            options: Options { threads: NonZeroUsize::new(threads), ..request.running.options(ENDLESS) },
            workers: request.workers.map_or(threads.div_ceil(THREADS), NonZeroUsize::get),
            batching: Batching {
                size: request.batch_size.get(),
                wait: request.wait(),
                queue: request.queue.get(),
            },
            current: RwLock::new(Arc::new(Models(Vec::new()))),
        };
        shelf.current = RwLock::new(Arc::new(shelf.read()?));
        Ok(shelf)
    }

    /// The models of the moment.
    pub fn models(&self) -> Arc<Models> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every model with what is counted of it.
    pub fn counted(&self) -> Vec<(Arc<Model>, Arc<ModelMetrics>)> {
        self.models().0.iter().cloned().zip(self.metrics.iter().cloned()).collect()
    }

    /// What is counted of a model.
    pub fn metrics(&self, name: &str) -> Option<&Arc<ModelMetrics>> {
        let place = self.generators.iter().position(|(known, _)| known == name)?;
        self.metrics.get(place)
    }

    /// Reads all models anew. If one of them can't be served, all stay as they were.
    pub fn reload(&self) -> Result<()> {
        let models = Arc::new(self.read()?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = models;
        Ok(())
    }

    fn read(&self) -> Result<Models> {
        let models = (self.generators.iter().zip(&self.metrics))
            .map(|((name, generator), metrics)| {
                self.read_model(name, &generator.source(), metrics).map(Arc::new)
            })
            .collect::<Result<_>>()?;
        Ok(Models(models))
    }

    fn read_model(&self, name: &str, source: &ModelSource<'_>, metrics: &Arc<ModelMetrics>) -> Result<Model> {
        let contract = source.contract()?;
        let sha256 = source.sha256()?;
        // The copies share the threads.
        let threads = self.options.threads.map_or(1, NonZeroUsize::get) / self.workers;
        let each = Options { threads: NonZeroUsize::new(threads.max(1)), ..self.options.clone() };
        let (mut first, judge) = self.runner(source, &each)?;
        warm(&mut first, self.batching.size)?;
        let (shape, milliseconds) = probe(&mut first)?;
        let generator = &first.generator;
        let about = About {
            file: source.name(),
            sha256,
            engine: generator.engine_name(),
            device: generator.device().to_string(),
            placements: generator.placements().to_vec(),
            milliseconds,
        };
        let (engine, device) = (generator.engine(), generator.device());
        let mut runners = vec![first];
        if device == Device::Cpu {
            let options = Options { engine, device, ..each.clone() };
            for _ in 1..self.workers {
                let (mut runner, _) = self.runner(source, &options)?;
                warm(&mut runner, self.batching.size)?;
                runners.push(runner);
            }
        }
        let few = Options { expected_images: LOADING_WEIGHTS_PAYS - 1, ..self.options.clone() };
        let start = || -> io::Result<(Batcher, Studio)> {
            let (mut studio, _) = self.runner(source, &few).map_err(io::Error::other)?;
            warm(&mut studio, self.batching.size.min(LOADING_WEIGHTS_PAYS - 1)).map_err(io::Error::other)?;
            Ok((Batcher::start(runners, self.batching, metrics)?, Studio::start(studio)?))
        };
        let (batcher, studio) = start().context("no thread can be started")?;
        Ok(Model {
            name: name.into(),
            contract,
            shape,
            about,
            judge,
            batcher,
            studio,
            many: Semaphore::new(MANY),
        })
    }

    /// The model and its judge, if there is one.
    fn runner(
        &self,
        source: &ModelSource<'_>,
        options: &Options,
    ) -> Result<(Runner, Result<Verification, String>), Error> {
        let generator = Generator::load(source, options)?;
        let judge_source = match &self.judge {
            Some(file) => file.source(),
            None => shipped_judge(),
        };
        let judge = match (Judge::load(&judge_source, &generator, options), &self.judge) {
            (Ok(judge), _) => judge,
            // The one that was named has to fit, unless there is nothing to verify; the shipped one may.
            (Err(error @ Error::NothingToVerify(_)), _) | (Err(error @ Error::OtherJudge { .. }), None) => {
                return Ok((Runner { generator, verifier: None }, Err(error.to_string())));
            }
            (Err(error), _) => return Err(error),
        };
        let found = Verification {
            judge: judge_source.name(),
            judge_sha256: judge_source.sha256()?,
            threshold: 0.5,
            redrawn: 0,
            redraws: 0,
        };
        Ok((Runner { generator, verifier: Some(Verifier::new(judge, found.threshold)) }, Ok(found)))
    }
}

/// Latents in the middle of their distribution, and the first class's labels if it has classes.
fn middle(generator: &Generator, images: usize) -> (Vec<f32>, Vec<i64>) {
    let contract = generator.contract();
    let labels = if contract.is_labelled() { images } else { 0 };
    (vec![0.0; images * contract.latent_dim], vec![0; labels])
}

/// Draws a batch and has it judged. What an engine sets aside for a batch it keeps, and for smaller ones takes parts
/// of it: so how much it holds doesn't depend on which requests come first.
fn warm(Runner { generator, verifier }: &mut Runner, images: usize) -> Result<(), Error> {
    let (latents, labels) = middle(generator, images);
    let mut pixels = Vec::new();
    generator.draw(&latents, &labels, &mut pixels)?;
    verifier.as_mut().map_or(Ok(()), |verifier| verifier.judge().read(&pixels, &mut Vec::new()))
}

/// Draws a single image some times: its shape, and the median of how long it takes. That it can be drawn at
/// all is what tells a broken model.
fn probe(runner: &mut Runner) -> Result<([usize; 3], f64), Error> {
    let (latents, label) = middle(&runner.generator, 1);
    let mut times = Vec::new();
    let mut shape = [0; 3];
    for _ in 0..TRIES {
        let started = Instant::now();
        shape = runner.generator.draw(&latents, &label, &mut Vec::new())?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((shape, times[TRIES / 2]))
}

/// Each model with a name of its own, made of its file's.
fn named(models: &[Chosen]) -> Result<Vec<(String, Chosen)>> {
    let mut named: Vec<(String, Chosen)> = Vec::new();
    for model in models {
        let stem = model.path().file_stem().unwrap_or_default().to_string_lossy();
        let name = files::file_name(&stem, |letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        if let Some((_, other)) = named.iter().find(|(known, _)| *known == name) {
            bail!(Error::BadInput(format!(
                "models {} and {} would both be called {name}; rename one of the files",
                other.path().display(),
                model.path().display()
            )));
        }
        named.push((name, model.clone()));
    }
    Ok(named)
}

impl Model {
    /// The labels that the network takes: none if it takes none.
    pub fn labels(&self, labels: Vec<i64>) -> Vec<i64> {
        if self.contract.is_labelled() { labels } else { Vec::new() }
    }

    /// The right to draw many images that aren't admitted one by one.
    pub fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        self.many.try_acquire().map_err(|_| Refusal::full())
    }

    /// Draws a picture's images, as the command line would.
    ///
    /// # Errors
    ///
    /// If too many pictures wait, or drawing fails.
    pub async fn picture(&self, images: Images) -> Result<Shown, Refusal> {
        if images.z.nrows() < LOADING_WEIGHTS_PAYS {
            return Ok(self.studio.draw(images).await.ok_or_else(Refusal::full)??);
        }
        let _turn = self.turn()?;
        let verify = images.verify.map(|Verified { threshold, seed, samples }| Verify {
            threshold,
            seed,
            indices: samples.iter().map(|sample| sample.index).collect(),
        });
        let count = images.z.nrows();
        let order = Order {
            count,
            latents: images.z.into_raw_vec_and_offset().0,
            labels: images.labels,
            wanted: Wanted { pixels: true, ..Wanted::default() },
            verify,
        };
        let drawn = self.batcher.draw(order).await?;
        let [c, h, w] = self.shape;
        let images = Array4::from_shape_vec((count, c, h, w), drawn.pixels)
            .map_err(|_| Failure::broken("the model draws pictures of another shape than its first"))?;
        let confidences = drawn.readings.iter().map(|reading| reading.confidence).collect();
        Ok((images, confidences))
    }
}
