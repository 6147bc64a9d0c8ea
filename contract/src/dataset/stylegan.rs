//! A ZIP archive as StyleGAN's `dataset_tool.py` makes it and its training reads it: PNG files,
//! `00000/img00000000.png` and so on, and `dataset.json` with the label of each.
//!
//! The archive is whole once it is finished; before, its manifest says how much of it there is.

#[cfg(feature = "read")]
mod read;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use super::{
    Batch, Definition, Facts, Holds, Image, Manifest, Opened, Sink, Tail,
    growing::Growing,
    images::picture,
    manifest::Part,
    plan::Labels,
    tail::FILE,
    zip::{self, Entry},
};

#[cfg(feature = "read")]
pub use read::read;

/// StyleGAN's archive.
pub struct StyleGan;

/// The file with the labels.
pub const TABLE: &str = "dataset.json";

impl Definition for StyleGan {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "stylegan",
            summary: "StyleGAN's archive of PNG files and dataset.json",
            extension: Some("zip"),
            strings: Holds::Nothing,
            ..Facts::FOLDER
        }
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Opened {
        let Manifest { first, ref labels, complete: count, ref classes, ref tail, .. } = *manifest;
        let part = manifest.part(output, FILE, &[], tail.offset);
        // After the pictures of a complete archive come the table and the directory.
        let whole = part.record.filter(|_| part.complete).map(|record| record.to);
        let file = Growing::open(&Part { end: whole.or(part.end), ..part }, |_| {})?;
        Ok(Box::new(Writer {
            path: output.into(),
            file,
            first,
            count,
            labels: labels.clone(),
            classes: classes.clone(),
        }))
    }
}

struct Writer {
    path: PathBuf,
    file: Growing,
    first: u64,
    /// How many images there are.
    count: u64,
    labels: Labels,
    classes: Vec<String>,
}

impl Sink for Writer {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        for Image { index, pixels, shape, .. } in batch.images() {
            self.push(name(index), &picture(&pixels, shape)?.to_quick_png()?)?;
            self.count += 1;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        self.file.tail()
    }

    fn finish(&mut self) -> io::Result<Tail> {
        self.push_table()?;
        self.file.sync()?;
        // What the directory says is in the file already, so that nothing has to be kept of each picture.
        let directory = self.file.length();
        let mut written = BufReader::new(File::open(&self.path)?);
        let mut place = 0;
        let names = (self.first..self.first + self.count).map(name).chain([TABLE.into()]);
        for name in names {
            let mut header = vec![0; Entry::local_length(name.len())];
            written.read_exact(&mut header)?;
            let entry = Entry::from_local(&header, place).filter(|entry| entry.name == name);
            let entry = entry.ok_or_else(|| io::Error::other("the archive changed while it was written"))?;
            place += header.len() as u64 + entry.size;
            written.seek_relative(entry.size as i64)?;
            self.file.push(&entry.central())?;
        }
        self.file.push(&zip::end(directory, self.file.length() - directory, self.count + 1))?;
        self.file.tail()
    }
}

impl Writer {
    fn push(&mut self, name: String, content: &[u8]) -> io::Result<()> {
        let (offset, size) = (self.file.length(), content.len() as u64);
        let entry = Entry { name, offset, size, crc: crc32fast::hash(content) };
        self.file.push(&entry.local())?;
        self.file.push(content)
    }

    /// Writes the file of labels, which may be longer than what should be kept in memory: its length and its
    /// checksum, which come before it, are found in a first run.
    fn push_table(&mut self) -> io::Result<()> {
        let (mut crc, mut size) = (crc32fast::Hasher::new(), 0);
        for text in table(self.first, self.count, &self.labels, &self.classes) {
            let text = text?;
            crc.update(text.as_bytes());
            size += text.len() as u64;
        }
        let entry = Entry { name: TABLE.into(), offset: self.file.length(), size, crc: crc.finalize() };
        self.file.push(&entry.local())?;
        let Self { file, first, count, labels, classes, .. } = self;
        table(*first, *count, labels, classes).try_for_each(|text| file.push(text?.as_bytes()))
    }
}

/// The file of labels, piece by piece: a pair of each picture's name and label; none in an unlabelled model.
/// StyleGAN's tools have no names of classes, and pass over ours.
fn table<'a>(
    first: u64,
    count: u64,
    labels: &'a Labels,
    classes: &'a [String],
) -> impl Iterator<Item = io::Result<String>> + use<'a> {
    let images = if classes.is_empty() { first..first } else { first..first + count };
    let begin = match classes.is_empty() {
        true => Ok("{\"labels\": null".to_owned()),
        false => serde_json::to_string(classes)
            .map(|names| format!("{{\"classes\": {names},\n\"labels\": ["))
            .map_err(io::Error::other),
    };
    let rows = images.map(move |index| {
        let comma = if index == first { "" } else { "," };
        Ok(format!("{comma}\n[\"{}\", {}]", name(index), labels.of(index)))
    });
    let end = if classes.is_empty() { "}\n" } else { "\n]}\n" };
    [begin].into_iter().chain(rows).chain([Ok(end.to_owned())])
}

/// A picture's name in the archive.
fn name(index: u64) -> String {
    let number = format!("{index:08}");
    format!("{}/img{number}.png", &number[..5])
}
