//! What a backward pass yields, and how much of it is asked for.

use candle_core::Tensor;

use crate::Result;

/// Which gradients a backward pass should yield; each one costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// That of the input: the generator learns through it.
    pub input: bool,
    /// Those of the weights.
    pub parameters: bool,
}

impl Wanted {
    /// That of the input alone.
    pub const INPUT: Wanted = Wanted { input: true, parameters: false };
    /// Those of the weights alone.
    pub const PARAMETERS: Wanted = Wanted { input: false, parameters: true };
}

/// What a backward pass yields.
#[derive(Debug)]
pub struct Gradients {
    /// Like the input, if it was wanted.
    pub input: Option<Tensor>,
    /// One for each trainable parameter in the list's order, if they were wanted.
    pub parameters: Vec<Tensor>,
}

/// The sum of two gradients, either of which may be nothing.
///
/// # Errors
/// Candle's.
pub fn sum(a: Option<Tensor>, b: Option<Tensor>) -> Result<Option<Tensor>> {
    match (a, b) {
        (Some(a), Some(b)) => Ok(Some((a + b)?)),
        (a, b) => Ok(a.or(b)),
    }
}

impl Gradients {
    /// The parameters' gradients of the sum of two losses.
    ///
    /// # Errors
    /// Candle's.
    pub fn plus(self, other: &Gradients) -> Result<Gradients> {
        let pairs = self.parameters.iter().zip(&other.parameters);
        Ok(Gradients { input: None, parameters: pairs.map(|(a, b)| Ok((a + b)?)).collect::<Result<_>>()? })
    }
}
