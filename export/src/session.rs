//! Graphs in ONNX Runtime, on one thread of the CPU: one output, as float32.

use std::num::NonZeroUsize;

use infer::{Input, ModelSource, Runtime, Session, Values};

use crate::{Error, Result};

/// Loads a file's bytes.
///
/// # Errors
/// [`Error::Session`] in ONNX Runtime's words.
pub fn load(bytes: &[u8], runtime: &'static Runtime) -> Result<Session> {
    let source = ModelSource::Bytes { name: "the exported graph", bytes };
    Session::load(&source, runtime, Some(NonZeroUsize::MIN)).map_err(refused(runtime, "load"))
}

/// Runs it once; 8-bit levels come as 0 to 255.
///
/// # Errors
/// [`Error::Session`] in ONNX Runtime's words.
pub fn run(session: &mut Session, runtime: &Runtime, inputs: &[Input<'_>], output: &str) -> Result<Vec<f32>> {
    let mut found = Vec::new();
    let ran = session.run(inputs, &[output], |_, values| {
        found = match values {
            Values::Float32(numbers) => numbers.into_owned(),
            Values::Uint8(levels) => levels.iter().map(|&level| level.into()).collect(),
            _ => return Err(format!("its output {output} is neither float32 nor uint8")),
        };
        Ok(())
    });
    ran.map_err(refused(runtime, "run"))?;
    Ok(found)
}

fn refused(runtime: &Runtime, verb: &'static str) -> impl FnOnce(String) -> Error {
    move |reason| Error::Session { version: runtime.version().to_string(), verb, reason }
}
