//! A transposed convolution as convolutions: the pixels at each place of a stride × stride block of
//! the picture, a *phase*, are a convolution of the grid with the kernel weights that reach them (sub-pixel
//! convolution, Shi et al. 2016, arXiv 1609.07009). The phases are then interleaved into one
//! picture (a pixel shuffle).
//!
//! Engines are often faster at convolutions, and no product is computed that falls outside the
//! picture. What follows number by number, the label's maps and the activation, goes before the
//! pixel shuffle, where engines fuse it with the convolution.

use std::collections::HashSet;

use super::weights::Weights;
use crate::Result;
use crate::onnx::{Graph, Node, Operator, Rewrite, Sliding, Tensor, Value};

/// Makes convolutions of those transposed convolutions that `chosen` names, if their strides are the
/// same on both axes; leaves nodes that [`dead`](super::dead) drops.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn subpixel(graph: &Graph, chosen: impl Fn(&str) -> bool) -> Result<Graph> {
    convert(graph, chosen, Phases::Apart)
}

/// The same with one convolution for all phases of each: their kernels are filled up with zeros to the
/// largest, so more is computed, but of few outputs it fills an engine's vectors.
///
/// # Errors
/// None for a graph that [`Graph`] accepted.
pub fn joined(graph: &Graph, chosen: impl Fn(&str) -> bool) -> Result<Graph> {
    convert(graph, chosen, Phases::Joined)
}

/// How many convolutions the phases of one transposed convolution become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phases {
    /// One each.
    Apart,
    /// One for all.
    Joined,
}

fn convert(graph: &Graph, chosen: impl Fn(&str) -> bool, phases: Phases) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    let mut done = HashSet::new();
    for node in graph.nodes() {
        if done.contains(&node.name) {
            continue;
        }
        let Some(deconv) = Deconv::of(graph, node).filter(|_| chosen(&node.name)) else {
            rewrite.copy(node)?;
            continue;
        };
        let end = match phases {
            Phases::Apart => deconv.apart(graph, &mut rewrite)?,
            Phases::Joined => deconv.joined(graph, &mut rewrite)?,
        };
        done.extend(deconv.followers.iter().map(|follower| follower.name.clone()));
        let last = deconv.followers.last().map_or(node, |follower| follower);
        rewrite.stand_for(&last.name, end);
    }
    rewrite.finish()
}

/// The names of a graph's transposed convolutions that [`subpixel`] can make convolutions of.
pub fn names(graph: &Graph) -> Vec<String> {
    graph
        .nodes()
        .iter()
        .filter(|node| Deconv::of(graph, node).is_some())
        .map(|node| node.name.clone())
        .collect()
}

/// A transposed convolution and what follows it number by number.
struct Deconv<'a> {
    node: &'a Node,
    weights: Weights<'a>,
    sliding: Sliding,
    /// Rows and columns of grid and picture.
    grid: [usize; 2],
    picture: [usize; 2],
    followers: Vec<&'a Node>,
}

