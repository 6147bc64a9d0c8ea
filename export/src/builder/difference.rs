//! Where a description first says something else than `forward`.
//!
//! Candle keeps what a result was computed from, for its gradients, as long as a variable went in
//! (`Tensor::sorted_nodes`). So the inputs go into `forward` as variables, and every number that it computed
//! on the way to its end can be looked at. A description that differs at the end differs first in the step
//! whose result is not among them, although those of the steps before it are. A few of Candle's kernels
//! (softmax along the last axis, layer norm) keep nothing; what they hide in `forward` they also hide in the
//! description's own trial, so such steps are known, and named beside the first that can be seen.

use std::collections::{HashMap, HashSet};

use candle_core::{DType, Device, Tensor as Numbers, TensorId};
use candle_nn::{Activation, Module};

use super::Record;
use crate::Result;

/// How far two computations of the same may be apart, in proportion to the size of the numbers.
const TOLERANCE: f64 = 1e-4;

/// Numbers row by row.
type Row = Vec<f64>;

/// All that `forward` was seen to compute.
pub struct Seen {
    /// By how many numbers they are: another shape of the same is the same.
    by_count: HashMap<usize, Vec<Row>>,
    /// Whether its beginning is among it: a kernel that keeps nothing may stand between.
    begins: bool,
}

/// The first difference.
#[derive(Debug, PartialEq, Eq)]
pub struct First {
    /// The step's name.
    pub step: String,
    /// What was found there, in words.
    pub found: String,
}

impl Seen {
    /// What a result was computed from, of these inputs.
    ///
    /// # Errors
    /// Candle's.
    pub fn of(output: &Numbers, inputs: &[Numbers]) -> Result<Seen> {
        let mut by_count: HashMap<usize, Vec<Row>> = HashMap::new();
        let nodes = output.sorted_nodes();
        let begins = inputs.iter().any(|input| nodes.iter().any(|node| node.id() == input.id()));
        for node in nodes.into_iter().chain([output]) {
            if node.dtype().is_float() {
                by_count.entry(node.elem_count()).or_default().push(row(node)?);
            }
        }
        Ok(Seen { by_count, begins })
    }

    /// Whether these numbers are among them.
    fn has(&self, numbers: &Row) -> bool {
        self.by_count.get(&numbers.len()).is_some_and(|rows| rows.iter().any(|row| is_same(row, numbers)))
    }
}

/// Whether two results are the same but for rounding, in shape and in numbers.
///
/// # Errors
/// Candle's.
pub fn agree(a: &Numbers, b: &Numbers) -> Result<bool> {
    Ok(a.dims() == b.dims() && is_same(&row(a)?, &row(b)?))
}

/// The first step that `forward` doesn't take; none if it takes all of them. `end` is the description's
/// last one, if there is one.
///
/// # Errors
/// Candle's.
pub fn first(steps: &[Record], seen: &Seen, end: Option<&Numbers>) -> Result<Option<First>> {
    let rows = steps.iter().map(|step| row(&step.traced)).collect::<Result<Vec<_>>>()?;
    // Right are those that `forward` computes too, and those from which such were made.
    let mut right = HashSet::new();
    for (step, row) in steps.iter().zip(&rows).rev() {
        if right.contains(step.name.as_str()) || seen.has(row) {
            right.insert(step.name.as_str());
            right.extend(step.inputs.iter().map(String::as_str));
        }
    }
    let wrong: Vec<usize> = (0..steps.len()).filter(|&at| !right.contains(steps[at].name.as_str())).collect();
    let Some(&earliest) = wrong.first() else { return Ok(None) };
    if right.is_empty() && !seen.begins {
        let found = "or behind it: `forward` ends in something else, and Candle keeps nothing of what came \
                     before its last softmax along the last axis or layer norm; try what comes before that on \
                     its own";
        return Ok(Some(First { step: steps[earliest].name.clone(), found: found.to_string() }));
    }
    let find = |visible: HashSet<TensorId>| {
        wrong.iter().copied().find(|&at| visible.contains(&steps[at].traced.id()))
    };
    // Where the description's own end keeps nothing and that of `forward` does, all that it came to is seen.
    let at = find(visible(steps, end)).or_else(|| find(visible(steps, None)).filter(|_| seen.begins));
    let hidden: Vec<&str> = wrong
        .iter()
        .take_while(|&&wrong| Some(wrong) != at)
        .map(|&wrong| steps[wrong].name.as_str())
        .collect();
    let Some(at) = at else {
        let found = format!(
            "`forward` ends in something else, and Candle keeps nothing of what happens between here and its \
             end ({}); weights in a VarMap let it keep more",
            hidden.join(", ")
        );
        return Ok(Some(First { step: steps[earliest].name.clone(), found }));
    };
    let step = &steps[at];
    let mut found = format!("`forward` computes no such {:?}", step.traced.dims());
    if let Some(lacking) = lacking(step, steps, &rows, seen)? {
        found = format!("{found}; it has {lacking}, which the description lacks");
    }
    if !hidden.is_empty() {
        let hidden = hidden.join(", ");
        found = format!("{found}; or in {hidden} before it, whose results Candle doesn't keep");
    }
    Ok(Some(First { step: step.name.clone(), found }))
}

