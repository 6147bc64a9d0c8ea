//! A description against the network's own `forward`.

use std::fmt;

use candle_core::{Tensor as Numbers, Var};

use super::difference::{Seen, agree, behind, first};
use super::{Builder, Record, Step};
use crate::onnx::Graph;
use crate::{Error, Result};

/// What a network is called from outside.
#[derive(Clone, Debug)]
pub struct Interface<'a, const INPUTS: usize> {
    /// The graph's name.
    pub name: &'a str,
    /// Each input's name, and a sample of two items or more, (N, …): float32, or indices as u32 or i64. The
    /// description is tried on it, and the file takes batches of any size.
    pub inputs: [(&'a str, Numbers); INPUTS],
    /// The output's name.
    pub output: &'a str,
}

/// A network's own `forward`.
type Forward<'a> = dyn Fn(&[Numbers]) -> candle_core::Result<Numbers> + 'a;

/// A network whose description says what its `forward` says.
pub struct Described<'a> {
    pub(super) graph: Graph,
    pub(super) steps: Vec<Record>,
    pub(super) inputs: Vec<(String, Numbers)>,
    pub(super) output: String,
    pub(super) forward: Box<Forward<'a>>,
}

impl<const INPUTS: usize> Interface<'_, INPUTS> {
    /// Describes a network and tries the description in Candle: it must give what `forward` gives.
    ///
    /// `forward` is the network's own, for sampling and not for training: dropout off, batch norms by their
    /// running averages.
    ///
    /// # Errors
    /// [`Error::Description`], naming the first step that differs; those of the steps; those of `forward`.
    pub fn prove<'f>(
        &self,
        forward: impl Fn([Numbers; INPUTS]) -> candle_core::Result<Numbers> + 'f,
        describe: impl FnOnce(&Builder, [Step; INPUTS]) -> Result<Step>,
    ) -> Result<Described<'f>> {
        let samples = self.samples()?;
        let expected = forward(samples.clone())?;
        let seen = Seen::of(&expected, &samples)?;
        let builder = Builder::new(self.name);
        let mut inputs = Vec::new();
        for ((name, _), sample) in self.inputs.iter().zip(&samples) {
            inputs.push(builder.traced_input(name, sample)?);
        }
        let wrong = |inputs: Vec<Step>| differs(self.name, format!("{} inputs for {INPUTS}", inputs.len()));
        let inputs = <[Step; INPUTS]>::try_from(inputs).map_err(wrong)?;
        let end = match describe(&builder, inputs) {
            Ok(end) => end,
            Err(error) => return Err(broken_off(&builder.steps(), &seen, error)?),
        };
        let found = end.tensor().ok_or_else(|| differs(end.name(), "it is of another graph".to_string()))?;
        if !agree(&expected, found)? {
            return Err(other_end(&builder.steps(), &seen, &expected, &end)?);
        }
        builder.output(&end, self.output)?;
        let forward = move |inputs: &[Numbers]| match <[Numbers; INPUTS]>::try_from(inputs.to_vec()) {
            Ok(inputs) => forward(inputs),
            Err(inputs) => candle_core::bail!("{} inputs for {INPUTS}", inputs.len()),
        };
        Ok(Described {
            steps: builder.steps(),
            graph: builder.finish(),
            inputs: self.inputs.iter().map(|(name, sample)| (name.to_string(), sample.clone())).collect(),
            output: self.output.to_string(),
            forward: Box::new(forward),
        })
    }

    /// The samples as variables, of which Candle keeps what is computed.
    fn samples(&self) -> Result<[Numbers; INPUTS]> {
        let mut samples = self.inputs.clone().map(|(_, sample)| sample);
        for sample in &mut samples {
            if sample.dtype().is_float() {
                *sample = Var::from_tensor(sample)?.as_tensor().clone();
            }
        }
        Ok(samples)
    }
}

impl Described<'_> {
    /// The graph, step by step as it was described.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Its inputs' names, and the samples that the description was tried on.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Numbers)> {
        self.inputs.iter().map(|(name, sample)| (name.as_str(), sample))
    }

    /// What the network's own `forward` gives for as many inputs.
    ///
    /// # Errors
    /// Candle's.
    pub fn forward(&self, inputs: &[Numbers]) -> Result<Numbers> {
        Ok((self.forward)(inputs)?)
    }

    /// The names of its steps.
    pub fn steps(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.name.as_str()).collect()
    }
}

impl fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Described").field("steps", &self.steps()).finish_non_exhaustive()
    }
}

/// Why a description could not go on: an earlier step than the one that failed may be the wrong one.
fn broken_off(steps: &[Record], seen: &Seen, error: Error) -> Result<Error> {
    Ok(match first(steps, seen, None)? {
        Some(first) => differs(&first.step, format!("{}; so {error}", first.found)),
        None => error,
    })
}

/// Why a description that went to its end came to another one.
fn other_end(steps: &[Record], seen: &Seen, expected: &Numbers, end: &Step) -> Result<Error> {
    let goes_on = format!("`forward` goes on behind it, to {:?}", expected.dims());
    if let Some(lacking) = behind(steps, expected)? {
        let found = format!("{goes_on}: it has {lacking}, which the description lacks");
        return Ok(differs(end.name(), found));
    }
    Ok(match first(steps, seen, end.tensor())? {
        Some(first) => differs(&first.step, first.found),
        None => differs(end.name(), goes_on),
    })
}

fn differs(step: &str, found: String) -> Error {
    Error::Description { step: step.to_string(), found }
}
