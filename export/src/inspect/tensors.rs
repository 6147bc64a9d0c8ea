//! The tensors that a file carries, and their sizes.

use candle_onnx::onnx::{GraphProto, SparseTensorProto, TensorProto, tensor_proto::DataLocation};
use contract::onnx::{element, element_name};
use serde::Serialize;

/// A tensor of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// Its name; of a constant, the name of the node's output.
    pub name: String,
    /// Its elements' type.
    #[serde(rename = "type")]
    pub element: String,
    /// Its shape.
    pub dims: Vec<i64>,
    /// How many numbers it holds.
    pub parameters: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// The other file that they lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
}

impl Tensor {
    /// Reads off a tensor's size, and checks that the file holds as much.
    ///
    /// # Errors
    /// A sentence, if its shape is none or its data is of another size.
    fn new(proto: &TensorProto, name: &str) -> Result<Tensor, String> {
        let shape = || format!("{}{:?}", element_name(proto.data_type as u64), proto.dims);
        let parameters = (proto.dims.iter())
            .try_fold(1u64, |product, &size| product.checked_mul(size.try_into().ok()?))
            .filter(|count| count.checked_mul(128).is_some())
            .ok_or_else(|| format!("its tensor {name} has the shape {}, which is none", shape()))?;
        let external = (proto.data_location() == DataLocation::External).then(|| {
            let location = proto.external_data.iter().find(|entry| entry.key == "location");
            location.map_or_else(|| "?".to_string(), |entry| entry.value.clone())
        });
        let known = element(proto.data_type as u64);
        let bytes = match known {
            Some((_, 0)) => proto.string_data.iter().map(|text| text.len() as u64).sum(),
            Some((_, bits)) => (parameters * bits as u64).div_ceil(8),
            None => proto.raw_data.len() as u64,
        };
        if external.is_none() && known.is_some() {
            let raw = proto.raw_data.len() as u64;
            let numbers = proto.float_data.len()
                + proto.int32_data.len()
                + proto.int64_data.len()
                + proto.double_data.len()
                + proto.uint64_data.len()
                + proto.string_data.len();
            if (raw > 0 && raw != bytes) || (raw == 0 && numbers == 0 && parameters > 0) {
                return Err(format!(
                    "its tensor {name} holds {raw} bytes, but {} takes {bytes}: it is damaged",
                    shape()
                ));
            }
        }
        let (element, dims) = (element_name(proto.data_type as u64), proto.dims.clone());
        Ok(Tensor { name: name.to_string(), element, dims, parameters, bytes, external })
    }
}

/// All tensors of a graph and the graphs in its nodes: initializers, and the values of `Constant`s.
///
/// # Errors
/// A sentence about the first one that can't be.
pub fn tensors(graph: &GraphProto) -> Result<Vec<Tensor>, String> {
    let mut found = Vec::new();
    collect(graph, &mut found)?;
    Ok(found)
}

fn collect(graph: &GraphProto, found: &mut Vec<Tensor>) -> Result<(), String> {
    for tensor in &graph.initializer {
        found.push(Tensor::new(tensor, &tensor.name)?);
    }
    for SparseTensorProto { values, .. } in &graph.sparse_initializer {
        if let Some(values) = values {
            found.push(Tensor::new(values, &values.name)?);
        }
    }
    for node in &graph.node {
        for attribute in &node.attribute {
            if node.op_type == "Constant"
                && let Some(value) = &attribute.t
            {
                found.push(Tensor::new(value, node.output.first().map_or("", String::as_str))?);
            }
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                collect(graph, found)?;
            }
        }
    }
    Ok(())
}
