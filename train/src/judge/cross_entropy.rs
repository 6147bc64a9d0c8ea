//! Cross-entropy over classes: log Σ eˡ − l of the right class, with the largest logit taken out
//! first, so that no exponential overflows and no logarithm meets zero.

use candle_core::{D, Result, Tensor};

/// The mean loss of logits, and its gradient with respect to them: (softmax − one-hot) / N.
///
/// # Shapes
/// `logits` (N, classes), `label` (N) of u32 → one number, (N, classes)
///
/// # Errors
/// Candle's.
pub fn cross_entropy(logits: &Tensor, label: &Tensor) -> Result<(Tensor, Tensor)> {
    let (n, classes) = logits.dims2()?;
    let right = Tensor::eye(classes, logits.dtype(), logits.device())?.index_select(label, 0)?;
    let below = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)?;
    let exponentials = below.exp()?;
    let sum = exponentials.sum_keepdim(D::Minus1)?;
    let loss = (sum.log()?.squeeze(1)? - (&below * &right)?.sum(1)?)?.mean_all()?;
    let gradient = ((exponentials.broadcast_div(&sum)? - right)? / n as f64)?;
    Ok((loss, gradient))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::cross_entropy;

    #[test]
    fn stays_finite_and_right_at_any_logit() {
        let logits = Tensor::new(&[[1f64, 2., 3.], [900., -900., 0.]], &Device::Cpu).unwrap();
        let label = Tensor::new(&[0u32, 1], &Device::Cpu).unwrap();
        let (loss, gradient) = cross_entropy(&logits, &label).unwrap();
        let first = (1f64.exp() + 2f64.exp() + 3f64.exp()).ln() - 1.;
        let loss = loss.to_scalar::<f64>().unwrap();
        assert!((loss - (first + 1800.) / 2.).abs() < 1e-9, "{loss}");
        let sum = 1f64.exp() + 2f64.exp() + 3f64.exp();
        let expected =
            [[(1f64.exp() / sum - 1.) / 2., 2f64.exp() / sum / 2., 3f64.exp() / sum / 2.], [0.5, -0.5, 0.]];
        for (found, expected) in gradient.to_vec2::<f64>().unwrap().iter().zip(expected) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found}, {expected} expected");
            }
        }
    }
}
