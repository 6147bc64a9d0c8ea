//! y = scale · x + shift, each channel with its own two numbers.

/// One scale and one shift a channel, in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Factors.
    pub scale: Vec<f64>,
    /// Summands.
    pub shift: Vec<f64>,
}

impl Affine {
    /// What changes nothing.
    pub fn identity(channels: usize) -> Affine {
        Affine { scale: vec![1.; channels], shift: vec![0.; channels] }
    }

    /// This one, then the next.
    pub fn then(&self, next: &Affine) -> Affine {
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shift = (0..self.shift.len()).map(|c| next.apply(c, self.shift[c])).collect();
        Affine { scale, shift }
    }

    /// What becomes of a number of channel `c`.
    pub fn apply(&self, c: usize, x: f64) -> f64 {
        self.scale[c] * x + self.shift[c]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_both_at_once() {
        let first = Affine { scale: vec![2., -3.], shift: vec![5., 7.] };
        let second = Affine { scale: vec![0.5, 4.], shift: vec![-1., 0.25] };
        let both = first.then(&second);
        for (c, x) in [(0, 1.), (1, 1.), (0, -2.5), (1, 8.)] {
            assert_eq!(both.apply(c, x), second.apply(c, first.apply(c, x)), "channel {c}, {x}");
        }
    }
}
