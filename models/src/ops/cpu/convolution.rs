//! Convolution and transposed convolution: unfold or fold, and one matrix product.
//!
//! The rows of a whole batch would be 40 MB, bound by memory; a few pictures at a time stay in the
//! cache. Inside, pictures are channels-last and padded, so that a row of the kernel is one copy.
//!
//! The label's planes are constant, so what they add is a picture per class: no multiplications.

use std::cell::Cell;
use std::mem::{MaybeUninit, take};

use rayon::prelude::*;

use super::matrix::{Matrix, Number, Output, Products, Threads};
use super::transpose::transpose;
use super::{Gradients, HostLabels, sum_by, vectorised, written};
use crate::layers::Window;
use crate::ops::geometry::{Convolution, Direction, Geometry};

/// Grid points that are worth reading all weights for: small grids have the large weights.
const POINTS: usize = 256;
/// The batch is cut into so many groups at most for the weight's gradient, whatever the number of
/// threads: one partial sum each, added in order.
const GROUPS: usize = 8;

/// Numbers of a picture that one thread sums at a time over a batch.
const PIECE: usize = 4096;

/// A convolution's weights.
#[derive(Clone, Copy)]
pub struct Kernel<'a> {
    /// As [`Direction`] says.
    pub weight: &'a [f32],
    /// One number a channel of the output.
    pub bias: &'a [f32],
    direction: Direction,
    geometry: Geometry,
}

impl Geometry {
    /// Pictures unfolded at a time, `least` or more: a power of two, so that batches of such sizes are cut
    /// evenly.
    fn block(&self, least: usize) -> usize {
        let pictures = (POINTS / self.points().max(1)).max(1);
        least.max(1 << pictures.ilog2())
    }

    /// Columns of a padded picture.
    fn padded_width(&self) -> usize {
        self.picture.1 + self.window.columns.0 + self.window.columns.1
    }

    /// Numbers in a padded picture.
    fn padded_len(&self) -> usize {
        (self.picture.0 + self.window.rows.0 + self.window.rows.1) * self.padded_width() * self.channels
    }

    /// Where row `y` of the picture starts in the padded, channels-last one.
    fn padded_row(&self, y: usize) -> usize {
        ((y + self.window.rows.0) * self.padded_width() + self.window.columns.0) * self.channels
    }

    /// unfold: `picture` (C, H, W) → `rows` (P, K). `padded` is scratch.
    pub fn unfold<T: Number>(&self, picture: &[f32], padded: &mut [T], rows: &mut [T]) {
        let Geometry { channels, picture: (height, width), .. } = *self;
        padded.fill(T::of(0.));
        for y in 0..height {
            let to = &mut padded[self.padded_row(y)..];
            transpose(&picture[y * width..], height * width, (channels, width), to, channels);
        }
        self.each_line(
            #[inline(always)]
            |line, window| rows[line].copy_from_slice(&padded[window]),
        );
    }

    /// fold: `rows` (P, K) → `picture` (C, H, W), replaced. `padded` is scratch.
    pub fn fold(&self, rows: &[f32], padded: &mut [f32], picture: &mut [f32]) {
        let Geometry { channels, picture: (height, width), .. } = *self;
        padded.fill(0.);
        vectorised(
            #[inline(always)]
            || {
                self.each_line(
                    #[inline(always)]
                    |line, window| {
                        padded[window].iter_mut().zip(&rows[line]).for_each(|(to, from)| *to += from);
                    },
                );
            },
        );
        for y in 0..height {
            let from = &padded[self.padded_row(y)..];
            transpose(from, channels, (width, channels), &mut picture[y * width..], height * width);
        }
    }

    /// Each row of the kernel at each point: where it lies in the rows, and in the padded picture.
    #[inline(always)]
    fn each_line(&self, mut visit: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let Window { kernel, stride, .. } = self.window;
        let line = kernel * self.channels;
        let mut at = 0;
        for y in 0..self.grid.0 {
            for x in 0..self.grid.1 {
                for ky in 0..kernel {
                    let window = ((y * stride + ky) * self.padded_width() + x * stride) * self.channels;
                    visit(at..at + line, window..window + line);
                    at += line;
                }
            }
        }
    }

