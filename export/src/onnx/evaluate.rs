//! What a graph computes, in double precision: the definition of each operator in Candle's own tensor
//! operations. Passes fold constants with it, and are tested with it.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Tensor as Numbers};

use super::graph::{Graph, Node};
use super::operator::{Operator, Sliding};
use super::tensor::{Element, Tensor};
use crate::{Error, Result};

/// The graph's outputs, in their order, of these inputs: float64 for numbers, int64 for indices.
///
/// # Errors
/// [`Error::Graph`] if an input is missing, or at strides that differ between the axes; Candle's.
pub fn run(graph: &Graph, inputs: HashMap<String, Numbers>) -> Result<Vec<Numbers>> {
    let values = values(graph, inputs)?;
    let get = |name: &str| values.get(name).cloned().ok_or_else(|| missing(name));
    graph.outputs().map(|(_, value)| get(value.name())).collect()
}

/// Every value of the graph that something uses, by its name.
///
/// # Errors
/// As [`run`].
pub fn values(graph: &Graph, inputs: HashMap<String, Numbers>) -> Result<HashMap<String, Numbers>> {
    let mut values = inputs;
    for node in graph.nodes() {
        for name in &node.inputs {
            if let (false, Some(tensor)) = (values.contains_key(name), graph.constant(name)) {
                values.insert(name.clone(), numbers(tensor)?);
            }
        }
        let inputs = node.inputs.iter().map(|name| values.get(name).ok_or_else(|| missing(name)));
        let value = evaluate(node, &inputs.collect::<Result<Vec<_>>>()?)?;
        values.insert(node.name.clone(), value);
    }
    Ok(values)
}

fn missing(name: &str) -> Error {
    Error::Graph { node: name.to_string(), message: "has no value to compute with".to_string() }
}

/// An initializer to compute with: float64, or int64.
pub fn numbers(tensor: &Tensor) -> Result<Numbers> {
    Ok(match tensor.element() {
        Element::Int64 => Numbers::from_vec(tensor.integers(), tensor.dims(), &Device::Cpu)?,
        _ => Numbers::from_vec(tensor.floats(), tensor.dims(), &Device::Cpu)?.to_dtype(DType::F64)?,
    })
}

/// A computed value as the file holds it: rounded to float32 once.
pub fn tensor(numbers: &Numbers) -> Result<Tensor> {
    let flat = numbers.flatten_all()?;
    match numbers.dtype() {
        DType::I64 => Tensor::int64(numbers.dims(), flat.to_vec1::<i64>()?),
        _ => Tensor::float32(numbers.dims(), flat.to_dtype(DType::F32)?.to_vec1::<f32>()?),
    }
}

