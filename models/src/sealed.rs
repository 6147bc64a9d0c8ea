//! Safetensors files that are refused if they are not to the bit what was written.
//!
//! The metadata has one key, `edgegan`, with a header as JSON, and in it the SHA-256 of the whole file,
//! taken with zeros in the digest's own place.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Read;
use std::ops::RangeInclusive;

use candle_core::{DType, Device, Tensor};
use contract::files::{sha256, sha256_of};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const KEY: &str = "edgegan";

/// The header's format; a reader refuses later ones.
pub const FORMAT: u32 = 2;
/// The last format without a digest.
const UNSEALED: u32 = 1;
/// Those that are read.
pub(crate) const FORMATS: RangeInclusive<u32> = UNSEALED..=FORMAT;

/// What stands before the digest in a file: the header is JSON within a string of JSON.
const SEAL: &str = r#"\"file_sha256\":\""#;
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// A header as it is written.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed<H> {
    #[serde(flatten)]
    pub header: H,
    /// Files from before there was a digest have none.
    #[serde(default)]
    pub file_sha256: Option<String>,
}

/// What every header says.
#[derive(Deserialize)]
pub(crate) struct Kind {
    pub format: u32,
    pub architecture: String,
}

/// A file's bytes, the same for the same contents. `wrong` makes an error of a sentence.
///
/// # Errors
/// If a name is there twice; Candle's.
pub(crate) fn to_bytes(
    header: &impl Serialize,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    wrong: impl Fn(String) -> Error,
) -> Result<Vec<u8>> {
    let sealed = Sealed { header, file_sha256: Some("0".repeat(DIGITS)) };
    let json = serde_json::to_string(&sealed).map_err(|e| wrong(e.to_string()))?;
    let host = tensors.into_iter().map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?.contiguous()?)));
    let host = host.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(KEY.to_string(), json)]);
    let mut bytes = safetensors::serialize(host, Some(metadata)).map_err(|e| wrong(e.to_string()))?;
    let start = seal(&bytes).ok_or_else(|| wrong("its header has no place for a digest".to_string()))?;
    let digest = sha256(&bytes);
    bytes[start..start + DIGITS].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

/// The header's JSON, if there is one. The file may end before its tensors do.
///
/// # Errors
/// A phrase, if the header is cut short or the file is no safetensors file.
pub(crate) fn header(bytes: &[u8]) -> std::result::Result<Option<String>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| not_whole(&error))?;
    Ok(metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)).cloned())
}

fn not_whole(why: &dyn Display) -> String {
    format!("cut short, or no safetensors file ({why})")
}

/// A file's parts.
pub(crate) struct File<'a> {
    bytes: &'a [u8],
    tensors: SafeTensors<'a>,
    /// The header's JSON, if it has one.
    pub header: Option<String>,
}

impl<'a> File<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// A phrase, if it is cut short or no safetensors file.
    pub(crate) fn open(bytes: &'a [u8]) -> std::result::Result<File<'a>, String> {
        if !ends_within(bytes) {
            return Err(not_whole(&"a tensor ends after the file"));
        }
        let header = header(bytes)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| not_whole(&error))?;
        Ok(File { bytes, tensors, header })
    }

    /// Whether the file has the digest that its header states. One that is stated counts, whatever the
    /// format.
    pub(crate) fn is_as_written(&self, format: u32, digest: Option<&str>) -> bool {
        if format == UNSEALED && digest.is_none() {
            return true;
        }
        let bytes = self.bytes;
        let (Some(start), Some(digest)) = (seal(bytes), digest) else { return false };
        let whole = bytes[..start].chain(&[b'0'; DIGITS][..]).chain(&bytes[start + DIGITS..]);
        // The digest that was hashed around, and no other of that name.
        bytes[start..start + DIGITS] == *digest.as_bytes() && sha256_of(whole).is_ok_and(|of| of == digest)
    }

    /// The tensors on the host, by name. `wrong` makes an error of a sentence.
    ///
    /// # Errors
    /// If one is of another type than F32; Candle's.
    pub(crate) fn tensors(&self, wrong: impl Fn(String) -> Error) -> Result<HashMap<String, Tensor>> {
        let mut tensors = HashMap::new();
        for (name, view) in self.tensors.iter() {
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(wrong(format!("tensor {name} is of {:?}, F32 was expected", view.dtype())));
            }
            let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)?;
            tensors.insert(current(name), tensor);
        }
        Ok(tensors)
    }
}

/// A tensor's name, of which files of earlier versions have another: a batch norm's `weight` and `bias`
/// were `gain` and `offset`.
fn current(name: &str) -> String {
    for (earlier, now) in [(".gain", ".weight"), (".offset", ".bias")] {
        if let Some(layer) = name.strip_suffix(earlier) {
            return format!("{layer}{now}");
        }
    }
    name.to_string()
}

/// Where the digest stands in a file, if there is room for one.
fn seal(bytes: &[u8]) -> Option<usize> {
    let start = bytes.windows(SEAL.len()).position(|window| window == SEAL.as_bytes())? + SEAL.len();
    (start + DIGITS <= bytes.len()).then_some(start)
}

/// No tensor ends after the file. The safetensors crate adds these numbers up before it compares them
/// with the file's length, and very large ones overflow.
fn ends_within(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Place {
        data_offsets: (u64, u64),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Tensor(Place),
        Other(serde::de::IgnoredAny),
    }
    let header = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    let header = header.and_then(|length| bytes[8..].get(..usize::try_from(length).ok()?));
    // What is wrong otherwise, the safetensors crate says.
    let entries = header.and_then(|json| serde_json::from_slice::<HashMap<String, Entry>>(json).ok());
    let length = bytes.len() as u64;
    entries.into_iter().flatten().all(|(_, entry)| match entry {
        Entry::Tensor(Place { data_offsets: (start, end) }) => start <= length && end <= length,
        Entry::Other(_) => true,
    })
}
