//! Whether two ONNX files are the same: what they hold, in short, and what they compute, number by
//! number.
//!
//! ```no_run
//! use export::diff::{Options, TOLERANCE, diff};
//!
//! # fn main() -> export::Result<()> {
//! let (a, b) = ("gen.onnx".into(), "other.onnx".into());
//! let options =
//!     Options { a, b, tolerance: TOLERANCE, seed: 0, sizes: Default::default(), runtime: None };
//! let report = diff(&options)?;
//! assert!(report.within, "{report}");
//! # Ok(())
//! # }
//! ```

mod inputs;
mod numbers;
mod pairs;
mod structure;
mod text;

use std::path::{Path, PathBuf};

use infer::{Input, ModelSource, Runtime, Session};
use serde::Serialize;

pub use numbers::{Levels, OutputDifference, Place};
pub use pairs::Sizes;
pub use structure::{Change, Side};

use crate::inspect::inspect;
use crate::{Error, Result};
use inputs::Plan;
use numbers::{Comparison, Output};

/// The largest difference that counts as rounding, unless another is asked for.
pub const TOLERANCE: f64 = crate::proof::TOLERANCE;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// One file.
    pub a: PathBuf,
    /// The other.
    pub b: PathBuf,
    /// The largest difference that counts as none.
    pub tolerance: f64,
    /// Key of the inputs' numbers.
    pub seed: u64,
    /// Sizes of dimensions that the files only name.
    pub sizes: Sizes,
    /// The ONNX Runtime library; without it, it is looked for as `infer` does.
    pub runtime: Option<PathBuf>,
}

/// How two files compare.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The first file.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// What they state otherwise: inputs, outputs, versions, operators, metadata.
    pub changes: Vec<Change>,
    /// Version of the ONNX Runtime that ran both.
    pub runtime: String,
    /// How many rows went through both, in batches of each size.
    pub samples: usize,
    /// The sizes of the batches.
    pub batches: Vec<usize>,
    /// What they compute otherwise, output by output.
    pub outputs: Vec<OutputDifference>,
    /// The largest difference allowed.
    pub tolerance: f64,
    /// Whether no number differs by more.
    pub within: bool,
}

/// Compares two files: reads both, then runs both in ONNX Runtime on the same inputs.
///
/// Latents and labels are drawn as the files' metadata says, every class; other inputs are uniform in
/// [−1, 1), or 0 and 1 where they are whole numbers. A label may be a number in one file and one-hot
/// numbers in the other.
///
/// # Errors
/// [`Error::Unreadable`] and [`Error::NotOnnx`] for either file, [`Error::Incomparable`] if they take
/// or give other things, [`Error::Runtime`] if ONNX Runtime can't run one, [`Error::Infer`] if there is
/// none.
pub fn diff(options: &Options) -> Result<Report> {
    let (a, b) = (inspect(&options.a)?, inspect(&options.b)?);
    let incomparable = |found: String| Error::Incomparable { a: a.file.clone(), b: b.file.clone(), found };
    let plan = Plan::new(&a, &b, &options.sizes, options.seed).map_err(incomparable)?;
    let runtime = Runtime::load(options.runtime.as_deref())?;
    let mut models = [Model::load(&options.a, runtime)?, Model::load(&options.b, runtime)?];
    let mut comparison = Comparison::new(&a, &b).map_err(incomparable)?;
    for run in plan.runs() {
        let [one, other] = models.each_mut();
        let from_a = one.run(&run.inputs[0], &comparison.names(0))?;
        let from_b = other.run(&run.inputs[1], &comparison.names(1))?;
        comparison.add(&run, &from_a, &from_b).map_err(incomparable)?;
    }
    let outputs = comparison.finish();
    Ok(Report {
        changes: structure::changes(&a, &b),
        a: Side::from(&a),
        b: Side::from(&b),
        runtime: runtime.version().to_string(),
        samples: plan.samples(),
        batches: plan.batches().to_vec(),
        within: outputs.iter().all(|output| output.largest <= options.tolerance),
        outputs,
        tolerance: options.tolerance,
    })
}

/// A file in ONNX Runtime.
struct Model<'a> {
    path: &'a Path,
    runtime: &'static Runtime,
    session: Session,
}

impl<'a> Model<'a> {
    fn load(path: &'a Path, runtime: &'static Runtime) -> Result<Model<'a>> {
        let session = Session::load(&ModelSource::File(path), runtime, None);
        Ok(Model { path, runtime, session: session.map_err(refused(path, runtime, "load"))? })
    }

    /// The outputs of these names.
    fn run(&mut self, inputs: &[Input<'_>], outputs: &[&str]) -> Result<Vec<Output>> {
        let mut found = Vec::new();
        let ran = self.session.run(inputs, outputs, |shape, values| {
            found.push(Output::new(shape, &values));
            Ok(())
        });
        ran.map_err(refused(self.path, self.runtime, "run"))?;
        Ok(found)
    }
}

fn refused(path: &Path, runtime: &Runtime, verb: &'static str) -> impl FnOnce(String) -> Error {
    let (path, version) = (path.to_path_buf(), runtime.version().to_string());
    move |reason| Error::Runtime { path, version, verb, reason }
}
