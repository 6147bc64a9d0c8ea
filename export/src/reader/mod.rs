//! Reads ONNX files that anyone may have written, into candle-onnx's protobuf types.
//!
//! A file is one protobuf message, `ModelProto` (onnx.proto3 of the ONNX project). It is walked once
//! before it is decoded (`walk`): so what is cut short or damaged is told with its place, and what
//! would unfold to many times its size is refused before memory is asked for.

mod walk;

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use candle_onnx::onnx::{GraphProto, ModelProto};
use prost::Message;

use crate::{Error, Result};

/// Protobuf's own limit of a message: 2 GiB. Larger models keep their weights in other files.
pub const LARGEST: u64 = (1 << 31) - 1;

/// The whole file at `path`.
///
/// # Errors
/// [`Error::Unreadable`] if there is none, or something else than a file of at most [`LARGEST`] bytes.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let wrong = |found: String| Error::Unreadable { path: path.to_path_buf(), found };
    let metadata = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() && !metadata.is_dir() && !contract::files::is_pipe(&metadata) {
        return Err(wrong("this is no file but a device".to_string()));
    }
    if metadata.len() > LARGEST {
        let bytes = metadata.len();
        return Err(wrong(format!("{bytes} bytes are more than the 2 GiB that an ONNX file can have")));
    }
    contract::files::read(path).map_err(|error| wrong(error.to_string()))
}

/// The model that these bytes are, which came from `path`, and how many of its names and other texts are
/// not UTF-8: it has a `?` for each byte that is none.
///
/// Decoding takes at most 450 bytes of memory for each of the file's, and 1 MiB; what a real file takes is
/// about its size.
///
/// # Errors
/// [`Error::NotOnnx`] with the first thing that no ONNX model has.
pub fn decode(bytes: &[u8], path: &Path) -> Result<(ModelProto, usize)> {
    let wrong = |found: String| Error::NotOnnx { path: path.to_path_buf(), found };
    if bytes.is_empty() {
        return Err(wrong("it is empty".to_string()));
    }
    let not_utf8 = walk::check(bytes).map_err(wrong)?;
    let text = as_utf8(bytes, &not_utf8);
    let model = ModelProto::decode(text.as_ref()).map_err(|error| wrong(error.to_string()))?;
    if model.ir_version == 0 {
        return Err(wrong("it names no version of the file format".to_string()));
    }
    match &model.graph {
        None => Err(wrong("it holds no graph".to_string())),
        Some(GraphProto { node, output, .. }) if node.is_empty() && output.is_empty() => {
            Err(wrong("its graph is empty".to_string()))
        }
        Some(_) => Ok((model, not_utf8.len())),
    }
}

/// The same file with a `?` for each byte that is no part of UTF-8 in these places.
fn as_utf8<'a>(bytes: &'a [u8], places: &[Range<usize>]) -> Cow<'a, [u8]> {
    let mut text = Cow::Borrowed(bytes);
    for place in places {
        let mut start = place.start;
        while let Err(error) = std::str::from_utf8(&text[start..place.end]) {
            let wrong = start + error.valid_up_to();
            text.to_mut()[wrong] = b'?';
            start = wrong + 1;
        }
    }
    text
}
