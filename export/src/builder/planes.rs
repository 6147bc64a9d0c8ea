//! What makes planes smaller or larger, and means.

use candle_core::ToUsize2;

use super::{Builder, Nodes, Step};
use crate::Result;
use crate::onnx::{Operator, Pool, Tensor};

impl Builder {
    /// The largest number of each window, side by side.
    ///
    /// # Shapes
    /// (N, C, H, W) → (N, C, ⌊H / rows⌋, ⌊W / columns⌋)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if the planes are smaller than the window.
    pub fn max_pool2d(&self, x: &Step, size: impl ToUsize2) -> Result<Step> {
        let size = size.to_usize2();
        self.max_pool2d_with_stride(x, size, size)
    }

    /// The same with windows that overlap or leave gaps.
    ///
    /// # Errors
    /// As [`Builder::max_pool2d`].
    pub fn max_pool2d_with_stride(
        &self,
        x: &Step,
        size: impl ToUsize2,
        stride: impl ToUsize2,
    ) -> Result<Step> {
        let (size, stride) = (size.to_usize2(), stride.to_usize2());
        let operator = Operator::MaxPool(pool(size, stride));
        self.node("max_pool2d", operator, &[x], |x| x[0].max_pool2d_with_stride(size, stride))
    }

    /// The mean of each window, side by side.
    ///
    /// # Errors
    /// As [`Builder::max_pool2d`].
    pub fn avg_pool2d(&self, x: &Step, size: impl ToUsize2) -> Result<Step> {
        let size = size.to_usize2();
        self.avg_pool2d_with_stride(x, size, size)
    }

    /// The same with windows that overlap or leave gaps.
    ///
    /// # Errors
    /// As [`Builder::max_pool2d`].
    pub fn avg_pool2d_with_stride(
        &self,
        x: &Step,
        size: impl ToUsize2,
        stride: impl ToUsize2,
    ) -> Result<Step> {
        let (size, stride) = (size.to_usize2(), stride.to_usize2());
        let operator = Operator::AveragePool(pool(size, stride));
        self.node("avg_pool2d", operator, &[x], |x| x[0].avg_pool2d_with_stride(size, stride))
    }

    /// Planes of other sizes, each pixel the nearest one's, as `Tensor::upsample_nearest2d`.
    ///
    /// # Shapes
    /// (N, C, H, W) → (N, C, height, width)
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if x has no planes.
    pub fn upsample_nearest2d(&self, x: &Step, height: usize, width: usize) -> Result<Step> {
        let &[_, rows, columns] = x.item().as_slice() else {
            return self
                .refuse("upsample_nearest2d", format!("takes planes, was given {}", x.value.type_of()));
        };
        let block = [height / rows.max(1), width / columns.max(1)];
        let is_whole = [height, width] == [block[0] * rows, block[1] * columns] && !block.contains(&0);
        let lower = |nodes: &mut Nodes<'_>| {
            if is_whole {
                return nodes.last(Operator::Enlarge { block }, &[&x.value]);
            }
            // By other factors, engines round each in a way of its own: the pixels are named.
            let named = nearest(rows, height)?;
            let named = nodes.initializer("rows", named)?;
            let tall = nodes.node("tall", Operator::GatherAlong { axis: 2 }, &[&x.value, &named])?;
            let named = nearest(columns, width)?;
            let named = nodes.initializer("columns", named)?;
            nodes.last(Operator::GatherAlong { axis: 3 }, &[&tall, &named])
        };
        self.step("upsample_nearest2d", &[x], lower, |x| x[0].upsample_nearest2d(height, width))
    }

    /// The mean over some axes, which are gone then.
    ///
    /// # Errors
    /// [`Error::Graph`](crate::Error::Graph) if there is no such axis, or it counts items.
    pub fn mean<const AXES: usize>(&self, x: &Step, axes: [usize; AXES]) -> Result<Step> {
        let axes = self.axes(x, axes)?;
        let operator = Operator::ReduceMean { axes: axes.clone(), keep: false };
        self.node("mean", operator, &[x], |x| x[0].mean(axes))
    }

    /// The mean over some axes, which stay as axes of one place.
    ///
    /// # Errors
    /// As [`Builder::mean`].
    pub fn mean_keepdim<const AXES: usize>(&self, x: &Step, axes: [usize; AXES]) -> Result<Step> {
        let axes = self.axes(x, axes)?;
        let operator = Operator::ReduceMean { axes: axes.clone(), keep: true };
        self.node("mean", operator, &[x], |x| x[0].mean_keepdim(axes))
    }

    fn axes<const AXES: usize>(&self, x: &Step, mut axes: [usize; AXES]) -> Result<Vec<usize>> {
        axes.sort_unstable();
        axes.into_iter().map(|axis| self.axis("mean", x, axis)).collect()
    }
}

fn pool(size: (usize, usize), stride: (usize, usize)) -> Pool {
    // A stride of 0 has no end; Candle's own words refuse it.
    Pool { kernel: [size.0, size.1], strides: [stride.0.max(1), stride.1.max(1)] }
}

/// Which of `from` places each of `to` is nearest to, by Candle's rule: ⌊i · from / to⌋.
fn nearest(from: usize, to: usize) -> Result<Tensor> {
    let scale = from as f64 / to as f64;
    let at = |i: usize| ((i as f64 * scale) as usize).min(from.saturating_sub(1)) as i64;
    Tensor::int64(&[to], (0..to).map(at))
}
