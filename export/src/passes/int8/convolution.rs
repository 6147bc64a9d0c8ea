//! Convolutions, between `DequantizeLinear` and `QuantizeLinear`.

use std::collections::{HashMap, HashSet};

use super::super::deconv::maps_of;
use super::super::weights::Weights;
use super::layers::Layer;
use super::planes::{self, Planes, Share};
use super::range::{Range, Ranges, steps, whole};
use crate::Result;
use crate::onnx::{Graph, Node, Operator, Rewrite, Sliding, Tensor, Value};

/// Goes over the convolutions of a graph.
pub struct Pass<'a> {
    graph: &'a Graph,
    ranges: &'a Ranges,
    /// Nodes that went into those before them.
    done: HashSet<String>,
    /// Values of the old graph that the new one has as whole numbers.
    stored: HashMap<String, Stored>,
    /// What each layer's convolutions take, once its first one is there.
    taken: HashMap<String, Taken>,
}

/// A value as whole numbers.
#[derive(Clone)]
struct Stored {
    value: Value,
    range: Range,
}

/// What all convolutions of a layer take.
#[derive(Clone)]
struct Taken {
    x: Stored,
    /// For each convolution, the weights of the planes behind `x`: (channels, planes, kernel).
    planes: HashMap<String, Vec<i8>>,
}

impl<'a> Pass<'a> {
    /// Over this graph, whose values have these ranges.
    pub fn new(graph: &'a Graph, ranges: &'a Ranges) -> Pass<'a> {
        Pass { graph, ranges, done: HashSet::new(), stored: HashMap::new(), taken: HashMap::new() }
    }

    /// Whether a node went into one before it.
    pub fn is_done(&self, node: &Node) -> bool {
        self.done.contains(&node.name)
    }

    /// Writes one convolution of a layer.
    ///
    /// # Errors
    /// None for a graph that [`Graph`] accepted.
    pub fn quantise(&mut self, rewrite: &mut Rewrite<'_>, node: &'a Node, layer: &Layer) -> Result<()> {
        let (Operator::Conv(sliding), Some(weights)) = (&node.operator, Weights::of(self.graph, node)) else {
            return rewrite.copy(node);
        };
        let taken = match self.taken.get(&layer.name) {
            Some(taken) => taken.clone(),
            None => self.take(rewrite, node, layer)?,
        };
        let Taken { x, planes } = &taken;
        let name = &node.name;
        let operator = Operator::DequantizeLinear { scale: x.range.scale(), zero: x.range.zero() };
        let floats = rewrite.node(&format!("{name}.x"), operator, &[&x.value])?;
        let steps = steps(&weights.weight.floats(), per_output(&weights));
        let planes = planes.get(name);
        let weight = with_planes(&weights, &steps, planes)?;
        let mut inputs = vec![floats, whole_numbers(rewrite, &node.inputs[1], weight, &steps)?];
        if let Some(bias) = weights.bias {
            let steps: Vec<f32> = steps.iter().map(|step| step * x.range.scale()).collect();
            let numbers = bias.floats().into_iter().zip(&steps).map(|(b, step)| (b / step).round() as i32);
            let bias = Tensor::int32(bias.dims(), numbers)?;
            // The phases of a transposed convolution share theirs, and have steps of their own.
            inputs.push(whole_numbers(rewrite, &format!("{name}.bias"), bias, &steps)?);
        }
        let mut y = rewrite.node(name, Operator::Conv(*sliding), &inputs.iter().collect::<Vec<_>>())?;

        // What the planes add isn't added again; and a step of the output is behind the ReLU.
        let mut end = name;
        if planes.is_some()
            && let Some(add) = self.only_user(end)
        {
            self.done.insert(add.name.clone());
            end = &add.name;
        }
        if let Some(relu) = self.only_user(end).filter(|user| user.operator == Operator::Relu) {
            y = rewrite.node(&relu.name, Operator::Relu, &[&y])?;
            self.done.insert(relu.name.clone());
            end = &relu.name;
        }
        let range = self.ranges.of_output(self.graph, end)?;
        let stored = store(rewrite, name, &y, range)?;
        let operator = Operator::DequantizeLinear { scale: range.scale(), zero: range.zero() };
        let y = rewrite.node(&format!("{name}.y"), operator, &[&stored.value])?;
        self.stored.insert(end.clone(), stored);
        rewrite.stand_for(end, y);
        Ok(())
    }

    /// The only node that a value goes into.
    fn only_user(&self, value: &'a str) -> Option<&'a Node> {
        self.graph.users(value).next().filter(|_| self.graph.uses(value) == 1)
    }

    /// What a layer takes, as whole numbers: its input, and planes for what labels add behind it.
    fn take(&mut self, rewrite: &mut Rewrite<'_>, node: &'a Node, layer: &Layer) -> Result<Taken> {
        let input = &node.inputs[0];
        let range = self.ranges.of(input)?;
        let taken = match self.planes(layer, input, range) {
            Some((planes, indices)) => {
                let size = self.planes_of(input).map(|(_, size)| size).unwrap_or_default();
                let table = planes.table(range.scale(), size)?;
                let table = rewrite.initializer(&format!("{}.label.planes", layer.name), table)?;
                let indices = rewrite.value(&indices)?;
                let row = format!("{}.label.planes.row", layer.name);
                let row = rewrite.node(&row, Operator::Gather, &[&table, &indices])?;
                let x = rewrite.value(input)?;
                let name = format!("{}.with.label", layer.name);
                let both = rewrite.node(&name, Operator::Concat { axis: 1 }, &[&x, &row])?;
                let x = store(rewrite, &name, &both, range)?;
                Taken { x, planes: layer.nodes.iter().cloned().zip(planes.weights).collect() }
            }
            None => {
                let x = match self.stored.get(input) {
                    Some(stored) => stored.clone(),
                    None => {
                        let x = rewrite.value(input)?;
                        store(rewrite, &format!("{}.in", layer.name), &x, range)?
                    }
                };
                Taken { x, planes: HashMap::new() }
            }
        };
        self.taken.insert(layer.name.clone(), taken.clone());
        Ok(taken)
    }

    /// Channels, and rows and columns, of a value.
    fn planes_of(&self, value: &str) -> Option<(usize, [usize; 2])> {
        match self.graph.value(value)?.type_of().dims.as_slice() {
            [_, channels, rows, columns] => Some((channels.fixed()?, [rows.fixed()?, columns.fixed()?])),
            _ => None,
        }
    }

    /// Planes for the maps that a label adds behind all of a layer's convolutions, and what tells the label;
    /// none where they don't make them, or where adding the maps costs less.
    fn planes(&self, layer: &Layer, input: &str, range: Range) -> Option<(Planes, String)> {
        let (channels, size) = self.planes_of(input)?;
        // The planes' numbers begin with 0.
        if range.zero() != 0 {
            return None;
        }
        let (mut shares, mut added, mut found) = (Vec::new(), 0, None);
        for name in &layer.nodes {
            let node = self.graph.producer(name)?;
            let Operator::Conv(sliding) = &node.operator else { return None };
            let add = self.graph.users(name).next().filter(|_| self.graph.uses(name) == 1)?;
            let (gather, maps) = maps_of(self.graph, add, name)?;
            let &[classes, ref map @ ..] = maps.dims() else { return None };
            added += map.iter().product::<usize>();
            let label = (gather.inputs[1].clone(), classes);
            if found.get_or_insert_with(|| label.clone()) != &label {
                return None;
            }
            shares.push(share(Weights::of(self.graph, node)?, maps, sliding, size, range)?);
        }
        let (indices, classes) = found?;
        let worth_it = added >= channels * size[0] * size[1];
        Some((Planes::new(&shares, channels, classes).filter(|_| worth_it)?, indices))
    }
}