impl<'a> Deconv<'a> {
    fn of(graph: &'a Graph, node: &'a Node) -> Option<Deconv<'a>> {
        let Operator::ConvTranspose(sliding) = node.operator else { return None };
        let weights = Weights::of(graph, node)?;
        let size = |name: &str| -> Option<[usize; 2]> {
            match graph.value(name)?.type_of().dims.as_slice() {
                [_, _, height, width] => Some([height.fixed()?, width.fixed()?]),
                _ => None,
            }
        };
        let (grid, picture) = (size(&node.inputs[0])?, size(&node.name)?);
        let mut followers: Vec<&Node> = Vec::new();
        loop {
            let end = followers.last().map_or(&node.name, |follower| &follower.name);
            let next = graph.users(end).next().filter(|next| {
                graph.uses(end) == 1
                    && (next.operator.is_elementwise() || maps_of(graph, next, end).is_some())
            });
            match next {
                Some(next) => followers.push(next),
                None => break,
            }
        }
        let fits = sliding.strides[0] == sliding.strides[1];
        fits.then_some(Deconv { node, weights, sliding, grid, picture, followers })
    }

    /// All phases as one convolution, whose outputs are those of the first phase, the second and so on.
    fn joined(&self, graph: &Graph, rewrite: &mut Rewrite<'_>) -> Result<Value> {
        let stride = self.sliding.strides[0];
        let phases: Vec<[usize; 2]> =
            (0..stride).flat_map(|row| (0..stride).map(move |column| [row, column])).collect();
        // Each axis has the zeros of the phase that needs most of them.
        let [rows, columns] = [0, 1].map(|axis| {
            let taps: Vec<Taps> = (0..stride).map(|phase| self.taps(axis, phase)).collect();
            let before = taps.iter().map(|taps| taps.before).max().unwrap_or(0);
            let after = taps.iter().map(|taps| taps.after).max().unwrap_or(0);
            taps.into_iter().map(|taps| taps.widened(before, after)).collect::<Vec<_>>()
        });
        let mut numbers = Vec::new();
        for &[row, column] in &phases {
            numbers.extend(self.kernels(&rows[row], &columns[column])?.floats());
        }
        let outputs = phases.len() * self.weights.outputs();
        let kernel = [rows[0].of_kernel.len(), columns[0].of_kernel.len()];
        let dims = [outputs, self.weights.weight.dims()[0], kernel[0], kernel[1]];
        let weight = rewrite
            .initializer(&format!("{}.phases", self.node.inputs[1]), Tensor::float32(&dims, numbers)?)?;
        let mut inputs = vec![rewrite.value(&self.node.inputs[0])?, weight];
        if let (Some(bias), Some(name)) = (self.weights.bias, self.node.inputs.get(2)) {
            let bias = Tensor::float32(&[outputs], bias.floats().repeat(phases.len()))?;
            inputs.push(rewrite.initializer(&format!("{name}.phases"), bias)?);
        }
        let pads = [rows[0].before, columns[0].before, rows[0].after, columns[0].after];
        let operator = Operator::Conv(Sliding { kernel, strides: [1, 1], pads });
        let mut y = rewrite.node(&self.node.name, operator, &inputs.iter().collect::<Vec<_>>())?;
        let mut end = &self.node.name;
        for follower in &self.followers {
            y = match maps_of(graph, follower, end) {
                None => rewrite.node(&follower.name, follower.operator.clone(), &[&y])?,
                Some((gather, maps)) => {
                    let maps = self.of_phases(maps, &phases)?;
                    let maps = rewrite.initializer(&format!("{}.phases", gather.inputs[0]), maps)?;
                    let indices = rewrite.value(&gather.inputs[1])?;
                    let name = format!("{}.phases", gather.name);
                    let map = rewrite.node(&name, Operator::Gather, &[&maps, &indices])?;
                    rewrite.node(&follower.name, Operator::Add, &[&y, &map])?
                }
            };
            end = &follower.name;
        }
        self.shuffle(rewrite, y)
    }

    /// The maps of all phases, (classes, phases · channels, rows, columns).
    fn of_phases(&self, maps: &Tensor, phases: &[[usize; 2]]) -> Result<Tensor> {
        let parts = phases.iter().map(|&phase| self.of_phase(maps, phase)).collect::<Result<Vec<_>>>()?;
        let mut dims = parts[0].dims().to_vec();
        let size: usize = dims[1..].iter().product();
        let parts: Vec<Vec<f32>> = parts.iter().map(Tensor::floats).collect();
        let classes = 0..dims[0];
        let numbers = classes.flat_map(|class| {
            parts.iter().flat_map(move |part| part[class * size..][..size].iter().copied())
        });
        dims[1] *= phases.len();
        Tensor::float32(&dims, numbers)
    }

    /// Each phase as a convolution of its own.
    fn apart(&self, graph: &Graph, rewrite: &mut Rewrite<'_>) -> Result<Value> {
        let stride = self.sliding.strides[0];
        let x = rewrite.value(&self.node.inputs[0])?;
        let bias = self.node.inputs.get(2).map(|bias| rewrite.value(bias)).transpose()?;
        let mut phases = Vec::new();
        for row in 0..stride {
            for column in 0..stride {
                let phase = [row, column];
                let suffix = format!("{row}{column}");
                let [rows, columns] = [0, 1].map(|axis| self.taps(axis, phase[axis]));
                let weight = self.kernels(&rows, &columns)?;
                let weight = rewrite.initializer(&format!("{}.{suffix}", self.node.inputs[1]), weight)?;
                let sliding = Sliding {
                    kernel: [rows.of_kernel.len(), columns.of_kernel.len()],
                    strides: [1, 1],
                    pads: [rows.before, columns.before, rows.after, columns.after],
                };
                let inputs: Vec<&Value> = [&x, &weight].into_iter().chain(&bias).collect();
                let name = format!("{}.{suffix}", self.node.name);
                let mut y = rewrite.node(&name, Operator::Conv(sliding), &inputs)?;
                let mut end = &self.node.name;
                for follower in &self.followers {
                    let name = format!("{}.{suffix}", follower.name);
                    y = match maps_of(graph, follower, end) {
                        None => rewrite.node(&name, follower.operator.clone(), &[&y])?,
                        Some((gather, maps)) => {
                            let maps = self.of_phase(maps, phase)?;
                            let table = format!("{}.{suffix}", gather.inputs[0]);
                            let maps = rewrite.initializer(&table, maps)?;
                            let indices = rewrite.value(&gather.inputs[1])?;
                            let gather = format!("{}.{suffix}", gather.name);
                            let map = rewrite.node(&gather, Operator::Gather, &[&maps, &indices])?;
                            rewrite.node(&name, Operator::Add, &[&y, &map])?
                        }
                    };
                    end = &follower.name;
                }
                phases.push(y);
            }
        }
        let phases = match phases.as_slice() {
            [only] => only.clone(),
            _ => {
                let operator = Operator::Concat { axis: 1 };
                let name = format!("{}.phases", self.node.name);
                rewrite.node(&name, operator, &phases.iter().collect::<Vec<_>>())?
            }
        };
        self.shuffle(rewrite, phases)
    }

    /// One picture of all phases, (N, phases · channels, rows, columns).
    fn shuffle(&self, rewrite: &mut Rewrite<'_>, phases: Value) -> Result<Value> {
        let (name, stride) = (&self.node.name, self.sliding.strides[0]);
        let [height, width] = self.picture;
        let mut picture = match stride {
            1 => phases,
            _ => {
                let operator = Operator::DepthToSpace { block: stride };
                rewrite.node(&format!("{name}.woven"), operator, &[&phases])?
            }
        };
        if self.picture.iter().any(|size| !size.is_multiple_of(stride)) {
            picture =
                rewrite.node(&format!("{name}.picture"), Operator::Crop { height, width }, &[&picture])?;
        }
        Ok(picture)
    }

    /// How one axis of a phase reads the grid. Pixel s·i + a takes the kernel's weight k from grid
    /// point i + q − t, where a + (zeros before) = s·q + r and k = s·t + r.
    fn taps(&self, axis: usize, phase: usize) -> Taps {
        let (stride, kernel) = (self.sliding.strides[axis], self.sliding.kernel[axis]);
        let (ahead, first) =
            ((phase + self.sliding.pads[axis]) / stride, (phase + self.sliding.pads[axis]) % stride);
        let count = kernel.saturating_sub(first).div_ceil(stride);
        // From the grid point that is read first; a place before it would be a negative padding.
        let before = count.saturating_sub(ahead + 1);
        let mut of_kernel = vec![None; (ahead + before + 1).max(1)];
        for tap in 0..count {
            of_kernel[ahead + before - tap] = Some(first + tap * stride);
        }
        // As many pixels as the largest phase has.
        let pixels = self.picture[axis].div_ceil(stride);
        let reached = self.grid[axis] + before + 1;
        let after = (pixels + of_kernel.len()).saturating_sub(reached);
        // Points behind the last pixel's are not to be read: the kernel is longer then, by zeros.
        let longer = reached.saturating_sub(pixels + of_kernel.len());
        of_kernel.extend(std::iter::repeat_n(None, longer));
        Taps { before, after, of_kernel }
    }

    /// The kernels of one phase, (outputs, inputs, rows, columns).
    fn kernels(&self, rows: &Taps, columns: &Taps) -> Result<Tensor> {
        let weight = self.weights.weight.floats(); // inputs, outputs, kernel
        let [height, width] = self.sliding.kernel;
        let (inputs, outputs) = (self.weights.weight.dims()[0], self.weights.outputs());
        let mut kernels =
            Vec::with_capacity(inputs * outputs * rows.of_kernel.len() * columns.of_kernel.len());
        for output in 0..outputs {
            for input in 0..inputs {
                let kernel = &weight[(input * outputs + output) * height * width..][..height * width];
                for row in &rows.of_kernel {
                    let at = |column: &Option<usize>| {
                        row.zip(*column).map(|(row, column)| kernel[row * width + column])
                    };
                    kernels.extend(columns.of_kernel.iter().map(|column| at(column).unwrap_or(0.)));
                }
            }
        }
        Tensor::float32(&[outputs, inputs, rows.of_kernel.len(), columns.of_kernel.len()], kernels)
    }

    /// The pixels of each map that are of one phase; 0 beyond the picture.
    fn of_phase(&self, maps: &Tensor, phase: [usize; 2]) -> Result<Tensor> {
        let stride = self.sliding.strides[0];
        let ([height, width], numbers) = (self.picture, maps.floats());
        let mut dims = maps.dims().to_vec();
        let [rows, columns] = self.picture.map(|size| size.div_ceil(stride));
        dims[2..].copy_from_slice(&[rows, columns]);
        let planes = numbers.chunks(height * width).flat_map(|plane| {
            (0..rows * columns).map(move |at| {
                let [y, x] = [at / columns * stride + phase[0], at % columns * stride + phase[1]];
                if y < height && x < width { plane[y * width + x] } else { 0. }
            })
        });
        Tensor::float32(&dims, planes)
    }
}

