//! A folder for each class, with a PNG file for each of its images, and `labels.csv` over all of
//! them: what `train --data` and most image loaders take.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use infer::Picture;
use ndarray::Array4;

use super::{Growing, Sink, Tail, grow};
use crate::dataset::{manifest::Manifest, pipeline::Batch};

/// Digits of an image's number in its file's name.
const DIGITS: usize = 9;

pub struct Folder {
    root: PathBuf,
    /// Folder and name of each class; one folder without a name in an unlabelled model.
    classes: Vec<(String, String)>,
    table: Growing,
}

impl Folder {
    pub fn open(root: &Path, manifest: &Manifest) -> io::Result<Self> {
        let Manifest { classes, complete, tail, verified, .. } = manifest;
        let unlabelled = ["images".to_owned()];
        let names = if classes.is_empty() { &unlabelled } else { classes.as_slice() };
        let classes: Vec<_> = folders(names).into_iter().zip(names.iter().cloned()).collect();
        for (folder, _) in &classes {
            fs::create_dir_all(root.join(folder))?;
        }
        let mut table = grow(&root.join("labels.csv"), if *complete == 0 { 0 } else { tail.offset })?;
        if *complete == 0 {
            let confidence = if verified.is_some() { ",confidence" } else { "" };
            table.append(format!("file,label,index{confidence}\n").as_bytes())?;
        }
        Ok(Self { root: root.into(), classes, table })
    }
}

/// Each class's folder: its name, as far as a file may have it; its label before it, if two would be
/// the same.
fn folders(classes: &[String]) -> Vec<String> {
    let safe = |name: &String| -> String {
        let kept = |c: char| if c.is_alphanumeric() || "-_ ".contains(c) { c } else { '-' };
        name.chars().map(kept).take(crate::draw::LONGEST_NAME).collect()
    };
    let names: Vec<String> = classes.iter().map(safe).collect();
    let is_single = |name: &String| {
        !name.trim().is_empty() && names.iter().filter(|other| other.eq_ignore_ascii_case(name)).count() == 1
    };
    (names.iter().enumerate())
        .map(|(label, name)| if is_single(name) { name.clone() } else { format!("{label}-{name}") })
        .collect()
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
            let label = batch.labels.get(i).map_or(0, |label| *label as usize);
            let (folder, class) = self.classes.get(label).ok_or_else(|| io::Error::other("no such class"))?;
            let file = format!("{folder}/{index:0DIGITS$}.png");
            let image = Array4::from_shape_vec((1, channels, height, width), pixels.to_vec());
            let picture = Picture::grid(&image.map_err(io::Error::other)?, 1);
            fs::write(self.root.join(&file), picture.to_png(&[])?)?;
            let confidence = batch.kept.confidences.get(i).map(|confidence| format!(",{confidence:.4}"));
            let confidence = confidence.unwrap_or_default();
            let row = format!("{},{},{index}{confidence}\n", field(&file), field(class));
            self.table.append(row.as_bytes())?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, _: u64) -> io::Result<Tail> {
        self.table.sync()?;
        Ok(Tail { offset: self.table.length, crc32: 0 })
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
    }

    #[test]
    fn fields_of_the_table_are_quoted_where_they_must_be() {
        assert_eq!(field("rose"), "rose");
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
