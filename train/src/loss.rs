//! Binary cross-entropy on logits.
//!
//! −log σ(l) for real, −log(1 − σ(l)) for fake, written as max(l, 0) − l·t + log(1 + e^−|l|): no
//! exponential overflows and no logarithm meets zero, at any logit.

use candle_core::{Result, Tensor};

/// The mean loss over the batch, and its gradient with respect to the logits.
pub struct Loss {
    /// One number.
    pub value: Tensor,
    /// (N, 1), like the logits.
    pub gradient: Tensor,
    /// σ(logits), (N, 1): what D takes for each picture's chance to be real.
    pub probability: Tensor,
}

/// Binary cross-entropy of `logits` toward `target`, 1 for real and 0 for fake.
///
/// # Shapes
/// `logits` (N, 1)
///
/// # Errors
/// Candle's.
pub fn binary_cross_entropy(logits: &Tensor, target: f64) -> Result<Loss> {
    let n = logits.elem_count() as f64;
    let softplus = ((logits.abs()?.neg()?.exp()? + 1.)?).log()?;
    let value = ((logits.relu()? - (logits * target)?)? + softplus)?.mean_all()?;
    // σ(l) = (1 + tanh(l/2)) / 2 has no exponential to overflow.
    let probability = (((logits * 0.5)?.tanh()? + 1.)? * 0.5)?;
    let gradient = ((&probability - target)? / n)?;
    Ok(Loss { value, gradient, probability })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::binary_cross_entropy;

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
            let loss = binary_cross_entropy(&Tensor::new(&[[logit]], &Device::Cpu).unwrap(), target).unwrap();
            let value = loss.value.to_scalar::<f64>().unwrap();
            assert!(
                (value - expected).abs() < 1e-12,
                "logit {logit} toward {target}: {value}, {expected} expected"
            );
            let gradient = loss.gradient.to_vec2::<f64>().unwrap()[0][0];
            let sigmoid = 1. / (1. + (-logit).exp());
            assert!((gradient - (sigmoid - target)).abs() < 1e-12, "logit {logit}: gradient {gradient}");
        }
    }
}
