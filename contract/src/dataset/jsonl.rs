//! JSON lines: an object for each image, with its pixels as `(channel, row, column)`.

#[cfg(feature = "read")]
mod read;

use std::{io, path::Path};

use serde::Serialize;

use super::{Batch, Definition, Facts, Image, Manifest, Opened, Sink, Tail, growing::Growing, images::Known};

#[cfg(feature = "read")]
pub use read::read;

/// A JSON object a line.
pub struct Jsonl;

impl Definition for Jsonl {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "jsonl",
            summary: "A JSON object a line",
            extension: Some("jsonl"),
            is_stream: true,
            ..Facts::FOLDER
        }
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Opened {
        let (file, classes) = (Growing::only(manifest, output)?, manifest.classes.clone());
        Ok(Box::new(Writer { file, classes, line: Vec::new() }))
    }
}

struct Writer {
    file: Growing,
    classes: Vec<String>,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    known: Known<'a>,
    /// Channels, height and width.
    shape: [usize; 3],
    pixels: &'a [u8],
}

impl Sink for Writer {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        for Image { index, label, confidence, string, pixels, shape } in batch.images() {
            let known = Known::new(index, label, confidence, string, &self.classes);
            self.line.clear();
            serde_json::to_writer(&mut self.line, &Line { known, shape, pixels: &pixels })?;
            self.line.push(b'\n');
            self.file.push(&self.line)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        self.file.tail()
    }
}
