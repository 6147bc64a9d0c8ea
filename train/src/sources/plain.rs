//! Pixels in one file with their labels: NumPy's `.npz`, and the JSON lines and raw bytes that `infer dataset`
//! writes.

use std::collections::BTreeSet;
use std::path::Path;

use contract::dataset::{Format, Manifest, jsonl, npz, packed::Labels, packed::Plain as Read, raw};
use contract::picture::Framing;

use super::classes::MOST_CLASSES;
use super::error::DataError;
use super::layout::{Layout, Loaded, OnProgress};
use super::packed::named;
use super::size::Size;
use super::split::Split;

/// NumPy's archive of the arrays images and labels.
pub(super) static NPZ: Plain = Plain { ending: "npz", read: read_npz };
/// A JSON object a line.
pub(super) static JSONL: Plain = Plain { ending: "jsonl", read: jsonl::read };
/// Pixels, and a manifest that says what they are.
pub(super) static RAW: Plain = Plain { ending: "raw", read: raw::read };

/// A file of pixels.
pub(super) struct Plain {
    ending: &'static str,
    read: fn(&Path) -> Result<Read, String>,
}

impl Layout for Plain {
    fn is_at(&self, path: &Path) -> bool {
        path.is_file() && path.extension().is_some_and(|found| found.eq_ignore_ascii_case(self.ending))
    }

    fn has_test(&self, _: &Path) -> bool {
        false
    }

    fn load(
        &self,
        path: &Path,
        split: Split,
        _: Option<Size>,
        _: Framing,
        _: OnProgress<'_>,
    ) -> Result<Loaded, DataError> {
        if split == Split::Test {
            return Err(DataError::at(path, "is one file, which has no test part; leave out --split"));
        }
        let (images, Labels { labels, classes }) =
            (self.read)(path).map_err(|message| DataError::at(path, message))?;
        let all: BTreeSet<u8> = labels.iter().copied().collect();
        Ok(Loaded { data: named(images, labels, (&all, classes), path)?, notes: Vec::new() })
    }
}

/// An archive names no classes, but the manifest of one that `infer` wrote does.
fn read_npz(path: &Path) -> Result<Read, String> {
    let (images, labels) = npz::read(path, [0; 3], MOST_CLASSES)?;
    let format: Format = "npz".parse()?;
    let manifest = Manifest::read(&Manifest::path(format, path)).ok().flatten();
    let classes = manifest.map(|manifest| manifest.classes).unwrap_or_default();
    Ok((images, Labels { labels, classes: (0..=u8::MAX).zip(classes).collect() }))
}
