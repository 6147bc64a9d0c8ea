//! Binary cross-entropy on logits.
//!
//! −log σ(l) for real, −log(1 − σ(l)) for fake, written as max(l, 0) − l·t + log(1 + e^−|l|): no
//! exponential overflows and no logarithm meets zero, at any logit.

use candle_core::{Result, Tensor};

/// The mean loss of `logits` toward `target`, 1 for real and 0 for fake: one number.
///
/// # Shapes
/// `logits` (N, 1)
///
/// # Errors
/// Candle's.
pub fn binary_cross_entropy(logits: &Tensor, target: f64) -> Result<Tensor> {
    let softplus = ((logits.abs()?.neg()?.exp()? + 1.)?).log()?;
    ((logits.relu()? - (logits * target)?)? + softplus)?.mean_all()
}

/// The gradient of [`binary_cross_entropy`] with respect to the logits: (σ(l) − t)/N.
///
/// # Shapes
/// `logits` (N, 1) → (N, 1)
///
/// # Errors
/// Candle's.
pub fn gradient(logits: &Tensor, target: f64) -> Result<Tensor> {
    let n = logits.elem_count() as f64;
    (probability(logits)? - target)? / n
}

/// The gradient of the mean squared difference of logits with respect to the first, 2 (a − b) / N; that with
/// respect to the others is its opposite.
///
/// # Shapes
/// `a` and `b` (N, 1) → (N, 1)
///
/// # Errors
/// Candle's.
pub fn difference_gradient(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let n = a.elem_count() as f64;
    (a - b)? * (2. / n)
}

/// σ(l): what D takes for the chance of "real".
///
/// # Shapes
/// `logits` (N, 1) → (N, 1)
///
/// # Errors
/// Candle's.
pub fn probability(logits: &Tensor) -> Result<Tensor> {
    // σ(l) = (1 + tanh(l/2)) / 2 has no exponential to overflow.
    ((logits * 0.5)?.tanh()? * 0.5)? + 0.5
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::{binary_cross_entropy, gradient};

    #[test]
    fn stays_finite_and_right_at_any_logit() {
        for (logit, target, expected) in [
            (0f64, 1., std::f64::consts::LN_2),
            (2., 1., (1. + (-2f64).exp()).ln()),
            (2., 0., (1. + 2f64.exp()).ln()),
            (-3., 0.9, 3. * 0.9 + (1. + (-3f64).exp()).ln()),
            (200., 0., 200.),
            (-200., 1., 200.),
            (200., 1., 0.),
        ] {
            let logits = Tensor::new(&[[logit]], &Device::Cpu).unwrap();
            let value = binary_cross_entropy(&logits, target).unwrap().to_scalar::<f64>().unwrap();
            assert!(
                (value - expected).abs() < 1e-12,
                "logit {logit} toward {target}: {value}, {expected} expected"
            );
            let gradient = gradient(&logits, target).unwrap().to_vec2::<f64>().unwrap()[0][0];
            let sigmoid = 1. / (1. + (-logit).exp());
            assert!((gradient - (sigmoid - target)).abs() < 1e-12, "logit {logit}: gradient {gradient}");
        }
    }

    #[test]
    fn the_gradient_is_the_loss_s_slope_toward_smoothed_labels_too() {
        let logits = [-4., -0.3, 0.2, 2.1, 7.];
        let loss = |logits: [f64; 5], target| {
            let logits = Tensor::new(&logits, &Device::Cpu).unwrap().reshape((5, 1)).unwrap();
            binary_cross_entropy(&logits, target).unwrap().to_scalar::<f64>().unwrap()
        };
        for target in [1., 0.9, 0.5, 0.] {
            let whole = Tensor::new(&logits, &Device::Cpu).unwrap().reshape((5, 1)).unwrap();
            let gradient = gradient(&whole, target).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for i in 0..logits.len() {
                let (mut above, mut below) = (logits, logits);
                above[i] += 1e-5;
                below[i] -= 1e-5;
                let slope = (loss(above, target) - loss(below, target)) / 2e-5;
                assert!((slope - gradient[i]).abs() < 1e-9, "toward {target}, {i}: {slope}, {}", gradient[i]);
            }
        }
    }
}
