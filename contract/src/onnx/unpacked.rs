//! ONNX files in the one encoding of repeated numbers that every engine reads.
//!
//! Protobuf can write a list of numbers packed, as one field, or as a field for each; readers must
//! take both ("Encoding" of its documentation, "Packed Repeated Fields"). ONNX's own library and
//! `export` write the latter, earlier versions of `export` the former, and rten 0.27 takes only the latter
//! for a tensor's dimensions and a node's attributes.

use std::borrow::Cow;
use std::io::Cursor;

use super::protobuf::{Message, Value, put_bytes, put_number, put_varint};

/// Graphs within graphs are no deeper than this.
const DEEPEST: usize = 32;

/// onnx.proto3's messages that have such lists, or messages with them.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
}

/// What a field of such a message is.
enum Content {
    Message(Kind),
    Varints,
    Floats,
    Other,
}

impl Kind {
    fn field(self, number: u64) -> Content {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Content::Message(Self::Graph),
            (Self::Model, 25) => Content::Message(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Content::Message(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Content::Message(Self::Tensor),
            (Self::Node, 5) | (Self::Function, 11) => Content::Message(Self::Attribute),
            (Self::Attribute, 7) => Content::Floats,
            (Self::Attribute, 8) | (Self::Tensor, 1) => Content::Varints,
            _ => Content::Other,
        }
    }
}

/// The same model, its lists unpacked: the very bytes, where none is packed.
///
/// # Errors
///
/// A sentence about the first thing that no ONNX model has.
pub fn unpacked(model: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, String> {
    let mut cursor = Cursor::new(&*model);
    if !is_packed(Kind::Model, whole(&mut cursor)?, 0)? {
        return Ok(model);
    }
    cursor.set_position(0);
    rewrite(Kind::Model, whole(&mut cursor)?, &model).map(Cow::Owned)
}

fn whole<'a, 'b>(cursor: &'a mut Cursor<&'b [u8]>) -> Result<Message<'a, Cursor<&'b [u8]>>, String> {
    Message::new(cursor).map_err(|error| error.to_string())
}

/// Whether a message has a packed list, itself or within.
fn is_packed(kind: Kind, mut message: Message<'_, Cursor<&[u8]>>, depth: usize) -> Result<bool, String> {
    if depth > DEEPEST {
        return Err(format!("its graphs lie more than {DEEPEST} deep in each other"));
    }
    let mut found = false;
    while let Some(field) = message.next_field()? {
        let Value::Bytes(length) = field.value else { continue };
        match kind.field(field.number) {
            Content::Message(kind) => found |= is_packed(kind, message.nested(length)?, depth + 1)?,
            Content::Varints | Content::Floats => {
                message.skip(length)?;
                found = true;
            }
            Content::Other => message.skip(length)?,
        }
    }
    Ok(found)
}

/// A message that [`is_packed`] has read to its end.
fn rewrite(kind: Kind, mut message: Message<'_, Cursor<&[u8]>>, model: &[u8]) -> Result<Vec<u8>, String> {
    let mut rewritten = Vec::new();
    while let Some(field) = message.next_field()? {
        let number = field.number;
        match (kind.field(number), field.value) {
            (Content::Message(kind), Value::Bytes(length)) => {
                let inner = rewrite(kind, message.nested(length)?, model)?;
                put_bytes(&mut rewritten, number, &inner);
                continue;
            }
            (Content::Varints, Value::Bytes(length)) => {
                let mut packed = message.nested(length)?;
                while !packed.is_empty() {
                    put_number(&mut rewritten, number, packed.varint()?);
                }
                continue;
            }
            (Content::Floats, Value::Bytes(length)) => {
                let start = message.position() as usize;
                message.skip(length)?;
                for float in model[start..message.position() as usize].chunks_exact(4) {
                    // Wire type 5: four bytes.
                    put_varint(&mut rewritten, number << 3 | 5);
                    rewritten.extend(float);
                }
                continue;
            }
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
        rewritten.extend(&model[field.start as usize..message.position() as usize]);
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u64, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, number, value);
        bytes
    }

    /// A model with a node of this attribute and an initializer of this tensor.
    fn model(attribute: &[u8], tensor: &[u8]) -> Vec<u8> {
        let node = [field(1, b"x"), field(5, attribute), field(4, b"Pad")].concat();
        let graph = [field(1, &node), field(2, b"graph"), field(5, tensor)].concat();
        [vec![8, 8], field(7, &graph), field(14, b"metadata")].concat()
    }

    #[test]
    fn lists_are_unpacked_and_all_else_is_kept() {
        let floats = [1.5f32, -2.0].map(f32::to_le_bytes);
        let packed = [field(1, b"pads"), field(8, &[1, 0, 0x80, 2]), field(7, &floats.concat())].concat();
        let unpacked_attribute = [
            field(1, b"pads"),
            vec![8 << 3, 1, 8 << 3, 0, 8 << 3, 0x80, 2],
            [&[7 << 3 | 5][..], &floats[0], &[7 << 3 | 5], &floats[1]].concat(),
        ]
        .concat();
        let tensor = [field(1, &[0x80, 2, 3]), vec![2 << 3, 1], field(9, &[8; 12])].concat();
        let unpacked_tensor = [vec![8, 0x80, 2, 8, 3, 2 << 3, 1], field(9, &[8; 12])].concat();
        let expected = model(&unpacked_attribute, &unpacked_tensor);
        assert_eq!(unpacked(model(&packed, &tensor).into()).as_deref(), Ok(&*expected));
        let again = unpacked((&*expected).into());
        assert!(
            matches!(again, Ok(Cow::Borrowed(bytes)) if bytes == expected),
            "a second time copies nothing"
        );
    }

    #[test]
    fn damaged_and_bottomless_models_are_refused() {
        let whole = model(&field(8, &[1, 2]), &field(1, &[3]));
        for length in [whole.len() - 5, 12] {
            assert!(unpacked(whole[..length].into()).is_err(), "cut to {length} bytes");
        }
        let mut graph = Vec::new();
        for _ in 0..100 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let refused = unpacked(field(7, &graph).into()).err().unwrap_or_default();
        assert!(refused.contains("deep"), "{refused}");
    }
}
