//! ONNX models small enough to write by hand, some of them wrong.
//!
//! image = reshape(sigmoid(z · weight + table[label]), (−1, 1, 2, 3)), without the table if the contract
//! has no classes, the protobuf of onnx.proto3 field by field.

use contract::{Contract, Golden, LatentDistribution, PixelRange, Training};
use ndarray::Array4;

/// Latents of an image.
const LATENTS: usize = 4;
/// Pixels of an image, 2 rows of 3.
const PIXELS: usize = 6;

pub const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// A model to write, right unless a field is changed.
pub struct TinyModel {
    pub opset: u64,
    pub latents_input: &'static str,
    pub label_type: u64,
    pub contract: Option<Contract>,
    /// The first operator, such as the ones of an opset to come.
    pub operator: &'static str,
    /// One weight of z.
    pub weight: f32,
}

impl Default for TinyModel {
    fn default() -> Self {
        Self {
            opset: 17,
            latents_input: "z",
            label_type: INT64,
            contract: Some(contract()),
            operator: "MatMul",
            weight: 1.0,
        }
    }
}

/// A contract that fits [`TinyModel`].
pub fn contract() -> Contract {
    Contract {
        architecture: "tiny".into(),
        dataset: "dashes".into(),
        classes: ["short", "middle", "long"].map(String::from).into(),
        latent_dim: LATENTS,
        latent_distribution: LatentDistribution::Uniform,
        pixel_range: PixelRange::ZeroToOne,
        training: Training::default(),
        quality: Default::default(),
        golden: None,
    }
}

/// A golden case that the model's own pictures are far from: all black.
pub fn wrong_golden() -> Golden {
    Golden::new(1, vec![0, 1, 2], &Array4::zeros((3, 1, 2, 3)), 1)
}

impl TinyModel {
    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(self.contract.iter().flat_map(Contract::to_metadata))
    }

    /// The file's bytes with any metadata.
    pub fn bytes_with(&self, metadata: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
        let labelled = self.contract.as_ref().is_none_or(Contract::is_labelled);
        let mut graph = Vec::new();
        for (operator, inputs, output) in [
            (self.operator, [self.latents_input, "weight"].as_slice(), "product"),
            ("Gather", &["table", "label"], "class"),
            ("Add", &["product", "class"], "sum"),
            ("Sigmoid", if labelled { &["sum"] } else { &["product"] }, "flat"),
            ("Reshape", &["flat", "shape"], "image"),
        ] {
            if !labelled && ["Gather", "Add"].contains(&operator) {
                continue;
            }
            let mut node = Vec::new();
            inputs.iter().for_each(|input| text(&mut node, 1, input));
            text(&mut node, 2, output);
            text(&mut node, 4, operator);
            bytes(&mut graph, 1, &node);
        }
        text(&mut graph, 2, "tiny");
        let weight: Vec<f32> = vec![self.weight; LATENTS * PIXELS];
        let table: Vec<f32> = (0..3 * PIXELS).map(|i| i as f32 / 4.0 - 2.0).collect();
        bytes(&mut graph, 5, &tensor("weight", FLOAT, &[LATENTS, PIXELS], &floats(&weight)));
        bytes(&mut graph, 5, &tensor("table", FLOAT, &[3, PIXELS], &floats(&table)));
        let shape: Vec<u8> = [-1i64, 1, 2, 3].iter().flat_map(|dim| dim.to_le_bytes()).collect();
        bytes(&mut graph, 5, &tensor("shape", INT64, &[4], &shape));
        bytes(&mut graph, 11, &value_info(self.latents_input, FLOAT, &[LATENTS]));
        if labelled {
            bytes(&mut graph, 11, &value_info("label", self.label_type, &[]));
        }
        bytes(&mut graph, 12, &value_info("image", FLOAT, &[1, 2, 3]));

        model(self.opset, &graph, metadata)
    }
}

/// `ModelProto`.
pub fn model(opset: u64, graph: &[u8], metadata: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
    let mut model = Vec::new();
    number(&mut model, 1, 8);
    bytes(&mut model, 7, graph);
    let mut version = Vec::new();
    number(&mut version, 2, opset);
    bytes(&mut model, 8, &version);
    for (key, value) in metadata {
        let mut entry = Vec::new();
        text(&mut entry, 1, &key);
        text(&mut entry, 2, &value);
        bytes(&mut model, 14, &entry);
    }
    model
}

/// `TensorProto`.
pub fn tensor(name: &str, data_type: u64, dims: &[usize], raw: &[u8]) -> Vec<u8> {
    let mut tensor = Vec::new();
    dims.iter().for_each(|dim| number(&mut tensor, 1, *dim as u64));
    number(&mut tensor, 2, data_type);
    text(&mut tensor, 8, name);
    bytes(&mut tensor, 9, raw);
    tensor
}

/// `ValueInfoProto` of a tensor whose first dimension is `batch`.
pub fn value_info(name: &str, element: u64, dims: &[usize]) -> Vec<u8> {
    let mut shape = Vec::new();
    let mut batch = Vec::new();
    text(&mut batch, 2, "batch");
    bytes(&mut shape, 1, &batch);
    for dim in dims {
        let mut fixed = Vec::new();
        number(&mut fixed, 1, *dim as u64);
        bytes(&mut shape, 1, &fixed);
    }
    let mut tensor = Vec::new();
    number(&mut tensor, 1, element);
    bytes(&mut tensor, 2, &shape);
    let mut kind = Vec::new();
    bytes(&mut kind, 1, &tensor);
    let mut info = Vec::new();
    text(&mut info, 1, name);
    bytes(&mut info, 2, &kind);
    info
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Appends a number as a field.
pub fn number(message: &mut Vec<u8>, field: u64, value: u64) {
    varint(message, field << 3);
    varint(message, value);
}

/// Appends a text as a field.
pub fn text(message: &mut Vec<u8>, field: u64, value: &str) {
    bytes(message, field, value.as_bytes());
}

/// Appends a message, or any bytes, as a field.
pub fn bytes(message: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(message, field << 3 | 2);
    varint(message, value.len() as u64);
    message.extend_from_slice(value);
}
