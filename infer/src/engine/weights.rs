//! Takes the large weights out of a model, so that they are used where they already lie.
//!
//! ONNX Runtime copies each weight twice while it loads a model: out of the file's bytes into a
//! protobuf message, and out of that into a tensor. To draw one image that is most of the work and
//! of the memory. A weight that is an input of the graph in place of an initializer is not copied:
//! the caller lends the memory at each run. So the graph is rewritten: each large float32
//! initializer becomes an input of the same name, type and shape, and nothing else changes.
//!
//! ONNX Runtime then can't prepare anything from the weights' values, which is why this serves few
//! images on the CPU only.

use std::{
    io::{Cursor, Read, Seek},
    ops::Range,
};

use contract::onnx::protobuf::{Message, Value, put_bytes, put_number};

/// Initializers of fewer bytes stay where they are: shapes and axes, which ONNX Runtime wants to
/// see as constants, and whatever is too small to matter.
const LARGE: u64 = 64 * 1024;

/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// Field numbers of onnx.proto3's messages.
mod field {
    pub const MODEL_GRAPH: u64 = 7;
    pub const GRAPH_INITIALIZER: u64 = 5;
    pub const GRAPH_INPUT: u64 = 11;
    pub const TENSOR_DIMS: u64 = 1;
    pub const TENSOR_DATA_TYPE: u64 = 2;
    pub const TENSOR_NAME: u64 = 8;
    pub const TENSOR_RAW_DATA: u64 = 9;
    pub const TENSOR_DATA_LOCATION: u64 = 14;
    pub const VALUE_INFO_NAME: u64 = 1;
    pub const VALUE_INFO_TYPE: u64 = 2;
    pub const TYPE_TENSOR: u64 = 1;
    pub const TENSOR_TYPE_ELEMENT: u64 = 1;
    pub const TENSOR_TYPE_SHAPE: u64 = 2;
    pub const SHAPE_DIM: u64 = 1;
    pub const DIM_VALUE: u64 = 1;
}

/// A model whose large weights are inputs.
#[derive(Debug, PartialEq)]
pub struct Split {
    /// The rewritten model, some kilobytes.
    pub model: Vec<u8>,
    /// The weights to give it, in any order.
    pub weights: Vec<Weight>,
}

/// A float32 weight within a model's bytes.
#[derive(Debug, PartialEq)]
pub struct Weight {
    /// Name of the initializer, and of the input that takes its place.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Where its values are.
    values: Values,
}

#[derive(Debug, PartialEq)]
enum Values {
    /// In the model's bytes.
    There(Range<usize>),
    /// Copied, where the model's bytes can't be read as numbers in place.
    Copied(Vec<f32>),
}

impl Weight {
    /// The values, as many as `dims` say. `model` is what [`split`] was given.
    pub fn values<'a>(&'a self, model: &'a [u8]) -> &'a [f32] {
        match &self.values {
            Values::There(range) => (model.get(range.clone())).and_then(floats_in_place).unwrap_or_default(),
            Values::Copied(values) => values,
        }
    }
}

/// Splits a model. `None` if it has no large weights, or one that isn't stored as `export` stores
/// them; ONNX Runtime then gets the model as it is.
pub fn split(model: &[u8]) -> Option<Split> {
    let mut cursor = Cursor::new(model);
    let mut message = Message::new(&mut cursor).ok()?;
    let mut rewritten = Vec::new();
    let mut weights = Vec::new();
    while let Some(field) = message.next_field().ok()? {
        match (field.number, field.value) {
            (field::MODEL_GRAPH, Value::Bytes(length)) => {
                let graph = split_graph(model, message.nested(length).ok()?, &mut weights)?;
                put_bytes(&mut rewritten, field::MODEL_GRAPH, &graph);
                continue;
            }
            (_, Value::Bytes(length)) => message.skip(length).ok()?,
            _ => {}
        }
        rewritten.extend(&model[offsets(field.start..message.position())]);
    }
    (!weights.is_empty()).then_some(Split { model: rewritten, weights })
}

