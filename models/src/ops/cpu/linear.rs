//! Linear layers. The label's part of the input is one-hot, so its part of the product is a row of
//! a table: no concatenation, no multiplication by zeros.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::matrix::{Matrix, Output, Products, Threads};
use super::{Gradients, HostLabels, columns, written};

/// Outputs that one thread takes at a time, where no product does.
const OUTPUTS: usize = 256;

/// A linear layer's weights: `weight` (outputs, inputs + classes), `bias` (outputs).
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    /// (outputs, inputs + classes)
    pub weight: &'a [f32],
    /// (outputs)
    pub bias: &'a [f32],
    /// Features in, without the label's.
    pub inputs: usize,
}

impl Linear<'_> {
    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Numbers between two rows of `weight`.
    fn row(&self) -> usize {
        self.weight.len() / self.outputs()
    }

    /// y = (x ⊕ label)·Wᵀ + b
    ///
    /// # Shapes
    /// `x` (N, inputs) → (N, outputs)
    pub fn forward<P: Products>(&self, x: &[f32], labels: Option<HostLabels<'_>>) -> Vec<f32> {
        let (inputs, outputs, row) = (self.inputs, self.outputs(), self.row());
        let n = x.len() / inputs;
        // Without the input: a row for each class, of the bias and the label's column of the weight.
        let mut rows = self.bias.repeat(labels.map_or(1, |l| l.classes));
        if labels.is_some() {
            let parts = columns(&mut rows, outputs, OUTPUTS).into_par_iter();
            parts.zip(self.weight.par_chunks(OUTPUTS * row)).for_each(|(mut rows, weight)| {
                for (o, weight) in weight.chunks_exact(row).enumerate() {
                    rows.iter_mut().zip(&weight[inputs..]).for_each(|(row, w)| row[o] += w);
                }
            });
        }
        let start = |y: &mut [MaybeUninit<f32>]| {
            y.par_chunks_mut(outputs).enumerate().for_each(|(i, y)| {
                let class = labels.map_or(0, |l| l.of[i] as usize);
                y.write_copy_of_slice(&rows[class * outputs..(class + 1) * outputs]);
            });
        };
        // SAFETY: a row is copied for each of the N items.
        let mut y = unsafe { written(n * outputs, start) };
        let weight = Matrix::strided(self.weight, outputs, inputs, row);
        P::of_floats(Output::add(&mut y, outputs, Threads::All), Matrix::new(x, n, inputs), weight.t());
        y
    }

    /// The backward pass: dx = dy·W; dW = dyᵀ·(x ⊕ label); db = Σ dy.
    ///
    /// # Shapes
    /// `x` (N, inputs), `dy` (N, outputs)
    pub fn backward<P: Products>(
        &self,
        x: &[f32],
        labels: Option<HostLabels<'_>>,
        dy: &[f32],
        wanted: crate::Wanted,
    ) -> Gradients {
        let (inputs, outputs, row) = (self.inputs, self.outputs(), self.row());
        let n = x.len() / inputs;
        let dy_matrix = Matrix::new(dy, n, outputs);
        let dx = wanted.input.then(|| {
            let weight = Matrix::strided(self.weight, outputs, inputs, row);
            let write = |dx: &mut [MaybeUninit<f32>]| {
                P::of_floats(Output::write(dx, inputs, Threads::All), dy_matrix, weight);
            };
            // SAFETY: the product has N rows of so many.
            unsafe { written(n * inputs, write) }
        });
        let parameters = wanted.parameters.then(|| {
            let mut db = vec![0f32; outputs];
            let write = |dw: &mut [MaybeUninit<f32>]| {
                let x = Matrix::new(x, n, inputs);
                P::of_floats(Output::write(dw, row, Threads::All), dy_matrix.t(), x);
                let parts = dw.par_chunks_mut(OUTPUTS * row).zip(db.par_chunks_mut(OUTPUTS)).enumerate();
                parts.for_each(|(part, (dw, db))| {
                    // Σ dy over the items of each class: the label's column is all ones there.
                    let mut sums = vec![vec![0f32; db.len()]; labels.map_or(1, |l| l.classes)];
                    for (i, dy) in dy.chunks_exact(outputs).enumerate() {
                        let class = labels.map_or(0, |l| l.of[i] as usize);
                        sums[class].iter_mut().zip(&dy[part * OUTPUTS..]).for_each(|(sum, dy)| *sum += dy);
                    }
                    for sum in &sums {
                        db.iter_mut().zip(sum).for_each(|(db, sum)| *db += sum);
                    }
                    for (o, dw) in dw.chunks_exact_mut(row).enumerate() {
                        dw[inputs..].iter_mut().zip(&sums).for_each(|(dw, sum)| _ = dw.write(sum[o]));
                    }
                });
            };
            // SAFETY: of each row the product writes the inputs, and the sums the label's part.
            let dw = unsafe { written(self.weight.len(), write) };
            (dw, db)
        });
        Gradients { x: dx, parameters }
    }
}
