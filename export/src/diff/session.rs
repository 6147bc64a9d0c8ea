//! A model in ONNX Runtime, whatever it takes and gives.

use std::path::{Path, PathBuf};

use infer::Runtime;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};

use super::inputs::{Filled, Numbers};
use crate::{Error, Result};

/// A loaded model.
pub struct Model {
    path: PathBuf,
    version: String,
    session: Session,
}

/// One output of a run, as float64, which holds every number of the types that it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its numbers, row by row.
    pub numbers: Vec<f64>,
    /// Whether they are 8-bit levels.
    pub is_levels: bool,
}

impl Model {
    /// Loads a file; weights that lie in other files are found beside it.
    ///
    /// # Errors
    /// [`Error::Runtime`] in ONNX Runtime's words.
    pub fn load(path: &Path, runtime: &Runtime) -> Result<Model> {
        let (path, version) = (path.to_path_buf(), runtime.version().to_string());
        let builder = Session::builder(runtime.environment())
            .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?));
        match builder.and_then(|mut builder| builder.commit_from_file(&path)) {
            Ok(session) => Ok(Model { path, version, session }),
            Err(error) => Err(refused(&path, &version, "load", error.message())),
        }
    }

    /// Runs it on the inputs, which have these names; gives the outputs of these names.
    ///
    /// # Errors
    /// [`Error::Runtime`] in ONNX Runtime's words, or if an output is of a type that isn't compared.
    pub fn run(&mut self, inputs: &[Filled], names: &[&str], outputs: &[&str]) -> Result<Vec<Output>> {
        let Model { path, version, session } = self;
        let failed = |message: &str| refused(path, version, "run", message);
        // Until the outputs are read: an output that is an input of the graph has no memory of its own.
        let values: Vec<DynValue> =
            inputs.iter().map(value).collect::<ort::Result<_>>().map_err(|error| failed(error.message()))?;
        let named: Vec<(&str, SessionInputValue<'_>)> =
            names.iter().copied().zip(values.iter().map(SessionInputValue::from)).collect();
        let found = session.run(named).map_err(|error| failed(error.message()))?;
        outputs
            .iter()
            .map(|&name| output(&found[name]).map_err(|found| failed(&format!("its output {name} {found}"))))
            .collect()
    }
}

fn value(input: &Filled) -> ort::Result<DynValue> {
    let dims = input.dims.clone();
    Ok(match &input.numbers {
        Numbers::Float32(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
        Numbers::Float64(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
        Numbers::Int64(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
        Numbers::Int32(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
        Numbers::Uint8(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
        Numbers::Bool(numbers) => Tensor::from_array((dims, numbers.clone()))?.into_dyn(),
    })
}

fn output(value: &DynValue) -> std::result::Result<Output, String> {
    macro_rules! of {
        ($type:ty, $number:expr) => {
            if let Ok((shape, numbers)) = value.try_extract_tensor::<$type>() {
                return Ok(Output {
                    dims: shape.iter().map(|&size| size as usize).collect(),
                    numbers: numbers.iter().copied().map($number).collect(),
                    is_levels: size_of::<$type>() == 1,
                });
            }
        };
    }
    of!(f32, f64::from);
    of!(u8, f64::from);
    of!(f64, |number| number);
    of!(i64, |number| number as f64);
    of!(i32, f64::from);
    Err(format!(
        "is {}; only numbers of float32, float64, int64, int32 and uint8 are compared",
        value.dtype()
    ))
}

fn refused(path: &Path, version: &str, verb: &'static str, message: &str) -> Error {
    // One line, as every error is.
    let reason = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Error::Runtime { path: path.to_path_buf(), version: version.to_string(), verb, reason }
}
