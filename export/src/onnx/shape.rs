//! Types and shapes of what operators make: the output's type from the inputs' types.

use super::operator::{Operator, Pool, Sliding};
use super::tensor::{Dim, Element, Type};

/// The type of an operator's output; an error says what it takes and what it was given.
pub fn output(operator: &Operator, inputs: &[&Type]) -> Result<Type, String> {
    let given = || inputs.iter().map(|input| input.to_string()).collect::<Vec<_>>().join(", ");
    let takes = |what: &str| format!("{} takes {what}, was given {}", operator.name(), given());
    let one = |element: Element, dims: Vec<Dim>| Ok(Type { element, dims });
    match (operator, inputs) {
        (Operator::Add | Operator::Div | Operator::Mul | Operator::Sub, [a, b]) if a.element == b.element => {
            let dims = broadcast(&a.dims, &b.dims).ok_or_else(|| takes("shapes that fit together"))?;
            one(a.element, dims)
        }
        (Operator::AveragePool(pool) | Operator::MaxPool(pool), [x]) => {
            let dims = window(pool, &x.dims)
                .ok_or_else(|| takes(&format!("planes of at least {}×{}", pool.kernel[0], pool.kernel[1])))?;
            one(x.element, dims)
        }
        (Operator::BatchNormalization { .. }, [x, parameters @ ..]) if parameters.len() == 4 => {
            let channels = x.dims.get(1).cloned().ok_or_else(|| takes("channels on axis 1"))?;
            match parameters.iter().all(|p| p.element == x.element && p.dims == [channels.clone()]) {
                true => Ok((*x).clone()),
                false => Err(takes("four parameters, one number a channel")),
            }
        }
        (Operator::Cast { to }, [x]) => one(*to, x.dims.clone()),
        (Operator::Clip { .. }, [x]) if x.element == Element::Float32 => Ok((*x).clone()),
        (Operator::Concat { axis }, [first, others @ ..]) => {
            let mut dims = first.dims.clone();
            for other in others {
                let fits = other.element == first.element
                    && other.dims.len() == dims.len()
                    && (0..dims.len()).all(|at| at == *axis || other.dims[at] == dims[at]);
                match (dims.get_mut(*axis), other.dims.get(*axis)) {
                    (Some(Dim::Fixed(sum)), Some(Dim::Fixed(more))) if fits => *sum += more,
                    _ => return Err(takes(&format!("shapes that differ on axis {axis} alone"))),
                }
            }
            one(first.element, dims)
        }
        (Operator::Conv(sliding), [x, w, bias @ ..]) if bias.len() < 2 => {
            slide(sliding, x, w, bias, true).ok_or_else(|| takes("planes, kernels for them and a bias"))
        }
        (Operator::ConvTranspose(sliding), [x, w, bias @ ..]) if bias.len() < 2 => {
            slide(sliding, x, w, bias, false).ok_or_else(|| takes("planes, kernels for them and a bias"))
        }
        (Operator::Crop { height, width }, [x]) => match x.dims.as_slice() {
            [n, c, Dim::Fixed(h), Dim::Fixed(w)] if height <= h && width <= w => {
                one(x.element, vec![n.clone(), c.clone(), Dim::Fixed(*height), Dim::Fixed(*width)])
            }
            _ => Err(takes(&format!("planes of at least {height}×{width}"))),
        },
        (Operator::DepthToSpace { block }, [x]) => match x.dims.as_slice() {
            [n, Dim::Fixed(c), Dim::Fixed(h), Dim::Fixed(w)] if c.is_multiple_of(block * block) => {
                let dims = [c / (block * block), h * block, w * block].map(Dim::Fixed);
                one(x.element, [std::slice::from_ref(n), dims.as_slice()].concat())
            }
            _ => Err(takes("planes, a block of them each")),
        },
        (Operator::DequantizeLinear { .. }, [x]) if x.element == Element::Uint8 => {
            one(Element::Float32, x.dims.clone())
        }
        (Operator::DequantizeChannels, [x, scale, zero])
            if matches!(x.element, Element::Int8 | Element::Int32) =>
        {
            let fits = x.element == zero.element && scale.dims == zero.dims;
            match fits && scale.element == Element::Float32 && x.dims.first() == scale.dims.first() {
                true => one(Element::Float32, x.dims.clone()),
                false => Err(takes("a step and a zero for each place of axis 0")),
            }
        }
        (Operator::Enlarge { block }, [x]) => match x.dims.as_slice() {
            [n, c, Dim::Fixed(h), Dim::Fixed(w)] => {
                one(x.element, vec![n.clone(), c.clone(), Dim::Fixed(h * block[0]), Dim::Fixed(w * block[1])])
            }
            _ => Err(takes("planes")),
        },
        (Operator::Expand { dims }, [x]) => {
            let wanted: Vec<Dim> = dims.iter().map(|&size| Dim::Fixed(size)).collect();
            let dims = broadcast(&x.dims, &wanted).ok_or_else(|| takes("dimensions that fit or are 1"))?;
            one(x.element, dims)
        }
        (Operator::Flatten, [x]) => match (x.dims.first(), item(&x.dims)) {
            (Some(n), Some(size)) => one(x.element, vec![n.clone(), Dim::Fixed(size)]),
            _ => Err(takes("a batch of items of known size")),
        },
        (Operator::Gather, [table, indices]) if indices.element == Element::Int64 => {
            match table.dims.split_first() {
                Some((_, row)) => one(table.element, [&indices.dims, row].concat()),
                None => Err(takes("a table")),
            }
        }
        (Operator::GatherAlong { axis }, [x, indices]) if indices.element == Element::Int64 => {
            let mut dims = x.dims.clone();
            match (dims.get_mut(*axis), indices.dims.as_slice()) {
                (Some(dim), [count]) => *dim = count.clone(),
                _ => return Err(takes(&format!("a shape with an axis {axis}, and a list of indices"))),
            }
            one(x.element, dims)
        }
        (Operator::Gemm, [x, w, c @ ..]) if c.len() < 2 => match (x.dims.as_slice(), w.dims.as_slice()) {
            ([n, features], [outputs, inputs]) if features == inputs && x.element == w.element => {
                let dims = vec![n.clone(), outputs.clone()];
                let fits =
                    |c: &&&Type| c.element == x.element && broadcast(&dims, &c.dims).as_ref() == Some(&dims);
                match c.iter().all(|c| fits(&c)) {
                    true => one(x.element, dims),
                    false => Err(takes("a summand of the output's shape")),
                }
            }
            _ => Err(takes("vectors, and a weight for as many features")),
        },
        (Operator::GroupedConv { sliding, dilations, groups }, [x, w, bias @ ..]) if bias.len() < 2 => {
            grouped(sliding, *dilations, *groups, x, w, bias)
                .ok_or_else(|| takes("planes, kernels for their groups and a bias"))
        }
        (Operator::InstanceNormalization { .. }, [x, parameters @ ..]) if parameters.len() == 2 => {
            let channels = x.dims.get(1).filter(|_| x.dims.len() > 2);
            let channels = channels.cloned().ok_or_else(|| takes("planes"))?;
            match parameters.iter().all(|p| p.element == x.element && p.dims == [channels.clone()]) {
                true => Ok((*x).clone()),
                false => Err(takes("two parameters, one number a channel")),
            }
        }
        (Operator::LayerNormalization { .. }, [x, parameters @ ..])
            if (1..=2).contains(&parameters.len()) =>
        {
            let features = x.dims.last().cloned().ok_or_else(|| takes("features on the last axis"))?;
            match parameters.iter().all(|p| p.element == x.element && p.dims == [features.clone()]) {
                true => Ok((*x).clone()),
                false => Err(takes("one or two parameters, one number a feature")),
            }
        }
        (Operator::MatMul, [a, b]) if a.element == b.element => {
            match (a.dims.as_slice(), b.dims.as_slice()) {
                ([before_a @ .., n, features], [before_b @ .., inputs, outputs]) if features == inputs => {
                    let before =
                        broadcast(before_a, before_b).ok_or_else(|| takes("stacks that fit together"))?;
                    one(a.element, [before, vec![n.clone(), outputs.clone()]].concat())
                }
                _ => Err(takes("matrices that fit together")),
            }
        }
        (Operator::MatMulInteger { .. }, [a, b]) => match (a.dims.as_slice(), b.dims.as_slice()) {
            ([n, features], [inputs, outputs]) if features == inputs => {
                one(Element::Int32, vec![n.clone(), outputs.clone()])
            }
            _ => Err(takes("vectors, and a weight for as many features")),
        },
        (Operator::PRelu, [x, slope]) if x.element == slope.element => {
            match broadcast(&x.dims, &slope.dims).as_ref() == Some(&x.dims) {
                true => Ok((*x).clone()),
                false => Err(takes("numbers, and slopes that fit their shape")),
            }
        }
        (Operator::Pad { before, after }, [x])
            if before.len() == x.dims.len() && after.len() == before.len() =>
        {
            let padded = x.dims.iter().zip(before.iter().zip(after)).map(|(dim, zeros)| match (dim, zeros) {
                (dim, (0, 0)) => Some(dim.clone()),
                (Dim::Fixed(size), (before, after)) => Some(Dim::Fixed(before + size + after)),
                (Dim::Symbol(_), _) => None,
            });
            let dims = padded.collect::<Option<_>>().ok_or_else(|| takes("known sizes where zeros go"))?;
            one(x.element, dims)
        }
        (Operator::QuantizeLinear { .. }, [x]) if x.element == Element::Float32 => {
            one(Element::Uint8, x.dims.clone())
        }
        (Operator::ReduceMean { axes, keep }, [x]) if axes.iter().all(|&axis| axis < x.dims.len()) => {
            let reduced =
                x.dims.iter().enumerate().filter_map(|(at, dim)| match (axes.contains(&at), keep) {
                    (false, _) => Some(dim.clone()),
                    (true, true) => Some(Dim::Fixed(1)),
                    (true, false) => None,
                });
            one(x.element, reduced.collect())
        }
        (Operator::Reshape { item: wanted }, [x]) => match (x.dims.first(), item(&x.dims)) {
            (Some(n), Some(size)) if size == wanted.iter().product::<usize>() => {
                let wanted = wanted.iter().map(|&size| Dim::Fixed(size));
                one(x.element, [n.clone()].into_iter().chain(wanted).collect())
            }
            _ => Err(takes(&format!("a batch of items of {} numbers", wanted.iter().product::<usize>()))),
        },
        (Operator::SliceAlong { axis, start, end }, [x]) => {
            let mut dims = x.dims.clone();
            match dims.get_mut(*axis) {
                Some(Dim::Fixed(size)) if start < end && end <= size => *size = end - start,
                _ => return Err(takes(&format!("a shape with {start} to {end} on axis {axis}"))),
            }
            one(x.element, dims)
        }
        (Operator::Softmax { axis }, [x]) => match x.dims.get(*axis) {
            Some(_) => Ok((*x).clone()),
            None => Err(takes(&format!("a shape with an axis {axis}"))),
        },
        (Operator::Squeeze { axes }, [x]) => {
            let mut dims = x.dims.clone();
            for &axis in axes.iter().rev() {
                if dims.get(axis) != Some(&Dim::Fixed(1)) {
                    return Err(takes(&format!("a shape with 1 on axis {axis}")));
                }
                dims.remove(axis);
            }
            one(x.element, dims)
        }
        (Operator::Transpose { order }, [x]) => {
            let mut axes = order.clone();
            axes.sort_unstable();
            match axes.iter().copied().eq(0..x.dims.len()) {
                true => one(x.element, order.iter().map(|&axis| x.dims[axis].clone()).collect()),
                false => Err(takes(&format!("a shape with {} axes, each named once", x.dims.len()))),
            }
        }
        (Operator::Unsqueeze { axes }, [x]) => {
            let mut dims = x.dims.clone();
            for &axis in axes {
                if axis > dims.len() {
                    return Err(takes(&format!("a shape with room for axis {axis}")));
                }
                dims.insert(axis, Dim::Fixed(1));
            }
            one(x.element, dims)
        }
        (operator, [x]) if operator.is_elementwise() => Ok((*x).clone()),
        _ => Err(takes("other inputs")),
    }
}

