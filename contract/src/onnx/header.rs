//! Reads what an ONNX file says about itself without loading it: its versions, its metadata, what
//! its graph takes and gives.
//!
//! An ONNX file is one protobuf message, `ModelProto` (onnx.proto3 of the ONNX project). Only its
//! top level and the graph's are walked; nodes and weights are stepped over. So a wrong file is
//! refused by name in microseconds, before any engine is looked for.

use std::io::{Read, Seek};

use super::{
    outlet::{self, Outlet},
    protobuf::{Message, Value},
};

/// `ModelProto`'s field numbers.
mod field {
    pub const IR_VERSION: u64 = 1;
    pub const GRAPH: u64 = 7;
    pub const OPSET_IMPORT: u64 = 8;
    pub const METADATA_PROPS: u64 = 14;
}

/// The top level of an ONNX model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Version of the file format.
    pub ir_version: u64,
    /// Each operator set's domain (empty: ONNX itself) and version.
    pub opsets: Vec<(String, u64)>,
    /// `metadata_props`, in the file's order.
    pub metadata: Vec<(String, String)>,
    /// What the graph takes.
    pub inputs: Vec<Outlet>,
    /// What it gives.
    pub outputs: Vec<Outlet>,
}

impl Header {
    /// Reads the header of the model in `source`, from its current position to its end.
    ///
    /// # Errors
    ///
    /// A sentence about the first thing that no ONNX model has, or about a failing read.
    pub fn read(source: &mut (impl Read + Seek)) -> Result<Self, String> {
        let mut model = Message::new(source).map_err(|error| error.to_string())?;
        if model.is_empty() {
            return Err("it is empty".into());
        }
        let mut header = Self::default();
        let mut has_graph = false;
        while let Some(field) = model.next_field()? {
            match (field.number, field.value) {
                (field::IR_VERSION, Value::Number(version)) => header.ir_version = version,
                (field::GRAPH, Value::Bytes(length)) => {
                    (header.inputs, header.outputs) = outlet::read(model.nested(length)?)?;
                    has_graph = true;
                }
                (field::OPSET_IMPORT, Value::Bytes(length)) => {
                    header.opsets.push(opset(model.nested(length)?)?);
                }
                (field::METADATA_PROPS, Value::Bytes(length)) => {
                    header.metadata.push(string_pair(model.nested(length)?)?);
                }
                (_, Value::Bytes(length)) => model.skip(length)?,
                (_, Value::Number(_) | Value::Skipped) => {}
            }
        }
        if header.ir_version == 0 {
            return Err("it names no ONNX file format version".into());
        }
        if !has_graph {
            return Err("it holds no graph".into());
        }
        Ok(header)
    }

    /// The value of one metadata key.
    pub fn get(&self, key: &str) -> Option<&str> {
        (self.metadata.iter()).find_map(|(name, value)| (name == key).then_some(value.as_str()))
    }
}

/// `OperatorSetIdProto`: 1 domain, 2 version.
fn opset(mut message: Message<'_, impl Read + Seek>) -> Result<(String, u64), String> {
    let mut opset = (String::new(), 0);
    while let Some(field) = message.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(length)) => opset.0 = message.string(length)?,
            (2, Value::Number(version)) => opset.1 = version,
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
    }
    Ok(opset)
}

/// `StringStringEntryProto`: 1 key, 2 value.
fn string_pair(mut message: Message<'_, impl Read + Seek>) -> Result<(String, String), String> {
    let mut pair = (String::new(), String::new());
    while let Some(field) = message.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(length)) => pair.0 = message.string(length)?,
            (2, Value::Bytes(length)) => pair.1 = message.string(length)?,
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length-delimited field, short enough for one-byte numbers.
    fn delimited(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    fn model() -> Vec<u8> {
        let opset = [delimited(1, b"com.microsoft"), vec![2 << 3, 1]].concat();
        let entry = [delimited(1, b"edgegan.format"), delimited(2, b"1")].concat();
        // A node that would be refused if it were read, and an output without a type.
        let graph = [delimited(1, &[0xff; 40]), delimited(12, &delimited(1, b"image"))].concat();
        [
            vec![1 << 3, 8],
            delimited(2, b"producer"),
            delimited(7, &graph),
            delimited(8, &opset),
            delimited(8, &[2 << 3, 17]),
            delimited(14, &entry),
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Header, String> {
        Header::read(&mut std::io::Cursor::new(bytes))
    }

    #[test]
    fn reads_versions_metadata_and_outlets_and_steps_over_nodes() {
        let header = read(&model());
        let expected = Header {
            ir_version: 8,
            opsets: vec![("com.microsoft".into(), 1), (String::new(), 17)],
            metadata: vec![("edgegan.format".into(), "1".into())],
            inputs: vec![],
            outputs: vec![Outlet { name: "image".into(), tensor: None }],
        };
        assert_eq!(header.as_ref(), Ok(&expected));
        assert_eq!(expected.get("edgegan.format"), Some("1"));
        assert_eq!(expected.get("edgegan.forma"), None);
    }

    #[test]
    fn every_truncation_is_refused_or_lacks_what_was_cut() {
        let whole = model();
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                Err(_) => {}
                // A cut between two fields leaves a valid, shorter message.
                Ok(header) => assert!(header.metadata.is_empty(), "cut to {length} bytes"),
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"This is a text file.", "starts no protobuf field"),
            (&[1 << 3, 8], "holds no graph"),
            (&delimited(7, b""), "format version"),
            (&delimited(7, b"g"), "starts no protobuf field"),
            (&[7 << 3 | 2, 200, 1, 0], "only 1 bytes follow"),
            (&[0xff; 12], "no protobuf number"),
        ] {
            let error = read(bytes).err().unwrap_or_default();
            assert!(error.contains(expected), "{bytes:?}: {error:?}");
        }
    }
}
