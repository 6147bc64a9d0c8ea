//! Parquet files (parquet.apache.org, format 2.x) in a folder, as Hugging Face's `datasets` loads them
//! without a script: `data/train-00000-of-00010.parquet` and so on, and a card, `README.md`.
//!
//! | column | what it has |
//! |---|---|
//! | `image` | a struct of `bytes`, a PNG file, and `path`, its name |
//! | `label` | the class's number, int64; not in a data set without classes |
//! | `text` | in place of `label`: a string's characters |
//! | `boxes` | and where each is: `[[column, row, width, height], …]`, as JSON |
//! | `confidence` | a judge's, float64, where there is one |
//!
//! The classes' names are in the schema's metadata, under `huggingface`. Rows are in groups of 100, as `datasets`
//! groups images, each column of a group in one page, neither compressed nor by dictionary: PNG files don't
//! shrink. A file can be gone on with after any of its groups; what tells where they are is written last. It is
//! written here rather than by a library so that it can, and so that no new version of one changes its bytes.

mod card;
mod page;
#[cfg(feature = "read")]
mod read;
mod thrift;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::json;

use self::{
    page::{Column, Group, Kind},
    thrift::Thrift,
};
use super::{
    Definition, Error, Facts, Manifest, Opened,
    growing::Growing,
    manifest::Part,
    plan::Volume,
    series::{self, Entry, Member, PER_FILE},
};
use crate::files;

#[cfg(feature = "read")]
pub use read::read;

/// Parquet files as `datasets` loads them.
pub struct Parquet;

/// The columns of strings.
const TEXT: &str = "text";
const BOXES: &str = "boxes";
/// The folder of the files.
pub const FOLDER: &str = "data";
/// The card.
const CARD: &str = "README.md";
/// How a file begins and ends.
const MAGIC: &[u8] = b"PAR1";
/// Rows of a group.
const GROUP: usize = 100;
/// Under this key `datasets` looks for what the columns mean.
const FEATURES: &str = "huggingface";
/// What wrote the file. The same in all versions, as a data set's bytes follow from its images alone.
const CREATED_BY: &str = "edgegan";

impl Definition for Parquet {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "parquet",
            summary: "Parquet files and a card, for Hugging Face's datasets",
            has_test: true,
            per_file: Some(PER_FILE),
            ..Facts::FOLDER
        }
    }

    fn in_the_way(&self, output: &Path, _: &[String]) -> Option<PathBuf> {
        [FOLDER, CARD].map(|name| output.join(name)).into_iter().find(|path| path.exists())
    }

    fn open(&self, manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Opened {
        let card = card::text(manifest, shape);
        series::open(
            Files {
                columns: columns(manifest),
                features: features(manifest),
                classes: manifest.classes.clone(),
                card,
            },
            manifest,
            output,
        )
    }
}

/// The columns of a data set.
fn columns(manifest: &Manifest) -> Vec<Column> {
    let mut columns =
        vec![Column::new(&["image", "bytes"], Kind::Bytes), Column::new(&["image", "path"], Kind::Text)];
    if manifest.strings.is_some() {
        columns.extend([TEXT, BOXES].map(|name| Column::new(&[name], Kind::Text)));
    } else {
        columns.extend((!manifest.classes.is_empty()).then(|| Column::new(&["label"], Kind::Int64)));
    }
    columns.extend(manifest.verified.is_some().then(|| Column::new(&["confidence"], Kind::Double)));
    columns
}

/// What `datasets` reads of the columns' meaning.
fn features(manifest: &Manifest) -> String {
    let mut features = serde_json::Map::new();
    features.insert("image".into(), json!({"_type": "Image"}));
    if manifest.strings.is_some() {
        let text = json!({"dtype": "string", "_type": "Value"});
        features.extend([TEXT, BOXES].map(|name| (name.into(), text.clone())));
    } else if !manifest.classes.is_empty() {
        features.insert("label".into(), json!({"names": manifest.classes, "_type": "ClassLabel"}));
    }
    if manifest.verified.is_some() {
        features.insert("confidence".into(), json!({"dtype": "float64", "_type": "Value"}));
    }
    json!({"info": {"features": features}}).to_string()
}

