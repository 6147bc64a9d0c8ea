//! Squared distances of all pairs of points, in double precision and in blocks of rows:
//! ‖a − b‖² = ‖a‖² + ‖b‖² − 2 a·b, so nearly all of the work is a matrix product.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// Rows of a block.
const ROWS: usize = 256;

/// Points of so many dimensions.
#[derive(Clone, Debug)]
pub struct Points {
    /// (N, D) of f64
    values: Tensor,
    /// ‖p‖² of each.
    norms: Vec<f64>,
}

impl Points {
    /// Takes points, one after the other.
    ///
    /// # Errors
    /// Candle's, if the numbers don't make up whole points.
    pub fn new(values: Vec<f64>, dimensions: usize) -> Result<Points> {
        let norms = values.chunks(dimensions).map(|p| p.iter().map(|v| v * v).sum()).collect();
        let n = values.len() / dimensions;
        Ok(Points { values: Tensor::from_vec(values, (n, dimensions), &Device::Cpu)?, norms })
    }

    /// Number of points.
    pub fn count(&self) -> usize {
        self.norms.len()
    }

    /// For each point, in order, what `visit` makes of its index and its squared distances to all
    /// of `others`.
    ///
    /// # Errors
    /// Candle's, if the points are of other dimensions.
    pub fn map_distances<T, F>(&self, others: &Points, visit: F) -> Result<Vec<T>>
    where
        T: Send,
        F: Fn(usize, &mut [f64]) -> T + Sync,
    {
        let (n, m) = (self.count(), others.count());
        let transposed = others.values.t()?;
        let mut found = Vec::with_capacity(n);
        for first in (0..n).step_by(ROWS) {
            let rows = ROWS.min(n - first);
            let products = self.values.narrow(0, first, rows)?.matmul(&transposed)?;
            let mut block = products.flatten_all()?.to_vec1::<f64>()?;
            found.par_extend(block.par_chunks_mut(m).enumerate().map(|(row, line)| {
                let norm = self.norms[first + row];
                for (d, other) in line.iter_mut().zip(&others.norms) {
                    // Rounding may leave a little less than nothing.
                    *d = (norm + other - 2. * *d).max(0.);
                }
                visit(first + row, line)
            }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::Points;

    #[test]
    fn all_pairs_of_uneven_blocks() {
        let point = |i: usize| [(i * 37 % 101) as f64, (i * 53 % 89) as f64 / 7., i as f64 / 3.];
        let points =
            |n: usize, from: usize| Points::new((from..from + n).flat_map(point).collect(), 3).unwrap();
        let (a, b) = (points(300, 0), points(7, 1000));
        let found = a.map_distances(&b, |i, line| (i, line.to_vec())).unwrap();
        for (row, (i, line)) in found.into_iter().enumerate() {
            assert_eq!(row, i);
            for (j, d) in line.into_iter().enumerate() {
                let expected: f64 =
                    point(i).iter().zip(point(1000 + j)).map(|(a, b)| (a - b) * (a - b)).sum();
                assert!((d - expected).abs() < 1e-9 * (1. + expected), "{i} {j}: {d}, {expected}");
            }
        }
    }
}
