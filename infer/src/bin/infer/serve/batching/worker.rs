//! A thread that draws.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use contract::latent;
use infer::{Error, Generator, Reading, Sample, verify::Verifier};

use super::{
    Batching, Drawn, Failure, Order, Verify,
    queue::{Queue, Waiting},
};
use crate::serve::metrics::ModelMetrics;

/// A copy of a model, and of the judge of its images if there is one.
pub struct Runner {
    pub generator: Generator,
    pub verifier: Option<Verifier>,
}

/// Draws orders until the queue is closed.
pub fn work(mut runner: Runner, queue: &Queue, batching: Batching, metrics: &ModelMetrics) {
    let mut hoped = 1;
    while let Some(batch) = queue.take(batching.size, hoped, batching.wait) {
        let orders_drawn = batch.len();
        let started = Instant::now();
        let (orders, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|Waiting { order, reply, .. }| (order, reply)).unzip();
        let images: usize = orders.iter().map(|order| order.count).sum();
        let drawn = runner.draw_all(&orders);
        metrics.drawn(images, started.elapsed());
        // Whoever got an answer may ask again at once, and go with those that wait already: a larger batch takes
        // less time for each.
        hoped = orders_drawn + queue.len();
        for (drawn, reply) in drawn.into_iter().zip(replies) {
            // Whoever asked may be gone.
            let _ = reply.send(drawn);
        }
    }
}

impl Runner {
    /// Draws orders together, and each for itself if that fails, so that none fails because of another.
    pub fn draw_all(&mut self, orders: &[Order]) -> Vec<Result<Drawn, Failure>> {
        match self.guarded(orders) {
            Ok(drawn) => drawn.into_iter().map(Ok).collect(),
            Err(failure) if orders.len() == 1 => vec![Err(failure)],
            Err(_) => (orders.iter())
                .map(|order| self.guarded(std::slice::from_ref(order)).map(|mut drawn| drawn.remove(0)))
                .collect(),
        }
    }

    /// A panic is a failure of these orders, and of no others.
    fn guarded(&mut self, orders: &[Order]) -> Result<Vec<Drawn>, Failure> {
        catch_unwind(AssertUnwindSafe(|| self.draw(orders))).unwrap_or_else(|_| Err(Failure::panicked()))
    }

    fn draw(&mut self, orders: &[Order]) -> Result<Vec<Drawn>, Failure> {
        let latents: Vec<f32> = orders.iter().flat_map(|order| order.latents.iter().copied()).collect();
        let labels: Vec<i64> = orders.iter().flat_map(|order| order.labels.iter().copied()).collect();
        let mut values = Vec::new();
        let shape = self.generator.draw_values(&latents, &labels, &mut values)?;
        let size: usize = shape.iter().product();
        let mut rest = values.as_slice();
        (orders.iter())
            .map(|order| {
                let (own, others) = rest.split_at(order.count * size);
                rest = others;
                self.finish(order, shape, own.to_vec())
            })
            .collect()
    }

    /// Makes of an order's first draws what is wanted.
    fn finish(&mut self, order: &Order, shape: [usize; 3], values: Vec<f32>) -> Result<Drawn, Failure> {
        let Order { wanted, .. } = *order;
        let mut drawn = Drawn { values, ..Drawn::default() };
        if wanted.pixels || wanted.readings || order.verify.is_some() {
            let range = self.generator.contract().pixel_range;
            drawn.pixels = drawn.values.iter().map(|value| range.to_u8(*value)).collect();
        }
        if let Some(verify) = &order.verify {
            self.verify(order, verify, shape, &mut drawn)?;
        } else if wanted.readings {
            let verifier = self.verifier.as_mut().ok_or_else(|| Failure::broken("there is no judge"))?;
            verifier.judge().read(&drawn.pixels, &mut drawn.readings)?;
        }
        if !wanted.values {
            drawn.values = Vec::new();
        }
        if !wanted.pixels {
            drawn.pixels = Vec::new();
        }
        Ok(drawn)
    }

    /// Draws anew what the judge doesn't read as its label.
    fn verify(
        &mut self,
        order: &Order,
        Verify { threshold, seed, indices }: &Verify,
        shape: [usize; 3],
        drawn: &mut Drawn,
    ) -> Result<(), Failure> {
        let Self { generator, verifier } = self;
        let verifier = verifier.as_mut().ok_or_else(|| Failure::broken("there is no judge"))?;
        let samples: Vec<Sample> =
            (order.labels.iter().zip(indices)).map(|(&label, &index)| Sample { index, label }).collect();
        verifier.set_threshold(*threshold);
        let kept = verifier.verify(generator, *seed, &samples, shape, &mut drawn.pixels)?;
        (drawn.redrawn, drawn.redraws) = (kept.redrawn(), kept.redraws());
        drawn.readings = (order.labels.iter().zip(kept.confidences))
            .map(|(&label, confidence)| Reading { label, confidence })
            .collect();
        if order.wanted.values {
            let size = shape.iter().product::<usize>();
            for ((values, sample), draw) in drawn.values.chunks_mut(size).zip(&samples).zip(kept.discarded) {
                if draw > 0 {
                    values.copy_from_slice(&redrawn(generator, *seed, *sample, draw)?);
                }
            }
        }
        Ok(())
    }
}

/// The network's values of an image's redraw.
fn redrawn(generator: &mut Generator, seed: u64, sample: Sample, draw: u32) -> Result<Vec<f32>, Error> {
    let contract = generator.contract();
    let mut latents = vec![0.0; contract.latent_dim];
    latent::fill_redraw(contract.latent_distribution, seed, sample.index, draw, &mut latents);
    let mut values = Vec::new();
    generator.draw_values(&latents, &[sample.label], &mut values)?;
    Ok(values)
}