struct Files {
    columns: Vec<Column>,
    features: String,
    classes: Vec<String>,
    card: String,
}

impl series::Kind for Files {
    type Member = Writer;

    fn name(volume: &Volume) -> String {
        let Volume { split, number, of, .. } = volume;
        format!("{FOLDER}/{split}-{number:05}-of-{of:05}.parquet")
    }

    fn open(&self, part: &Part<'_>, images: u64) -> Result<Writer, Error> {
        let mut file = Growing::open(part, |_| {})?;
        let groups = match part.end {
            None => {
                file.push(MAGIC)?;
                Vec::new()
            }
            Some(end) => page::groups(part.path, MAGIC.len() as u64..end, self.columns.len())?,
        };
        let writer = Writer {
            file,
            columns: self.columns.clone(),
            features: self.features.clone(),
            classes: self.classes.clone(),
            groups,
            gathered: 0,
        };
        match writer.count() == images {
            true => Ok(writer),
            false => Err(Error::Refused(format!(
                "{} has {} images where its manifest says {images}",
                part.path.display(),
                writer.count()
            ))),
        }
    }

    fn accompany(&self, folder: &Path) -> io::Result<()> {
        let written = files::write(&folder.join(CARD), |file| file.write_all(self.card.as_bytes()));
        written.map_err(|error| error.source)
    }
}

struct Writer {
    file: Growing,
    columns: Vec<Column>,
    features: String,
    classes: Vec<String>,
    groups: Vec<Group>,
    /// Rows that are in `columns` and not yet in the file.
    gathered: usize,
}

impl Member for Writer {
    fn append(&mut self, image: &Entry<'_>) -> io::Result<()> {
        let path = file_name(image.index);
        for column in &mut self.columns {
            match column.kind {
                Kind::Bytes => column.push_bytes(image.png),
                Kind::Text => match (column.name(), image.string) {
                    (TEXT, Some(string)) => column.push_bytes(string.text(&self.classes).as_bytes()),
                    (BOXES, Some(string)) => column.push_bytes(&serde_json::to_vec(&string.sides())?),
                    _ => column.push_bytes(path.as_bytes()),
                },
                Kind::Int64 => column.push(image.label.unwrap_or_default().to_le_bytes()),
                Kind::Double => column.push(image.confidence.unwrap_or_default().to_le_bytes()),
            }
        }
        self.gathered += 1;
        if self.gathered == GROUP {
            self.flush()?;
        }
        Ok(())
    }

    fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered == 0 {
            return Ok(());
        }
        let mut group = Group { rows: self.gathered as u64, begin: self.file.length(), chunks: Vec::new() };
        for column in &mut self.columns {
            let page = column.take_page(self.gathered);
            group.chunks.push(page.len() as u64);
            self.file.push(&page)?;
        }
        self.groups.push(group);
        self.gathered = 0;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let footer = self.footer();
        self.file.push(&footer)?;
        self.file.push(&(footer.len() as u32).to_le_bytes())?;
        self.file.push(MAGIC)
    }

    fn file(&mut self) -> &mut Growing {
        &mut self.file
    }
}

impl Writer {
    /// The structure `FileMetaData`.
    fn footer(&self) -> Vec<u8> {
        let mut thrift = Thrift::default();
        thrift.i32(1, 1);
        page::schema(&mut thrift, 2, &self.columns);
        thrift.i64(3, self.count());
        thrift.structs(4, self.groups.len());
        for group in &self.groups {
            group.write(&mut thrift, &self.columns);
        }
        thrift.structs(5, 1);
        thrift.begin();
        thrift.text(1, FEATURES);
        thrift.text(2, &self.features);
        thrift.end();
        thrift.text(6, CREATED_BY);
        thrift.into_bytes()
    }
}

/// What an image's file is called.
fn file_name(index: u64) -> String {
    format!("{index:06}.png")
}