/// The activation of a description's last step that `forward` ends in, where it stops too early.
///
/// # Errors
/// Candle's.
pub fn behind(steps: &[Record], expected: &Numbers) -> Result<Option<String>> {
    let Some(last) = steps.last() else { return Ok(None) };
    for (name, y) in activations(&last.traced) {
        if agree(&y?, expected)? {
            return Ok(Some(format!("the {name} of {}", last.name)));
        }
    }
    Ok(None)
}

/// Steps whose results Candle keeps, as the description's own trial shows.
fn visible(steps: &[Record], end: Option<&Numbers>) -> HashSet<TensorId> {
    let ends: Vec<&Numbers> = match end {
        Some(end) => vec![end],
        // A description that broke off has no end: all that it came to.
        None => steps.iter().map(|step| &step.traced).collect(),
    };
    ends.into_iter().flat_map(|end| end.sorted_nodes()).map(Numbers::id).collect()
}

/// An activation that `forward` has of one of a step's inputs and the description nowhere, in words.
fn lacking(step: &Record, steps: &[Record], rows: &[Row], seen: &Seen) -> Result<Option<String>> {
    for input in &step.inputs {
        if let Some(input) = steps.iter().find(|step| step.name == *input)
            && let Some(found) = activation_of(input, rows, seen)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// An activation of a step that `forward` has and the description nowhere, in words.
fn activation_of(step: &Record, rows: &[Row], seen: &Seen) -> Result<Option<String>> {
    for (name, y) in activations(&step.traced) {
        let y = row(&y?)?;
        if seen.has(&y) && !rows.iter().any(|row| is_same(row, &y)) {
            return Ok(Some(format!("the {name} of {}", step.name)));
        }
    }
    Ok(None)
}

/// What is forgotten most easily: what a model has in its `forward` alone, and in no module.
fn activations(x: &Numbers) -> Vec<(&'static str, candle_core::Result<Numbers>)> {
    if x.rank() == 0 || !x.dtype().is_float() {
        return Vec::new();
    }
    let of = |activation: Activation| activation.forward(x);
    vec![
        ("ReLU", of(Activation::Relu)),
        ("GELU", of(Activation::Gelu)),
        ("GELU by tanh", of(Activation::NewGelu)),
        ("SiLU", of(Activation::Silu)),
        ("sigmoid", of(Activation::Sigmoid)),
        ("tanh", x.tanh()),
        ("softmax", candle_nn::ops::softmax(x, candle_core::D::Minus1)),
    ]
}

fn row(numbers: &Numbers) -> Result<Row> {
    Ok(numbers.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

fn is_same(a: &Row, b: &Row) -> bool {
    let size = (a.iter().map(|a| a * a).sum::<f64>() / a.len().max(1) as f64).sqrt();
    let close = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= TOLERANCE * size.max(a.abs());
    a.len() == b.len() && a.iter().zip(b).all(close)
}
