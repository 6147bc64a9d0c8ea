//! What is to be drawn, and what was.

use std::ops::Range;

use infer::{Error, Reading};

/// Images to draw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// How many.
    pub count: usize,
    /// A row for each.
    pub latents: Vec<f32>,
    /// One for each, or none for an unlabelled model.
    pub labels: Vec<i64>,
    /// What is to be returned of them.
    pub wanted: Wanted,
    /// Draw anew what the judge doesn't read as its label.
    pub verify: Option<Verify>,
}

/// What is to be returned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The network's own values.
    pub values: bool,
    /// 8 bits of each.
    pub pixels: bool,
    /// What the judge reads each image as.
    pub readings: bool,
}

/// How images are verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Verify {
    /// The least confidence.
    pub threshold: f64,
    /// Whose latents these are, so that the next ones can be drawn.
    pub seed: u64,
    /// Index of each image.
    pub indices: Vec<u64>,
}

/// What was drawn of an order, in its order.
#[derive(Debug, Default)]
pub struct Drawn {
    /// `(N, C, H, W)`, if wanted.
    pub values: Vec<f32>,
    /// `(N, C, H, W)`, if wanted.
    pub pixels: Vec<u8>,
    /// One for each, if wanted or verified.
    pub readings: Vec<Reading>,
    /// How many images are not their first draw.
    pub redrawn: u64,
    /// How many draws were discarded.
    pub redraws: u64,
}

impl Drawn {
    /// Appends what follows.
    pub fn append(&mut self, other: Self) {
        self.values.extend(other.values);
        self.pixels.extend(other.pixels);
        self.readings.extend(other.readings);
        self.redrawn += other.redrawn;
        self.redraws += other.redraws;
    }
}

/// Why an order wasn't drawn.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The sentence.
    pub message: String,
    /// Whether it is the request's fault.
    pub is_refused: bool,
}

impl Failure {
    /// A failure of the server.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_refused: false }
    }

    /// Drawing panicked.
    pub fn panicked() -> Self {
        Self::broken("drawing failed; the server's standard error says why")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // What the judge doesn't read asks for too much of the model.
        let is_refused = error.is_bad_request() || matches!(error, Error::NotVerified { .. });
        Self { message: error.to_string(), is_refused }
    }
}

impl Order {
    /// Cuts it into parts that differ by one image at most.
    pub fn split(&self, parts: usize) -> Vec<Self> {
        let edge = |part: usize| self.count * part / parts;
        (0..parts).map(|part| self.part(edge(part)..edge(part + 1))).filter(|order| order.count > 0).collect()
    }

    fn part(&self, images: Range<usize>) -> Self {
        let dim = self.latents.len() / self.count.max(1);
        let verify = self.verify.as_ref().map(|Verify { threshold, seed, indices }| Verify {
            threshold: *threshold,
            seed: *seed,
            indices: indices.get(images.clone()).unwrap_or_default().to_vec(),
        });
        Self {
            count: images.len(),
            latents: self.latents[images.start * dim..images.end * dim].to_vec(),
            labels: self.labels.get(images.clone()).unwrap_or_default().to_vec(),
            wanted: self.wanted,
            verify,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_even_and_all_there_is() {
        let verify = Some(Verify { threshold: 0.5, seed: 7, indices: (100..107).collect() });
        let latents = (0..14).map(|i| i as f32).collect();
        let whole = Order { count: 7, latents, labels: (0..7).collect(), verify, ..Order::default() };
        let parts = whole.split(3);
        assert_eq!(parts.iter().map(|part| part.count).collect::<Vec<_>>(), [2, 2, 3]);
        assert_eq!(parts.iter().flat_map(|part| part.labels.clone()).collect::<Vec<_>>(), whole.labels);
        assert_eq!(parts.iter().flat_map(|part| part.latents.clone()).collect::<Vec<_>>(), whole.latents);
        let indices: Vec<_> =
            parts.iter().filter_map(|part| Some(part.verify.as_ref()?.indices.clone())).collect();
        assert_eq!(indices, [vec![100, 101], vec![102, 103], vec![104, 105, 106]]);
        assert_eq!(whole.split(9).len(), 7);
    }
}
