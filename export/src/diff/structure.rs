//! What two files state otherwise.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::inspect::Report;

/// One of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its path.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// How many nodes it has, the inner ones too.
    pub nodes: usize,
    /// How many numbers its tensors hold.
    pub parameters: u64,
}

impl From<&Report> for Side {
    fn from(report: &Report) -> Side {
        Side {
            file: report.file.clone(),
            bytes: report.bytes,
            sha256: report.sha256.clone(),
            nodes: report.nodes.len() + report.inner_nodes,
            parameters: report.parameters,
        }
    }
}

/// Something that one file states and the other doesn't, or otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What, such as `input z` or `metadata edgegan.epochs`.
    pub what: String,
    /// In the first file.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// All that differs, in the order of a file's description.
pub fn changes(a: &Report, b: &Report) -> Vec<Change> {
    let (a, b) = (statements(a), statements(b));
    let of_a: HashMap<&str, &String> = a.iter().map(|(what, value)| (what.as_str(), value)).collect();
    let of_b: HashMap<&str, &String> = b.iter().map(|(what, value)| (what.as_str(), value)).collect();
    let only_in_b = b.iter().filter(|(what, _)| !of_a.contains_key(what.as_str()));
    (a.iter().chain(only_in_b))
        .map(|(what, _)| Change {
            what: what.clone(),
            a: of_a.get(what.as_str()).map(ToString::to_string),
            b: of_b.get(what.as_str()).map(ToString::to_string),
        })
        .filter(|change| change.a != change.b)
        .collect()
}

fn statements(report: &Report) -> Vec<(String, String)> {
    let mut all = vec![("IR version".to_string(), report.ir_version.to_string())];
    let opset =
        report.opsets.iter().map(|opset| (format!("opset {}", opset.domain), opset.version.to_string()));
    all.extend(opset);
    all.extend(report.inputs.iter().map(|input| (format!("input {}", input.name), input.signature())));
    all.extend(report.outputs.iter().map(|output| (format!("output {}", output.name), output.signature())));
    all.extend(report.operators.iter().map(|(name, count)| (format!("nodes {name}"), count.to_string())));
    all.extend(
        report
            .elements
            .iter()
            .map(|(name, size)| (format!("parameters {name}"), size.parameters.to_string())),
    );
    all.extend(report.metadata.iter().map(|entry| (format!("metadata {}", entry.key), entry.value.clone())));
    all
}
