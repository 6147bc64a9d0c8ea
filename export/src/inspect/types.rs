//! Values' types and shapes, as an ONNX file states them.

use std::fmt;

use candle_onnx::onnx::{TensorProto, TypeProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto};
use contract::onnx::{Dim, element_name};
use serde::Serialize;

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
            element: element_name(tensor.data_type as u64),
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
                element: element_name(tensor.elem_type as u64),
                dims: tensor.shape.as_ref().map(|shape| {
                    let dim = |value: &Option<dimension::Value>| match value {
                        Some(dimension::Value::DimValue(size)) => Dim::Fixed(*size),
                        Some(dimension::Value::DimParam(name)) if !name.is_empty() => {
                            Dim::Symbol(name.clone())
                        }
                        _ => Dim::Any,
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
        Some(type_proto::Value::TensorType(tensor)) => element_name(tensor.elem_type as u64),
        Some(type_proto::Value::SparseTensorType(tensor)) => {
            format!("sparse {}", element_name(tensor.elem_type as u64))
        }
        Some(type_proto::Value::SequenceType(sequence)) => {
            format!("sequence({})", inner(&sequence.elem_type))
        }
        Some(type_proto::Value::OptionalType(optional)) => {
            format!("optional({})", inner(&optional.elem_type))
        }
        Some(type_proto::Value::MapType(map)) => {
            format!("map({}, {})", element_name(map.key_type as u64), inner(&map.value_type))
        }
        None => "?".to_string(),
    }
}
