//! What a judge says of many pictures: their features and classes.

use candle_core::{D, Tensor};
use models::Result;
use models::architectures::judge::FEATURES;
use models::judge::Judge;

use crate::sources::Images;

/// Pictures judged at a time.
const BATCH: usize = 250;

/// A judge's opinion of a set of pictures.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// (N, [`FEATURES`]), row by row.
    pub features: Vec<f32>,
    /// The class that each picture shows, in the judge's eyes.
    pub classes: Vec<u8>,
}

impl Opinion {
    /// Looks at pictures, which must be of the judge's size.
    ///
    /// # Errors
    /// [`models::Error::Input`] if they aren't; Candle's.
    pub fn of(judge: &Judge, images: &Images) -> Result<Opinion> {
        let (c, h, w) = (images.channels(), images.height(), images.width());
        let device = judge.parameters().device();
        let mut opinion = Opinion { features: Vec::new(), classes: Vec::new() };
        for batch in images.pixels().chunks(BATCH * c * h * w) {
            let x: Vec<f32> = batch.iter().map(|&byte| f32::from(byte) / 255.).collect();
            let x = Tensor::from_vec(x, (batch.len() / (c * h * w), c, h, w), device)?;
            let features = judge.features(&x)?;
            let classes = judge.logits(&features)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
            opinion.features.extend(features.flatten_all()?.to_vec1::<f32>()?);
            opinion.classes.extend(classes.into_iter().map(|class| class as u8));
        }
        Ok(opinion)
    }

    /// The features of picture `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index * FEATURES..][..FEATURES]
    }

    /// How many of these labels are the judge's.
    pub fn agreeing(&self, labels: &[u8]) -> usize {
        self.classes.iter().zip(labels).filter(|(a, b)| a == b).count()
    }
}
