//! Values' types and shapes, as an ONNX file states them.

use std::fmt;

use candle_onnx::onnx::{TensorProto, TypeProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto};
use serde::Serialize;

/// ONNX's name and size in bits of an element type (`TensorProto.DataType`); a text has no fixed size.
pub fn element(data_type: i32) -> Option<(&'static str, usize)> {
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
pub fn element_name(data_type: i32) -> String {
    element(data_type).map_or_else(|| format!("type {data_type}"), |(name, _)| name.to_string())
}

/// One dimension of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// A number.
    Fixed(i64),
    /// A name, the same number wherever it stands.
    Symbol(String),
    /// The file doesn't say. `null` in JSON.
    Unknown,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Symbol(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// A value's name, type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its elements' type, such as `float32`; of what is no tensor the whole type, such as
    /// `sequence(float32[?])`; `?` if the file doesn't say.
    #[serde(rename = "type")]
    pub element: String,
    /// Its shape, if the file states one.
    pub dims: Option<Vec<Dim>>,
}

impl Value {
    /// A value that the file says nothing of.
    pub fn unknown(name: &str) -> Value {
        Value { name: name.to_string(), element: "?".to_string(), dims: None }
    }

    /// A value that is this tensor.
    pub(super) fn of_tensor(name: &str, tensor: &TensorProto) -> Value {
        Value {
            name: name.to_string(),
            element: element_name(tensor.data_type),
            dims: Some(tensor.dims.iter().map(|&size| Dim::Fixed(size)).collect()),
        }
    }

    /// Type and shape without the name, such as `float32[batch, 100]`.
    pub fn signature(&self) -> String {
        match &self.dims {
            Some(dims) => {
                let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
                format!("{}[{}]", self.element, dims.join(", "))
            }
            None => self.element.clone(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.signature())
    }
}

impl From<&ValueInfoProto> for Value {
    fn from(info: &ValueInfoProto) -> Value {
        let value = info.r#type.as_ref().and_then(|of_type| of_type.value.as_ref());
        match value {
            Some(type_proto::Value::TensorType(tensor)) => Value {
                name: info.name.clone(),
                element: element_name(tensor.elem_type),
                dims: tensor.shape.as_ref().map(|shape| {
                    let dim = |value: &Option<dimension::Value>| match value {
                        Some(dimension::Value::DimValue(size)) => Dim::Fixed(*size),
                        Some(dimension::Value::DimParam(name)) if !name.is_empty() => {
                            Dim::Symbol(name.clone())
                        }
                        _ => Dim::Unknown,
                    };
                    shape.dim.iter().map(|found| dim(&found.value)).collect()
                }),
            },
            Some(_) => {
                let element = describe(info.r#type.as_ref());
                Value { name: info.name.clone(), element, dims: None }
            }
            None => Value::unknown(&info.name),
        }
    }
}

/// Any type in words. Types lie no deeper in one another than the decoder allows.
fn describe(of_type: Option<&TypeProto>) -> String {
    let inner = |of_type: &Option<Box<TypeProto>>| describe(of_type.as_deref());
    match of_type.and_then(|of_type| of_type.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => element_name(tensor.elem_type),
        Some(type_proto::Value::SparseTensorType(tensor)) => {
            format!("sparse {}", element_name(tensor.elem_type))
        }
        Some(type_proto::Value::SequenceType(sequence)) => {
            format!("sequence({})", inner(&sequence.elem_type))
        }
        Some(type_proto::Value::OptionalType(optional)) => {
            format!("optional({})", inner(&optional.elem_type))
        }
        Some(type_proto::Value::MapType(map)) => {
            format!("map({}, {})", element_name(map.key_type), inner(&map.value_type))
        }
        None => "?".to_string(),
    }
}