/// What planes are to add to one convolution.
fn share(
    weights: Weights<'_>,
    maps: &Tensor,
    sliding: &Sliding,
    size: [usize; 2],
    range: Range,
) -> Option<Share> {
    let steps = steps(&weights.weight.floats(), per_output(&weights));
    let kernel: usize = sliding.kernel.iter().product();
    let mut target = planes::weights(maps, sliding, size)?;
    let of_channel = target.len() / steps.len();
    for (channel, step) in target.chunks_mut(of_channel).zip(&steps) {
        channel.iter_mut().for_each(|weight| *weight /= f64::from(*step) * f64::from(range.scale()));
    }
    Some(Share { target, kernel })
}

/// Weights of one output.
fn per_output(weights: &Weights<'_>) -> usize {
    weights.weight.elements() / weights.outputs().max(1)
}

/// The weights as whole numbers, with those of planes behind each output's.
fn with_planes(weights: &Weights<'_>, steps: &[f32], planes: Option<&Vec<i8>>) -> Result<Tensor> {
    let mut dims = weights.weight.dims().to_vec();
    let kernel: usize = dims[2..].iter().product();
    let more = planes.map_or(0, |planes| planes.len() / steps.len());
    dims[1] += more / kernel;
    let numbers = weights.weight.floats();
    let rows = numbers.chunks(per_output(weights)).zip(steps).enumerate();
    let numbers = rows.flat_map(|(output, (row, step))| {
        let planes = planes.map_or(&[][..], |planes| &planes[output * more..][..more]);
        row.iter().map(|&weight| whole(weight, *step)).chain(planes.iter().copied())
    });
    Tensor::int8(&dims, numbers)
}

/// A constant of whole numbers, and what they stand for.
fn whole_numbers(rewrite: &mut Rewrite<'_>, name: &str, numbers: Tensor, steps: &[f32]) -> Result<Value> {
    let name = rewrite.unused(name, ".int8");
    let zeros = match numbers.element() {
        crate::onnx::Element::Int32 => Tensor::int32(&[steps.len()], vec![0; steps.len()])?,
        _ => Tensor::int8(&[steps.len()], vec![0; steps.len()])?,
    };
    let inputs = [
        rewrite.initializer(&format!("{name}.int8"), numbers)?,
        rewrite
            .initializer(&format!("{name}.steps"), Tensor::float32(&[steps.len()], steps.iter().copied())?)?,
        rewrite.initializer(&format!("{name}.zeros"), zeros)?,
    ];
    rewrite.node(&format!("{name}.floats"), Operator::DequantizeChannels, &inputs.iter().collect::<Vec<_>>())
}

/// A value as whole numbers of this range.
fn store(rewrite: &mut Rewrite<'_>, name: &str, value: &Value, range: Range) -> Result<Stored> {
    let operator = Operator::QuantizeLinear { scale: range.scale(), zero: range.zero() };
    Ok(Stored { value: rewrite.node(&format!("{name}.uint8"), operator, &[value])?, range })
}
