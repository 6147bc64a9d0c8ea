//! The report as text.

use std::fmt;

use contract::{printable, thousands};

use super::{Node, Opset, Report, Tensor, Value};
use crate::table::{self, shortened};

/// How much of a value is shown: a SHA-256 whole.
const LONGEST: usize = 64;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opset = |Opset { domain, version }: &Opset| match domain.as_str() {
            "ai.onnx" => format!("opset {version}"),
            _ => format!("{} {version}", printable(domain)),
        };
        let opsets: Vec<_> = self.opsets.iter().map(opset).collect();
        write!(f, "{}: {}, IR {}", contract::shown(&self.file), size(self.bytes as u64), self.ir_version)?;
        opsets.iter().try_for_each(|opset| write!(f, ", {opset}"))?;
        match &self.producer {
            [name, version] if name.is_empty() && version.is_empty() => writeln!(f)?,
            [name, version] => writeln!(f, ", written by {}", printable(format!("{name} {version}").trim()))?,
        }
        writeln!(f, "SHA-256 {}", self.sha256)?;
        match self.texts_not_utf8 {
            0 => {}
            1 => writeln!(f, "1 text is not UTF-8: ? stands for each byte that is none")?,
            several => writeln!(f, "{several} texts are not UTF-8: ? stands for each byte that is none")?,
        }

        values(f, "inputs", &self.inputs)?;
        values(f, "outputs", &self.outputs)?;

        let inner = match self.inner_nodes {
            0 => String::new(),
            inner => format!(", and {inner} within them or in functions"),
        };
        let name = if self.graph.is_empty() { "" } else { " of graph " };
        writeln!(f, "\n{} nodes{name}{}{inner}", self.nodes.len(), printable(&self.graph))?;
        let mut operators: Vec<_> = self.operators.iter().collect();
        operators.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let operators: Vec<_> =
            operators.iter().map(|(operator, count)| format!("{count} {}", printable(operator))).collect();
        writeln!(f, "  {}", operators.join(", "))?;
        let is_unknown = |node: &Node| node.outputs.iter().any(|output| output.dims.is_none());
        let unknown = if self.nodes.iter().any(is_unknown) { " (?: not in the file)" } else { "" };
        writeln!(f, "\nnodes in order, with the shapes of their outputs{unknown}")?;
        f.write_str(&table::left(self.nodes.iter().map(node)))?;

        writeln!(f, "\n{} parameters in {} tensors", thousands(self.parameters), self.tensors.len())?;
        f.write_str(&table::left(self.elements.iter().map(|(element, total)| {
            let count = if total.tensors == 1 { "tensor" } else { "tensors" };
            let tensors = format!("{} {count}", total.tensors);
            vec![element.clone(), tensors, thousands(total.parameters), size(total.bytes)]
        })))?;
        if !self.tensors.is_empty() {
            writeln!(f, "\ntensors, the largest first")?;
            f.write_str(&table::left(self.tensors.iter().map(tensor)))?;
        }

        if self.metadata.is_empty() {
            return write!(f, "\nno metadata");
        }
        write!(f, "\nmetadata (--json has it whole)\n")?;
        let lines = table::left(self.metadata.iter().map(|entry| {
            let meaning = entry.meaning.clone().unwrap_or_default();
            vec![printable(&entry.key).into_owned(), shortened(&entry.value, LONGEST), meaning]
        }));
        f.write_str(lines.trim_end())?;
        match &self.fault {
            Some(fault) => write!(f, "\n\n`infer` can't draw from it: {}", printable(fault)),
            None => Ok(()),
        }
    }
}

fn values(f: &mut fmt::Formatter<'_>, title: &str, values: &[Value]) -> fmt::Result {
    writeln!(f, "\n{title}")?;
    let line =
        |value: &Value| [&value.name, &value.signature()].map(|text| printable(text).into_owned()).into();
    f.write_str(&table::left(values.iter().map(line)))
}

fn node(node: &Node) -> Vec<String> {
    let outputs: Vec<_> = node.outputs.iter().map(Value::signature).collect();
    [&node.operator, &node.name, &outputs.join(", ")].map(|text| printable(text).into_owned()).into()
}

fn tensor(tensor: &Tensor) -> Vec<String> {
    let dims: Vec<_> = tensor.dims.iter().map(i64::to_string).collect();
    let external = tensor.external.as_ref().map(|file| format!("in {}", printable(file)));
    vec![
        printable(&tensor.name).into_owned(),
        format!("{}[{}]", tensor.element, dims.join(", ")),
        size(tensor.bytes),
        external.unwrap_or_default(),
    ]
}

/// A size in the unit that fits it.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
