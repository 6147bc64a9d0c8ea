//! Inference responses, as JSON with binary tensors behind it.

use std::io::Write;

use serde_json::{Map, Value};

use super::Values;

/// A tensor of a response.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape, which has as many numbers as there are values.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Values,
}

/// A response that is being written.
#[derive(Debug)]
pub struct InferResponse {
    json: Vec<u8>,
    binary: Vec<u8>,
    outputs: usize,
}

/// A body, and what its header has to say of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// JSON, then the binary tensors.
    pub body: Vec<u8>,
    /// How many bytes are JSON, for `Inference-Header-Content-Length`; none if all are.
    pub json_length: Option<usize>,
}

impl InferResponse {
    /// A response of this model and version, which repeats the request's id.
    pub fn new(model: &str, version: &str, id: Option<String>) -> Self {
        let mut json = Vec::new();
        json.push(b'{');
        member(&mut json, "model_name", &model.into());
        json.push(b',');
        member(&mut json, "model_version", &version.into());
        if let Some(id) = id {
            json.push(b',');
            member(&mut json, "id", &id.into());
        }
        Self { json, binary: Vec::new(), outputs: 0 }
    }

    /// Says something beside the tensors, before the first of them.
    pub fn parameters(&mut self, parameters: Map<String, Value>) {
        if !parameters.is_empty() {
            self.json.push(b',');
            member(&mut self.json, "parameters", &parameters.into());
        }
    }

    /// Adds a tensor, as JSON or in binary.
    pub fn add(&mut self, tensor: OutputTensor<'_>, binary: bool) {
        let json = &mut self.json;
        json.extend_from_slice(if self.outputs == 0 { b",\"outputs\":[{" } else { b",{" });
        self.outputs += 1;
        member(json, "name", &tensor.name.into());
        json.push(b',');
        member(json, "datatype", &tensor.values.data_type().name().into());
        json.push(b',');
        member(json, "shape", &tensor.shape.into());
        match binary {
            true => {
                let before = self.binary.len();
                tensor.values.append_to(&mut self.binary);
                let size = self.binary.len() - before;
                // Writing into memory can't fail, here and below.
                let _ = write!(json, ",\"parameters\":{{\"binary_data_size\":{size}}}}}");
            }
            false => {
                json.extend_from_slice(b",\"data\":");
                let _ = match tensor.values {
                    Values::Float32(values) => serde_json::to_writer(&mut *json, &values),
                    Values::Int64(values) => serde_json::to_writer(&mut *json, &values),
                    Values::Uint8(values) => serde_json::to_writer(&mut *json, &values),
                };
                json.push(b'}');
            }
        }
    }

    /// The body.
    pub fn finish(self) -> Encoded {
        let Self { mut json, binary, outputs } = self;
        json.extend_from_slice(if outputs == 0 { b",\"outputs\":[]}" } else { b"]}" });
        let json_length = (!binary.is_empty()).then_some(json.len());
        json.extend(binary);
        Encoded { body: json, json_length }
    }
}

fn member(json: &mut Vec<u8>, key: &str, value: &Value) {
    let _ = write!(json, "\"{key}\":{value}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tensors_are_json_or_follow_it() {
        let mut response = InferResponse::new("a \"b\"", "1", Some("7\n".into()));
        response.parameters(Map::from_iter([("seed".into(), u64::MAX.into())]));
        let image =
            OutputTensor { name: "image", shape: vec![1, 2], values: Values::Float32(vec![0.1, 1.0]) };
        let pixels = OutputTensor { name: "pixels", shape: vec![2], values: Values::Uint8(vec![26, 255]) };
        let read = OutputTensor { name: "read", shape: vec![1], values: Values::Int64(vec![-5]) };
        response.add(image.clone(), false);
        response.add(image, true);
        response.add(pixels, true);
        response.add(read, false);
        let Encoded { body, json_length } = response.finish();
        let (json, binary) = body.split_at(json_length.unwrap());
        let expected = json!({
            "model_name": "a \"b\"", "model_version": "1", "id": "7\n", "parameters": {"seed": u64::MAX},
            "outputs": [
                {"name": "image", "datatype": "FP32", "shape": [1, 2], "data": [0.1, 1.0]},
                {"name": "image", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
                {"name": "pixels", "datatype": "UINT8", "shape": [2], "parameters": {"binary_data_size": 2}},
                {"name": "read", "datatype": "INT64", "shape": [1], "data": [-5]},
            ],
        });
        assert_eq!(serde_json::from_slice::<Value>(json).unwrap(), expected);
        assert_eq!(binary, [&0.1f32.to_le_bytes()[..], &1f32.to_le_bytes(), &[26, 255]].concat());
    }

    #[test]
    fn without_tensors_it_is_json_too() {
        let Encoded { body, json_length } = InferResponse::new("m", "1", None).finish();
        assert_eq!(json_length, None);
        let expected = json!({"model_name": "m", "model_version": "1", "outputs": []});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}
