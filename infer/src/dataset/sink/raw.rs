//! Pixels and nothing else: a byte each, image by image, `(channel, row, column)`.

use std::io;

use super::{FILE, Growing, Sink, Tail};
use crate::dataset::pipeline::Batch;

pub struct Raw {
    pub file: Growing,
}

impl Sink for Raw {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        self.file.append(&batch.pixels)
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        self.file.sync()?;
        Ok(Tail::of(self.file.length(), [(FILE, self.file.record())]))
    }
}