    /// Each kernel position with the runs of grid points where it lies inside the picture:
    /// (kernel position, first grid point, first pixel, points). Pixels are a stride apart.
    #[inline(always)]
    fn each_run(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        let Window { kernel, stride, rows, columns } = self.window;
        let (height, width) = self.picture;
        // Grid points g with 0 ≤ g·stride + k − before < size.
        let inside = |k: usize, before: usize, size: usize, points: usize| {
            let first = before.saturating_sub(k).div_ceil(stride);
            let end = (size + before).saturating_sub(k).div_ceil(stride).min(points);
            first..end.max(first)
        };
        for ky in 0..kernel {
            for kx in 0..kernel {
                let across = inside(kx, columns.0, width, self.grid.1);
                if across.is_empty() {
                    continue;
                }
                for gy in inside(ky, rows.0, height, self.grid.0) {
                    let (y, x) = (gy * stride + ky - rows.0, across.start * stride + kx - columns.0);
                    visit(ky * kernel + kx, gy * self.grid.1 + across.start, y * width + x, across.len());
                }
            }
        }
    }
}

impl<'a> Kernel<'a> {
    /// The kernel of a convolution with these weights.
    pub fn new(c: &Convolution, weight: &'a [f32], bias: &'a [f32]) -> Kernel<'a> {
        Kernel { weight, bias, direction: c.direction, geometry: c.geometry }
    }

    /// The layer's output: bias, label and all.
    ///
    /// # Shapes
    /// (N, C, H, W) → (N, C′, H′, W′) as the direction says.
    pub fn forward<P: Products>(&self, x: &[f32], labels: Option<HostLabels<'_>>) -> Vec<f32> {
        let g = self.geometry;
        let (points, row) = (g.points(), g.row());
        let (x_len, y_len) = self.lengths();
        let r: Vec<P::Number> = self.as_rows();
        let weight = Matrix::new(&r, g.filters, row);
        let weight = P::factor(match self.direction {
            Direction::Gather => weight.t(),
            Direction::Scatter => weight,
        });
        let base = self.base(labels);
        let (n, pictures) = (x.len() / x_len, g.block(P::PICTURES));
        let threads = beside(n.div_ceil(pictures));
        let write = |y: &mut [MaybeUninit<f32>]| {
            let blocks = y.par_chunks_mut(pictures * y_len).zip(x.par_chunks(pictures * x_len)).enumerate();
            blocks.for_each_init(
                || Scratch::new(&g, pictures),
                |scratch, (block, (y, x))| {
                    let y = zeroed(y);
                    let first = block * pictures;
                    let pictures = x.len() / x_len;
                    let [padded, rows, grid] = scratch.of(&g, pictures);
                    match self.direction {
                        Direction::Gather => {
                            let (padded, rows) = (Number::room(padded), Number::room(rows));
                            for (x, rows) in x.chunks(x_len).zip(rows.chunks_mut(points * row)) {
                                g.unfold(x, padded, rows);
                            }
                            let rows = Matrix::new(rows, pictures * points, row);
                            P::product_of(Output::replace(grid, g.filters, threads), rows, &weight);
                            for (grid, y) in grid.chunks(y_len).zip(y.chunks_mut(y_len)) {
                                transpose(grid, g.filters, (points, g.filters), y, points);
                            }
                        }
                        Direction::Scatter => {
                            let grid = Number::room(grid);
                            for (x, grid) in x.chunks(x_len).zip(grid.chunks_mut(x_len)) {
                                transpose(x, points, (g.filters, points), grid, g.filters);
                            }
                            let grid = Matrix::new(grid, pictures * points, g.filters);
                            P::product_of(Output::replace(rows, row, threads), grid, &weight);
                            for (rows, y) in rows.chunks(points * row).zip(y.chunks_mut(y_len)) {
                                g.fold(rows, padded, y);
                            }
                        }
                    }
                    for (i, y) in y.chunks_mut(y_len).enumerate() {
                        let class = labels.map_or(0, |l| l.of[first + i] as usize);
                        y.iter_mut().zip(&base[class * y_len..]).for_each(|(y, b)| *y += b);
                    }
                },
            );
        };
        // SAFETY: the blocks cover the whole batch, and each is zeroed first.
        unsafe { written(n * y_len, write) }
    }

    /// The backward pass.
    ///
    /// # Shapes
    /// `x` like the input, `dy` like the output.
    pub fn backward<P: Products>(
        &self,
        x: &[f32],
        labels: Option<HostLabels<'_>>,
        dy: &[f32],
        wanted: crate::Wanted,
    ) -> Gradients {
        let g = self.geometry;
        let (x_len, y_len) = self.lengths();
        let r: Vec<P::Number> = if wanted.input { self.as_rows() } else { Vec::new() };
        let weight = wanted.input.then(|| {
            let weight = Matrix::new(&r, g.filters, g.row());
            P::factor(match self.direction {
                Direction::Gather => weight,
                Direction::Scatter => weight.t(),
            })
        });
        let (n, pictures) = (x.len() / x_len, g.block(P::PICTURES));
        let per_group = n.div_ceil(GROUPS).next_multiple_of(pictures);
        let threads = beside(n.div_ceil(per_group));
        let mut partial: Vec<Vec<f32>> = Vec::new();
        let mut walk = |dx: Option<&mut [MaybeUninit<f32>]>| {
            let mut dx_groups: Vec<Option<&mut [MaybeUninit<f32>]>> = match dx {
                Some(dx) => dx.chunks_mut(per_group * x_len).map(Some).collect(),
                None => x.chunks(per_group * x_len).map(|_| None).collect(),
            };
            let groups = x.par_chunks(per_group * x_len).zip(dy.par_chunks(per_group * y_len));
            let groups = dx_groups.par_iter_mut().zip(groups).map(|(dx, (x, dy))| {
                let mut scratch = Scratch::new(&g, pictures);
                let mut dr = Vec::new();
                let blocks = x.chunks(pictures * x_len).zip(dy.chunks(pictures * y_len)).enumerate();
                for (block, (x, dy)) in blocks {
                    let dx = dx.as_mut().zip(weight.as_ref()).map(|(dx, weight)| {
                        let start = block * pictures * x_len;
                        (zeroed(&mut dx[start..start + x.len()]), weight)
                    });
                    let dr = wanted.parameters.then_some(&mut dr);
                    self.backward_block::<P>((x, dy), &mut scratch, dx, dr, threads);
                }
                dr
            });
            partial = groups.collect();
        };
        let dx = if wanted.input {
            // SAFETY: the groups' blocks cover the whole batch, and each is zeroed first.
            Some(unsafe { written(x.len(), |dx| walk(Some(dx))) })
        } else {
            walk(None);
            None
        };
        let parameters = wanted.parameters.then(|| self.parameter_gradients(&partial, labels, dy));
        Gradients { x: dx, parameters }
    }

    /// A few pictures' part of the backward pass: fills `dx`, which needs the weight, and adds to `dr`, which
    /// is empty before the first.
    fn backward_block<P: Products>(
        &self,
        (x, dy): (&[f32], &[f32]),
        scratch: &mut Scratch,
        dx: Option<(&mut [f32], &P::Factor<'_>)>,
        dr: Option<&mut Vec<f32>>,
        threads: Threads,
    ) {
        let g = self.geometry;
        let (points, row) = (g.points(), g.row());
        let (x_len, y_len) = self.lengths();
        let pictures = x.len() / x_len;
        let [padded, rows, grid] = scratch.of(&g, pictures);
        let (on_picture, on_grid, picture_len, grid_len) = match self.direction {
            Direction::Gather => (x, dy, x_len, y_len),
            Direction::Scatter => (dy, x, y_len, x_len),
        };
        {
            let (padded, rows) = (Number::room(padded), Number::room(rows));
            if dr.is_some() || self.direction == Direction::Scatter {
                for (picture, rows) in on_picture.chunks(picture_len).zip(rows.chunks_mut(points * row)) {
                    g.unfold(picture, padded, rows);
                }
            }
            let grid = Number::room(grid);
            for (from, grid) in on_grid.chunks(grid_len).zip(grid.chunks_mut(grid_len)) {
                transpose(from, points, (g.filters, points), grid, g.filters);
            }
            if let Some(dr) = dr {
                let grid = Matrix::new(&*grid, pictures * points, g.filters).t();
                let rows = Matrix::new(&*rows, pictures * points, row);
                if dr.is_empty() {
                    let write = |dr: &mut [MaybeUninit<f32>]| {
                        P::product(Output::write(dr, row, threads), grid, rows);
                    };
                    // SAFETY: the product has a row of so many for each filter.
                    *dr = unsafe { written(g.filters * row, write) };
                } else {
                    P::product(Output::add(dr, row, threads), grid, rows);
                }
            }
        }
        let Some((dx, weight)) = dx else { return };
        match self.direction {
            Direction::Gather => {
                let dy = Matrix::new(&*Number::room(grid), pictures * points, g.filters);
                P::product_of(Output::replace(rows, row, threads), dy, weight);
                for (rows, dx) in rows.chunks(points * row).zip(dx.chunks_mut(x_len)) {
                    g.fold(rows, padded, dx);
                }
            }
            Direction::Scatter => {
                let dy = Matrix::new(&*Number::room(rows), pictures * points, row);
                P::product_of(Output::replace(grid, g.filters, threads), dy, weight);
                for (grid, dx) in grid.chunks(x_len).zip(dx.chunks_mut(x_len)) {
                    transpose(grid, g.filters, (points, g.filters), dx, points);
                }
            }
        }
    }

    /// Numbers of one input and of one output.
    fn lengths(&self) -> (usize, usize) {
        let g = &self.geometry;
        match self.direction {
            Direction::Gather => (g.picture_len(), g.grid_len()),
            Direction::Scatter => (g.grid_len(), g.picture_len()),
        }
    }

    /// Where the k² numbers of (filter, channel) start in `weight`.
    fn at(&self, filter: usize, channel: usize) -> usize {
        let g = &self.geometry;
        let taps = g.taps();
        let channels = match self.direction {
            Direction::Gather => self.weight.len() / (g.filters * taps),
            Direction::Scatter => g.channels,
        };
        (filter * channels + channel) * taps
    }

    /// Where the k² numbers of a class's plane start, for one channel of the output.
    fn at_label(&self, class: usize, channel: usize) -> usize {
        match self.direction {
            Direction::Gather => self.at(channel, self.geometry.channels + class),
            Direction::Scatter => self.at(self.geometry.filters + class, channel),
        }
    }

    /// R: the weight without the label's part, as (G, k, k, C).
    fn as_rows<T: Number>(&self) -> Vec<T> {
        let g = &self.geometry;
        let taps = g.taps();
        let mut r = vec![T::of(0.); g.filters * g.row()];
        r.par_chunks_mut(g.row()).enumerate().for_each(|(filter, row)| {
            let from = &self.weight[self.at(filter, 0)..];
            transpose(from, taps, (g.channels, taps), row, g.channels);
        });
        r
    }

    /// What the output is without the input: the bias, and the picture of the label's
    /// planes. (classes, output), or one row without labels.
    fn base(&self, labels: Option<HostLabels<'_>>) -> Vec<f32> {
        let (_, y_len) = self.lengths();
        let channels = self.bias.len();
        let area = y_len / channels;
        let classes = labels.map_or(1, |l| l.classes);
        let mut base = vec![0f32; classes * y_len];
        base.par_chunks_mut(area).enumerate().for_each(|(i, base)| {
            let (class, channel) = (i / channels, i % channels);
            base.fill(self.bias[channel]);
            if labels.is_some() {
                let weight = &self.weight[self.at_label(class, channel)..];
                self.geometry.each_run(
                    #[inline(always)]
                    |tap, point, pixel, points| {
                        let (first, step) = self.output_run(point, pixel);
                        base[first..].iter_mut().step_by(step).take(points).for_each(|b| *b += weight[tap]);
                    },
                );
            }
        });
        base
    }

    /// Where a run of grid points lies in a channel of the output: its first number, and the
    /// distance to the next.
    #[inline(always)]
    fn output_run(&self, point: usize, pixel: usize) -> (usize, usize) {
        match self.direction {
            Direction::Gather => (point, 1),
            Direction::Scatter => (pixel, self.geometry.window.stride),
        }
    }

    /// dW and db from the groups' partial sums and from the sums of dy over each class.
    fn parameter_gradients(
        &self,
        partial: &[Vec<f32>],
        labels: Option<HostLabels<'_>>,
        dy: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let g = &self.geometry;
        let (_, y_len) = self.lengths();
        let taps = g.taps();
        let mut dw = vec![0f32; self.weight.len()];

        // Filter by filter: the sum of the groups', in their order, and back to the weight's layout.
        dw.par_chunks_mut(self.at(1, 0)).take(g.filters).enumerate().for_each(|(filter, dw)| {
            let row = filter * g.row()..(filter + 1) * g.row();
            let mut groups = partial.iter().map(|dr| &dr[row.clone()]);
            let mut sum = groups.next().map(<[f32]>::to_vec).unwrap_or_default();
            groups.for_each(|dr| sum.iter_mut().zip(dr).for_each(|(sum, dr)| *sum += dr));
            transpose(&sum, g.channels, (taps, g.channels), dw, taps);
        });

        // Σ dy over the pictures of each class: the label's planes are all ones.
        let classes = labels.map_or(1, |l| l.classes);
        let mut sums = vec![0f32; classes * y_len];
        sums.par_chunks_mut(y_len).enumerate().for_each(|(class, sum)| {
            sum.par_chunks_mut(PIECE).enumerate().for_each(|(piece, sum)| {
                for (i, dy) in dy.chunks_exact(y_len).enumerate() {
                    if labels.is_none_or(|l| l.of[i] as usize == class) {
                        sum.iter_mut().zip(&dy[piece * PIECE..]).for_each(|(sum, dy)| *sum += dy);
                    }
                }
            });
        });
        let channels = self.bias.len();
        let area = y_len / channels;
        let mut db = vec![0f32; channels];
        for (i, sum) in sums.chunks(area).enumerate() {
            let [sum] = sum_by([sum], |[x]| [x]);
            db[i % channels] += sum;
        }
        if labels.is_some() {
            let planes: Vec<Vec<f32>> = sums
                .par_chunks(area)
                .map(|sum| {
                    let mut plane = vec![0f32; taps];
                    g.each_run(
                        #[inline(always)]
                        |tap, point, pixel, points| {
                            let (first, step) = self.output_run(point, pixel);
                            plane[tap] += sum[first..].iter().step_by(step).take(points).sum::<f32>();
                        },
                    );
                    plane
                })
                .collect();
            for (i, plane) in planes.iter().enumerate() {
                let at = self.at_label(i / channels, i % channels);
                dw[at..at + taps].copy_from_slice(plane);
            }
        }
        (dw, db)
    }
}

