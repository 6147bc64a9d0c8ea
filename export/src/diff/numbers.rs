//! How far what two models compute is apart, and where.

use contract::PixelRange;
use infer::Values;
use serde::Serialize;

use super::inputs::Run;
use super::pairs::pairs;
use crate::inspect::{Report, contract};

/// How far one output's numbers are apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputDifference {
    /// Its name in the first file.
    pub name: String,
    /// How many numbers were compared.
    pub values: usize,
    /// The largest absolute difference; infinite, and `null` in JSON, if a side isn't finite.
    pub largest: f64,
    /// The mean absolute difference of the pairs of finite numbers.
    pub mean: f64,
    /// How many pairs have a side that isn't finite.
    pub not_finite: usize,
    /// Where the largest is; none if all numbers are the same.
    pub place: Option<Place>,
    /// The same as 8-bit pixels, if the output is one of pictures and its range is known.
    pub levels: Option<Levels>,
}

/// Where in the runs a number is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Size of the batch.
    pub batch: usize,
    /// The row's number among all rows, from 0: the index of the image, in a seed's sequence.
    pub sample: usize,
    /// The row's class.
    pub class: Option<usize>,
    /// Where in the output of that batch, row first.
    pub index: Vec<usize>,
    /// The first model's number.
    pub a: f64,
    /// The second model's.
    pub b: f64,
}

/// How far 8-bit pixels are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// The largest difference, in levels of 255.
    pub largest: u8,
    /// How many pixels differ.
    pub differing: usize,
}

/// One output of a run, as float64, which holds every number of the types that it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    dims: Vec<usize>,
    numbers: Vec<f64>,
    /// Whether they are 8-bit levels.
    is_levels: bool,
}

impl Output {
    /// An output as ONNX Runtime gives it.
    pub fn new(shape: &[i64], values: &Values<'_>) -> Output {
        let numbers = match values {
            Values::Float32(numbers) => numbers.iter().map(|&number| number.into()).collect(),
            Values::Float64(numbers) => numbers.to_vec(),
            Values::Int64(numbers) => numbers.iter().map(|&number| number as f64).collect(),
            Values::Int32(numbers) => numbers.iter().map(|&number| number.into()).collect(),
            Values::Uint8(numbers) => numbers.iter().map(|&number| number.into()).collect(),
            Values::Bool(numbers) => numbers.iter().map(|&number| u8::from(number).into()).collect(),
        };
        let dims = shape.iter().map(|&size| size as usize).collect();
        Output { dims, numbers, is_levels: matches!(values, Values::Uint8(_)) }
    }
}

/// A comparison under way.
pub struct Comparison {
    outputs: Vec<OutputDifference>,
    names: [Vec<String>; 2],
    range: Option<PixelRange>,
}

impl Comparison {
    /// Of two models' outputs.
    ///
    /// # Errors
    /// A sentence, if they give different things.
    pub fn new(a: &Report, b: &Report) -> Result<Comparison, String> {
        let pairs = pairs("gives", &a.outputs, &b.outputs)?;
        let none = |name: &str| OutputDifference {
            name: name.to_string(),
            values: 0,
            largest: 0.,
            mean: 0.,
            not_finite: 0,
            place: None,
            levels: None,
        };
        let range = [a, b].into_iter().find_map(|report| contract(&report.metadata).ok());
        Ok(Comparison {
            outputs: pairs.iter().map(|(a, _)| none(&a.name)).collect(),
            names: [
                pairs.iter().map(|(a, _)| a.name.clone()).collect(),
                pairs.iter().map(|(_, b)| b.name.clone()).collect(),
            ],
            range: range.map(|contract| contract.pixel_range),
        })
    }

    /// The outputs' names in the first model, or in the second.
    pub fn names(&self, side: usize) -> Vec<&str> {
        self.names[side].iter().map(String::as_str).collect()
    }

    /// Takes in what both models made of a run.
    ///
    /// # Errors
    /// A sentence, if an output has two shapes.
    pub fn add(&mut self, run: &Run<'_>, a: &[Output], b: &[Output]) -> Result<(), String> {
        for (total, (a, b)) in self.outputs.iter_mut().zip(a.iter().zip(b)) {
            if a.dims != b.dims {
                return Err(format!(
                    "in a batch of {} the output {} has the shape {:?} in the first, {:?} in the second",
                    run.batch, total.name, a.dims, b.dims
                ));
            }
            let range = self.range.filter(|_| a.dims.len() == 4);
            total.add(run, a, b, range);
        }
        Ok(())
    }

    /// The differences, output by output.
    pub fn finish(self) -> Vec<OutputDifference> {
        self.outputs
    }
}

impl OutputDifference {
    fn add(&mut self, run: &Run<'_>, a: &Output, b: &Output, range: Option<PixelRange>) {
        let finite = self.values - self.not_finite;
        let mut sum = self.mean * finite as f64;
        for (place, (&of_a, &of_b)) in a.numbers.iter().zip(&b.numbers).enumerate() {
            let (x, y) = (value(of_a, a, range), value(of_b, b, range));
            let difference = (x - y).abs();
            let difference = if difference.is_finite() {
                sum += difference;
                difference
            } else {
                self.not_finite += 1;
                f64::INFINITY
            };
            if difference > self.largest {
                self.largest = difference;
                self.place = Some(self::place(run, &a.dims, place, x, y));
            }
            if let Some(range) = range {
                let distance = level(of_a, a, range).abs_diff(level(of_b, b, range));
                let levels = self.levels.get_or_insert_default();
                levels.largest = levels.largest.max(distance);
                levels.differing += usize::from(distance > 0);
            }
        }
        self.values += a.numbers.len();
        self.mean = sum / ((self.values - self.not_finite) as f64).max(1.);
    }
}

/// A number of an output; a level as the number that it stands for.
fn value(number: f64, output: &Output, range: Option<PixelRange>) -> f64 {
    match range {
        Some(PixelRange::ZeroToOne) if output.is_levels => number / 255.,
        Some(PixelRange::MinusOneToOne) if output.is_levels => number / 127.5 - 1.,
        _ => number,
    }
}

/// A number of an output as an 8-bit pixel.
fn level(number: f64, output: &Output, range: PixelRange) -> u8 {
    if output.is_levels { number as u8 } else { range.to_u8(number as f32) }
}

fn place(run: &Run<'_>, dims: &[usize], place: usize, a: f64, b: f64) -> Place {
    let index: Vec<usize> =
        (0..dims.len()).map(|axis| place / dims[axis + 1..].iter().product::<usize>() % dims[axis]).collect();
    // Of an output that isn't batched the row is the run's first.
    let row = match dims.first() {
        Some(&rows) if rows == run.batch => index[0],
        _ => 0,
    };
    Place { batch: run.batch, sample: run.first + row, class: run.class(row), index, a, b }
}
