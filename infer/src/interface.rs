//! What goes into a graph and what comes out of it, as its file declares it.

use std::{
    fmt,
    io::{Read, Seek},
};

use contract::{Contract, tensor};

use crate::{
    header::Header,
    protobuf::{Message, Value},
};

/// `TensorProto.DataType` of what a generator takes and gives.
const FLOAT32: u64 = 1;
const INT64: u64 = 7;

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
    fn picture(&self) -> Option<[usize; 3]> {
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

/// Checks that a graph takes and gives what the contract says, and nothing else.
///
/// # Errors
///
/// What was found, and what was expected.
pub fn check(header: &Header, contract: &Contract) -> Result<(), (String, String)> {
    let any_batch = |dims: &[Dim]| !matches!(dims.first(), None | Some(Dim::Fixed(_)));
    let takes = |name: &str, expected: u64, rest: &[Dim]| {
        (header.inputs.iter()).any(|input| match &input.tensor {
            Some((element, dims)) => {
                input.name == name && *element == expected && any_batch(dims) && dims[1..] == *rest
            }
            None => false,
        })
    };
    let labelled = contract.is_labelled();
    let latents = Dim::Fixed(contract.latent_dim as u64);
    let right_inputs = header.inputs.len() == 1 + usize::from(labelled)
        && takes(tensor::Z, FLOAT32, &[latents])
        && (!labelled || takes(tensor::LABEL, INT64, &[]));
    // Channels, height and width may be fixed or not; a run looks at what comes out.
    let right_output = (header.outputs.iter()).any(|output| {
        output.name == tensor::IMAGE
            && matches!(&output.tensor, Some((FLOAT32, dims)) if dims.len() == 4 && any_batch(dims))
    });
    if right_inputs && right_output {
        return Ok(());
    }
    let label = if labelled { ", label: int64[batch]" } else { "" };
    Err((
        declared(header),
        format!(
            "inputs z: float32[batch, {}]{label} \
             and output image: float32[batch, channels, height, width]",
            contract.latent_dim
        ),
    ))
}

/// Channels, height and width of the pictures that a judge of so many classes reads, if its graph
/// takes and gives what the contract says.
///
/// # Errors
///
/// What was found, and what was expected.
pub fn check_judge(header: &Header, classes: usize) -> Result<[usize; 3], (String, String)> {
    let shape = match header.inputs.as_slice() {
        [input] if input.name == tensor::IMAGE => input.picture(),
        _ => None,
    };
    let right_output = (header.outputs.iter()).any(|output| match &output.tensor {
        Some((FLOAT32, dims)) => {
            let [batch, rest] = [dims.first(), dims.get(1)];
            output.name == tensor::LOGITS
                && dims.len() == 2
                && !matches!(batch, Some(Dim::Fixed(_)))
                && rest == Some(&Dim::Fixed(classes as u64))
        }
        _ => false,
    });
    shape.filter(|_| right_output).ok_or_else(|| {
        (
            declared(header),
            format!(
                "inputs image: float32[batch, channels, height, width] \
             and outputs logits: float32[batch, {classes}]"
            ),
        )
    })
}

/// Channels, height and width of a generator's pictures, if its graph declares them.
pub fn declared_shape(header: &Header) -> Option<[usize; 3]> {
    header.outputs.iter().find(|output| output.name == tensor::IMAGE)?.picture()
}

/// The graph's inputs and outputs in words.
fn declared(header: &Header) -> String {
    let list = |outlets: &[Outlet]| outlets.iter().map(Outlet::to_string).collect::<Vec<_>>().join(", ");
    format!("inputs {} and outputs {}", list(&header.inputs), list(&header.outputs))
}

/// `GraphProto`: 11 input, 12 output; the rest is stepped over.
pub fn read(mut graph: Message<'_, impl Read + Seek>) -> Result<(Vec<Outlet>, Vec<Outlet>), String> {
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
    use crate::class::contract_of;

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

    #[test]
    fn a_batch_of_one_length_is_refused() {
        let mut contract = contract_of(&["a"]);
        contract.latent_dim = 3;
        let graph = |batch: Dim| Header {
            inputs: vec![
                outlet("label", INT64, std::slice::from_ref(&batch)),
                outlet("z", FLOAT32, &[batch.clone(), Dim::Fixed(3)]),
            ],
            outputs: vec![outlet("image", FLOAT32, &[batch, Dim::Any, Dim::Any, Dim::Any])],
            ..Header::default()
        };
        assert_eq!(check(&graph(Dim::Symbol("batch".into())), &contract), Ok(()));
        assert_eq!(check(&graph(Dim::Any), &contract), Ok(()));
        let (found, expected) = check(&graph(Dim::Fixed(1)), &contract).unwrap_err();
        assert_eq!(found, "inputs label: int64[1], z: float32[1, 3] and outputs image: float32[1, ?, ?, ?]");
        assert!(expected.starts_with("inputs z: float32[batch, 3], label: int64[batch]"), "{expected}");
        let mut without = graph(Dim::Any);
        without.inputs.pop();
        assert!(check(&without, &contract).is_err());
        without.inputs.clear();
        assert!(check(&without, &contract).is_err());
    }
}
