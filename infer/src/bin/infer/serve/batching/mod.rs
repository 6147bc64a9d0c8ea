//! Images of many requests through the network together.
//!
//! A request's images are cut into orders, which wait in one queue. Each worker, a thread that owns a copy
//! of the model, takes as many as fit into a batch. While all workers draw, orders gather by themselves; and
//! a worker waits, for a moment, for as many as were there before. An image is the same
//! whatever it is drawn with, see [`Generator::draw`](infer::Generator::draw).

mod order;
mod queue;
mod worker;

use std::{sync::Arc, thread, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use order::{Drawn, Failure, Order, Verify, Wanted};
pub use worker::Runner;

use super::metrics::ModelMetrics;
use queue::Queue;

/// Fewer images than this are not worth a second worker.
const WORTH_SHARING: usize = 8;

/// How requests are put together.
#[derive(Debug, Clone, Copy)]
pub struct Batching {
    /// Images of a batch, at most.
    pub size: usize,
    /// How long an order waits for others, at most.
    pub wait: Duration,
    /// Images that may be under way.
    pub queue: usize,
}

/// The workers of a model. They end when it is dropped, after what is in the queue.
pub struct Batcher {
    queue: Arc<Queue>,
    workers: usize,
    batching: Batching,
    admitted: Arc<Semaphore>,
}

/// The right to have so many images under way, for as long as it is held.
pub type Admission = OwnedSemaphorePermit;

impl Batcher {
    /// Starts a worker for each runner.
    pub fn start(
        runners: Vec<Runner>,
        batching: Batching,
        metrics: &Arc<ModelMetrics>,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let batcher = Self {
            queue: Arc::clone(&queue),
            workers: runners.len(),
            batching,
            admitted: Arc::new(Semaphore::new(batching.queue)),
        };
        for runner in runners {
            let (queue, metrics) = (Arc::clone(&queue), Arc::clone(metrics));
            let work = move || worker::work(runner, &queue, batching, &metrics);
            thread::Builder::new().name("draw".into()).spawn(work)?;
        }
        Ok(batcher)
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Images that a request may have.
    pub fn most_images(&self) -> usize {
        self.batching.queue
    }

    /// Images that are under way.
    pub fn under_way(&self) -> usize {
        self.batching.queue - self.admitted.available_permits()
    }

    /// Orders that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Admits so many images, unless too many are under way.
    pub fn admit(&self, images: usize) -> Option<Admission> {
        Arc::clone(&self.admitted).try_acquire_many_owned(u32::try_from(images).ok()?).ok()
    }

    /// Draws a request's images, some at a time, so that a large one leaves room for others between its own.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub async fn draw(&self, request: Order) -> Result<Drawn, Failure> {
        let count = request.labels.len().max(request.count);
        let parts =
            count.div_ceil(self.batching.size).max(self.queue.idle().min(count / WORTH_SHARING)).max(1);
        if parts == 1 {
            return self.order(request).await;
        }
        let orders = request.split(parts);
        let drawn = stream::iter(orders.into_iter().map(|order| self.order(order)));
        let mut parts = drawn.buffered(2 * self.workers);
        let mut whole = Drawn::default();
        while let Some(part) = parts.try_next().await? {
            whole.append(part);
        }
        Ok(whole)
    }

    /// Draws the images of an order that fits into a batch.
    pub async fn order(&self, order: Order) -> Result<Drawn, Failure> {
        let drawn = self.queue.push(order);
        drawn.await.unwrap_or_else(|_| Err(Failure::broken("the worker that drew it has ended")))
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.queue.close();
    }
}
