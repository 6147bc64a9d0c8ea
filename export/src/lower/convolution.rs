//! The convolution and the transposed convolution.

use models::{Convolution, Shape, Window};

use super::affine::Affine;
use super::stages::{Label, Stage};
use super::{Lowering, float32, type_of};
use crate::onnx::{Attribute, Node, Tensor, Value};
use crate::{Error, Result};

/// Whether the kernel reads the picture or writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Convolution: picture in, grid out. The weight is (outputs, inputs, kernel, kernel).
    Forward,
    /// Transposed convolution: grid in, picture out. The weight is (inputs, outputs, kernel, kernel).
    Transposed,
}

/// A layer's weights, in double precision.
struct Filters {
    direction: Direction,
    inputs: usize,
    outputs: usize,
    window: Window,
    /// In the direction's order.
    weight: Vec<f64>,
    /// One an output.
    bias: Vec<f64>,
}

impl Lowering<'_> {
    /// Conv-11 or ConvTranspose-11. The zeros may differ between the sides: `pads` is top, left,
    /// bottom, right, and the picture of a transposed convolution is (grid − 1) · stride + kernel −
    /// pads, as in [`Window::picture`].
    ///
    /// What a label adds, the bias included, is a constant map per class: Gather and Add.
    ///
    /// # Shapes
    /// (N, C, H, W) → (N, outputs, H', W')
    pub(super) fn convolution(
        &mut self,
        stage: &Stage<'_>,
        settings: &Convolution,
        direction: Direction,
    ) -> Result<Value> {
        let name = &stage.layer.name;
        let Convolution { inputs, outputs, window } = *settings;
        let (kernel, stride) = (window.kernel as i64, window.stride as i64);
        let norm = self.norms(stage, outputs)?;
        let filters = Filters {
            direction,
            inputs,
            outputs,
            window,
            weight: self.parameter(name, "weight")?,
            bias: self.parameter(name, "bias")?,
        };
        let filters = filters.followed_by(&norm);
        let sides = [window.rows.0, window.columns.0, window.rows.1, window.columns.1];
        let operator = match direction {
            Direction::Forward => "Conv",
            Direction::Transposed => "ConvTranspose",
        };
        let weight =
            self.graph.initializer(&format!("{name}.weight"), filters.of_features(self.shape.channels())?)?;
        let node = Node::new(operator, name, type_of(stage.output))
            .input(&self.value)
            .input(&weight)
            .attribute("kernel_shape", Attribute::Ints(vec![kernel; 2]))
            .attribute("strides", Attribute::Ints(vec![stride; 2]))
            .attribute("pads", Attribute::Ints(sides.map(|zeros| zeros as i64).to_vec()));
        let Some(label) = stage.label else {
            let bias = float32(&[outputs], filters.bias)?;
            let bias = self.graph.initializer(&format!("{name}.bias"), bias)?;
            return self.graph.node(node.input(&bias));
        };
        let maps = filters.label_maps(label, self.shape, stage.output)?;
        let map = self.gather(label.name, "maps", maps, stage.output)?; // N, outputs, H', W'
        let features = self.graph.node(node)?; // N, outputs, H', W'
        let sum = Node::new("Add", &format!("{name}.sum"), type_of(stage.output));
        self.graph.node(sum.input(&features).input(&map))
    }
}

impl Filters {
    /// The same with what comes behind folded in: a factor and a summand an output.
    fn followed_by(mut self, next: &Affine) -> Filters {
        let area = self.window.kernel * self.window.kernel;
        for at in 0..self.weight.len() {
            self.weight[at] *= next.scale[self.split(at / area).0];
        }
        for (o, bias) in self.bias.iter_mut().enumerate() {
            *bias = next.apply(o, *bias);
        }
        self
    }

    /// (output, input) of the kernel at this place of the weight.
    fn split(&self, at: usize) -> (usize, usize) {
        match self.direction {
            Direction::Forward => (at / self.inputs, at % self.inputs),
            Direction::Transposed => (at % self.outputs, at / self.outputs),
        }
    }

