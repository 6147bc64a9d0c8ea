//! Any graph in ONNX Runtime: its inputs by name, its one output as float32.

use infer::Runtime;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{DynValue, Tensor as OrtTensor};

use crate::onnx::{Element, Graph, Model, Producer};
use crate::{Error, Result};

/// One input of a run.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name in the graph.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its numbers, row by row.
    pub numbers: Numbers,
}

/// The numbers of an input.
#[derive(Clone, Debug)]
pub enum Numbers {
    /// Single precision.
    Float(Vec<f32>),
    /// Class indices.
    Labels(Vec<i64>),
}

/// A loaded graph.
pub struct Session {
    session: OrtSession,
    runtime: &'static Runtime,
}

impl Session {
    /// Loads a file's bytes, to run on one thread of the CPU.
    ///
    /// # Errors
    /// [`Error::Session`] in ONNX Runtime's words.
    pub fn of_bytes(bytes: &[u8], runtime: &'static Runtime) -> Result<Session> {
        let load = || -> ort::Result<OrtSession> {
            OrtSession::builder(runtime.environment())?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .commit_from_memory(bytes)
        };
        let session = load().map_err(|error| failed(runtime, "load", &error))?;
        Ok(Session { session, runtime })
    }

    /// Loads a graph.
    ///
    /// # Errors
    /// [`Error::Session`] in ONNX Runtime's words.
    pub fn of_graph(graph: &Graph, runtime: &'static Runtime) -> Result<Session> {
        let producer = Producer { name: "edgegan".into(), version: env!("CARGO_PKG_VERSION").into() };
        Session::of_bytes(&Model::new(graph, producer)?.encode(), runtime)
    }

    /// Name and version of what runs it.
    pub fn engine_name(&self) -> String {
        format!("ONNX Runtime {}", self.runtime.version())
    }

    /// Runs it once; 8-bit levels come as 0 to 255.
    ///
    /// # Errors
    /// [`Error::Session`] in ONNX Runtime's words.
    pub fn run(&mut self, inputs: &[Input]) -> Result<Vec<f32>> {
        let Session { session, runtime } = self;
        let mut run = || -> ort::Result<Vec<f32>> {
            // Until the outputs are read: an output that is an input of the graph has no memory of its own.
            let values = inputs.iter().map(|Input { dims, numbers, .. }| match numbers {
                Numbers::Float(numbers) => {
                    Ok(OrtTensor::from_array((dims.clone(), numbers.clone()))?.into_dyn())
                }
                Numbers::Labels(labels) => {
                    Ok(OrtTensor::from_array((dims.clone(), labels.clone()))?.into_dyn())
                }
            });
            let values: Vec<DynValue> = values.collect::<ort::Result<_>>()?;
            let named: Vec<(&str, SessionInputValue<'_>)> = inputs
                .iter()
                .map(|input| input.name.as_str())
                .zip(values.iter().map(SessionInputValue::from))
                .collect();
            let outputs = session.run(named)?;
            let output = &outputs[0];
            match output.try_extract_tensor::<u8>() {
                Ok((_, levels)) => Ok(levels.iter().map(|&level| f32::from(level)).collect()),
                Err(_) => Ok(output.try_extract_tensor::<f32>()?.1.to_vec()),
            }
        };
        run().map_err(|error| failed(runtime, "run", &error))
    }
}

fn failed(runtime: &Runtime, verb: &'static str, error: &ort::Error) -> Error {
    // One line, as every error is.
    let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    Error::Session { version: runtime.version().to_string(), verb, reason }
}

/// Numbers between −1 and 1 and labels of every class in turn, for a batch of `n`.
pub fn typical_inputs(graph: &Graph, n: usize) -> Vec<Input> {
    let input = |value: crate::onnx::Value| {
        let dims: Vec<usize> = value.type_of().dims.iter().map(|dim| dim.fixed().unwrap_or(n)).collect();
        let count: usize = dims.iter().product();
        let numbers = match value.type_of().element {
            Element::Int64 => {
                Numbers::Labels((0..count as i64).map(|i| i % rows(graph, value.name())).collect())
            }
            _ => Numbers::Float((0..count).map(|i| (i * 37 % 101) as f32 / 50. - 1.).collect()),
        };
        Input { name: value.name().to_string(), dims, numbers }
    };
    graph.inputs().map(input).collect()
}

/// How many rows the tables have that an input indexes: its classes.
fn rows(graph: &Graph, label: &str) -> i64 {
    let rows = graph.users(label).filter_map(|user| graph.constant(&user.inputs[0])?.dims().first().copied());
    rows.min().unwrap_or(1) as i64
}