/// A node's output.
///
/// # Errors
/// As [`run`].
pub fn evaluate(node: &Node, inputs: &[&Numbers]) -> Result<Numbers> {
    let undefined = || Error::Graph {
        node: node.name.clone(),
        message: format!(
            "{} of {} inputs has no definition in double precision",
            node.operator.name(),
            inputs.len()
        ),
    };
    Ok(match (&node.operator, inputs) {
        (Operator::Add, [a, b]) => a.broadcast_add(b)?,
        (Operator::AveragePool(pool), [x]) => {
            x.avg_pool2d_with_stride(tuple(pool.kernel), tuple(pool.strides))?
        }
        (Operator::Mul, [a, b]) => a.broadcast_mul(b)?,
        (Operator::BatchNormalization { epsilon }, [x, scale, offset, mean, variance]) => {
            let rows = |t: &Numbers| t.reshape(channels(x.rank(), t.elem_count()));
            // The file has ε in single precision.
            let factor = (*scale / (*variance + f64::from(*epsilon))?.sqrt()?)?;
            x.broadcast_sub(&rows(mean)?)?.broadcast_mul(&rows(&factor)?)?.broadcast_add(&rows(offset)?)?
        }
        (Operator::Cast { to: Element::Float32 | Element::Float16 }, [x]) => x.to_dtype(DType::F64)?,
        (Operator::Cast { .. }, [x]) => each(x, f64::trunc)?,
        (Operator::Clip { least, largest }, [x]) => x.clamp(f64::from(*least), f64::from(*largest))?,
        (Operator::Concat { axis }, parts) => Numbers::cat(parts, *axis)?,
        (Operator::Conv(sliding), [x, weight, bias @ ..]) => {
            plus_bias(padded(x, sliding)?.conv2d(weight, 0, stride(node, sliding)?, 1, 1)?, bias)?
        }
        (Operator::ConvTranspose(sliding), [x, weight, bias @ ..]) => {
            // The full picture, then the padding cut away: Candle pads both sides alike.
            let full = x.conv_transpose2d(weight, 0, 0, stride(node, sliding)?, 1)?;
            let [_, rows, columns] = tail(&full)?;
            let [top, left, bottom, right] = sliding.pads;
            let y = full.narrow(2, top, rows - top - bottom)?.narrow(3, left, columns - left - right)?;
            plus_bias(y.contiguous()?, bias)?
        }
        (Operator::Crop { height, width }, [x]) => {
            x.narrow(2, 0, *height)?.narrow(3, 0, *width)?.contiguous()?
        }
        (Operator::DepthToSpace { block }, [x]) => {
            let [channels, rows, columns] = tail(x)?;
            let planes = channels / (block * block);
            x.reshape(vec![x.dim(0)?, *block, *block, planes, rows, columns])?
                .permute(vec![0, 3, 4, 1, 5, 2])?
                .contiguous()?
                .reshape(vec![x.dim(0)?, planes, rows * block, columns * block])?
        }
        (Operator::DequantizeLinear { scale, zero }, [x]) => ((*x - f64::from(*zero))? * f64::from(*scale))?,
        (Operator::DequantizeChannels, [x, scale, _]) => {
            let dims: Vec<usize> =
                (0..x.rank()).map(|axis| if axis == 0 { x.dims()[0] } else { 1 }).collect();
            x.broadcast_mul(&scale.reshape(dims)?)?
        }
        (Operator::Div, [a, b]) => a.broadcast_div(b)?,
        (Operator::Elu { alpha }, [x]) => x.elu(f64::from(*alpha))?,
        (Operator::Enlarge { block }, [x]) => {
            let [_, rows, columns] = tail(x)?;
            x.upsample_nearest2d(rows * block[0], columns * block[1])?
        }
        (Operator::Erf, [x]) => x.erf()?,
        (Operator::Expand { dims }, [x]) => {
            let both = x.dims().iter().zip(dims).map(|(&a, &b)| a.max(b));
            x.broadcast_as(both.collect::<Vec<_>>())?.contiguous()?
        }
        (Operator::Flatten, [x]) => x.flatten_from(1)?,
        (Operator::Gather, [table, indices]) => {
            let rows = table.index_select(&indices.flatten_all()?, 0)?;
            rows.reshape([indices.dims(), &table.dims()[1..]].concat())?
        }
        (Operator::GatherAlong { axis }, [x, indices]) => x.contiguous()?.index_select(indices, *axis)?,
        (Operator::Gemm, [x, weight, summand @ ..]) => {
            let y = x.matmul(&weight.t()?)?;
            match summand {
                [summand] => y.broadcast_add(summand)?,
                _ => y,
            }
        }
        (Operator::GroupedConv { sliding, dilations, groups }, [x, weight, bias @ ..]) => {
            let wide = [0, 1].map(|axis| (sliding.kernel[axis] - 1) * dilations[axis] + 1);
            let dilation = same(node, "dilations", *dilations)?;
            let padded = padded(x, &Sliding { kernel: wide, ..*sliding })?;
            plus_bias(padded.conv2d(weight, 0, stride(node, sliding)?, dilation, *groups)?, bias)?
        }
        (Operator::HardSigmoid { alpha, beta }, [x]) => {
            ((*x * f64::from(*alpha))? + f64::from(*beta))?.clamp(0., 1.)?
        }
        (Operator::Identity, [x]) => (*x).clone(),
        (Operator::InstanceNormalization { epsilon }, [x, scale, offset]) => {
            let rows = |t: &Numbers| t.reshape(channels(x.rank(), t.elem_count()));
            let planes = x.flatten_from(2)?;
            let normal = normal(&planes, *epsilon)?.reshape(x.shape())?;
            normal.broadcast_mul(&rows(scale)?)?.broadcast_add(&rows(offset)?)?
        }
        (Operator::LayerNormalization { epsilon }, [x, scale, offset @ ..]) => {
            let y = normal(x, *epsilon)?.broadcast_mul(scale)?;
            match offset {
                [offset] => y.broadcast_add(offset)?,
                _ => y,
            }
        }
        (Operator::LeakyRelu { alpha }, [x]) => (x.relu()? - (x.neg()?.relu()? * f64::from(*alpha))?)?,
        (Operator::MatMul, [a, b]) => a.broadcast_matmul(b)?,
        // Whole numbers are exact in double precision.
        (Operator::MatMulInteger { zero }, [a, b]) => (*a - f64::from(*zero))?.matmul(b)?,
        (Operator::MaxPool(pool), [x]) => {
            x.max_pool2d_with_stride(tuple(pool.kernel), tuple(pool.strides))?
        }
        (Operator::PRelu, [x, slope]) => (x.relu()? - x.neg()?.relu()?.broadcast_mul(slope)?)?,
        (Operator::Pad { before, after }, [x]) => {
            let zeros = before.iter().zip(after).enumerate();
            zeros.into_iter().try_fold((*x).clone(), |x, (axis, (&before, &after))| {
                x.pad_with_zeros(axis, before, after)
            })?
        }
        (Operator::QuantizeLinear { scale, zero }, [x]) => each(x, |x| {
            // In single precision, as engines do: at the edge between two steps it counts.
            let step = (x as f32 / scale).round_ties_even();
            f64::from((step + f32::from(*zero)).clamp(0., 255.))
        })?,
        (Operator::ReduceMean { axes, keep: true }, [x]) => x.mean_keepdim(axes.as_slice())?,
        (Operator::ReduceMean { axes, keep: false }, [x]) => x.mean(axes.as_slice())?,
        (Operator::Relu, [x]) => x.relu()?,
        (Operator::Reshape { item }, [x]) => x.reshape([&[x.dim(0)?], item.as_slice()].concat())?,
        (Operator::Sigmoid, [x]) => (((*x * 0.5)?.tanh()? + 1.)? * 0.5)?,
        (Operator::SliceAlong { axis, start, end }, [x]) => {
            x.narrow(*axis, *start, end - start)?.contiguous()?
        }
        (Operator::Softmax { axis }, [x]) => {
            let powers = x.broadcast_sub(&x.max_keepdim(*axis)?)?.exp()?;
            powers.broadcast_div(&powers.sum_keepdim(*axis)?)?
        }
        (Operator::Softplus, [x]) => each(x, |x| x.max(0.) + (-x.abs()).exp().ln_1p())?,
        (Operator::Sqrt, [x]) => x.sqrt()?,
        (Operator::Squeeze { axes }, [x]) => {
            axes.iter().rev().try_fold((*x).clone(), |x, &axis| x.squeeze(axis))?
        }
        (Operator::Sub, [a, b]) => a.broadcast_sub(b)?,
        (Operator::Tanh, [x]) => x.tanh()?,
        (Operator::Transpose { order }, [x]) => x.permute(order.as_slice())?.contiguous()?,
        (Operator::Unsqueeze { axes }, [x]) => {
            axes.iter().try_fold((*x).clone(), |x, &axis| x.unsqueeze(axis))?
        }
        _ => return Err(undefined()),
    })
}

