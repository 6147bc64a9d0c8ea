//! Walks a `ModelProto`'s bytes without decoding them: that each part lies within the part around it,
//! and how much memory the decoded parts will take.

use std::io::Cursor;
use std::ops::Range;

use candle_onnx::onnx::{
    AttributeProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorShapeProto, TrainingInfoProto, TypeProto,
    ValueInfoProto, tensor_shape_proto::Dimension, type_proto,
};
use contract::onnx::protobuf::{Field, Message, Value};

/// What decoded parts may take for a byte of the file. The empty attribute costs the most: two
/// bytes that become some 1,200. A real file's have names and values: 20 to 40 for a byte are the most.
///
/// A list has room for up to four times its parts, so decoding may take four times this.
const MEMORY_PER_BYTE: usize = 100;
/// What they may take in any case.
const MEMORY: usize = 256 << 10;
/// What they may take at most: more than graphs of a hundred thousand nodes need.
const MOST_MEMORY: usize = 1 << 30;
/// How deep parts may lie in one another, graphs in attributes included: what the decoder allows.
const DEEPEST: usize = 100;

/// A message of onnx.proto3 that holds others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Annotation,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    /// A tensor's type, sparse or not.
    TensorType,
    /// A type of other types.
    Container,
    Shape,
    /// One without parts of its own.
    Leaf,
}

impl Part {
    /// Whether the field `number` is text, by the schema. A [`Part::Leaf`] holds nothing else.
    fn is_text(self, number: u64) -> bool {
        match self {
            Part::Model => matches!(number, 2..=4 | 6),
            Part::Graph => matches!(number, 2 | 10),
            Part::Function => matches!(number, 1 | 4..=6 | 8 | 10 | 13),
            // An operator and its domain mean nothing if they are no text.
            Part::Node => matches!(number, 1..=3 | 6 | 8),
            Part::Attribute => matches!(number, 1 | 13 | 21),
            Part::Tensor => matches!(number, 8 | 12),
            Part::ValueInfo => matches!(number, 1 | 3),
            Part::Annotation => number == 1,
            Part::Type => number == 6,
            Part::Leaf => true,
            Part::Training | Part::SparseTensor | Part::TensorType | Part::Container | Part::Shape => false,
        }
    }

    /// What the field `number` holds, and the memory that it takes once it is decoded; `None` if it is
    /// no message.
    fn field(self, number: u64) -> Option<(Part, usize)> {
        Some(match (self, number) {
            (Part::Model, 7) | (Part::Training, 1 | 2) | (Part::Attribute, 6 | 11) => {
                (Part::Graph, size_of::<GraphProto>())
            }
            (Part::Model, 8) | (Part::Function, 9) => (Part::Leaf, size_of::<OperatorSetIdProto>()),
            (Part::Model, 14) | (Part::Training, 3 | 4) | (Part::Annotation, 2) | (Part::Tensor, 13) => {
                (Part::Leaf, size_of::<StringStringEntryProto>())
            }
            (Part::Model, 20) => (Part::Training, size_of::<TrainingInfoProto>()),
            (Part::Model, 25) => (Part::Function, size_of::<FunctionProto>()),
            (Part::Graph, 1) | (Part::Function, 7) => (Part::Node, size_of::<NodeProto>()),
            (Part::Graph, 5) | (Part::Attribute, 5 | 10) | (Part::SparseTensor, 1 | 2) => {
                (Part::Tensor, size_of::<TensorProto>())
            }
            (Part::Graph, 11..=13) => (Part::ValueInfo, size_of::<ValueInfoProto>()),
            (Part::Graph, 14) => (Part::Annotation, size_of::<TensorAnnotation>()),
            (Part::Graph, 15) | (Part::Attribute, 22 | 23) => {
                (Part::SparseTensor, size_of::<SparseTensorProto>())
            }
            (Part::Node, 5) | (Part::Function, 11) => (Part::Attribute, size_of::<AttributeProto>()),
            (Part::Attribute, 14 | 15) | (Part::ValueInfo, 2) | (Part::Container, 1 | 2) => {
                (Part::Type, size_of::<TypeProto>())
            }
            (Part::Tensor, 3) => (Part::Leaf, 0),
            (Part::Type, 1 | 8) => (Part::TensorType, size_of::<type_proto::Tensor>()),
            (Part::Type, 4 | 5 | 9) => (Part::Container, size_of::<type_proto::Map>()),
            (Part::TensorType, 2) => (Part::Shape, size_of::<TensorShapeProto>()),
            (Part::Shape, 1) => (Part::Leaf, size_of::<Dimension>()),
            _ => return None,
        })
    }
}

