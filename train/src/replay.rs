//! Iterations through a CUDA graph: on the host one of them is some hundred launches, which take longer
//! than the work that they start; replayed it is a few copies and one launch.
//!
//! An iteration that is replayed reads what stays where it is: weights and moments, which it changes in
//! place, and buffers that batch and [`Numbers`] are copied to. The first iteration runs as ever, on these
//! buffers: kernels are loaded, and constants left on the device. The second is recorded, and from then on the
//! graph is launched. It has the same kernels in the same order, so the results are the same, to the bit.

use candle_core::{Tensor, TensorId};
use models::Result;
use models::ops::Factors;

use crate::augmentation::Pair;
use crate::figures::Figures;
use crate::graph::{self, Graph};
use crate::numbers::{Numbers, Slots};

/// What an iteration learns from.
pub struct Batch {
    /// Pictures (N, C, H, W).
    pub x: Tensor,
    /// Their labels (N) of u32.
    pub y: Tensor,
    /// Latents (N, latent).
    pub z: Tensor,
    /// Other labels (N), where the recipe has a use for them.
    pub wrong: Option<Tensor>,
    /// How the pictures are changed for D, where they are.
    pub augmented: Option<Pair>,
    /// How the copies are, with which it is to be consistent.
    pub copies: Option<Pair>,
}

impl Batch {
    fn copy(&self) -> Result<Batch> {
        let Batch { x, y, z, wrong, augmented, copies } = self;
        Ok(Batch {
            x: x.copy()?,
            y: y.copy()?,
            z: z.copy()?,
            wrong: wrong.as_ref().map(Tensor::copy).transpose()?,
            augmented: augmented.as_ref().map(Pair::copy).transpose()?,
            copies: copies.as_ref().map(Pair::copy).transpose()?,
        })
    }

    /// Takes over another batch of these shapes.
    fn set(&self, given: &Batch) -> Result<()> {
        self.tensors().zip(given.tensors()).try_for_each(|(here, given)| Ok(here.slice_set(given, 0, 0)?))
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let changes = self.augmented.iter().chain(&self.copies).flat_map(Pair::tensors);
        [&self.x, &self.y, &self.z].into_iter().chain(&self.wrong).chain(changes)
    }
}

/// What must be as it was for a graph to stand for an iteration: it has addresses and sizes in it.
#[derive(PartialEq)]
pub struct Conditions {
    /// All weights that an iteration reads or changes.
    pub weights: Vec<TensorId>,
    /// What the factors of each network's products are.
    pub factors: Vec<Factors>,
    /// [`Numbers::guide`]
    pub guide: f64,
}

/// An iteration, and how far it is on the way to being replayed.
#[derive(Default)]
pub struct Replay {
    kept: Option<Kept>,
    /// Recording failed, and isn't tried again.
    given_up: bool,
    /// Why, until someone asks.
    failure: Option<String>,
}

/// What stays where it is from iteration to iteration, and the graph that reads it.
struct Kept {
    conditions: Conditions,
    batch: Batch,
    slots: Slots,
    /// Those of the last iteration, until the next changes them.
    figures: Figures,
    graph: Option<Graph>,
}

impl Replay {
    /// One iteration: what was recorded of `iterate`, or, as long as nothing was, `iterate` with a batch and,
    /// if it is to be recorded, slots for its numbers.
    ///
    /// # Errors
    /// Those of `iterate`; Candle's.
    pub fn run(
        &mut self,
        conditions: Conditions,
        given: &Batch,
        numbers: &Numbers,
        iterate: impl Fn(&Batch, Option<&Slots>) -> Result<Figures>,
    ) -> Result<Figures> {
        if self.given_up {
            return iterate(given, None);
        }
        let device = given.x.device();
        let Some(mut kept) = self.kept.take().filter(|kept| kept.fits(&conditions, given)) else {
            let (batch, slots) = (given.copy()?, Slots::new(numbers, device)?);
            let figures = graph::rehearse(device, || iterate(&batch, Some(&slots)))?;
            self.kept = Some(Kept { conditions, batch, slots, figures: figures.copy()?, graph: None });
            return Ok(figures);
        };
        kept.batch.set(given)?;
        kept.slots.set(numbers)?;
        let graph = match kept.graph.take() {
            Some(graph) => Ok(graph),
            None => {
                let work = || kept.figures.set(&iterate(&kept.batch, Some(&kept.slots))?);
                Graph::record(device, work)
            }
        };
        match graph {
            Ok(graph) => {
                graph.launch()?;
                let figures = kept.figures.copy()?;
                self.kept = Some(Kept { graph: Some(graph), ..kept });
                Ok(figures)
            }
            Err(error) => {
                // CUDA's errors have a backtrace below.
                let why = error.to_string().lines().next().unwrap_or_default().to_string();
                *self = Replay { kept: None, given_up: true, failure: Some(why) };
                iterate(given, None)
            }
        }
    }

    /// Why iterations can't be recorded, once.
    pub fn failure(&mut self) -> Option<String> {
        self.failure.take()
    }
}

impl Kept {
    /// Whether this batch can be copied here, and an iteration of it is the same work.
    fn fits(&self, conditions: &Conditions, given: &Batch) -> bool {
        let shapes = given.tensors().map(Tensor::shape);
        self.conditions == *conditions && self.batch.tensors().map(Tensor::shape).eq(shapes)
    }
}