fn split_graph(
    model: &[u8],
    mut graph: Message<'_, impl Read + Seek>,
    weights: &mut Vec<Weight>,
) -> Option<Vec<u8>> {
    let mut rewritten = Vec::new();
    let mut inputs = Vec::new();
    while let Some(field) = graph.next_field().ok()? {
        match (field.number, field.value) {
            (field::GRAPH_INITIALIZER, Value::Bytes(length)) if length >= LARGE => {
                let weight = weight(model, graph.nested(length).ok()?)?;
                put_bytes(&mut inputs, field::GRAPH_INPUT, &value_info(&weight));
                weights.push(weight);
                continue;
            }
            (_, Value::Bytes(length)) => graph.skip(length).ok()?,
            _ => {}
        }
        rewritten.extend(&model[offsets(field.start..graph.position())]);
    }
    rewritten.append(&mut inputs);
    Some(rewritten)
}

/// Reads a `TensorProto` whose values are float32 in `raw_data`, as `export` writes them.
fn weight(model: &[u8], mut tensor: Message<'_, impl Read + Seek>) -> Option<Weight> {
    let mut name = String::new();
    let mut dims = Vec::new();
    let mut raw = None;
    let mut data_type = 0;
    while let Some(field) = tensor.next_field().ok()? {
        match (field.number, field.value) {
            (field::TENSOR_DIMS, Value::Number(dim)) => dims.push(usize::try_from(dim).ok()?),
            (field::TENSOR_DIMS, Value::Bytes(length)) => {
                let mut packed = tensor.nested(length).ok()?;
                while !packed.is_empty() {
                    dims.push(usize::try_from(packed.varint().ok()?).ok()?);
                }
            }
            (field::TENSOR_DATA_TYPE, Value::Number(number)) => data_type = number,
            (field::TENSOR_NAME, Value::Bytes(length)) => name = tensor.string(length).ok()?,
            (field::TENSOR_RAW_DATA, Value::Bytes(length)) => {
                let start = tensor.position();
                tensor.skip(length).ok()?;
                raw = Some(offsets(start..tensor.position()));
            }
            // Stored in another file.
            (field::TENSOR_DATA_LOCATION, Value::Number(1)) => return None,
            (_, Value::Bytes(length)) => tensor.skip(length).ok()?,
            _ => {}
        }
    }
    let bytes = &model[raw.clone()?];
    let expected = (dims.iter()).try_fold(size_of::<f32>(), |size, dim| size.checked_mul(*dim))?;
    if data_type != FLOAT || bytes.len() != expected {
        return None;
    }
    let values = match floats_in_place(bytes) {
        Some(_) => Values::There(raw?),
        None => Values::Copied(
            (bytes.chunks_exact(4))
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect(),
        ),
    };
    Some(Weight { name, dims, values })
}

/// Little-endian float32 values where they lie, if they are aligned and the machine is
/// little-endian too.
fn floats_in_place(bytes: &[u8]) -> Option<&[f32]> {
    if cfg!(target_endian = "big") {
        return None;
    }
    // SAFETY: every four bytes are an f32; `align_to` takes care of alignment.
    let (before, values, after) = unsafe { bytes.align_to::<f32>() };
    (before.is_empty() && after.is_empty()).then_some(values)
}

/// The `ValueInfoProto` of a weight: its name, float32 and its shape.
fn value_info(weight: &Weight) -> Vec<u8> {
    let mut shape = Vec::new();
    for dim in &weight.dims {
        let mut value = Vec::new();
        put_number(&mut value, field::DIM_VALUE, *dim as u64);
        put_bytes(&mut shape, field::SHAPE_DIM, &value);
    }
    let mut tensor = Vec::new();
    put_number(&mut tensor, field::TENSOR_TYPE_ELEMENT, FLOAT);
    put_bytes(&mut tensor, field::TENSOR_TYPE_SHAPE, &shape);
    let mut kind = Vec::new();
    put_bytes(&mut kind, field::TYPE_TENSOR, &tensor);
    let mut info = Vec::new();
    put_bytes(&mut info, field::VALUE_INFO_NAME, weight.name.as_bytes());
    put_bytes(&mut info, field::VALUE_INFO_TYPE, &kind);
    info
}