/// A function of each number.
fn each(x: &Numbers, f: impl Fn(f64) -> f64) -> Result<Numbers> {
    let numbers = x.flatten_all()?.to_vec1::<f64>()?.into_iter().map(f);
    Ok(Numbers::from_iter(numbers, &Device::Cpu)?.reshape(x.dims())?)
}

/// C, H and W.
fn tail(x: &Numbers) -> Result<[usize; 3]> {
    let (_, channels, rows, columns) = x.dims4()?;
    Ok([channels, rows, columns])
}

/// Planes with their zeros around them. Rows and columns that no position reaches are cut off: strides may
/// differ then.
fn padded(x: &Numbers, sliding: &Sliding) -> Result<Numbers> {
    let [_, rows, columns] = tail(x)?;
    let reached = |axis: usize, size: usize| {
        let room = size + sliding.pads[axis] + sliding.pads[axis + 2] - sliding.kernel[axis];
        room / sliding.strides[axis] * sliding.strides[axis] + sliding.kernel[axis]
    };
    Ok(x.pad_with_zeros(2, sliding.pads[0], sliding.pads[2])?
        .pad_with_zeros(3, sliding.pads[1], sliding.pads[3])?
        .narrow(2, 0, reached(0, rows))?
        .narrow(3, 0, reached(1, columns))?)
}

/// Numbers of the last axis less their mean, in proportion to their deviation.
fn normal(x: &Numbers, epsilon: f32) -> Result<Numbers> {
    let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
    // The file has ε in single precision.
    Ok(x.broadcast_div(&(variance + f64::from(epsilon))?.sqrt()?)?)
}

/// The shape of one number a channel, to broadcast over numbers of `rank` axes.
fn channels(rank: usize, channels: usize) -> Vec<usize> {
    (0..rank).map(|axis| if axis == 1 { channels } else { 1 }).collect()
}

fn tuple([rows, columns]: [usize; 2]) -> (usize, usize) {
    (rows, columns)
}

/// Candle's convolutions have one stride for both axes, as all networks here.
fn stride(node: &Node, sliding: &Sliding) -> Result<usize> {
    same(node, "strides", sliding.strides)
}

/// The one setting of both axes.
fn same(node: &Node, what: &str, of_axes: [usize; 2]) -> Result<usize> {
    match of_axes {
        [rows, columns] if rows == columns => Ok(rows),
        other => Err(Error::Graph {
            node: node.name.clone(),
            message: format!("its {what} {other:?} differ, which has no definition in double precision"),
        }),
    }
}

fn plus_bias(y: Numbers, bias: &[&Numbers]) -> Result<Numbers> {
    Ok(match bias {
        [bias] => y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?,
        _ => y,
    })
}
