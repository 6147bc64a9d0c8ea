//! Data sets: their formats, how much of one is written, and where it lies.
//!
//! Each format is one module that says what the format can hold, and has its writer and, where `train` reads
//! it, its reader. [`FORMATS`] lists them; everything else asks the format itself. All of them hold grey and
//! coloured images, and can be resumed where they were stopped unless they went down a pipe.
//!
//! | module | what it has |
//! |---|---|
//! | [`idx`] | MNIST's pairs of files, plain or gzip |
//! | [`npz`] | NumPy's archive of arrays |
//! | [`folder`] | a folder of PNG files for each class, and a table over them |
//! | [`raw`] | pixels and nothing else |
//! | [`jsonl`] | a JSON object a line |
//! | [`parquet`] | Parquet files and a card, as Hugging Face's `datasets` loads them |
//! | [`webdataset`] | tar files, as WebDataset reads them |
//! | [`stylegan`] | a ZIP archive of PNG files, as StyleGAN's tools read it |
//! | [`manifest`] | what a data set is and how much of it is written |
//! | [`place`] | where it lies, and keeping other processes away |
//! | [`plan`] | its parts and labels |
//! | [`gzip`] | compressed files |
//! | `packed` | with the feature `read`: what readers of pictures and labels yield |

mod error;
pub mod folder;
mod growing;
pub mod gzip;
pub mod idx;
mod images;
pub mod jsonl;
pub mod manifest;
pub mod npz;
#[cfg(feature = "read")]
pub mod packed;
pub mod parquet;
pub mod place;
pub mod plan;
pub mod raw;
mod series;
mod sink;
pub mod stylegan;
mod tail;
pub mod webdataset;
mod zip;

use std::{
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use error::Error;
pub use images::{Batch, Image, Images, Strung, interleaved};
pub use manifest::Manifest;
pub use sink::{Opened, Sink};
pub use tail::{Record, Tail};

/// All formats. Where no name suggests another, the first that is a folder is taken, and for a pipe the
/// first that can go down one.
pub static FORMATS: &[Format] = &[
    Format(&idx::Idx),
    Format(&npz::Npz),
    Format(&folder::Folder),
    Format(&raw::Raw),
    Format(&jsonl::Jsonl),
    Format(&parquet::Parquet),
    Format(&webdataset::WebDataset),
    Format(&stylegan::StyleGan),
];

/// What a format can hold.
#[derive(Debug)]
pub struct Facts {
    /// As `--format` and a manifest call it.
    pub name: &'static str,
    /// A few words for a help.
    pub summary: &'static str,
    /// What the names of its files end in; none: the data set is a folder.
    pub extension: Option<&'static str>,
    /// Whether it can go down a pipe.
    pub is_stream: bool,
    /// Whether test images have a place of their own.
    pub has_test: bool,
    /// How many images each of its files has by default, if it has several.
    pub per_file: Option<u64>,
    /// The most classes that its labels can tell apart.
    pub most_classes: usize,
    /// The most images, of training and of test images each.
    pub most_images: u64,
    /// Which strings it can hold.
    pub strings: Holds,
}

/// Which strings a format can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// None: it has one label for each image.
    Nothing,
    /// Those whose pictures are all as wide.
    OneWidth,
    /// All.
    Everything,
}

impl Facts {
    /// A folder without limits: the defaults of a format's own facts.
    const FOLDER: Self = Self {
        name: "",
        summary: "",
        extension: None,
        is_stream: false,
        has_test: false,
        per_file: None,
        most_classes: usize::MAX,
        most_images: u64::MAX,
        strings: Holds::Everything,
    };
}

/// A format: its facts, and how it is written.
pub trait Definition: Sync {
    /// What it can hold.
    fn facts(&self) -> &'static Facts;

    /// A file of a new data set of these classes that is there already, if one is.
    fn in_the_way(&self, output: &Path, _classes: &[String]) -> Option<PathBuf> {
        output.exists().then(|| output.into())
    }

    /// Opens the output of a manifest for images of this shape. Those that are complete already are read
    /// and checked, once.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if they aren't what was written.
    fn open(&self, manifest: &Manifest, output: &Path, shape: [usize; 3]) -> Opened;
}

