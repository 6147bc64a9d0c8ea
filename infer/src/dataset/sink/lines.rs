//! JSON lines: an object for each image, with its pixels as `(channel, row, column)`.

use std::io;

use serde::Serialize;

use super::{FILE, Growing, Sink, Tail};
use crate::dataset::pipeline::Batch;

pub struct Lines {
    file: Growing,
    classes: Vec<String>,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    /// Both absent in an unlabelled model.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    /// The judge's, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    /// Channels, height and width.
    shape: [usize; 3],
    pixels: &'a [u8],
}

impl Lines {
    pub fn new(file: Growing, classes: &[String]) -> Self {
        Self { file, classes: classes.to_vec(), line: Vec::new() }
    }
}

impl Sink for Lines {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let size = batch.shape.iter().product::<usize>().max(1);
        for ((i, index), pixels) in (batch.first..).enumerate().zip(batch.pixels.chunks_exact(size)) {
            let label = batch.labels.get(i).copied();
            let class = label.and_then(|label| self.classes.get(label as usize)).map(String::as_str);
            let (confidence, shape) = (batch.kept.confidences.get(i).copied(), batch.shape);
            self.line.clear();
            serde_json::to_writer(&mut self.line, &Line { index, label, class, confidence, shape, pixels })?;
            self.line.push(b'\n');
            self.file.append(&self.line)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        self.file.sync()?;
        Ok(Tail::of(self.file.length(), [(FILE, self.file.record())]))
    }
}
