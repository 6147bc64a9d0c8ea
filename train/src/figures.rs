//! What an iteration says of itself.

use candle_core::{DType, Tensor};
use models::Result;

use crate::loss;

/// D's logits, on the device. Whoever shows a figure computes it
/// from them and waits for the device; an iteration that nobody asks does neither.
pub struct Figures {
    /// D's logits of the real pictures before its update (N, 1).
    pub real: Tensor,
    /// D's logits of the fake ones before its update (N, 1).
    pub fake: Tensor,
    /// D's logits of the fake ones in G's last update (N, 1).
    pub judged: Tensor,
    /// What D learned the real ones toward.
    pub real_target: f64,
}

impl Figures {
    /// The same, with storage of their own.
    ///
    /// # Errors
    /// Candle's.
    pub fn copy(&self) -> Result<Figures> {
        let Figures { real, fake, judged, real_target } = self;
        Ok(Figures {
            real: real.copy()?,
            fake: fake.copy()?,
            judged: judged.copy()?,
            real_target: *real_target,
        })
    }

    /// Takes over the logits of another iteration, of as many pictures.
    ///
    /// # Errors
    /// Candle's.
    pub fn set(&self, other: &Figures) -> Result<()> {
        let pairs = [(&self.real, &other.real), (&self.fake, &other.fake), (&self.judged, &other.judged)];
        pairs.into_iter().try_for_each(|(here, other)| Ok(here.slice_set(other, 0, 0)?))
    }

    /// The discriminator's loss: real toward 1, or a little less, plus fake toward 0.
    ///
    /// # Errors
    /// Candle's.
    pub fn loss_d(&self) -> Result<f64> {
        let on_real = loss::binary_cross_entropy(&self.real, self.real_target)?;
        let sum = (on_real + loss::binary_cross_entropy(&self.fake, 0.)?)?;
        Ok(sum.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// The generator's loss in its last update: fake toward 1.
    ///
    /// # Errors
    /// Candle's.
    pub fn loss_g(&self) -> Result<f64> {
        Ok(loss::binary_cross_entropy(&self.judged, 1.)?.to_dtype(DType::F64)?.to_scalar()?)
    }

    /// D(x) before the updates, for each picture of the batch.
    ///
    /// # Errors
    /// Candle's.
    pub fn d_real(&self) -> Result<Vec<f32>> {
        Ok(loss::probability(&self.real)?.flatten_all()?.to_vec1()?)
    }

    /// D(G(z)) before the updates, for each picture of the batch.
    ///
    /// # Errors
    /// Candle's.
    pub fn d_fake(&self) -> Result<Vec<f32>> {
        Ok(loss::probability(&self.fake)?.flatten_all()?.to_vec1()?)
    }
}
