//! Other shapes of the same numbers, parts of them, and several in a row.

use candle_core::shape::Dim;
use candle_core::{DType, Device, Shape, Tensor as Numbers};

use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Dim as Size, Operator};

impl Builder {
    /// Each item in another shape; N stays as it is.
    ///
    /// ```
    /// # use export::builder::Builder;
    /// # use export::onnx::{Dim, Type};
    /// # fn main() -> export::Result<()> {
    /// # let graph = Builder::new("g");
    /// let x = graph.input("x", Type::float32(vec![Dim::Symbol("batch".into()), Dim::Fixed(784)]))?;
    /// let y = graph.reshape(&x, (1, 28, 28))?; // N, 1, 28, 28
    /// assert_eq!(y.item(), [1, 28, 28]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if it has not as many numbers.
    pub fn reshape(&self, x: &Step, item: impl Into<Shape>) -> Result<Step> {
        let item = item.into().into_dims();
        let operator = Operator::Reshape { item: item.clone() };
        self.node("reshape", operator, &[x], |x| x[0].reshape([&[x[0].dim(0)?], item.as_slice()].concat()))
    }

    /// Each item as a vector, as `flatten_from(1)`.
    ///
    /// # Shapes
    /// (N, …) → (N, numbers of an item)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has no items.
    pub fn flatten(&self, x: &Step) -> Result<Step> {
        self.node("flatten", Operator::Flatten, &[x], |x| x[0].flatten_from(1))
    }

    /// The axes in another order; the first stays first.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if an axis isn't named once, or the first goes elsewhere.
    pub fn permute<const RANK: usize>(&self, x: &Step, order: [usize; RANK]) -> Result<Step> {
        if order.first() != Some(&0) && !x.is_constant() {
            return self.refuse("permute", "would move axis 0, which counts items".to_string());
        }
        let operator = Operator::Transpose { order: order.to_vec() };
        self.node("permute", operator, &[x], |x| x[0].permute(order.as_slice())?.contiguous())
    }

    /// Two axes in each other's place, neither of them the first.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if there is no such axis.
    pub fn transpose(&self, x: &Step, a: impl Dim, b: impl Dim) -> Result<Step> {
        let (a, b) = (self.axis("transpose", x, a)?, self.axis("transpose", x, b)?);
        let mut order: Vec<usize> = (0..x.rank()).collect();
        order.swap(a, b);
        self.node("transpose", Operator::Transpose { order }, &[x], |x| x[0].transpose(a, b)?.contiguous())
    }

    /// `length` places of an axis from `start` on.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if there are fewer, or the axis counts items.
    pub fn narrow(&self, x: &Step, axis: impl Dim, start: usize, length: usize) -> Result<Step> {
        let axis = self.axis("narrow", x, axis)?;
        let operator = Operator::SliceAlong { axis, start, end: start + length };
        self.node("narrow", operator, &[x], |x| x[0].narrow(axis, start, length)?.contiguous())
    }

    /// An axis in parts, as `Tensor::chunk`: as many as `parts`, but for the last of equal size.
    ///
    /// # Errors
    /// As [`Builder::narrow`].
    pub fn chunk(&self, x: &Step, parts: usize, axis: impl Dim) -> Result<Vec<Step>> {
        let axis = self.axis("chunk", x, axis)?;
        let size = x.dims().get(axis).and_then(Size::fixed).unwrap_or_default();
        if parts == 0 || parts > size {
            return self.refuse("chunk", format!("would make {parts} parts of {size}"));
        }
        // Candle's rule: the first ones have one more.
        let (length, longer) = (size / parts, size % parts);
        let lengths = (0..parts).map(|part| length + usize::from(part < longer));
        let starts = lengths.clone().scan(0, |next, length| {
            *next += length;
            Some(*next - length)
        });
        starts.zip(lengths).map(|(start, length)| self.narrow(x, axis, start, length)).collect()
    }

    /// Without an axis of one place.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if it has more.
    pub fn squeeze(&self, x: &Step, axis: impl Dim) -> Result<Step> {
        let axis = self.axis("squeeze", x, axis)?;
        self.node("squeeze", Operator::Squeeze { axes: vec![axis] }, &[x], |x| x[0].squeeze(axis))
    }

    /// With a new axis of one place, behind the first.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has too few axes.
    pub fn unsqueeze(&self, x: &Step, axis: usize) -> Result<Step> {
        if axis == 0 && !x.is_constant() {
            return self
                .refuse("unsqueeze", "would put an axis before the one that counts items".to_string());
        }
        self.node("unsqueeze", Operator::Unsqueeze { axes: vec![axis] }, &[x], |x| x[0].unsqueeze(axis))
    }

