//! Puts the data of each initializer at an aligned offset of the file, so that a program with the
//! file in its memory can use the numbers where they lie.
//!
//! Protobuf has no padding of its own. A message's fields are written in the order of their numbers,
//! so what comes just before a tensor's data is the tensor before it, whose last field is its
//! documentation (`doc_string`), and before the first tensor the model's documentation. Spaces there
//! move the data and mean nothing.

use prost::{Message, encoding::encoded_len_varint};

use super::proto::{GraphProto, ModelProto, TensorProto};

/// Offsets of data are multiples of this: a cache line, and more than any type of number needs.
pub const ALIGNMENT: usize = 64;

/// Field numbers below 16 take one byte.
const KEY: usize = 1;

/// Sets the documentation that aligns each initializer's data.
pub fn align(model: &mut ModelProto) {
    // The graph's own length is written before it, and takes more bytes if the padding makes it pass
    // a power of two: then everything moves, and a second round starts with the right length.
    for _round in 0..3 {
        let Some(graph) = &model.graph else { return };
        let count = graph.initializer.len();
        for at in 0..count {
            // One space more each time, which also takes care of the lengths that are written.
            for spaces in 0..2 * ALIGNMENT {
                pad(model, at, spaces);
                if offset(model, at).is_multiple_of(ALIGNMENT) {
                    break;
                }
            }
        }
        if (0..count).all(|at| offset(model, at).is_multiple_of(ALIGNMENT)) {
            return;
        }
    }
}

/// Writes so many spaces before the data of initializer `at`.
fn pad(model: &mut ModelProto, at: usize, spaces: usize) {
    let spaces = " ".repeat(spaces);
    match (at.checked_sub(1), &mut model.graph) {
        (Some(before), Some(graph)) => graph.initializer[before].doc_string = spaces,
        _ => model.doc_string = spaces,
    }
}

/// Offset of the data of initializer `at` in the encoded model.
fn offset(model: &ModelProto, at: usize) -> usize {
    let Some(graph) = &model.graph else { return 0 };
    // All fields of ModelProto before `graph`, number 7.
    let before_graph = ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        doc_string: model.doc_string.clone(),
        ..ModelProto::default()
    };
    // All fields of GraphProto before `initializer`, number 5.
    let before_initializers = GraphProto { name: graph.name.clone(), ..GraphProto::default() };
    let nodes: usize = graph.node.iter().map(|node| delimited(node.encoded_len())).sum();
    let earlier: usize = graph.initializer[..at].iter().map(|tensor| delimited(tensor.encoded_len())).sum();
    let tensor = &graph.initializer[at];
    // All fields of TensorProto before `raw_data`, number 9.
    let before_data = TensorProto {
        dims: tensor.dims.clone(),
        data_type: tensor.data_type,
        name: tensor.name.clone(),
        ..TensorProto::default()
    };
    before_graph.encoded_len()
        + header(graph.encoded_len())
        + nodes
        + before_initializers.encoded_len()
        + earlier
        + header(tensor.encoded_len())
        + before_data.encoded_len()
        + header(tensor.raw_data.len())
}

/// Bytes of a length-delimited field before its content.
fn header(length: usize) -> usize {
    KEY + encoded_len_varint(length as u64)
}

/// Bytes of a length-delimited field.
fn delimited(length: usize) -> usize {
    header(length) + length
}

#[cfg(test)]
mod tests {
    use super::super::{Dim, Graph, Model, Operator, Producer, Tensor, Type};
    use super::ALIGNMENT;

    /// Graphs of sizes on both sides of where their length takes another byte (16,384 and 2,097,152).
    #[test]
    fn data_lies_at_aligned_offsets_of_the_bytes() {
        let around = |size: usize| (0..12).map(move |step| (size - 1000) / 4 + 20 * step);
        for large in around(128 * 128).chain(around(128 * 128 * 128)) {
            let sizes = [2, 15, 31, large, 7];
            let data = |i: usize| (0..sizes[i]).map(move |at| (i * 1_000_000 + at) as f32);
            let mut graph = Graph::new("g");
            let mut sum = graph.input("x", Type::float32(vec![Dim::Fixed(1)])).unwrap();
            for (i, &size) in sizes.iter().enumerate() {
                let tensor = Tensor::float32(&[1, size], data(i)).unwrap();
                let tensor = graph.initializer(&"n".repeat(3 * i + 1), tensor).unwrap();
                let node = format!("concat{i}");
                let part = graph.node(&node, Operator::Identity, &[&tensor]).unwrap();
                sum = if i == 0 {
                    part
                } else {
                    graph.node(&format!("s{i}"), Operator::Concat { axis: 1 }, &[&sum, &part]).unwrap()
                };
            }
            graph.output(&sum, "y").unwrap();
            let producer = Producer { name: "p".into(), version: "1".into() };
            let bytes = Model::new(&graph, producer).unwrap().encode();
            for i in 0..sizes.len() {
                let raw: Vec<u8> = data(i).flat_map(f32::to_le_bytes).collect();
                let mut aligned = (0..bytes.len()).step_by(ALIGNMENT);
                assert!(aligned.any(|at| bytes[at..].starts_with(&raw)), "tensor {i} of {sizes:?}");
            }
        }
    }
}