/// Numbers of one item of a batch.
fn item(dims: &[Dim]) -> Option<usize> {
    dims.iter().skip(1).map(|dim| dim.fixed()).product()
}

/// The shape of both together, as numpy broadcasts.
fn broadcast(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[Dim], axis: usize| match (axis + dims.len()).checked_sub(rank) {
        Some(axis) => dims[axis].clone(),
        None => Dim::Fixed(1),
    };
    let both = |axis| match (at(a, axis), at(b, axis)) {
        (a, b) if a == b => Some(a),
        (Dim::Fixed(1), other) | (other, Dim::Fixed(1)) => Some(other),
        _ => None,
    };
    (0..rank).map(both).collect()
}

/// Planes that a window was moved over.
fn window(pool: &Pool, dims: &[Dim]) -> Option<Vec<Dim>> {
    let [n, channels, Dim::Fixed(height), Dim::Fixed(width)] = dims else { return None };
    let size = |axis: usize, size: usize| Some(size.checked_sub(pool.kernel[axis])? / pool.strides[axis] + 1);
    Some(vec![n.clone(), channels.clone(), Dim::Fixed(size(0, *height)?), Dim::Fixed(size(1, *width)?)])
}

/// The output of a convolution in groups: that of one whose kernel is as large as the gaps make it.
fn grouped(
    sliding: &Sliding,
    dilations: [usize; 2],
    groups: usize,
    x: &Type,
    w: &Type,
    bias: &[&Type],
) -> Option<Type> {
    let [_, Dim::Fixed(channels), ..] = x.dims.as_slice() else { return None };
    let [Dim::Fixed(outputs), Dim::Fixed(inputs), kernel @ ..] = w.dims.as_slice() else { return None };
    let fits = kernel == sliding.kernel.map(Dim::Fixed)
        && groups > 0
        && outputs.is_multiple_of(groups)
        && Some(*channels) == inputs.checked_mul(groups);
    let wide = [0, 1].map(|axis| (sliding.kernel[axis] - 1) * dilations[axis] + 1);
    let dims = [*outputs, *channels, wide[0], wide[1]].map(Dim::Fixed).to_vec();
    let wide = Sliding { kernel: wide, ..*sliding };
    fits.then(|| slide(&wide, x, &Type { element: w.element, dims }, bias, true))?
}

