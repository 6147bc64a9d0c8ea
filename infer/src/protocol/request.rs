//! Inference requests, out of a body's bytes.

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::tensor::{DataType, InputTensor, Values, elements};

/// Why a body is no request, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) String);

/// A request to a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InferRequest {
    /// What the response is to repeat.
    pub id: Option<String>,
    /// What it says beside its tensors.
    pub parameters: Map<String, Value>,
    /// Its tensors, in its order; no two of one name.
    pub inputs: Vec<InputTensor>,
    /// What is to be returned, in this order; none: what the model returns by default.
    pub outputs: Vec<RequestedOutput>,
    /// Whether outputs that don't say otherwise are to be returned in binary (`binary_data_output`).
    pub binary_outputs: bool,
}

/// An output that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedOutput {
    /// Its name.
    pub name: String,
    /// Whether it is to be returned in binary.
    pub binary: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(borrow, default)]
    inputs: Vec<Tensor<'a>>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Tensor<'a> {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: TensorParameters,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct TensorParameters {
    binary_data_size: Option<u64>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: OutputParameters,
}

#[derive(Deserialize, Default)]
struct OutputParameters {
    binary_data: Option<bool>,
    classification: Option<u64>,
}

impl InferRequest {
    /// Reads a request's body. `json_length` is what the header `Inference-Header-Content-Length` says: so
    /// many bytes are JSON, and binary tensors follow, one after the other, in the order of the inputs.
    ///
    /// # Errors
    ///
    /// A sentence about the first thing that is wrong: JSON, lengths, shapes, types, numbers that are not
    /// finite, two inputs of one name.
    pub fn parse(body: &[u8], json_length: Option<usize>) -> Result<Self, Malformed> {
        let split = body.split_at_checked(json_length.unwrap_or(body.len()));
        let (json, mut binary) = split.ok_or_else(|| {
            let (says, has) = (json_length.unwrap_or_default(), body.len());
            Malformed(format!("Inference-Header-Content-Length is {says}, but the body has {has} bytes"))
        })?;
        let Body { id, parameters, inputs, outputs } = serde_json::from_slice(json)
            .map_err(|error| Malformed(format!("the request's JSON: {error}")))?;
        let binary_outputs = match parameters.get("binary_data_output") {
            None => false,
            Some(Value::Bool(binary)) => *binary,
            Some(other) => {
                return Err(Malformed(format!(
                    "parameter binary_data_output is {other}, expected true or false"
                )));
            }
        };
        let mut tensors: Vec<InputTensor> = Vec::new();
        for tensor in inputs {
            if tensors.iter().any(|other| other.name == tensor.name) {
                return Err(Malformed(format!("there are two inputs '{}'", tensor.name)));
            }
            tensors.push(tensor.read(&mut binary)?);
        }
        if !binary.is_empty() {
            return Err(Malformed(format!("{} bytes follow the last tensor", binary.len())));
        }
        let outputs =
            outputs.into_iter().map(|output| output.read(binary_outputs)).collect::<Result<_, _>>()?;
        Ok(Self { id, parameters, inputs: tensors, outputs, binary_outputs })
    }

    /// The tensor of this name.
    pub fn input(&self, name: &str) -> Option<&InputTensor> {
        self.inputs.iter().find(|tensor| tensor.name == name)
    }
}

impl Tensor<'_> {
    /// Its numbers, out of its own JSON or of the first of the `binary` bytes, which are then taken.
    fn read(self, binary: &mut &[u8]) -> Result<InputTensor, Malformed> {
        let Self { name, shape, datatype, parameters, data } = self;
        let Some(kind) = DataType::named(&datatype) else {
            return Err(Malformed(format!(
                "input '{name}' has datatype '{datatype}', and this server reads FP32, INT64 and UINT8"
            )));
        };
        let count = elements(&name, &shape)?;
        let values = match (parameters.binary_data_size, data) {
            (Some(_), Some(_)) => {
                return Err(Malformed(format!("input '{name}' has both data and binary_data_size")));
            }
            (None, None) => {
                return Err(Malformed(format!("input '{name}' has neither data nor binary_data_size")));
            }
            (Some(size), None) => {
                let expected = count.checked_mul(kind.size());
                let size =
                    usize::try_from(size).ok().filter(|size| Some(*size) == expected).ok_or_else(|| {
                        Malformed(format!(
                            "input '{name}' has binary_data_size {size}, but {shape:?} of {kind} take {}",
                            expected.map_or("more than can be sent".into(), |expected| expected.to_string())
                        ))
                    })?;
                let Some((own, rest)) = binary.split_at_checked(size) else {
                    return Err(Malformed(format!(
                        "input '{name}' has binary_data_size {size}, but only {} bytes of the body are left",
                        binary.len()
                    )));
                };
                *binary = rest;
                Values::from_bytes(kind, own)
            }
            (None, Some(data)) => Values::from_json(kind, data, count)
                .map_err(|error| Malformed(format!("input '{name}': data: {error}")))?,
        };
        if values.len() != count {
            return Err(Malformed(format!(
                "input '{name}' has {} numbers, but its shape {shape:?} says {count}",
                values.len()
            )));
        }
        if let Values::Float32(values) = &values
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            return Err(Malformed(format!("input '{name}': number {at} is not a finite number of FP32")));
        }
        // It is the shape of numbers that are there, or has a zero in it.
        Ok(InputTensor { name, shape: shape.into_iter().map(|side| side as usize).collect(), values })
    }
}

