//! What numbers a value takes, and whole numbers for them.

use std::collections::HashMap;

use candle_core::Tensor as Numbers;

use super::super::deconv::maps_of;
use crate::onnx::{Graph, Operator, evaluate};
use crate::{Error, Result};

/// The whole numbers of weights.
pub const WEIGHTS: [f32; 2] = [-64., 63.];

/// The least and the largest number of a value, 0 within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub least: f32,
    pub largest: f32,
}

impl Range {
    /// The step between two of 256 numbers.
    pub fn scale(self) -> f32 {
        ((self.largest - self.least) / 255.).max(f32::MIN_POSITIVE)
    }

    /// The number that stands for 0.
    pub fn zero(self) -> u8 {
        (-self.least / self.scale()).round().clamp(0., 255.) as u8
    }
}

/// The ranges of a graph's values over given inputs.
pub struct Ranges {
    observed: HashMap<String, Range>,
}

impl Ranges {
    /// Runs the graph.
    ///
    /// # Errors
    /// As [`evaluate::run`].
    pub fn observe(graph: &Graph, inputs: HashMap<String, Numbers>) -> Result<Ranges> {
        let mut observed = HashMap::new();
        for (name, value) in evaluate::values(graph, inputs)? {
            if graph.constant(&name).is_none() && value.dtype() == candle_core::DType::F64 {
                let numbers: Vec<f64> = value.flatten_all()?.to_vec1()?;
                let fold = |f: fn(f64, f64) -> f64| numbers.iter().copied().fold(0., f) as f32;
                observed.insert(name, Range { least: fold(f64::min), largest: fold(f64::max) });
            }
        }
        Ok(Ranges { observed })
    }

    /// That of a value.
    ///
    /// # Errors
    /// [`Error::Graph`] for one that the graph doesn't compute.
    pub(super) fn of(&self, name: &str) -> Result<Range> {
        self.observed.get(name).copied().ok_or_else(|| Error::Graph {
            node: name.to_string(),
            message: "nothing is known of its range".to_string(),
        })
    }

    /// That of a layer's output as it is stored. Where it only moves on into a larger value, it is that
    /// one's, so that it is rounded once. Where it is squashed, it ends where nothing changes any more.
    ///
    /// # Errors
    /// As [`Ranges::of`].
    pub(super) fn of_output(&self, graph: &Graph, name: &str) -> Result<Range> {
        let own = self.of(name)?;
        let Some(user) = graph.users(name).next().filter(|_| graph.uses(name) == 1) else {
            return Ok(own);
        };
        match &user.operator {
            Operator::Concat { .. } | Operator::DepthToSpace { .. } | Operator::Reshape { .. } => {
                self.of_output(graph, &user.name)
            }
            _ => Ok(squashed(graph, name, own)),
        }
    }
}

/// A range cut down to where what follows still tells numbers apart.
fn squashed(graph: &Graph, name: &str, own: Range) -> Range {
    let Some(mut user) = graph.users(name).next() else { return own };
    let mut added = Range { least: 0., largest: 0. };
    if let Some((_, maps)) = maps_of(graph, user, name) {
        let maps = maps.floats();
        added.least = maps.iter().copied().fold(f32::INFINITY, f32::min);
        added.largest = maps.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match graph.users(&user.name).next().filter(|_| graph.uses(&user.name) == 1) {
            Some(next) => user = next,
            None => return own,
        }
    }
    // There sigmoid and tanh are a tenth of an 8-bit level from their ends.
    let reach = match user.operator {
        Operator::Sigmoid => 8.,
        Operator::Tanh => 4.,
        _ => return own,
    };
    Range {
        least: own.least.max(-reach - added.largest).min(0.),
        largest: own.largest.min(reach - added.least).max(0.),
    }
}

/// The step of each output channel's weights, so many numbers a channel.
pub fn steps(weight: &[f32], size: usize) -> Vec<f32> {
    let step = |row: &[f32]| {
        let most = |sign: f32| row.iter().fold(0f32, |most, w| most.max(sign * w));
        (most(1.) / WEIGHTS[1]).max(most(-1.) / -WEIGHTS[0]).max(f32::MIN_POSITIVE)
    };
    weight.chunks(size.max(1)).map(step).collect()
}

/// A weight in steps.
pub fn whole(weight: f32, step: f32) -> i8 {
    (weight / step).round().clamp(WEIGHTS[0], WEIGHTS[1]) as i8
}