/// Checks a whole file; gives the places of texts that are not UTF-8. Protobuf wants it so, and other
/// readers of ONNX files don't ask.
///
/// # Errors
/// A sentence about the first thing that is wrong.
pub fn check(bytes: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let most = (MEMORY + MEMORY_PER_BYTE * bytes.len()).min(MOST_MEMORY);
    let mut walk = Walk { bytes, memory: 0, most, not_utf8: Vec::new() };
    let mut source = Cursor::new(bytes);
    let model = Message::new(&mut source).map_err(|error| error.to_string())?;
    walk.part(Part::Model, model, 0)?;
    Ok(walk.not_utf8)
}

struct Walk<'a> {
    bytes: &'a [u8],
    memory: usize,
    most: usize,
    not_utf8: Vec<Range<usize>>,
}

impl Walk<'_> {
    fn part(
        &mut self,
        part: Part,
        mut message: Message<'_, Cursor<&[u8]>>,
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("at byte {} parts lie more than {DEEPEST} deep", message.position()));
        }
        while let Some(Field { number, value, .. }) = message.next_field()? {
            let Value::Bytes(length) = value else { continue };
            if let Some((part, size)) = part.field(number) {
                self.memory += size;
                if self.memory > self.most {
                    return Err(format!(
                        "it has more parts than fit its {} bytes: it is damaged, or made to fill memory",
                        self.bytes.len()
                    ));
                }
                self.part(part, message.nested(length)?, depth + 1)?;
                continue;
            }
            let start = message.position() as usize;
            message.skip(length)?;
            let text = start..message.position() as usize;
            if part.is_text(number) && std::str::from_utf8(&self.bytes[text.clone()]).is_err() {
                self.not_utf8.push(text);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_onnx::onnx::ModelProto;
    use prost::Message;

    use super::*;

    /// A length-delimited field, short enough for one-byte numbers.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    fn refused(bytes: &[u8], part: &str) {
        let error = check(bytes).err().unwrap_or_default();
        assert!(error.contains(part), "expected {part:?} in {error:?}");
    }

    #[test]
    fn a_part_that_reaches_beyond_the_part_around_it_is_refused_with_its_place() {
        // A graph of 4 bytes, whose node says it has 9.
        refused(&[vec![7 << 3 | 2, 4, 1 << 3 | 2, 9, 0, 0], vec![0; 20]].concat(), "at byte 2 a field of 9");
        // What is no message may hold anything.
        let places = check(&field(2, &[0xff; 40])).unwrap();
        assert_eq!(places.first(), Some(&(2..42)));
        assert_eq!(places.len(), 1);
        refused(&field(7, &[0xff; 40]), "in no protobuf number");
    }

    #[test]
    fn parts_without_contents_are_no_way_to_fill_memory() {
        // 100,000 attributes in one node: 200 kB that would be decoded to over 100 MB.
        let attributes = [5 << 3 | 2, 0].repeat(100_000);
        let node = NodeProto::default().encode_to_vec();
        assert!(node.is_empty());
        let mut graph = vec![1 << 3 | 2];
        prost::encoding::encode_varint(attributes.len() as u64, &mut graph);
        graph.extend(&attributes);
        let mut model = vec![7 << 3 | 2];
        prost::encoding::encode_varint(graph.len() as u64, &mut model);
        model.extend(&graph);
        assert!(ModelProto::decode(model.as_slice()).is_ok());
        refused(&model, "more parts than fit its 200");
    }

    #[test]
    fn graphs_within_graphs_have_an_end() {
        let mut graph = Vec::new();
        for _ in 0..40 {
            let attribute = [&[6 << 3 | 2][..], &length(&graph), &graph].concat();
            let node = [&[5 << 3 | 2][..], &length(&attribute), &attribute].concat();
            graph = [&[1 << 3 | 2][..], &length(&node), &node].concat();
        }
        let model = [&[7 << 3 | 2][..], &length(&graph), &graph].concat();
        refused(&model, "more than 100 deep");
    }

    fn length(bytes: &[u8]) -> Vec<u8> {
        let mut length = Vec::new();
        prost::encoding::encode_varint(bytes.len() as u64, &mut length);
        length
    }
}