/// One axis of a phase's kernel.
struct Taps {
    /// Zeros before and after the grid.
    before: usize,
    after: usize,
    /// For each place of the phase's kernel, the one of the whole kernel; none where it has a 0.
    of_kernel: Vec<Option<usize>>,
}

impl Taps {
    /// The same reading with more zeros around the grid.
    fn widened(mut self, before: usize, after: usize) -> Taps {
        self.of_kernel.splice(0..0, std::iter::repeat_n(None, before - self.before));
        self.of_kernel.extend(std::iter::repeat_n(None, after - self.after));
        Taps { before, after, of_kernel: self.of_kernel }
    }
}

/// If `node` adds a map of its own to each item of `y`: the node that takes it from a table, and the
/// table, (classes, C, H, W).
pub(super) fn maps_of<'a>(graph: &'a Graph, node: &Node, y: &str) -> Option<(&'a Node, &'a Tensor)> {
    let other = node.inputs.iter().find(|input| *input != y).filter(|_| node.operator == Operator::Add)?;
    let gather = graph.producer(other).filter(|gather| gather.operator == Operator::Gather)?;
    let table = graph.constant(&gather.inputs[0])?;
    (table.dims().len() == 4).then_some((gather, table))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_same, every_layer, operators};
    use super::super::{dead, simplify};
    use super::{joined, subpixel};
    use crate::onnx::{Dim, Graph, Operator, Sliding, Tensor, Type};

    #[test]
    fn every_transposed_convolution_becomes_convolutions() {
        let graph = simplify(every_layer(3)).unwrap();
        let converted = dead::remove(&subpixel(&graph, |_| true).unwrap()).unwrap();
        assert!(operators(&graph).contains(&"ConvTranspose"));
        assert!(!operators(&converted).contains(&"ConvTranspose"));
        assert_same(&graph, &converted);
        // As the layers are, before anything else was done to the graph.
        let graph = every_layer(4);
        assert_same(&graph, &subpixel(&graph, |_| true).unwrap());
        assert_eq!(subpixel(&graph, |_| false).unwrap().nodes(), graph.nodes());
        assert_same(&graph, &joined(&graph, |_| true).unwrap());
    }

    /// Kernels smaller and larger than the stride, zeros up to where nothing is left of the picture.
    #[test]
    fn any_kernel_stride_and_padding() {
        let mut cases = 0;
        for (kernel, stride) in [(1, 1), (3, 1), (1, 2), (2, 2), (3, 2), (5, 2), (2, 3), (4, 3), (7, 3)] {
            for (before, after) in [(0, 0), (1, 2), (2, 0), (0, 3), (4, 1)] {
                let sliding = Sliding {
                    kernel: [kernel; 2],
                    strides: [stride; 2],
                    pads: [before, after, after, before],
                };
                let mut graph = Graph::new("g");
                let dims = [None, Some(2), Some(3), Some(5)];
                let dims = dims.map(|size| size.map_or(Dim::Symbol("batch".into()), Dim::Fixed)).to_vec();
                let x = graph.input("x", Type::float32(dims)).unwrap();
                let numbers = |n: usize| (0..n).map(|i| (i * 37 % 101) as f32 / 50. - 1.);
                let weight = Tensor::float32(&[2, 3, kernel, kernel], numbers(6 * kernel * kernel)).unwrap();
                let weight = graph.initializer("w", weight).unwrap();
                let bias = graph.initializer("b", Tensor::float32(&[3], numbers(3)).unwrap()).unwrap();
                let Ok(y) = graph.node("y", Operator::ConvTranspose(sliding), &[&x, &weight, &bias]) else {
                    continue;
                };
                graph.output(&y, "out").unwrap();
                let converted = subpixel(&graph, |_| true).unwrap();
                assert!(!operators(&converted).contains(&"ConvTranspose"), "{sliding:?}");
                assert_same(&graph, &converted);
                let joined = dead::remove(&joined(&graph, |_| true).unwrap()).unwrap();
                assert_eq!(operators(&joined).iter().filter(|&&name| name == "Conv").count(), 1);
                assert_same(&graph, &joined);
                cases += 1;
            }
        }
        assert!(cases > 30, "{cases}");
    }
}
