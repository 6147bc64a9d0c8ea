//! A whole file: the graph, its versions and its metadata.

use candle_onnx::onnx::{OperatorSetIdProto, StringStringEntryProto};
use prost::Message;

use super::Graph;
use super::align::align;
use super::encode::encode;
use super::proto::ModelProto;
use crate::Result;

/// ONNX's own operator set, in the version of ONNX 1.12 (2022): ONNX Runtime 1.12 and later have it.
pub const OPSET: i64 = 17;

/// The file format's version that came with an operator set (the table in ONNX's Versioning.md).
pub fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}

/// The program that writes the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Model {
    proto: ModelProto,
}

impl Model {
    /// A model without metadata so far. In the file, the data of its initializers lies at multiples
    /// of 64 bytes.
    ///
    /// # Errors
    /// None for a graph that [`Graph`] accepted.
    pub fn new(graph: &Graph, producer: Producer) -> Result<Model> {
        Model::of_opset(OPSET, graph, producer)
    }

    /// The same for another version of the operator set, 13 to 22.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) for an operator that came later, which is named.
    pub fn of_opset(opset: i64, graph: &Graph, producer: Producer) -> Result<Model> {
        let ir_version = ir_version(opset);
        let graph = encode(graph, opset)?;
        let opset = OperatorSetIdProto { domain: String::new(), version: opset };
        let mut proto = ModelProto {
            ir_version,
            opset_import: vec![opset],
            producer_name: producer.name,
            producer_version: producer.version,
            graph: Some(graph),
            ..ModelProto::default()
        };
        align(&mut proto);
        Ok(Model { proto })
    }

    /// Replaces the model's metadata.
    // Metadata comes after the graph in the file: the weights stay where they are.
    pub fn set_metadata(&mut self, entries: impl IntoIterator<Item = (String, String)>) {
        let entry = |(key, value)| StringStringEntryProto { key, value };
        self.proto.metadata_props = entries.into_iter().map(entry).collect();
    }

    /// How many numbers its initializers hold.
    pub fn parameters(&self) -> usize {
        let tensors = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        tensors.map(|tensor| tensor.dims.iter().product::<i64>() as usize).sum()
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }
}
