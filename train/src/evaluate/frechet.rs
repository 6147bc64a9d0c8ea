//! The Fréchet distance between two sets of features, each taken as a normal distribution (Heusel et
//! al. 2017): ‖m − m′‖² + tr(C + C′ − 2 (C C′)^½).
//!
//! The root's trace is that of (R C′ R)^½ with R = C^½: symmetric, so eigenvalues are real.
//! It is biased: smaller sets are farther from anything. Compare sets of one size, or with a floor.

use anyhow::{Result, bail};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::interval::Estimate;
use super::shuffled;

/// Parts that the jackknife leaves out in turn.
const GROUPS: usize = 20;

/// Mean and covariance (by n − 1) of features.
#[derive(Clone, Debug)]
pub struct Moments {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

/// A set's features, summed up in groups.
pub struct Features {
    n: usize,
    /// What was subtracted before summing, so that nothing cancels.
    centre: DVector<f64>,
    /// Points, sum and sum of outer products of each group.
    groups: Vec<(usize, DVector<f64>, DMatrix<f64>)>,
}

impl Features {
    /// Sums up features, (N, `dimensions`) row by row.
    ///
    /// # Errors
    /// If there are fewer than two points.
    pub fn new(values: &[f32], dimensions: usize) -> Result<Features> {
        let n = values.len() / dimensions;
        if n < 2 {
            bail!("a covariance takes 2 images or more, there are {n}");
        }
        let row = |i: usize| values[i * dimensions..][..dimensions].iter().map(|&v| f64::from(v));
        let mut centre = DVector::zeros(dimensions);
        for i in 0..n {
            centre.iter_mut().zip(row(i)).for_each(|(sum, v)| *sum += v);
        }
        centre /= n as f64;
        let order = shuffled(n);
        let groups = order.chunks(n.div_ceil(GROUPS)).map(|members| {
            let points = members.iter().flat_map(|&i| row(i));
            let mut points = DMatrix::from_iterator(dimensions, members.len(), points);
            points.column_iter_mut().for_each(|mut point| point -= &centre);
            (members.len(), points.column_sum(), &points * points.transpose())
        });
        Ok(Features { n, groups: groups.collect(), centre })
    }

    /// The moments of all points but those of one group, or of all.
    pub fn moments(&self, without: Option<usize>) -> Moments {
        let dimensions = self.centre.len();
        let start = (0, DVector::zeros(dimensions), DMatrix::zeros(dimensions, dimensions));
        let kept = self.groups.iter().enumerate().filter(|(group, _)| Some(*group) != without);
        let (n, sum, outer) =
            kept.fold(start, |(n, sum, outer), (_, group)| (n + group.0, sum + &group.1, outer + &group.2));
        let (n, mean) = (n as f64, sum / n as f64);
        let covariance = (outer - &mean * mean.transpose() * n) / (n - 1.).max(1.);
        Moments { mean: mean + &self.centre, covariance }
    }

    /// The distance to `reference`, with a jackknife interval; the reference is taken as it is.
    pub fn distance(&self, reference: &Moments) -> Estimate {
        let reference = Reference::new(reference);
        let value = reference.distance(&self.moments(None));
        let groups = 0..self.groups.len();
        let without: Vec<f64> = groups.map(|group| reference.distance(&self.moments(Some(group)))).collect();
        let estimate = Estimate::jackknife(value, &without, self.n);
        Estimate { low: estimate.low.max(0.), ..estimate }
    }
}

impl Moments {
    /// The Fréchet distance.
    pub fn distance(&self, other: &Moments) -> f64 {
        Reference::new(self).distance(other)
    }
}

/// Moments with the root of their covariance.
struct Reference<'a> {
    moments: &'a Moments,
    root: DMatrix<f64>,
}

impl Reference<'_> {
    fn new(moments: &Moments) -> Reference<'_> {
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(moments.covariance.clone());
        // Rounding may leave a little less than nothing.
        let roots = DMatrix::from_diagonal(&eigenvalues.map(|value| value.max(0.).sqrt()));
        Reference { moments, root: &eigenvectors * roots * eigenvectors.transpose() }
    }

    fn distance(&self, other: &Moments) -> f64 {
        let product = &self.root * &other.covariance * &self.root;
        let symmetric = (&product + product.transpose()) / 2.;
        let roots: f64 = symmetric.symmetric_eigenvalues().iter().map(|value| value.max(0.).sqrt()).sum();
        let means = (&self.moments.mean - &other.mean).norm_squared();
        means + self.moments.covariance.trace() + other.covariance.trace() - 2. * roots
    }
}

#[cfg(test)]
mod tests {
    use super::{DMatrix, DVector, Features, Moments};

    #[test]
    fn of_covariances_that_commute_it_is_known() {
        // (1 − 4)² + (√2 − √8)² + (√3 − √12)²: the mean's part, then each deviation's.
        let diagonal = |values: [f64; 2]| DMatrix::from_diagonal(&DVector::from_row_slice(&values));
        let a = Moments { mean: DVector::from_row_slice(&[1., 0.]), covariance: diagonal([2., 3.]) };
        let b = Moments { mean: DVector::from_row_slice(&[4., 0.]), covariance: diagonal([8., 12.]) };
        let expected = 9. + 2. + 3.;
        assert!((a.distance(&b) - expected).abs() < 1e-12);
        assert!(a.distance(&a).abs() < 1e-12);
    }

    #[test]
    fn moments_are_those_of_the_points() {
        // Four points, far from 0.
        let values = [1001f32, 5., 1003., 5., 1001., 9., 1003., 9.];
        let moments = Features::new(&values, 2).unwrap().moments(None);
        assert_eq!(moments.mean.as_slice(), [1002., 7.]);
        let expected = DMatrix::from_diagonal(&DVector::from_row_slice(&[4. / 3., 16. / 3.]));
        assert!((moments.covariance - expected).norm() < 1e-12);
        assert!(Features::new(&values[..2], 2).is_err());
    }
}
