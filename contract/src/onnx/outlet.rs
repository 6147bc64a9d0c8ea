//! An input or output of a graph, as its file declares it.

use std::{
    fmt,
    io::{Read, Seek},
};

use super::protobuf::{Message, Value};

/// `TensorProto.DataType` of what a generator takes and gives.
pub const FLOAT32: u64 = 1;
/// `TensorProto.DataType` of a label.
pub const INT64: u64 = 7;

/// ONNX's names of element types, by `TensorProto.DataType`.
const ELEMENTS: [&str; 17] = [
    "undefined",
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
];

/// An input or output of a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlet {
    /// Its name in the graph.
    pub name: String,
    /// Element type and dimensions, if it is a tensor.
    pub tensor: Option<(u64, Vec<Dim>)>,
}

/// A dimension of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Always this long.
    Fixed(u64),
    /// Any length, by its name; the same name is the same length.
    Symbol(String),
    /// Any length.
    Any,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(dim) => write!(f, "{}", *dim as i64),
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
        match ELEMENTS.get(*element as usize) {
            Some(element) => write!(f, "{}: {element}[{}]", self.name, dims.join(", ")),
            None => write!(f, "{}: type {element}[{}]", self.name, dims.join(", ")),
        }
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
            (1, Value::Number(value)) => dim = Dim::Fixed(value),
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
mod tests {
    use super::*;

    fn outlet(name: &str, element: u64, dims: &[Dim]) -> Outlet {
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
