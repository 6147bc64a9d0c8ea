//! What both models are run on: inputs that both take, filled from a seed.

use contract::latent::{latents, normal_latents};
use contract::{LatentDistribution, tensor};
use infer::Values;

use super::pairs::{Form, Input, Kind, Sizes, keys, pairs};
use crate::inspect::{Report, classes, contract};
use crate::proof::BATCHES;

/// How many rows are compared at least: as many as the largest batch.
const ROWS: usize = 64;
/// More numbers in one input are a sign of a damaged file.
const MOST_NUMBERS: usize = 1 << 26;

/// One run of both models.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<'a> {
    /// The first row's number.
    pub first: usize,
    /// How many rows.
    pub batch: usize,
    /// The classes of the rows, if the models are labelled.
    pub classes: Option<usize>,
    /// The inputs of either model, in the plan's order.
    pub inputs: [Vec<infer::Input<'a>>; 2],
}

impl Run<'_> {
    /// The class of a row of this run.
    pub fn class(&self, row: usize) -> Option<usize> {
        self.classes.map(|classes| (self.first + row) % classes)
    }
}

/// What both models are run on.
#[derive(Clone, Debug)]
pub struct Plan {
    inputs: Vec<Input>,
    batches: Vec<usize>,
    samples: usize,
    classes: Option<usize>,
    seed: u64,
}

impl Plan {
    /// A plan for two models.
    ///
    /// # Errors
    /// A sentence, if they take different things, or the files don't say what.
    pub fn new(a: &Report, b: &Report, sizes: &Sizes, seed: u64) -> Result<Plan, String> {
        check_sizes(a, b, sizes)?;
        let pairs = pairs("takes", &a.inputs, &b.inputs)?;
        let contracts = [contract(&a.metadata).ok(), contract(&b.metadata).ok()];
        // A label that one of the models doesn't know would be an error in it.
        let named = [a, b].map(|report| classes(&report.metadata).map_or(0, |names| names.len()));
        let classes = named.into_iter().filter(|&count| count > 0).min();
        let latents = contracts.iter().flatten().map(|contract| contract.latent_distribution).next();
        let inputs: Vec<Input> = pairs
            .into_iter()
            .map(|(a, b)| {
                let is_called = |name| a.name == name || b.name == name;
                let kind = match (latents, classes) {
                    (Some(distribution), _) if is_called(tensor::Z) => Kind::Latents(distribution),
                    (_, Some(classes)) if is_called(tensor::LABEL) => Kind::Labels(classes),
                    _ => Kind::Uniform,
                };
                Input::new(a, b, kind, sizes)
            })
            .collect::<Result<_, String>>()?;
        let forms = || inputs.iter().map(|input| &input.forms[0]);
        let has_batch = forms().any(|form| form.dims.contains(&None));
        let fixed = forms().find_map(|form| *form.dims.first()?).unwrap_or(1);
        let batches = if has_batch { BATCHES.to_vec() } else { vec![fixed.max(1)] };
        let rows = ROWS.max(classes.unwrap_or(0));
        let samples = if has_batch { rows } else { rows.next_multiple_of(batches[0]) };
        let plan = Plan { inputs, batches, samples, classes, seed };
        plan.check()?;
        Ok(plan)
    }

    /// Refuses inputs that can't be filled, before any is.
    fn check(&self) -> Result<(), String> {
        let largest = self.batches.iter().copied().max().unwrap_or(1);
        for Form { name, element, dims } in self.inputs.iter().flat_map(|input| &input.forms) {
            let count =
                dims.iter().try_fold(1usize, |product, dim| product.checked_mul(dim.unwrap_or(largest)));
            match count {
                Some(1..=MOST_NUMBERS) => {}
                _ => {
                    return Err(format!(
                        "the input {name} would have none or more than {MOST_NUMBERS} numbers"
                    ));
                }
            }
            if !["float32", "float64", "int64", "int32", "uint8", "bool"].contains(&element.as_str()) {
                return Err(format!(
                    "the input {name} is of {element}; inputs are made of float32, float64, int64, int32, \
                     uint8 and bool"
                ));
            }
        }
        Ok(())
    }

    /// How many rows go through both models in batches of each size.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The sizes of the batches.
    pub fn batches(&self) -> &[usize] {
        &self.batches
    }

    /// All runs: every row in batches of each size.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.batches.iter().flat_map(move |&batch| {
            (0..self.samples).step_by(batch).map(move |first| {
                let batch = batch.min(self.samples - first);
                let inputs = [0, 1].map(|side| {
                    let numbered = self.inputs.iter().zip(0..);
                    numbered.map(|(input, number)| self.fill(input, side, number, first, batch)).collect()
                });
                Run { first, batch, classes: self.classes, inputs }
            })
        })
    }

    /// One input of one run. What a row holds depends on the seed, the input and the row's number, not
    /// on the batch.
    fn fill<'a>(
        &self,
        input: &'a Input,
        side: usize,
        number: u64,
        first: usize,
        batch: usize,
    ) -> infer::Input<'a> {
        let form = &input.forms[side];
        let dims: Vec<usize> = form.dims.iter().map(|dim| dim.unwrap_or(batch)).collect();
        // What isn't batched is one row.
        let rows = dims.first().copied().filter(|&size| size == batch).unwrap_or(1);
        let length = dims.iter().product::<usize>() / rows;
        let row = |row: u64| match input.kind {
            Kind::Latents(LatentDistribution::Normal) => normal_latents(self.seed, row, length),
            Kind::Latents(LatentDistribution::Uniform) => latents(self.seed, row, length),
            // Each input has a stream of its own.
            Kind::Uniform => latents(self.seed.wrapping_add(number), row, length),
            Kind::Labels(classes) => {
                let class = row as usize % classes;
                match length {
                    1 => vec![class as f32],
                    _ => (0..length).map(|other| if other == class { 1. } else { 0. }).collect(),
                }
            }
        };
        let numbers = (first..first + rows).flat_map(|index| row(index as u64));
        let is_label = matches!(input.kind, Kind::Labels(_));
        let whole = |number: f32| if is_label { number as i64 } else { i64::from(number >= 0.) };
        let values = match form.element.as_str() {
            "float64" => Values::Float64(numbers.map(f64::from).collect()),
            "int64" => Values::Int64(numbers.map(whole).collect()),
            "int32" => Values::Int32(numbers.map(|number| whole(number) as i32).collect()),
            "uint8" => Values::Uint8(numbers.map(|number| whole(number) as u8).collect()),
            "bool" => Values::Bool(numbers.map(|number| whole(number) != 0).collect()),
            _ => Values::Float32(numbers.collect()),
        };
        infer::Input { name: (&form.name).into(), shape: dims.into(), values }
    }
}

/// Refuses a size that no input has a place for.
fn check_sizes(a: &Report, b: &Report, sizes: &Sizes) -> Result<(), String> {
    let values = a.inputs.iter().chain(&b.inputs);
    let mut open: Vec<String> = values
        .flat_map(|value| {
            let dims = value.dims.iter().flatten().enumerate();
            dims.flat_map(|(axis, dim)| keys(value, axis, dim))
        })
        .collect();
    open.sort();
    open.dedup();
    match sizes.keys().find(|name| !open.contains(name)) {
        None => Ok(()),
        Some(name) if open.is_empty() => {
            Err(format!("--size {name}: all dimensions of the inputs have sizes; leave it out"))
        }
        Some(name) => Err(format!(
            "--size {name}: no input has such a dimension; those that are open: {}",
            open.join(", ")
        )),
    }
}
