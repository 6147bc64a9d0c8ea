//! A network's output as 8-bit pixels, and back.

use std::fmt;

use ndarray::Array4;

/// The values of black and white in the generator's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelRange {
    /// 0 to 1: a generator that ends in a sigmoid.
    ZeroToOne,
    /// −1 to 1: a generator that ends in tanh.
    MinusOneToOne,
}

impl PixelRange {
    /// One value of the output as an 8-bit pixel: half rounds up, what lies outside is limited.
    /// (NaN gives 0; `infer`'s generator refuses it before it gets here.)
    ///
    /// ```
    /// use contract::PixelRange;
    /// assert_eq!(PixelRange::ZeroToOne.to_u8(0.5), 128);
    /// assert_eq!(PixelRange::MinusOneToOne.to_u8(-1.0), 0);
    /// assert_eq!(PixelRange::MinusOneToOne.to_u8(1.5), 255);
    /// ```
    pub fn to_u8(self, value: f32) -> u8 {
        let level = match self {
            Self::ZeroToOne => value * 255.0,
            Self::MinusOneToOne => (value + 1.0) * 127.5,
        };
        // The cast limits to 0..=255 and drops the fraction, which is ⌊·⌋ within these limits.
        (level + 0.5) as u8
    }

    /// The value that an 8-bit pixel stands for.
    ///
    /// ```
    /// use contract::PixelRange;
    /// assert_eq!(PixelRange::ZeroToOne.from_u8(51), 0.2);
    /// assert_eq!(PixelRange::MinusOneToOne.from_u8(255), 1.0);
    /// ```
    pub fn from_u8(self, level: u8) -> f32 {
        match self {
            Self::ZeroToOne => f32::from(level) / 255.0,
            Self::MinusOneToOne => f32::from(level) / 127.5 - 1.0,
        }
    }

    /// A batch of the output as 8-bit pixels.
    ///
    /// # Shapes
    ///
    /// `(N, C, H, W)` to the same.
    pub fn quantize(self, images: &Array4<f32>) -> Array4<u8> {
        images.mapv(|value| self.to_u8(value))
    }
}

impl fmt::Display for PixelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroToOne => "0,1",
            Self::MinusOneToOne => "-1,1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_round_half_up_and_are_limited() {
        let to_u8 = |x| PixelRange::ZeroToOne.to_u8(x);
        for level in 0..=255u8 {
            let centre = f32::from(level) / 255.0;
            assert_eq!(to_u8(centre), level);
            assert_eq!(to_u8(centre + 0.49 / 255.0), level);
            assert_eq!(to_u8(centre - 0.49 / 255.0), level);
        }
        assert_eq!(to_u8(0.5), 128);
        assert_eq!((to_u8(-0.1), to_u8(1.1)), (0, 255));
        let tanh = |x| PixelRange::MinusOneToOne.to_u8(x);
        assert_eq!((tanh(-1.0), tanh(0.0), tanh(1.0), tanh(-2.0)), (0, 128, 255, 0));
    }
}