/// One of [`FORMATS`].
#[derive(Clone, Copy)]
pub struct Format(&'static dyn Definition);

impl Format {
    /// How it is written.
    pub fn definition(self) -> &'static dyn Definition {
        self.0
    }

    /// Whether the data set is a folder.
    pub fn is_folder(self) -> bool {
        self.extension.is_none()
    }

    /// The format that a name suggests: of a folder IDX, of a pipe the pixels.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for the name of a file of any other kind: it would become a folder.
    pub fn of(output: &Path, is_stream: bool) -> Result<Self, Error> {
        let extension = output.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let is_meant = |format: &Format| extension.is_some() && format.extension == extension.as_deref();
        let default = |format: &Format| if is_stream { format.is_stream } else { format.is_folder() };
        if let Some(&format) = FORMATS.iter().find(|format| is_meant(format)) {
            return Ok(format);
        }
        let says_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/") || output.is_dir();
        match (extension, FORMATS.iter().find(|format| default(format))) {
            (None, Some(&format)) => Ok(format),
            (Some(_), Some(&format)) if is_stream || says_folder => Ok(format),
            (extension, _) => {
                let endings = FORMATS.iter().filter_map(|format| format.extension);
                let folders = FORMATS.iter().filter(|format| format.is_folder());
                Err(Error::Refused(format!(
                    "output {}: no data set is written as .{}; name a file that ends in {}, or say with {} that \
                     this is to be a folder",
                    output.display(),
                    extension.unwrap_or_default(),
                    choice(endings.map(|ending| format!(".{ending}"))),
                    choice(folders.map(|format| format!("--format {format}"))),
                )))
            }
        }
    }
}

/// Alternatives in words: `a, b or c`.
pub fn choice(of: impl Iterator<Item = String>) -> String {
    let mut all: Vec<_> = of.collect();
    match all.pop() {
        Some(last) if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        last => last.unwrap_or_default(),
    }
}

impl Deref for Format {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.0.facts()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|format| format.name == name).copied();
        found.ok_or_else(|| {
            format!("{name:?} is no format; expected {}", choice(FORMATS.iter().map(Format::to_string)))
        })
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_suggests_its_form_or_is_refused() {
        let of = |name: &str, is_stream| Format::of(Path::new(name), is_stream).map(|format| format.name);
        for (name, form) in [
            ("fake", "idx"),
            ("a.b/fake", "idx"),
            ("fake.v2/", "idx"),
            ("fake.npz", "npz"),
            ("fake.NPZ", "npz"),
            ("x.y.jsonl", "jsonl"),
            (".raw", "idx"),
            ("fake.raw", "raw"),
        ] {
            assert_eq!(of(name, false).unwrap(), form, "{name}");
        }
        for (name, form) in [("-", "raw"), ("/dev/stdout", "raw"), ("pipe.jsonl", "jsonl"), ("pipe.x", "raw")]
        {
            assert_eq!(of(name, true).unwrap(), form, "{name}");
        }
        for name in ["x.csv", "a/x.PNG", "x.tar.gz"] {
            let refused = of(name, false).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("--format folder"), "{refused}");
            assert!(refused.contains("ends in .npz, .raw, .jsonl or .zip, or say"), "{refused}");
        }
        let folder = tempfile::Builder::new().suffix(".d").tempdir().unwrap();
        assert_eq!(of(folder.path().to_str().unwrap(), false).unwrap(), "idx");
    }

    #[test]
    fn a_format_is_known_by_its_name() {
        for &format in FORMATS {
            assert_eq!(format.name.parse(), Ok(format));
            let json = serde_json::to_string(&format).unwrap();
            assert_eq!(json, format!("\"{format}\""));
            assert_eq!(serde_json::from_str::<Format>(&json).unwrap(), format);
        }
        let error = "IDX".parse::<Format>().unwrap_err();
        assert!(
            error.contains("expected idx, npz, folder, raw, jsonl, parquet, webdataset or stylegan"),
            "{error}"
        );
    }

    #[test]
    fn a_choice_reads_as_one() {
        for (of, words) in [(&["a", "b", "c"][..], "a, b or c"), (&["a", "b"], "a or b"), (&["a"], "a")] {
            assert_eq!(choice(of.iter().map(|one| one.to_string())), words);
        }
    }
}
