//! Tensors and their types.

use std::fmt;

use candle_onnx::onnx::{
    TensorShapeProto, TypeProto, ValueInfoProto, tensor_proto::DataType, tensor_shape_proto::Dimension,
    tensor_shape_proto::dimension, type_proto,
};
use half::f16;

use super::proto::TensorProto;
use crate::{Error, Result};

/// A tensor's type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE single precision.
    Float32,
    /// IEEE half precision.
    Float16,
    /// Signed, 64 bits: indices and shapes.
    Int64,
    /// Signed, 32 bits: sums of products of quantised numbers.
    Int32,
    /// Signed, 8 bits: quantised weights.
    Int8,
    /// Unsigned, 8 bits: quantised activations and pixels.
    Uint8,
}

impl Element {
    /// What `TensorProto.DataType` calls it.
    pub(crate) fn data_type(self) -> i32 {
        match self {
            Element::Float32 => DataType::Float,
            Element::Float16 => DataType::Float16,
            Element::Int64 => DataType::Int64,
            Element::Int32 => DataType::Int32,
            Element::Int8 => DataType::Int8,
            Element::Uint8 => DataType::Uint8,
        }
        .into()
    }

    /// The type that `TensorProto.DataType` calls so, if graphs here have it.
    pub(super) fn of_data_type(data_type: i32) -> Option<Element> {
        use Element::{Float16, Float32, Int8, Int32, Int64, Uint8};
        [Float32, Float16, Int64, Int32, Int8, Uint8]
            .into_iter()
            .find(|element| element.data_type() == data_type)
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Element::Int64 => 8,
            Element::Float32 | Element::Int32 => 4,
            Element::Float16 => 2,
            Element::Int8 | Element::Uint8 => 1,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::Float32 => "float32",
            Element::Float16 => "float16",
            Element::Int64 => "int64",
            Element::Int32 => "int32",
            Element::Int8 => "int8",
            Element::Uint8 => "uint8",
        })
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

impl Dim {
    /// Its size, if it is known.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Dim::Symbol(_) => None,
            Dim::Fixed(size) => Some(*size),
        }
    }
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

    /// How many numbers there are for one item of a batch.
    pub fn elements(&self) -> usize {
        self.dims.iter().map(|dim| dim.fixed().unwrap_or(1)).product()
    }

    /// A value of this type as the file declares it.
    pub(crate) fn value_info(&self, name: &str) -> ValueInfoProto {
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

/// As `float32[batch, 3]`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dim = |dim: &Dim| match dim {
            Dim::Symbol(name) => name.clone(),
            Dim::Fixed(size) => size.to_string(),
        };
        let dims: Vec<String> = self.dims.iter().map(dim).collect();
        write!(f, "{}[{}]", self.element, dims.join(", "))
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
        Tensor::new(Element::Float32, dims, values.into_iter().flat_map(f32::to_le_bytes).collect())
    }

    /// Numbers of half precision, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn float16(dims: &[usize], values: impl IntoIterator<Item = f16>) -> Result<Tensor> {
        Tensor::new(Element::Float16, dims, values.into_iter().flat_map(f16::to_le_bytes).collect())
    }

    /// 64-bit integers, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn int64(dims: &[usize], values: impl IntoIterator<Item = i64>) -> Result<Tensor> {
        Tensor::new(Element::Int64, dims, values.into_iter().flat_map(i64::to_le_bytes).collect())
    }

    /// 32-bit integers, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn int32(dims: &[usize], values: impl IntoIterator<Item = i32>) -> Result<Tensor> {
        Tensor::new(Element::Int32, dims, values.into_iter().flat_map(i32::to_le_bytes).collect())
    }

    /// Signed bytes, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn int8(dims: &[usize], values: impl IntoIterator<Item = i8>) -> Result<Tensor> {
        Tensor::new(Element::Int8, dims, values.into_iter().flat_map(i8::to_le_bytes).collect())
    }

    /// Unsigned bytes, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub fn uint8(dims: &[usize], values: impl IntoIterator<Item = u8>) -> Result<Tensor> {
        Tensor::new(Element::Uint8, dims, values.into_iter().collect())
    }

    /// Any numbers, as `TensorProto.raw_data` has them: little endian, row by row.
    ///
    /// # Errors
    /// [`Error::Graph`] if there are not as many numbers as the shape has.
    pub(crate) fn new(element: Element, dims: &[usize], bytes: Vec<u8>) -> Result<Tensor> {
        let expected: usize = dims.iter().product();
        let found = bytes.len() / element.bytes();
        if found == expected {
            return Ok(Tensor { element, dims: dims.to_vec(), bytes });
        }
        Err(Error::Graph {
            node: "initializer".to_string(),
            message: format!("{found} numbers for the shape {dims:?}, which has {expected}"),
        })
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The type of number.
    pub fn element(&self) -> Element {
        self.element
    }

    /// The numbers, row by row, to compute with; exact but for large int64.
    pub fn floats(&self) -> Vec<f32> {
        match self.element {
            Element::Float32 => self.numbers(f32::from_le_bytes),
            Element::Float16 => self.numbers(|bytes| f16::from_le_bytes(bytes).to_f32()),
            Element::Int64 => self.numbers(|bytes| i64::from_le_bytes(bytes) as f32),
            Element::Int32 => self.numbers(|bytes| i32::from_le_bytes(bytes) as f32),
            Element::Int8 => self.numbers(|bytes| f32::from(i8::from_le_bytes(bytes))),
            Element::Uint8 => self.numbers(|bytes| f32::from(u8::from_le_bytes(bytes))),
        }
    }

    /// The numbers of an int64 tensor, row by row; none of any other.
    pub fn integers(&self) -> Vec<i64> {
        match self.element {
            Element::Int64 => self.numbers(i64::from_le_bytes),
            _ => Vec::new(),
        }
    }

    fn numbers<const WIDTH: usize, Number>(&self, read: impl Fn([u8; WIDTH]) -> Number) -> Vec<Number> {
        self.bytes.as_chunks().0.iter().map(|&bytes| read(bytes)).collect()
    }

    /// The numbers as `TensorProto.raw_data` has them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many numbers it holds.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// Its type and shape.
    pub fn type_of(&self) -> Type {
        Type { element: self.element, dims: self.dims.iter().map(|&size| Dim::Fixed(size)).collect() }
    }

    pub(super) fn to_proto(&self, name: &str) -> TensorProto {
        TensorProto {
            name: name.to_string(),
            dims: self.dims.iter().map(|&size| size as i64).collect(),
            data_type: self.element.data_type(),
            raw_data: self.bytes.clone(),
            ..TensorProto::default()
        }
    }
}
