//! What a writer leaves behind to be resumed from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a manifest calls the only file of a format.
pub(super) const FILE: &str = "file";

/// Where to resume after the images that are complete, and how to tell that they are still there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Length of the file that grows with the images: the only one, or the table of labels.
    pub offset: u64,
    /// CRC-32 of the pixels, where the format has one.
    pub crc32: u32,
    /// What is safe of each file; of PNG files, of all together. Older versions had none.
    #[serde(default)]
    pub files: BTreeMap<String, Record>,
}

impl Tail {
    pub(super) fn of(offset: u64, files: impl IntoIterator<Item = (&'static str, Option<Record>)>) -> Self {
        let mut tail = Self { offset, ..Self::default() };
        tail.add(files.into_iter().map(|(name, record)| (name.into(), record)));
        tail
    }

    pub(super) fn add(&mut self, files: impl IntoIterator<Item = (String, Option<Record>)>) {
        self.files.extend(files.into_iter().filter_map(|(name, record)| Some((name, record?))));
    }
}

/// What is safe of a file, and how to tell that it is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its bytes `from..to`; before them is the header, which may still change.
    pub from: u64,
    /// Where they end.
    pub to: u64,
    /// SHA-256 of these bytes.
    pub sha256: String,
    /// SHA-256 of the header, once the data set is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_sha256: Option<String>,
}
