//! Tensors: their types, and their numbers out of JSON and of bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Malformed;

/// Deeper nesting than any tensor has.
const DEEPEST: usize = 16;

/// The types of numbers that generators take and give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// Single precision.
    Float32,
    /// Whole numbers of 64 bits.
    Int64,
    /// Bytes, such as pixels.
    Uint8,
}

impl DataType {
    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "FP32",
            Self::Int64 => "INT64",
            Self::Uint8 => "UINT8",
        }
    }

    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Int64 => 8,
            Self::Uint8 => 1,
        }
    }

    /// The type of this name, if it is one of these.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Float32, Self::Int64, Self::Uint8].into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The numbers of a tensor, in the order of its shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// FP32.
    Float32(Vec<f32>),
    /// INT64.
    Int64(Vec<i64>),
    /// UINT8.
    Uint8(Vec<u8>),
}

impl Values {
    /// Their type.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Float32(_) => DataType::Float32,
            Self::Int64(_) => DataType::Int64,
            Self::Uint8(_) => DataType::Uint8,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Float32(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Uint8(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Little-endian bytes, as the binary extension has them.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Float32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Self::Int64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Self::Uint8(values) => bytes.extend(values),
        }
    }

    /// Reads numbers of this type from little-endian bytes, as many as `count` says.
    pub(super) fn from_bytes(kind: DataType, bytes: &[u8]) -> Self {
        match kind {
            DataType::Float32 => Self::Float32(
                bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            ),
            DataType::Int64 => {
                Self::Int64(bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
            }
            DataType::Uint8 => Self::Uint8(bytes.to_vec()),
        }
    }

    /// Reads numbers of this type from JSON, flat or nested, at most `count` of them.
    pub(super) fn from_json(kind: DataType, data: &RawValue, count: usize) -> Result<Self, String> {
        // Two bytes are the least that a number takes in JSON, its comma among them.
        let room = count.min(data.get().len() / 2 + 1);
        Ok(match kind {
            DataType::Float32 => {
                Self::Float32(flat(data, count, Vec::with_capacity(room), |number| match number {
                    Number::Float(value) => Some(value as f32),
                    Number::Whole(value) => Some(value as f32),
                })?)
            }
            DataType::Int64 => {
                Self::Int64(flat(data, count, Vec::with_capacity(room), |number| match number {
                    Number::Whole(value) => i64::try_from(value).ok(),
                    Number::Float(_) => None,
                })?)
            }
            DataType::Uint8 => {
                Self::Uint8(flat(data, count, Vec::with_capacity(room), |number| match number {
                    Number::Whole(value) => u8::try_from(value).ok(),
                    Number::Float(_) => None,
                })?)
            }
        })
    }
}

/// A tensor of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct InputTensor {
    /// Its name.
    pub name: String,
    /// Its shape, which has as many numbers as there are values.
    pub shape: Vec<usize>,
    /// Its numbers; all finite.
    pub values: Values,
}

/// The number of elements of a shape.
pub(super) fn elements(name: &str, shape: &[u64]) -> Result<usize, Malformed> {
    let count =
        shape.iter().try_fold(1usize, |product, side| product.checked_mul(usize::try_from(*side).ok()?));
    count.ok_or_else(|| {
        Malformed(format!("input '{name}' has shape {shape:?}, which is more than can be sent"))
    })
}

/// A number of JSON.
enum Number {
    Whole(i128),
    Float(f64),
}

fn flat<T>(
    data: &RawValue,
    most: usize,
    mut values: Vec<T>,
    convert: fn(Number) -> Option<T>,
) -> Result<Vec<T>, String> {
    let mut reader = serde_json::Deserializer::from_str(data.get());
    let seed = Flat { values: &mut values, convert, most, depth: 0 };
    seed.deserialize(&mut reader).map_err(|error| error.to_string())?;
    Ok(values)
}

/// Appends all numbers of nested arrays to `values`, in their order.
struct Flat<'a, T> {
    values: &'a mut Vec<T>,
    convert: fn(Number) -> Option<T>,
    most: usize,
    depth: usize,
}

impl<T> Flat<'_, T> {
    fn push<E: serde::de::Error>(self, number: Number) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("expected an array of numbers"));
        }
        if self.values.len() == self.most {
            return Err(E::custom(format!(
                "there are more than the {} numbers that its shape says",
                self.most
            )));
        }
        let value = (self.convert)(number).ok_or_else(|| {
            E::custom("a number is not one of its datatype: not whole, or out of its range")
        })?;
        self.values.push(value);
        Ok(())
    }
}

impl<'de, T> DeserializeSeed<'de> for Flat<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for Flat<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, or arrays of them")
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.push(Number::Whole(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.push(Number::Whole(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.push(Number::Float(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { values, convert, most, depth } = self;
        if depth == DEEPEST {
            return Err(serde::de::Error::custom("its arrays are nested too deeply"));
        }
        let mut next =
            || items.next_element_seed(Flat { values: &mut *values, convert, most, depth: depth + 1 });
        while next()?.is_some() {}
        Ok(())
    }
}
