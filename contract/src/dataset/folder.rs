//! A folder for each class, with a PNG file for each of its images, and `labels.csv` over all of
//! them: what `train --data` and most image loaders take. Of strings, all in the folder `images`, and where their
//! characters are as [`Boxes`].

mod boxes;

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use self::boxes::Annotated;
use super::{
    Batch, Definition, Error, Facts, Image, Manifest, Opened, Record, Sink, Tail, growing::Growing,
    images::picture, plan::Labels,
};
use crate::files::{distinct_names, hex, sync_all};

pub use boxes::Boxes;

/// A folder for each class, and labels.csv.
pub struct Folder;

/// The table over all pictures.
pub const TABLE: &str = "labels.csv";
/// Its columns that must be there: a picture's path in the folder, and its class's name.
pub const COLUMNS: [&str; 2] = ["file", "label"];
/// In place of the latter of strings, and their further columns.
const TEXT: &str = "text";
const PLACES: &str = "width,height,boxes";
/// Digits of an image's number in its file's name.
const DIGITS: usize = 9;
/// The folder, and in the table the class, of pictures without one.
const UNLABELLED: &str = "images";
/// What a manifest has on record of all PNG files together, in the order of their numbers.
const PICTURES: &str = "pictures";

impl Definition for Folder {
    fn facts(&self) -> &'static Facts {
        &Facts { name: "folder", summary: "A folder for each class, and labels.csv", ..Facts::FOLDER }
    }

    fn in_the_way(&self, output: &Path, classes: &[String]) -> Option<PathBuf> {
        let table = Some(output.join(TABLE)).filter(|table| table.exists());
        let has_files = |folder: &PathBuf| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
        // Of classes they may be the user's own.
        let boxes = [boxes::ANNOTATIONS, boxes::YAML].map(|name| output.join(name));
        let boxes = boxes.into_iter().find(|path| classes.is_empty() && path.exists());
        table.or(boxes).or_else(|| folders(classes).iter().map(|folder| output.join(folder)).find(has_files))
    }

    fn open(&self, manifest: &Manifest, output: &Path, _: [usize; 3]) -> Opened {
        let Manifest { first, complete, labels, tail, verified, seed, .. } = manifest;
        let annotated = manifest.strings.clone().map(|strings| Annotated {
            boxes: manifest.boxes.unwrap_or_default(),
            strings,
            labels: labels.clone(),
            classes: manifest.classes.clone(),
            seed: *seed,
            first: *first,
        });
        let classes = if annotated.is_some() { &Vec::new() } else { &manifest.classes };
        let unlabelled = [UNLABELLED.to_owned()];
        let names = if classes.is_empty() { &unlabelled } else { classes.as_slice() };
        let classes: Vec<_> = folders(classes).into_iter().zip(names.iter().cloned()).collect();
        let table = output.join(TABLE);
        let part = manifest.part(&table, TABLE, &[], tail.offset);
        let create = || classes.iter().try_for_each(|(folder, _)| fs::create_dir_all(output.join(folder)));
        if part.end.is_none() {
            create()?;
        }
        let mut table = Growing::open(&part, |_| {})?;
        if part.end.is_none() {
            let confidence = if verified.is_some() { ",confidence" } else { "" };
            let [file, label] = COLUMNS;
            let header = match annotated {
                Some(_) => format!("{file},{TEXT},index{confidence},{PLACES}\n"),
                None => format!("{file},{label},index{confidence}\n"),
            };
            table.push(header.as_bytes())?;
        }
        let next = first + complete;
        let mut writer = Writer {
            root: output.to_path_buf(),
            classes: classes.clone(),
            labels: if annotated.is_some() { Labels::All(0) } else { labels.clone() },
            annotated,
            table,
            length: 0,
            hash: Sha256::new(),
            next,
            unsafe_from: next,
        };
        writer.check(*first, tail.files.get(PICTURES))?;
        // A class may have had no image yet.
        create()?;
        Ok(Box::new(writer))
    }
}

struct Writer {
    root: PathBuf,
    /// Folder and name of each class; one folder without a name in an unlabelled model.
    classes: Vec<(String, String)>,
    /// Of strings all 0, that of the folder.
    labels: Labels,
    annotated: Option<Annotated>,
    table: Growing,
    /// Length and digest of all PNG files, one after the other.
    length: u64,
    hash: Sha256,
    /// Indices of the next image, and of the first that isn't safe.
    next: u64,
    unsafe_from: u64,
}

impl Writer {
    /// Folder and name of a class, and the path of an image of it in the data set's folder.
    fn place(&self, index: u64, label: i64) -> Option<(&str, String)> {
        let (folder, class) = self.classes.get(usize::try_from(label).ok()?)?;
        Some((class, picture_of(folder, index)))
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
                    return Err(Error::Refused(format!("{path} is gone, though its manifest has it")));
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
            None => Error::Refused(format!(
                "a picture in {} was changed since it was written: their SHA-256 is another",
                self.root.display()
            )),
        })
    }

    fn sha256(&self) -> String {
        hex(self.hash.clone().finalize())
    }
}

fn picture_of(folder: &str, index: u64) -> String {
    format!("{folder}/{index:0DIGITS$}.png")
}

/// The path of a string's picture in the data set's folder.
fn picture_path(index: u64) -> String {
    picture_of(UNLABELLED, index)
}

fn damaged(path: &Path) -> Error {
    Error::Refused(format!("{} was changed since it was written: it is no whole PNG file", path.display()))
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
fn folders(classes: &[String]) -> Vec<String> {
    match classes.is_empty() {
        true => vec![UNLABELLED.into()],
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

impl Sink for Writer {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        for Image { index, label, confidence, string, pixels, shape } in batch.images() {
            let (class, file) = (self.place(index, label.unwrap_or_default()))
                .ok_or_else(|| io::Error::other("no such class"))?;
            let png = picture(&pixels, shape)?.to_png(&[])?;
            fs::write(self.root.join(&file), &png)?;
            let confidence = confidence.map_or_else(String::new, |confidence| format!(",{confidence:.4}"));
            let row = match (string, &self.annotated) {
                (Some(string), Some(annotated)) => {
                    let [_, height, width] = shape;
                    let places = boxes::fields(width, height, &string.sides());
                    let text = string.text(&annotated.classes);
                    format!("{},{},{index}{confidence},{places}\n", field(&file), field(&text))
                }
                _ => format!("{},{},{index}{confidence}\n", field(&file), field(class)),
            };
            self.table.push(row.as_bytes())?;
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

    fn finish(&mut self) -> io::Result<Tail> {
        let tail = self.checkpoint()?;
        if let Some(annotated) = &self.annotated {
            annotated.write(&self.root, &self.root.join(TABLE), self.table.length())?;
        }
        Ok(tail)
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