impl Output {
    fn read(self, binary_by_default: bool) -> Result<RequestedOutput, Malformed> {
        let Self { name, parameters: OutputParameters { binary_data, classification } } = self;
        if classification.is_some_and(|classes| classes > 0) {
            return Err(Malformed(format!("output '{name}': a generator's output is not a classification")));
        }
        Ok(RequestedOutput { name, binary: binary_data.unwrap_or(binary_by_default) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Result<InferRequest, Malformed> {
        InferRequest::parse(body.to_string().as_bytes(), None)
    }

    fn refusal(body: Value) -> String {
        parse(body).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn of(tensor: Value) -> Value {
        json!({"inputs": [tensor]})
    }

    #[test]
    fn numbers_are_flat_or_nested() {
        let expected = Values::Float32(vec![0.5, -1.0, 2.0, 0.25, 1e-3, 3.0]);
        for data in [json!([0.5, -1, 2, 0.25, 1e-3, 3]), json!([[0.5, -1, 2], [0.25, 1e-3, 3]])] {
            let request = parse(of(json!({"name": "z", "shape": [2, 3], "datatype": "FP32", "data": data})));
            let tensor = request.map(|request| request.inputs[0].clone());
            let shape = vec![2, 3];
            assert_eq!(tensor, Ok(InputTensor { name: "z".into(), shape, values: expected.clone() }));
        }
    }

    #[test]
    fn binary_tensors_follow_the_json_in_order() {
        let json = json!({
            "id": "é", "parameters": {"seed": u64::MAX, "binary_data_output": true},
            "inputs": [
                {"name": "z", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
                {"name": "flat", "shape": [1], "datatype": "INT64", "data": [7]},
                {"name": "label", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": 8}},
            ],
            "outputs": [{"name": "image"}, {"name": "pixels", "parameters": {"binary_data": false}}],
        })
        .to_string();
        let binary = [&0.5f32.to_le_bytes()[..], &(-2f32).to_le_bytes(), &(-1i64).to_le_bytes()].concat();
        let body = [json.as_bytes(), &binary].concat();
        let request = InferRequest::parse(&body, Some(json.len())).unwrap();
        assert_eq!(request.id.as_deref(), Some("é"));
        assert_eq!(request.parameters["seed"].as_u64(), Some(u64::MAX));
        assert_eq!(request.input("z").unwrap().values, Values::Float32(vec![0.5, -2.0]));
        assert_eq!(request.input("label").unwrap().values, Values::Int64(vec![-1]));
        let outputs: Vec<_> =
            request.outputs.iter().map(|output| (output.name.as_str(), output.binary)).collect();
        assert_eq!(outputs, [("image", true), ("pixels", false)]);

        let refused = |body: &[u8], length| InferRequest::parse(body, Some(length)).unwrap_err().to_string();
        assert!(refused(&body, body.len() + 1).contains("but the body has"));
        assert!(refused(&body[..body.len() - 1], json.len()).contains("only 7 bytes of the body are left"));
        assert!(refused(&[&body[..], b"x"].concat(), json.len()).contains("1 bytes follow the last tensor"));
        assert!(refused(&body, json.len() - 1).contains("JSON"));
        assert!(refused(&body, json.len() + 1).contains("JSON"));
    }

    #[test]
    fn each_malformation_is_named() {
        let label =
            |data: Value| of(json!({"name": "label", "shape": [2], "datatype": "INT64", "data": data}));
        let sized = |size: Value| {
            of(
                json!({"name": "label", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": size}}),
            )
        };
        for (body, part) in [
            (json!([]), "JSON"),
            (json!({"inputs": 5}), "JSON"),
            (label(json!([1])), "has 1 numbers, but its shape [2] says 2"),
            (label(json!([1, 2, 3])), "more than the 2 numbers"),
            (label(json!([1, 2.5])), "not one of its datatype"),
            (label(json!([1, u64::MAX])), "not one of its datatype"),
            (label(json!([1, "2"])), "expected numbers"),
            (label(json!(5)), "expected an array"),
            (label(json!({"0": 5})), "expected numbers"),
            (sized(json!(15)), "but [2] of INT64 take 16"),
            (sized(json!(16)), "only 0 bytes"),
            (sized(json!(-16)), "JSON"),
            (of(json!({"name": "x", "shape": [2], "datatype": "INT64"})), "neither data nor"),
            (of(json!({"name": "x", "shape": [-1], "datatype": "INT64", "data": []})), "JSON"),
            (of(json!({"name": "x", "shape": [1], "datatype": "INT32", "data": [1]})), "datatype 'INT32'"),
            (
                of(json!({"name": "x", "shape": [1], "datatype": "FP32", "data": [1e39]})),
                "not a finite number",
            ),
            (
                of(json!({"name": "x", "shape": [u64::MAX, u64::MAX], "datatype": "FP32", "data": []})),
                "more than can be sent",
            ),
            (
                of(
                    json!({"name": "x", "shape": [u64::MAX], "datatype": "FP32", "parameters": {"binary_data_size": 0}}),
                ),
                "more than can be sent",
            ),
            (json!({"parameters": {"binary_data_output": 1}}), "expected true or false"),
            (json!({"outputs": [{"name": "image", "parameters": {"classification": 3}}]}), "classification"),
        ] {
            let refused = refusal(body.clone());
            assert!(refused.contains(part), "expected {part:?} in {refused:?} of {body}");
        }
        let twice = json!({"name": "x", "shape": [1], "datatype": "INT64", "data": [1]});
        assert!(refusal(json!({"inputs": [twice, twice]})).contains("two inputs 'x'"));
        let deep = "[".repeat(100) + &"]".repeat(100);
        let deep = json!({"name": "x", "shape": [0], "datatype": "INT64", "data": serde_json::from_str::<Value>(&deep).unwrap()});
        assert!(refusal(of(deep)).contains("nested too deeply"));
    }
}