    /// Zeros before and behind along one axis, as `Tensor::pad_with_zeros`.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if there is no such axis, or it counts items.
    pub fn pad_with_zeros(&self, x: &Step, axis: impl Dim, before: usize, after: usize) -> Result<Step> {
        let axis = self.axis("pad", x, axis)?;
        let operator = pad(x.rank(), axis, before, after);
        self.node("pad", operator, &[x], |x| x[0].pad_with_zeros(axis, before, after))
    }

    /// Several in a row along one axis. A constant of one item among them, such as a class token, is each
    /// item's; it stands first or last.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if they differ on another axis, or a constant stands elsewhere.
    pub fn concat(&self, parts: &[&Step], axis: impl Dim) -> Result<Step> {
        let Some(first) = parts.iter().find(|part| !part.is_constant()).or(parts.first()) else {
            return self.refuse("concat", "takes one part or more".to_string());
        };
        let axis = self.axis("concat", first, axis)?;
        let of_items = parts.iter().filter(|part| !part.is_constant()).count();
        if of_items == 0 || of_items == parts.len() {
            let parts: Vec<_> = parts.to_vec();
            return self.node("concat", Operator::Concat { axis }, &parts, |x| Numbers::cat(x, axis));
        }
        self.concat_constants(parts, axis)
    }

    /// Constants around what is each item's: zeros in their place, and a constant of the whole shape added.
    fn concat_constants(&self, parts: &[&Step], axis: usize) -> Result<Step> {
        let length = |part: &&Step| part.dims().get(axis).and_then(Size::fixed).unwrap_or_default();
        let before = parts.iter().take_while(|part| part.is_constant()).count();
        let after = parts.iter().rev().take_while(|part| part.is_constant()).count();
        let (ends, middle) =
            ([&parts[..before], &parts[parts.len() - after..]], &parts[before..parts.len() - after]);
        if middle.iter().any(|part| part.is_constant()) {
            return self.refuse("concat", "a constant stands between what differs between items".to_string());
        }
        let [zeros_before, zeros_after] = ends.map(|ends| ends.iter().map(length).sum::<usize>());
        let room: usize = middle.iter().map(length).sum();
        // The shape of one item's whole: zeros where the items' own numbers go.
        let mut dims: Vec<usize> = middle[0].dims().iter().map(|dim| dim.fixed().unwrap_or(1)).collect();
        dims[axis] = room;
        // Constants are computed as they are described, with or without a trial.
        let constants =
            |ends: &[&Step]| ends.iter().filter_map(|part| part.traced.clone()).collect::<Vec<_>>();
        let [before, after] = ends.map(constants);
        let zeros = Numbers::zeros(dims.as_slice(), DType::F32, &Device::Cpu)?;
        let whole: Vec<_> = before.iter().chain([&zeros]).chain(&after).collect();
        let whole = match Numbers::cat(&whole, axis) {
            Ok(whole) => whole,
            Err(error) => return self.refuse("concat", error.to_string()),
        };
        let rank = dims.len();
        let middle_values: Vec<_> = middle.iter().map(|part| &part.value).collect();
        let lower = |nodes: &mut Nodes<'_>| {
            let x = match middle_values.as_slice() {
                [only] => (*only).clone(),
                several => nodes.node("items", Operator::Concat { axis }, several)?,
            };
            let x = nodes.node("room", pad(rank, axis, zeros_before, zeros_after), &[&x])?;
            let constants = nodes.weight("constants", &whole)?;
            nodes.last(Operator::Add, &[&x, &constants])
        };
        let constant: Vec<bool> = parts.iter().map(|part| part.is_constant()).collect();
        self.step("concat", parts, lower, |x| {
            let items = x.iter().zip(&constant).find(|(_, is_constant)| !**is_constant);
            let n = items.map_or(Ok(1), |(x, _)| x.dim(0))?;
            let parts = x.iter().zip(&constant).map(|(x, is_constant)| match is_constant {
                true => {
                    let mut dims = x.dims().to_vec();
                    dims[0] = n;
                    x.broadcast_as(dims)
                }
                false => Ok((*x).clone()),
            });
            Numbers::cat(&parts.collect::<candle_core::Result<Vec<_>>>()?, axis)
        })
    }
}

/// Zeros along one axis.
fn pad(rank: usize, axis: usize, before: usize, after: usize) -> Operator {
    let along = |zeros: usize| (0..rank).map(|at| if at == axis { zeros } else { 0 }).collect();
    Operator::Pad { before: along(before), after: along(after) }
}
