//! What an ONNX file holds, of edgegan's or anyone else's: inputs, outputs, nodes, tensors and their
//! sizes, metadata. Nothing of it is run.
//!
//! ```no_run
//! # fn main() -> export::Result<()> {
//! let report = export::inspect::inspect("gen.onnx".as_ref())?;
//! for (operator, count) in &report.operators {
//!     println!("{count} × {operator}");
//! }
//! # Ok(())
//! # }
//! ```

mod metadata;
mod tensors;
mod text;
mod types;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use candle_onnx::onnx::{GraphProto, ModelProto, NodeProto};
use serde::Serialize;

pub use metadata::{Entry, classes, contract};
pub use tensors::Tensor;
pub use types::Value;

use crate::{Error, Result, reader};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// How many of its texts are not UTF-8: a `?` stands for each byte that is none.
    pub texts_not_utf8: usize,
    /// Version of the file format.
    pub ir_version: i64,
    /// The operator sets that it is written in.
    pub opsets: Vec<Opset>,
    /// The program that wrote it, and its version; either may be empty.
    pub producer: [String; 2],
    /// The graph's name.
    pub graph: String,
    /// What the graph takes; initializers that old files list among them are left out.
    pub inputs: Vec<Value>,
    /// What it gives.
    pub outputs: Vec<Value>,
    /// How many nodes there are of each operator, those of [`inner_nodes`](Self::inner_nodes) too. An
    /// operator of another set than ONNX's own stands behind its set's name.
    pub operators: BTreeMap<String, usize>,
    /// The graph's nodes, in order.
    pub nodes: Vec<Node>,
    /// How many nodes lie in other graphs: the branches and loops of nodes, and functions.
    pub inner_nodes: usize,
    /// How many numbers its tensors hold.
    pub parameters: u64,
    /// Sizes by element type.
    pub elements: BTreeMap<String, Size>,
    /// The tensors that it carries, the largest first.
    pub tensors: Vec<Tensor>,
    /// What it says of itself.
    pub metadata: Vec<Entry>,
    /// What keeps `infer` from reading an edgegan generator's metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// An operator set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opset {
    /// Its name; ONNX's own is `ai.onnx`.
    pub domain: String,
    /// Its version.
    pub version: i64,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its operator, as in [`Report::operators`].
    pub operator: String,
    /// Its name, which may be empty.
    pub name: String,
    /// The values that it takes, by name; an empty name is an optional one that isn't there.
    pub inputs: Vec<String>,
    /// The values that it makes, as far as the file says what they are.
    pub outputs: Vec<Value>,
}

/// The size of some tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// How many tensors.
    pub tensors: usize,
    /// How many numbers they hold.
    pub parameters: u64,
    /// How many bytes these take.
    pub bytes: u64,
}

/// Reads and describes the file at `path`.
///
/// # Errors
/// [`Error::Unreadable`] and [`Error::NotOnnx`].
pub fn inspect(path: &Path) -> Result<Report> {
    describe(&reader::read(path)?, path)
}

/// Describes a file's bytes, which came from `path`.
///
/// # Errors
/// [`Error::NotOnnx`].
pub fn describe(bytes: &[u8], path: &Path) -> Result<Report> {
    let (model, texts_not_utf8) = reader::decode(bytes, path)?;
    let report = of_model(model, texts_not_utf8, bytes, path);
    report.map_err(|found| Error::NotOnnx { path: path.to_path_buf(), found })
}

fn of_model(
    model: ModelProto,
    texts_not_utf8: usize,
    bytes: &[u8],
    path: &Path,
) -> std::result::Result<Report, String> {
    let graph = model.graph.unwrap_or_default();
    let mut tensors = tensors::tensors(&graph)?;
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.bytes));
    let mut elements = BTreeMap::<String, Size>::new();
    for tensor in &tensors {
        let size = elements.entry(tensor.element.clone()).or_default();
        size.tensors += 1;
        size.parameters = size.parameters.saturating_add(tensor.parameters);
        size.bytes = size.bytes.saturating_add(tensor.bytes);
    }
    let mut operators = BTreeMap::new();
    count(&graph.node, &mut operators);
    model.functions.iter().for_each(|function| count(&function.node, &mut operators));
    let all: usize = operators.values().sum();
    let metadata: Vec<Entry> = model.metadata_props.into_iter().map(Entry::from).collect();
    Ok(Report {
        file: path.to_path_buf(),
        bytes: bytes.len(),
        sha256: contract::files::sha256(bytes),
        texts_not_utf8,
        ir_version: model.ir_version,
        opsets: (model.opset_import.into_iter())
            .map(|opset| Opset { domain: domain(&opset.domain).to_string(), version: opset.version })
            .collect(),
        producer: [model.producer_name, model.producer_version],
        inputs: inputs(&graph),
        outputs: graph.output.iter().map(Value::from).collect(),
        inner_nodes: all - graph.node.len(),
        nodes: nodes(&graph),
        graph: graph.name,
        operators,
        parameters: elements.values().fold(0, |sum, size| sum.saturating_add(size.parameters)),
        elements,
        tensors,
        fault: metadata::fault(&metadata),
        metadata,
    })
}

/// What the graph takes. Before IR version 4, initializers were listed among the inputs.
pub(crate) fn inputs(graph: &GraphProto) -> Vec<Value> {
    let carried: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let taken = graph.input.iter().filter(|input| !carried.contains(input.name.as_str()));
    taken.map(Value::from).collect()
}

fn nodes(graph: &GraphProto) -> Vec<Node> {
    let stated: HashMap<&str, _> =
        graph.value_info.iter().chain(&graph.output).map(|info| (info.name.as_str(), info)).collect();
    let output = |node: &NodeProto, name: &String| match stated.get(name.as_str()) {
        Some(&info) => Value::from(info),
        // What needs no inference.
        None if node.op_type == "Constant" => constant(node, name),
        None => Value::unknown(name),
    };
    let node = |node: &NodeProto| Node {
        operator: operator(node),
        name: node.name.clone(),
        inputs: node.input.clone(),
        outputs: node.output.iter().map(|name| output(node, name)).collect(),
    };
    graph.node.iter().map(node).collect()
}

/// What a `Constant` makes, if it is a tensor.
fn constant(node: &NodeProto, name: &str) -> Value {
    let tensor = node.attribute.iter().find_map(|attribute| attribute.t.as_ref());
    tensor.map_or_else(|| Value::unknown(name), |tensor| Value::of_tensor(name, tensor))
}

/// ONNX's own operator set goes by two names, one of them empty.
fn domain(name: &str) -> &str {
    if name.is_empty() { "ai.onnx" } else { name }
}

fn operator(node: &NodeProto) -> String {
    match domain(&node.domain) {
        "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    }
}

/// Counts nodes by operator, those in the graphs of nodes too.
fn count(nodes: &[NodeProto], operators: &mut BTreeMap<String, usize>) {
    for node in nodes {
        *operators.entry(operator(node)).or_default() += 1;
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).for_each(|graph| count(&graph.node, operators));
        }
    }
}
