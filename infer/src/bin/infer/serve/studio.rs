//! Pictures as the command line draws them: a copy of the model in a thread of its own, loaded as for few
//! images, which borrows the weights of the file. How a model is loaded can decide the last bit of a sum, so
//! only this copy draws the command line's very bytes; of many images, the batches' copies do.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread,
};

use infer::{Error, Sample};
use ndarray::{Array2, Array4};
use tokio::sync::oneshot;

use super::batching::{Failure, Runner};

/// Pictures that may wait.
const WAITING: usize = 64;

/// What images of a picture are drawn from.
pub struct Images {
    /// A row for each.
    pub z: Array2<f32>,
    /// One for each, or none for an unlabelled model.
    pub labels: Vec<i64>,
    /// Draw anew what a judge doesn't read as its label.
    pub verify: Option<Verified>,
}

/// Of which seed they are, and how sure the judge must be.
pub struct Verified {
    pub threshold: f64,
    pub seed: u64,
    pub samples: Vec<Sample>,
}

/// What was drawn, `(N, C, H, W)`, and the judge's confidence in each image if they are verified.
pub type Shown = (Array4<u8>, Vec<f64>);

struct Job {
    images: Images,
    reply: oneshot::Sender<Result<Shown, Failure>>,
}

/// The thread. It ends when this is dropped.
pub struct Studio {
    jobs: SyncSender<Job>,
}

impl Studio {
    /// Starts it.
    pub fn start(mut runner: Runner) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(WAITING);
        thread::Builder::new().name("pictures".into()).spawn(move || {
            for Job { images, reply } in waiting {
                if !reply.is_closed() {
                    // Whoever asked may be gone.
                    let _ = reply.send(guarded(&mut runner, images));
                }
            }
        })?;
        Ok(Self { jobs })
    }

    /// Draws; `None` if too many wait.
    pub async fn draw(&self, images: Images) -> Option<Result<Shown, Failure>> {
        let (reply, drawn) = oneshot::channel();
        match self.jobs.try_send(Job { images, reply }) {
            Err(TrySendError::Full(_)) => None,
            // Where the thread has ended, so has the reply.
            _ => Some(
                drawn.await.unwrap_or_else(|_| Err(Failure::broken("the thread that drew it has ended"))),
            ),
        }
    }
}

/// A panic is a failure of these images, and of no others.
fn guarded(runner: &mut Runner, images: Images) -> Result<Shown, Failure> {
    let drawn = catch_unwind(AssertUnwindSafe(|| draw(runner, images)));
    drawn.map_or_else(|_| Err(Failure::panicked()), |drawn| drawn.map_err(Failure::from))
}

fn draw(Runner { generator, verifier }: &mut Runner, images: Images) -> Result<Shown, Error> {
    match (images.verify, verifier) {
        (Some(Verified { threshold, seed, samples }), Some(verifier)) => {
            verifier.set_threshold(threshold);
            let (images, kept) = verifier.samples(generator, seed, &samples)?;
            Ok((images, kept.confidences))
        }
        _ => Ok((generator.of_latents(images.z.view(), &images.labels)?, Vec::new())),
    }
}
