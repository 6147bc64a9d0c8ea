//! An input or output of a graph, as its file declares it.

use std::{
    fmt,
    io::{Read, Seek},
};

use serde::Serialize;

use super::protobuf::{Message, Value};

/// `TensorProto.DataType` of what a generator takes and gives.
pub const FLOAT32: u64 = 1;
/// `TensorProto.DataType` of a label.
pub const INT64: u64 = 7;

/// ONNX's name and size in bits of an element type (`TensorProto.DataType`); a text has no fixed size.
pub fn element(data_type: u64) -> Option<(&'static str, usize)> {
    Some(match data_type {
        1 => ("float32", 32),
        2 => ("uint8", 8),
        3 => ("int8", 8),
        4 => ("uint16", 16),
        5 => ("int16", 16),
        6 => ("int32", 32),
        7 => ("int64", 64),
        8 => ("string", 0),
        9 => ("bool", 8),
        10 => ("float16", 16),
        11 => ("float64", 64),
        12 => ("uint32", 32),
        13 => ("uint64", 64),
        14 => ("complex64", 64),
        15 => ("complex128", 128),
        16 => ("bfloat16", 16),
        17 => ("float8e4m3fn", 8),
        18 => ("float8e4m3fnuz", 8),
        19 => ("float8e5m2", 8),
        20 => ("float8e5m2fnuz", 8),
        21 => ("uint4", 4),
        22 => ("int4", 4),
        23 => ("float4e2m1", 4),
        24 => ("float8e8m0", 8),
        25 => ("uint2", 2),
        26 => ("int2", 2),
        _ => return None,
    })
}

/// The name of an element type; of one that is newer than this program, its number.
pub fn element_name(data_type: u64) -> String {
    element(data_type).map_or_else(|| format!("type {data_type}"), |(name, _)| name.to_string())
}

/// An input or output of a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlet {
    /// Its name in the graph.
    pub name: String,
    /// Element type and dimensions, if it is a tensor.
    pub tensor: Option<(u64, Vec<Dim>)>,
}

/// A dimension of a tensor. In JSON a number, a name or `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// Always this long; below 0 in a damaged file.
    Fixed(i64),
    /// Any length, by its name; the same name is the same length.
    Symbol(String),
    /// Any length.
    Any,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(dim) => write!(f, "{dim}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Any => f.write_str("?"),
        }
    }
}

impl Outlet {
    /// Channels, height and width, if this is a batch of any size of pictures of one size.
    pub(super) fn picture(&self) -> Option<[usize; 3]> {
        let (FLOAT32, dims) = self.tensor.as_ref()? else { return None };
        let [Dim::Symbol(_) | Dim::Any, Dim::Fixed(c), Dim::Fixed(h), Dim::Fixed(w)] = dims.as_slice() else {
            return None;
        };
        // Up to this many, their product is a number.
        let sensible = [c, h, w].iter().all(|dim| (1..=0xffff).contains(*dim));
        sensible.then_some([*c, *h, *w].map(|dim| dim as usize))
    }
}

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((element, dims)) = &self.tensor else { return write!(f, "{}: no tensor", self.name) };
        let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
        write!(f, "{}: {}[{}]", self.name, element_name(*element), dims.join(", "))
    }
}

/// The inputs and outputs of a `GraphProto`: fields 11 and 12; the rest is stepped over.
pub(super) fn read(mut graph: Message<'_, impl Read + Seek>) -> Result<(Vec<Outlet>, Vec<Outlet>), String> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    while let Some(field) = graph.next_field()? {
        match (field.number, field.value) {
            (11, Value::Bytes(length)) => inputs.push(outlet(graph.nested(length)?)?),
            (12, Value::Bytes(length)) => outputs.push(outlet(graph.nested(length)?)?),
            (_, Value::Bytes(length)) => graph.skip(length)?,
            _ => {}
        }
    }
    Ok((inputs, outputs))
}

/// `ValueInfoProto`: 1 name, 2 type; `TypeProto`: 1 tensor.
fn outlet(mut message: Message<'_, impl Read + Seek>) -> Result<Outlet, String> {
    let mut outlet = Outlet::default();
    while let Some(field) = message.next_field()? {
        match (field.number, field.value) {
            (1, Value::Bytes(length)) => outlet.name = message.string(length)?,
            (2, Value::Bytes(length)) => {
                let mut kind = message.nested(length)?;
                while let Some(field) = kind.next_field()? {
                    match (field.number, field.value) {
                        (1, Value::Bytes(length)) => outlet.tensor = Some(tensor(kind.nested(length)?)?),
                        (_, Value::Bytes(length)) => kind.skip(length)?,
                        _ => {}
                    }
                }
            }
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
    }
    Ok(outlet)
}

/// `TypeProto.Tensor`: 1 element type, 2 shape; `TensorShapeProto`: 1 dimension.
fn tensor(mut message: Message<'_, impl Read + Seek>) -> Result<(u64, Vec<Dim>), String> {
    let mut tensor = (0, Vec::new());
    while let Some(field) = message.next_field()? {
        match (field.number, field.value) {
            (1, Value::Number(element)) => tensor.0 = element,
            (2, Value::Bytes(length)) => {
                let mut shape = message.nested(length)?;
                while let Some(field) = shape.next_field()? {
                    match (field.number, field.value) {
                        (1, Value::Bytes(length)) => tensor.1.push(dim(shape.nested(length)?)?),
                        (_, Value::Bytes(length)) => shape.skip(length)?,
                        _ => {}
                    }
                }
            }
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
    }
    Ok(tensor)
}

/// `TensorShapeProto.Dimension`: 1 value or 2 name.
fn dim(mut message: Message<'_, impl Read + Seek>) -> Result<Dim, String> {
    let mut dim = Dim::Any;
    while let Some(field) = message.next_field()? {
        match (field.number, field.value) {
            (1, Value::Number(value)) => dim = Dim::Fixed(value as i64),
            (2, Value::Bytes(length)) => {
                let name = message.string(length)?;
                if !name.is_empty() {
                    dim = Dim::Symbol(name);
                }
            }
            (_, Value::Bytes(length)) => message.skip(length)?,
            _ => {}
        }
    }
    Ok(dim)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn outlet(name: &str, element: u64, dims: &[Dim]) -> Outlet {
        Outlet { name: name.into(), tensor: Some((element, dims.into())) }
    }

    #[test]
    fn outlets_are_told_as_onnx_tells_them() {
        let dims = [Dim::Symbol("batch".into()), Dim::Fixed(100), Dim::Any];
        assert_eq!(outlet("z", FLOAT32, &dims).to_string(), "z: float32[batch, 100, ?]");
        assert_eq!(outlet("label", INT64, &[]).to_string(), "label: int64[]");
        assert_eq!(outlet("x", 99, &[]).to_string(), "x: type 99[]");
        let sequence = Outlet { name: "x".into(), tensor: None };
        assert_eq!(sequence.to_string(), "x: no tensor");
    }
}
