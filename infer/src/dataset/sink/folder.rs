//! A folder for each class, with a PNG file for each of its images, and `labels.csv` over all of
//! them: what `train --data` and most image loaders take.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use contract::files::{distinct_names, hex, sync_all};
use infer::Picture;
use ndarray::Array4;
use sha2::{Digest, Sha256};

use super::{Error, Growing, Record, Safe, Sink, Tail};
use crate::dataset::{manifest::Manifest, pipeline::Batch, plan::Labels};

/// Digits of an image's number in its file's name.
const DIGITS: usize = 9;
/// The table over all pictures.
pub const TABLE: &str = "labels.csv";
/// What a manifest has on record of all PNG files together, in the order of their numbers.
const PICTURES: &str = "pictures";

pub struct Folder {
    root: PathBuf,
    /// Folder and name of each class; one folder without a name in an unlabelled model.
    classes: Vec<(String, String)>,
    labels: Labels,
    table: Growing,
    /// Length and digest of all PNG files, one after the other.
    length: u64,
    hash: Sha256,
    /// Indices of the next image, and of the first that isn't safe.
    next: u64,
    unsafe_from: u64,
}

impl Folder {
    pub fn open(root: &Path, manifest: &Manifest) -> Result<Self, Error> {
        let Manifest { classes, first, complete, labels, tail, verified, .. } = manifest;
        let unlabelled = ["images".to_owned()];
        let names = if classes.is_empty() { &unlabelled } else { classes.as_slice() };
        let classes: Vec<_> = folders(classes).into_iter().zip(names.iter().cloned()).collect();
        let create = |classes: &[(String, String)]| {
            classes.iter().try_for_each(|(folder, _)| fs::create_dir_all(root.join(folder)))
        };
        let path = root.join(TABLE);
        let table = match complete {
            0 => {
                create(&classes)?;
                let confidence = if verified.is_some() { ",confidence" } else { "" };
                let mut table = Growing::create(&path, &[])?;
                table.append(format!("file,label,index{confidence}\n").as_bytes())?;
                table
            }
            _ => {
                let (record, complete) = (tail.files.get(TABLE), manifest.is_complete());
                let safe = Safe { path: &path, header: 0, end: tail.offset, record, complete };
                Growing::resume(&safe, |_| {})?
            }
        };
        let next = first + complete;
        let mut folder = Self {
            root: root.to_path_buf(),
            classes,
            labels: *labels,
            table,
            length: 0,
            hash: Sha256::new(),
            next,
            unsafe_from: next,
        };
        folder.check(*first, tail.files.get(PICTURES))?;
        // A class may have had no image yet.
        create(&folder.classes)?;
        Ok(folder)
    }

    /// Folder and name of a class, and the path of an image of it in the data set's folder.
    fn place(&self, index: u64, label: i64) -> Option<(&str, String)> {
        let (folder, class) = self.classes.get(usize::try_from(label).ok()?)?;
        Some((class, format!("{folder}/{index:0DIGITS$}.png")))
    }

    fn path(&self, index: u64) -> PathBuf {
        let (_, file) = self.place(index, self.labels.of(index)).unwrap_or_default();
        self.root.join(file)
    }

    /// Reads the pictures that are complete, and checks that they are what was written: by their digest, if
    /// there is one, else that each is a picture.
    fn check(&mut self, first: u64, record: Option<&Record>) -> Result<(), Error> {
        for index in first..self.next {
            let path = self.path(index);
            let bytes = match fs::read(&path) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    let path = path.display();
                    return Err(Error::Changed(format!("{path} is gone, though its manifest has it")));
                }
                read => read?,
            };
            if record.is_none() && !is_png(&bytes) {
                return Err(damaged(&path));
            }
            self.length += bytes.len() as u64;
            self.hash.update(&bytes);
        }
        let Some(record) = record else { return Ok(()) };
        if (record.from, record.to, &record.sha256) == (0, self.length, &self.sha256()) {
            return Ok(());
        }
        let read = |path: &PathBuf| fs::read(path).is_ok_and(|bytes| is_png(&bytes));
        Err(match (first..self.next).map(|index| self.path(index)).find(|path| !read(path)) {
            Some(path) => damaged(&path),
            None => Error::Changed(format!(
                "a picture in {} was changed since it was written: their SHA-256 is another",
                self.root.display()
            )),
        })
    }

    fn sha256(&self) -> String {
        hex(self.hash.clone().finalize())
    }
}

fn damaged(path: &Path) -> Error {
    Error::Changed(format!("{} was changed since it was written: it is no whole PNG file", path.display()))
}

/// Whether these are the bytes of a whole PNG file; each of its parts has a checksum.
fn is_png(bytes: &[u8]) -> bool {
    let read = || -> Option<()> {
        let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().ok()?;
        let mut pixels = vec![0; reader.output_buffer_size()?];
        reader.next_frame(&mut pixels).ok()?;
        reader.finish().ok()
    };
    read().is_some()
}

/// Each class's folder; one of an unlabelled model.
pub fn folders(classes: &[String]) -> Vec<String> {
    match classes.is_empty() {
        true => vec!["images".into()],
        false => distinct_names(classes, |c| c.is_alphanumeric() || "-_ ".contains(c)),
    }
}

/// A field of a CSV file (RFC 4180).
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}

impl Sink for Folder {
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let [channels, height, width] = batch.shape;
        let size = (channels * height * width).max(1);
        for ((i, index), pixels) in (batch.first..).enumerate().zip(batch.pixels.chunks_exact(size)) {
            let label = batch.labels.get(i).map_or(0, |label| *label);
            let (class, file) = self.place(index, label).ok_or_else(|| io::Error::other("no such class"))?;
            let image = Array4::from_shape_vec((1, channels, height, width), pixels.to_vec());
            let picture = Picture::grid(&image.map_err(io::Error::other)?, 1);
            let png = picture.to_png(&[])?;
            fs::write(self.root.join(&file), &png)?;
            let confidence = batch.kept.confidences.get(i).map(|confidence| format!(",{confidence:.4}"));
            let confidence = confidence.unwrap_or_default();
            let row = format!("{},{},{index}{confidence}\n", field(&file), field(class));
            self.table.append(row.as_bytes())?;
            self.length += png.len() as u64;
            self.hash.update(&png);
            self.next = index + 1;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        sync_all(&self.root, (self.unsafe_from..self.next).map(|index| self.path(index)))?;
        self.table.sync()?;
        self.unsafe_from = self.next;
        let (sha256, to) = (self.sha256(), self.length);
        let pictures = Record { from: 0, to, sha256, header_sha256: None };
        let files = [(TABLE, self.table.record()), (PICTURES, Some(pictures))];
        Ok(Tail::of(self.table.length(), files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_get_folders_of_their_own() {
        let names = ["5", "T-shirt/top", "rose", "Rose", "größe", ".."].map(String::from);
        assert_eq!(folders(&names), ["5", "T-shirt-top", "2-rose", "3-Rose", "größe", "--"]);
        assert_eq!(folders(&[String::new(), "a/b".into(), "a-b".into()]), ["0-", "1-a-b", "2-a-b"]);
        assert_eq!(folders(&["rose", "Rose", "0-rose"].map(String::from)), ["0-rose", "1-Rose", "2-0-rose"]);
    }

    #[test]
    fn fields_of_the_table_are_quoted_where_they_must_be() {
        assert_eq!(field("rose"), "rose");
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
