//! What was adopted, and how it was checked.

use std::fmt;
use std::path::PathBuf;

use contract::{printable, shown};
use serde::Serialize;
use serde_json::Value;

use crate::report::{Comparison, agreements};

/// What was adopted, and how it was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file that was written.
    pub file: PathBuf,
    /// The file that it was made from.
    pub adopted: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Version of the file format.
    pub ir_version: i64,
    /// What it says of the other file, as [`KEY`](super::KEY) has it.
    pub about: Value,
    /// What the other file takes, in words.
    pub takes: Vec<String>,
    /// What it gives, in words.
    pub gives: String,
    /// The ONNX Runtime library of the proof.
    pub library: PathBuf,
    /// What rten said, if it can't run the file.
    pub embedded: Option<String>,
    /// Each engine, in each way that it loads the file, against ONNX Runtime with the other file.
    pub comparisons: Vec<Comparison>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let adopted = shown(&self.adopted);
        match self.about["producer"].as_str() {
            None | Some("") => writeln!(f, "{adopted}")?,
            Some(producer) => writeln!(f, "{adopted}: written by {}", printable(producer))?,
        }
        for line in self.takes.iter().chain([&self.gives]) {
            writeln!(f, "  {}", printable(line))?;
        }
        let added: Vec<&str> =
            self.about["added"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match added.as_slice() {
            [] => writeln!(f, "  no nodes added")?,
            _ => writeln!(f, "  added: {}", added.join(", "))?,
        }
        agreements(f, &self.comparisons, &adopted)?;
        if let Some(reason) = &self.embedded {
            writeln!(f, "rten can't draw from it, so `infer` needs ONNX Runtime: {}", printable(reason))?;
        }
        let opsets = self.about["opsets"].as_object().into_iter().flatten();
        let opsets: Vec<String> = opsets
            .map(|(domain, version)| match domain.as_str() {
                "ai.onnx" => format!("opset {version}"),
                other => format!("{} {version}", printable(other)),
            })
            .collect();
        let megabytes = self.bytes as f64 / 1e6;
        write!(f, "{}: {megabytes:.1} MB, {}, IR {}", shown(&self.file), opsets.join(", "), self.ir_version)
    }
}