    /// The kernel between an output and an input, row by row.
    fn kernel(&self, output: usize, input: usize) -> &[f64] {
        let area = self.window.kernel * self.window.kernel;
        let at = match self.direction {
            Direction::Forward => output * self.inputs + input,
            Direction::Transposed => input * self.outputs + output,
        };
        &self.weight[at * area..][..area]
    }

    /// The weight without the label's inputs, which are the last ones.
    fn of_features(&self, features: usize) -> Result<Tensor> {
        let (k, area) = (self.window.kernel, self.window.kernel * self.window.kernel);
        let kernels = self.weight.chunks(area.max(1)).enumerate();
        let kept = kernels.filter(|&(at, _)| self.split(at).1 < features).flat_map(|(_, kernel)| kernel);
        let dims = match self.direction {
            Direction::Forward => [self.outputs, features, k, k],
            Direction::Transposed => [features, self.outputs, k, k],
        };
        float32(&dims, kept.copied())
    }

    /// What each class adds to the output, bias included: the sum of those kernel weights whose
    /// input lies inside the plane of ones. Near the edges that is fewer of them.
    ///
    /// # Shapes
    /// (classes, outputs, H', W')
    fn label_maps(&self, label: Label<'_>, input: Shape, output: Shape) -> Result<Tensor> {
        let (
            Shape::Planes { channels: features, height, width },
            Shape::Planes { height: out_height, width: out_width, .. },
        ) = (input, output)
        else {
            let message = "a convolution takes and makes planes".to_string();
            return Err(Error::Graph { node: label.name.to_string(), message });
        };
        let rows = taps(self.direction, &self.window, self.window.rows.0, height, out_height);
        let columns = taps(self.direction, &self.window, self.window.columns.0, width, out_width);
        let mut maps = Vec::with_capacity(label.classes * output.elements());
        for class in 0..label.classes {
            for o in 0..self.outputs {
                let kernel = self.kernel(o, features + class);
                for rows in &rows {
                    for columns in &columns {
                        let row_sum = |&row: &usize| -> f64 {
                            columns.iter().map(|column| kernel[row * self.window.kernel + column]).sum()
                        };
                        maps.push(self.bias[o] + rows.iter().map(row_sum).sum::<f64>());
                    }
                }
            }
        }
        float32(&[label.classes, self.outputs, out_height, out_width], maps)
    }
}

/// For each of `output` positions along one axis, the places of the kernel that meet one of `input`
/// positions; `before` zeros lie before the picture.
fn taps(
    direction: Direction,
    window: &Window,
    before: usize,
    input: usize,
    output: usize,
) -> Vec<Vec<usize>> {
    let meets = |at: usize, tap: usize| match direction {
        Direction::Forward => (at * window.stride + tap).checked_sub(before).is_some_and(|i| i < input),
        Direction::Transposed => (at + before)
            .checked_sub(tap)
            .is_some_and(|i| i.is_multiple_of(window.stride) && i / window.stride < input),
    };
    (0..output).map(|at| (0..window.kernel).filter(|&tap| meets(at, tap)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 5×5 kernel of stride 2 with TensorFlow's SAME padding, worked out by hand.
    #[test]
    fn taps_lie_inside_the_plane() {
        let window = Window::same(5, 2, 6, 6);
        assert_eq!(window.rows, (1, 2));
        let forward = taps(Direction::Forward, &window, 1, 6, 3);
        assert_eq!(forward, [vec![1, 2, 3, 4], vec![0, 1, 2, 3, 4], vec![0, 1, 2]]);
        let transposed = taps(Direction::Transposed, &window, 1, 3, 6);
        let expected: [&[usize]; 6] = [&[1], &[0, 2], &[1, 3], &[0, 2, 4], &[1, 3], &[2, 4]];
        assert_eq!(transposed, expected);
    }
}
