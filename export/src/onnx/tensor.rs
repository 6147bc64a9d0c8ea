//! Tensors and their types.

use candle_onnx::onnx::{
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_proto::DataType,
    tensor_shape_proto::Dimension, tensor_shape_proto::dimension, type_proto,
};

use crate::{Error, Result};

/// A tensor's type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE single precision.
    Float32,
    /// Signed, 64 bits: indices and shapes.
    Int64,
}

impl Element {
    pub(super) fn data_type(self) -> i32 {
        match self {
            Element::Float32 => DataType::Float.into(),
            Element::Int64 => DataType::Int64.into(),
        }
    }
}

/// One dimension of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the file runs, the same number wherever the name stands.
    Symbol(String),
    /// Known when the file is written.
    Fixed(usize),
}

/// Type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// The numbers.
    pub element: Element,
    /// The shape.
    pub dims: Vec<Dim>,
}

impl Type {
    /// Numbers of single precision.
    pub fn float32(dims: Vec<Dim>) -> Type {
        Type { element: Element::Float32, dims }
    }

    /// 64-bit integers.
    pub fn int64(dims: Vec<Dim>) -> Type {
        Type { element: Element::Int64, dims }
    }

    pub(super) fn value_info(&self, name: &str) -> ValueInfoProto {
        let dim = |dim: &Dim| Dimension {
            value: Some(match dim {
                Dim::Symbol(name) => dimension::Value::DimParam(name.clone()),
                Dim::Fixed(size) => dimension::Value::DimValue(*size as i64),
            }),
            ..Dimension::default()
        };
        let shape = TensorShapeProto { dim: self.dims.iter().map(dim).collect() };
        let tensor = type_proto::Tensor { elem_type: self.element.data_type(), shape: Some(shape) };
        let value = Some(type_proto::Value::TensorType(tensor));
        ValueInfoProto {
            name: name.to_string(),
            r#type: Some(TypeProto { value, ..TypeProto::default() }),
            ..ValueInfoProto::default()
        }
    }
}

/// A tensor that the file carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    element: Element,
    dims: Vec<usize>,
    /// Little endian, in row-major order, as `TensorProto.raw_data`.
    bytes: Vec<u8>,
}

impl Tensor {
    /// Numbers of single precision, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn float32(dims: &[usize], values: impl IntoIterator<Item = f32>) -> Result<Tensor> {
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Tensor { element: Element::Float32, dims: dims.to_vec(), bytes }.checked(size_of::<f32>())
    }

    /// 64-bit integers, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn int64(dims: &[usize], values: impl IntoIterator<Item = i64>) -> Result<Tensor> {
        let bytes: Vec<u8> = values.into_iter().flat_map(i64::to_le_bytes).collect();
        Tensor { element: Element::Int64, dims: dims.to_vec(), bytes }.checked(size_of::<i64>())
    }

    fn checked(self, width: usize) -> Result<Tensor> {
        let expected: usize = self.dims.iter().product();
        let found = self.bytes.len() / width;
        if found == expected {
            return Ok(self);
        }
        Err(Error::Graph {
            node: "initializer".to_string(),
            message: format!("{found} numbers for the shape {:?}, which has {expected}", self.dims),
        })
    }

    /// How many numbers it holds.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    pub(super) fn type_of(&self) -> Type {
        Type { element: self.element, dims: self.dims.iter().map(|&size| Dim::Fixed(size)).collect() }
    }

    pub(super) fn into_proto(self, name: &str) -> TensorProto {
        TensorProto {
            name: name.to_string(),
            dims: self.dims.iter().map(|&size| size as i64).collect(),
            data_type: self.element.data_type(),
            raw_data: self.bytes,
            ..TensorProto::default()
        }
    }
}
