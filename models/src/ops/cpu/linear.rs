//! Linear layers. The label's part of the input is one-hot, so its part of the product is a row of
//! a table: no concatenation, no multiplication by zeros.

use super::matrix::{Into, Matrix, Output, Products, Threads};
use super::{Gradients, HostLabels};

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
        let mut y = Vec::with_capacity(n * outputs);
        match labels {
            None => (0..n).for_each(|_| y.extend_from_slice(self.bias)),
            Some(labels) => {
                // A row for each class: the bias and the label's column of the weight.
                let mut rows = vec![self.bias.to_vec(); labels.classes];
                for (o, weight) in self.weight.chunks_exact(row).enumerate() {
                    rows.iter_mut().zip(&weight[inputs..]).for_each(|(row, w)| row[o] += w);
                }
                labels.of.iter().for_each(|&class| y.extend_from_slice(&rows[class as usize]));
            }
        }
        let weight = Matrix::strided(self.weight, outputs, inputs, row);
        P::of_floats(
            Output { numbers: &mut y, stride: outputs, into: Into::Add, threads: Threads::All },
            Matrix::new(x, n, inputs),
            weight.t(),
        );
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
            let mut dx = vec![0f32; n * inputs];
            let weight = Matrix::strided(self.weight, outputs, inputs, row);
            P::of_floats(
                Output { numbers: &mut dx, stride: inputs, into: Into::Replace, threads: Threads::All },
                dy_matrix,
                weight,
            );
            dx
        });
        let parameters = wanted.parameters.then(|| {
            let mut dw = vec![0f32; self.weight.len()];
            let mut db = vec![0f32; outputs];
            P::of_floats(
                Output { numbers: &mut dw, stride: row, into: Into::Replace, threads: Threads::All },
                dy_matrix.t(),
                Matrix::new(x, n, inputs),
            );
            // Σ dy over the items of each class: the label's column is all ones there.
            let mut sums = vec![vec![0f32; outputs]; labels.map_or(1, |l| l.classes)];
            for (i, dy) in dy.chunks_exact(outputs).enumerate() {
                let class = labels.map_or(0, |l| l.of[i] as usize);
                sums[class].iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
            }
            for sum in &sums {
                db.iter_mut().zip(sum).for_each(|(db, sum)| *db += sum);
            }
            for (o, dw) in dw.chunks_exact_mut(row).enumerate() {
                dw[inputs..].iter_mut().zip(&sums).for_each(|(dw, sum)| *dw = sum[o]);
            }
            (dw, db)
        });
        Gradients { x: dx, parameters }
    }
}