/// Offsets within a slice in memory, where every offset is a usize.
fn offsets(range: Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 2] = [160, 128];

    fn values() -> Vec<f32> {
        (0..SHAPE[0] * SHAPE[1]).map(|i| i as f32 - 0.5).collect()
    }

    /// An initializer of the shape above.
    fn initializer(packed: bool, data_type: u64, external: bool) -> Vec<u8> {
        let mut tensor = Vec::new();
        if packed {
            // 160 takes two bytes.
            put_bytes(&mut tensor, field::TENSOR_DIMS, &[160, 1, 128, 1]);
        } else {
            put_number(&mut tensor, field::TENSOR_DIMS, 160);
            put_number(&mut tensor, field::TENSOR_DIMS, 128);
        }
        put_number(&mut tensor, field::TENSOR_DATA_TYPE, data_type);
        put_bytes(&mut tensor, field::TENSOR_NAME, b"linear.weight");
        let raw: Vec<u8> = values().iter().flat_map(|x| x.to_le_bytes()).collect();
        put_bytes(&mut tensor, field::TENSOR_RAW_DATA, &raw);
        put_number(&mut tensor, field::TENSOR_DATA_LOCATION, external.into());
        tensor
    }

    /// A model with a node, a small initializer, the given large one and one input; `padding`
    /// moves the large one.
    fn model(large: &[u8], padding: usize) -> Vec<u8> {
        let mut graph = Vec::new();
        put_bytes(&mut graph, 1, b"node");
        put_bytes(&mut graph, 2, &vec![b'g'; padding]);
        put_bytes(&mut graph, field::GRAPH_INITIALIZER, b"small");
        put_bytes(&mut graph, field::GRAPH_INITIALIZER, large);
        put_bytes(&mut graph, field::GRAPH_INPUT, b"z");
        let mut model = Vec::new();
        put_number(&mut model, 1, 8);
        put_bytes(&mut model, field::MODEL_GRAPH, &graph);
        put_bytes(&mut model, 14, b"metadata");
        model
    }

    #[test]
    fn a_large_weight_becomes_an_input_and_keeps_its_values() {
        // Four paddings: each alignment comes up, and three of them are copied.
        for padding in 0..4 {
            for packed in [false, true] {
                let model = model(&initializer(packed, FLOAT, false), padding);
                let Some(split) = split(&model) else {
                    panic!("padding {padding}, packed {packed}: not split");
                };
                let [weight] = split.weights.as_slice() else {
                    panic!("{} weights", split.weights.len());
                };
                assert_eq!((weight.name.as_str(), weight.dims.as_slice()), ("linear.weight", &SHAPE[..]));
                assert_eq!(weight.values(&model), values());

                let mut graph = Vec::new();
                put_bytes(&mut graph, 1, b"node");
                put_bytes(&mut graph, 2, &vec![b'g'; padding]);
                put_bytes(&mut graph, field::GRAPH_INITIALIZER, b"small");
                put_bytes(&mut graph, field::GRAPH_INPUT, b"z");
                // ValueInfoProto { "linear.weight", tensor(float, 160 × 128) }, written by hand.
                let shape = [&[10, 3, 8, 160, 1][..], &[10, 3, 8, 128, 1]].concat();
                let tensor = [&[8, 1, 18, shape.len() as u8][..], &shape].concat();
                let kind = [&[10, tensor.len() as u8][..], &tensor].concat();
                let info = [&[10, 13][..], b"linear.weight", &[18, kind.len() as u8], &kind].concat();
                put_bytes(&mut graph, field::GRAPH_INPUT, &info);
                let mut expected = Vec::new();
                put_number(&mut expected, 1, 8);
                put_bytes(&mut expected, field::MODEL_GRAPH, &graph);
                put_bytes(&mut expected, 14, b"metadata");
                assert_eq!(split.model, expected);
            }
        }
    }

    #[test]
    fn what_export_does_not_write_is_left_to_onnx_runtime() {
        assert_eq!(split(&model(b"also small", 0)), None);
        assert_eq!(split(&model(&initializer(false, 10, false), 0)), None, "float16");
        assert_eq!(split(&model(&initializer(false, FLOAT, true), 0)), None, "external");
        let mut fewer = initializer(false, FLOAT, false);
        put_number(&mut fewer, field::TENSOR_DIMS, 2);
        assert_eq!(split(&model(&fewer, 0)), None, "another size than its shape");
        let whole = model(&initializer(false, FLOAT, false), 0);
        assert_eq!(split(&whole[..whole.len() - 20]), None, "truncated");
    }
}