/// A convolution's output, transposed or not.
fn slide(sliding: &Sliding, x: &Type, w: &Type, bias: &[&Type], forward: bool) -> Option<Type> {
    let ([n, channels, Dim::Fixed(height), Dim::Fixed(width)], [first, second, kernel @ ..]) =
        (x.dims.as_slice(), w.dims.as_slice())
    else {
        return None;
    };
    let (outputs, inputs) = if forward { (first, second) } else { (second, first) };
    let fits = inputs == channels
        && x.element == w.element
        && kernel == sliding.kernel.map(Dim::Fixed)
        && bias.iter().all(|bias| bias.element == x.element && bias.dims == [outputs.clone()]);
    let size = |axis: usize, size: usize| {
        let (kernel, stride) = (sliding.kernel[axis], sliding.strides[axis]);
        let zeros = sliding.pads[axis] + sliding.pads[axis + 2];
        match forward {
            true => Some((size + zeros).checked_sub(kernel)? / stride + 1),
            false => (size.checked_sub(1)? * stride + kernel).checked_sub(zeros).filter(|&size| size > 0),
        }
    };
    let dims = vec![n.clone(), outputs.clone(), Dim::Fixed(size(0, *height)?), Dim::Fixed(size(1, *width)?)];
    fits.then_some(Type { element: x.element, dims })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(dims: &[usize]) -> Type {
        let dims = dims.iter().map(|&size| Dim::Fixed(size));
        Type::float32([Dim::Symbol("batch".into())].into_iter().chain(dims).collect())
    }

    fn constant(dims: &[usize]) -> Type {
        Type::float32(dims.iter().map(|&size| Dim::Fixed(size)).collect())
    }

    #[test]
    fn a_transposed_convolution_undoes_the_shape_of_a_convolution() {
        let sliding = Sliding { kernel: [5, 3], strides: [2, 3], pads: [1, 0, 2, 1] };
        let picture = float(&[4, 12, 20]);
        let grid = output(&Operator::Conv(sliding), &[&picture, &constant(&[6, 4, 5, 3])]).unwrap();
        assert_eq!(grid, float(&[6, 6, 7]));
        let weight = constant(&[6, 4, 5, 3]);
        let back = output(&Operator::ConvTranspose(sliding), &[&grid, &weight]).unwrap();
        assert_eq!(back, picture);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let cases: [(Operator, &[&Type], &str); 7] = [
            (Operator::Gemm, &[&float(&[3]), &constant(&[2, 4])], "float32[batch, 3], float32[2, 4]"),
            (Operator::Add, &[&float(&[3]), &float(&[2])], "shapes that fit together"),
            (Operator::Concat { axis: 1 }, &[&float(&[3, 2]), &float(&[3, 1])], "on axis 1 alone"),
            (Operator::Reshape { item: vec![2, 2] }, &[&float(&[3])], "items of 4 numbers"),
            (Operator::DepthToSpace { block: 2 }, &[&float(&[6, 1, 1])], "a block of them each"),
            (Operator::MatMul, &[&float(&[3]), &constant(&[1, 4, 2])], "matrices that fit together"),
            (Operator::Squeeze { axes: vec![1] }, &[&float(&[3])], "a shape with 1 on axis 1"),
        ];
        for (operator, inputs, expected) in cases {
            let error = output(&operator, inputs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