/// Who computes a product of which so many run side by side.
fn beside(pieces: usize) -> Threads {
    if pieces < rayon::current_num_threads() { Threads::All } else { Threads::One }
}

/// The same numbers, set to 0: by the thread that goes on with them, so that they are in its cache.
fn zeroed(numbers: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    numbers.fill(MaybeUninit::new(0.));
    // SAFETY: all are set.
    unsafe { numbers.assume_init_mut() }
}

/// Scratch memory for a few pictures. The thread keeps it for the next ones, and for the next convolution:
/// clearing new memory takes as long as using it.
struct Scratch {
    room: Room,
}

#[derive(Default)]
struct Room {
    /// One padded picture, channels last.
    padded: Vec<f32>,
    /// (pictures·P, K)
    rows: Vec<f32>,
    /// (pictures·P, G)
    grid: Vec<f32>,
}

thread_local! {
    static KEPT: Cell<Room> = Cell::default();
}

impl Scratch {
    fn new(g: &Geometry, pictures: usize) -> Scratch {
        // A thread that is in the midst of another convolution has none to give.
        let mut room = KEPT.take();
        let sizes = [g.padded_len(), pictures * g.points() * g.row(), pictures * g.grid_len()];
        for (numbers, size) in [&mut room.padded, &mut room.rows, &mut room.grid].into_iter().zip(sizes) {
            if numbers.len() < size {
                // Not `resize`: what is there needn't be copied.
                *numbers = vec![0f32; size];
            }
        }
        Scratch { room }
    }

    /// Room for one padded picture, and for the rows and the grid of so many.
    fn of(&mut self, g: &Geometry, pictures: usize) -> [&mut [f32]; 3] {
        let Room { padded, rows, grid } = &mut self.room;
        [
            &mut padded[..g.padded_len()],
            &mut rows[..pictures * g.points() * g.row()],
            &mut grid[..pictures * g.grid_len()],
        ]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        KEPT.set(take(&mut self.room));
    }
}
