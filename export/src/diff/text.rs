//! The report as text.

use std::fmt;

use super::{Change, Levels, OutputDifference, Place, Report};
use crate::table::{self, shortened};
use contract::{printable, thousands};

/// What fits a column.
const LONGEST: usize = 32;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |name: &str, side: &super::Side| {
            let size = format!("{:.1} MB", side.bytes as f64 / 1e6);
            let (nodes, parameters) = (format!("{} nodes", side.nodes), thousands(side.parameters));
            vec![name.into(), contract::shown(&side.file), size, nodes, format!("{parameters} parameters")]
        };
        f.write_str(&table::left([side("a", &self.a), side("b", &self.b)]))?;
        if self.a.sha256 == self.b.sha256 {
            writeln!(f, "\nthe same bytes")?;
        } else if self.changes.is_empty() {
            writeln!(f, "\nthe same inputs, outputs, operators and metadata")?;
        } else {
            let heads = ["", "a", "b"].map(String::from).to_vec();
            let change =
                |Change { what, a, b }: &Change| vec![shortened(what, LONGEST), stated(a), stated(b)];
            write!(f, "\n{}", table::left([heads].into_iter().chain(self.changes.iter().map(change))))?;
        }
        let batches: Vec<_> = self.batches.iter().map(usize::to_string).collect();
        let Report { runtime, samples, .. } = self;
        writeln!(f, "\nONNX Runtime {runtime}, {samples} rows in batches of {}", batches.join(", "))?;
        self.outputs.iter().try_for_each(|output| write!(f, "{output}"))?;
        let (verb, tolerance) = (if self.within { "the same" } else { "NOT the same" }, self.tolerance);
        write!(f, "{verb} within {tolerance:e}")
    }
}

impl fmt::Display for OutputDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutputDifference { name, values, largest, mean, not_finite, place, levels } = self;
        let (name, values) = (printable(name), thousands(*values as u64));
        let (largest, mean) = (small(*largest), small(*mean));
        writeln!(f, "  {name}: largest difference {largest}, mean {mean}, of {values} numbers")?;
        if *not_finite > 0 {
            writeln!(f, "    {} of them are not finite", thousands(*not_finite as u64))?;
        }
        if let Some(Place { batch, sample, class, index, a, b }) = place {
            let class = class.map(|class| format!(", class {class}")).unwrap_or_default();
            // As many digits as single precision needs, which most numbers have.
            let (a, b) = (*a as f32, *b as f32);
            writeln!(
                f,
                "    the largest: {a} and {b} at {index:?} in a batch of {batch} (row {sample}{class})"
            )?;
        }
        if let Some(Levels { largest, differing }) = levels {
            writeln!(f, "    at 8 bits: largest difference {largest} of 255, {differing} pixels differ")?;
        }
        Ok(())
    }
}

/// Zero is no rounding.
fn small(number: f64) -> String {
    if number == 0. { "0".to_string() } else { format!("{number:.1e}") }
}

fn stated(value: &Option<String>) -> String {
    value.as_ref().map_or_else(|| "–".to_string(), |value| shortened(value, LONGEST))
}
