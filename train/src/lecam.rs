//! The LeCam regulariser: D's logits of real pictures stay near what they were of drawn ones, and the other
//! way round, so that D is never so sure that G learns nothing from it.
//!
//! R = mean (D(x) − α_F)² + mean (D(G(z)) − α_R)², where α_R and α_F are moving averages of D's logits of real
//! and of drawn pictures: Tseng et al. 2021, "Regularizing Generative Adversarial Networks under Limited
//! Data" (<https://arxiv.org/abs/2104.03310>), section 3.2.

use candle_core::{DType, Device, Tensor, Var};
use models::Result;
use models::checkpoint::{Checkpoint, Contents};

use crate::average;

/// How much of the averages an iteration keeps.
pub const KEEP: f64 = 0.99;

/// The moving averages of D's logits, each (1), on the device and changed in place.
pub struct LeCam {
    /// α_R
    pub real: Var,
    /// α_F
    pub fake: Var,
}

impl LeCam {
    /// Averages of nothing yet: 0, where D is undecided.
    ///
    /// # Errors
    /// Candle's.
    pub fn new(dtype: DType, device: &Device) -> Result<LeCam> {
        Ok(LeCam { real: Var::zeros(1, dtype, device)?, fake: Var::zeros(1, dtype, device)? })
    }

    fn named(&self) -> [(&'static str, &Var); 2] {
        [("lecam.real", &self.real), ("lecam.fake", &self.fake)]
    }

    /// Adds the averages to a checkpoint.
    pub fn save(&self, contents: &mut Contents) {
        for (name, average) in self.named() {
            contents.tensor(name, average);
        }
    }

    /// Takes the averages from a checkpoint.
    ///
    /// # Errors
    /// If one is missing or of another shape.
    pub fn load(checkpoint: &Checkpoint, dtype: DType, device: &Device) -> Result<LeCam> {
        let lecam = LeCam::new(dtype, device)?;
        for (name, average) in lecam.named() {
            checkpoint.restore(name, average, "the average of the discriminator's logits")?;
        }
        Ok(lecam)
    }

    /// R's gradients with respect to the logits of the real and of the drawn pictures:
    /// 2 (l − α) / N, with the other's α.
    ///
    /// # Shapes
    /// `real` and `fake` (N, 1) → the same
    ///
    /// # Errors
    /// Candle's.
    pub fn gradients(&self, real: &Tensor, fake: &Tensor) -> Result<[Tensor; 2]> {
        let toward = |logits: &Tensor, average: &Var| -> Result<Tensor> {
            Ok((logits.broadcast_sub(average)? * (2. / logits.elem_count() as f64))?)
        };
        Ok([toward(real, &self.fake)?, toward(fake, &self.real)?])
    }

    /// Moves the averages toward the means of these logits.
    ///
    /// # Shapes
    /// `real` and `fake` (N, 1)
    ///
    /// # Errors
    /// Candle's.
    pub fn update(&self, real: &Tensor, fake: &Tensor) -> Result<()> {
        for (average, logits) in [(&self.real, real), (&self.fake, fake)] {
            average::toward(average, &logits.mean(0)?, (1. - KEEP).into())?;
        }
        Ok(())
    }
}
