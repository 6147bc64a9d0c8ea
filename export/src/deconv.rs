//! Which transposed convolutions become convolutions: all, the wide ones, or those that are faster so.

use std::fmt;
use std::time::Instant;

use infer::{Input, Runtime, Values};
use serde::Serialize;

use crate::onnx::{Element, Graph, Model, Producer};
use crate::passes::{dead, deconv};
use crate::{Result, session};

/// Sizes of the batches that are timed, and how often each graph runs them.
const BATCHES: [(usize, usize); 2] = [(1, 31), (64, 7)];

/// How long a graph takes with some of its transposed convolutions converted to convolutions.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Their names.
    #[serde(rename = "turned")]
    pub converted: Vec<String>,
    /// Medians of a run on one thread, for batches of 1 and 64, in milliseconds.
    pub milliseconds: [f64; 2],
}

/// As `h2.deconv as convolutions: 1.61 ms, 31.2 ms`.
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, many] = self.milliseconds;
        let what = match self.converted.as_slice() {
            [] => "all transposed".to_string(),
            names => format!("{} as convolutions", names.join(" and ")),
        };
        write!(f, "{what}: {one:.2} ms for 1 image, {many:.1} ms for 64")
    }
}

/// The graph with all of them converted, and their names.
///
/// # Errors
/// As [`deconv::subpixel`].
pub fn all(graph: &Graph) -> Result<(Graph, Vec<String>)> {
    Ok((convert(graph, &deconv::names(graph))?, deconv::names(graph)))
}

/// Outputs from which a convolution fills the vectors of an engine's kernels: with AVX-512, 16 numbers.
/// In ONNX Runtime 1.32 on a Zen 4 the generator's 128 outputs take a quarter less time as convolutions,
/// its single one a quarter more.
const WIDE: usize = 16;

/// The graph with those of 16 outputs or more converted, and their names. No clock decides, so the same
/// network gives the same file.
///
/// # Errors
/// As [`deconv::subpixel`].
pub fn wide(graph: &Graph) -> Result<(Graph, Vec<String>)> {
    let outputs = |name: &String| Some(graph.value(name)?.type_of().dims.get(1)?.fixed()? >= WIDE);
    let names: Vec<String> =
        deconv::names(graph).into_iter().filter(|name| outputs(name) == Some(true)).collect();
    Ok((convert(graph, &names)?, names))
}

/// The graph with those converted that are then faster on one thread of this machine: none, one of
/// them, or all; their names; and what was measured.
///
/// # Errors
/// [`Error::Infer`](crate::Error::Infer) if ONNX Runtime can't run one of the graphs.
pub fn fastest(graph: Graph, runtime: &'static Runtime) -> Result<(Graph, Vec<String>, Vec<Timing>)> {
    let names = deconv::names(&graph);
    if names.is_empty() {
        return Ok((graph, Vec::new(), Vec::new()));
    }
    let mut choices = vec![Vec::new()];
    choices.extend(names.iter().map(|name| vec![name.clone()]));
    if names.len() > 1 {
        choices.push(names);
    }
    let graphs = choices.iter().map(|names| convert(&graph, names)).collect::<Result<Vec<_>>>()?;
    let load = |graph| {
        let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
        session::load(&Model::new(graph, producer)?.encode(), runtime)
    };
    let mut sessions = graphs.iter().map(load).collect::<Result<Vec<_>>>()?;
    let output = graph.outputs().next().map_or("", |(name, _)| name);
    let mut timings: Vec<Timing> =
        choices.into_iter().map(|converted| Timing { converted, milliseconds: [0.; 2] }).collect();
    for (at, (batch, rounds)) in BATCHES.into_iter().enumerate() {
        let inputs = typical_inputs(&graph, batch);
        let mut times = vec![Vec::new(); sessions.len()];
        // One after the other, round by round, so that other load on the machine slows all of them alike.
        // The first round warms up.
        for round in 0..=rounds {
            for (session, times) in sessions.iter_mut().zip(&mut times) {
                let start = Instant::now();
                session::run(session, runtime, &inputs, output)?;
                if round > 0 {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        for (timing, times) in timings.iter_mut().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            timing.milliseconds[at] = times[times.len() / 2];
        }
    }
    let first = timings[0].milliseconds;
    let relative = |timing: &Timing| -> f64 {
        timing.milliseconds.iter().zip(first).map(|(time, first)| time / first).sum()
    };
    let best = (0..timings.len()).min_by(|&a, &b| relative(&timings[a]).total_cmp(&relative(&timings[b])));
    let best = best.unwrap_or(0);
    Ok((graphs[best].clone(), timings[best].converted.clone(), timings))
}

fn convert(graph: &Graph, names: &[String]) -> Result<Graph> {
    dead::remove(&deconv::subpixel(graph, |name| names.iter().any(|chosen| chosen == name))?)
}

/// Numbers between −1 and 1 and labels of every class in turn, for a batch of `n`.
fn typical_inputs(graph: &Graph, n: usize) -> Vec<Input<'static>> {
    let input = |value: crate::onnx::Value| {
        let dims: Vec<usize> = value.type_of().dims.iter().map(|dim| dim.fixed().unwrap_or(n)).collect();
        let count: usize = dims.iter().product();
        let values = match value.type_of().element {
            Element::Int64 => {
                Values::Int64((0..count as i64).map(|i| i % rows(graph, value.name())).collect())
            }
            _ => Values::Float32((0..count).map(|i| (i * 37 % 101) as f32 / 50. - 1.).collect()),
        };
        Input { name: value.name().to_string().into(), shape: dims.into(), values }
    };
    graph.inputs().map(input).collect()
}

/// How many rows the tables have that an input indexes: its classes.
fn rows(graph: &Graph, label: &str) -> i64 {
    let rows = graph.users(label).filter_map(|user| graph.constant(&user.inputs[0])?.dims().first().copied());
    rows.min().unwrap_or(1) as i64
}
