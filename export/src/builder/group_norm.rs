//! The numbers of a `GroupNorm`, which candle-nn 0.11 lets nobody read: found by what the module makes of
//! chosen inputs.
//!
//! - Zeros become the bias.
//! - Two pixels h and −h a channel, with h² far above ε, become bias ± weight: whatever the groups, their
//!   mean is 0 and their variance h².
//! - Two pixels a and −a, with a² near ε, become bias ± weight · a / √(a² + ε), from which ε follows.
//! - Which number of groups it is, random input tells: of all that divide the channels, the one whose
//!   definition gives what the module gives.

use candle_core::{D, DType, Device, Result, Tensor as Numbers};
use candle_nn::{GroupNorm, Module};

/// How far a definition may be from the module on random input, of numbers above 1 relative to them.
const TOLERANCE: f64 = 1e-4;

/// What was found.
pub struct Found {
    /// Into how many groups the channels are divided.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f64,
    /// (C)
    pub weight: Numbers,
    /// (C)
    pub bias: Numbers,
}

impl Found {
    /// The numbers of a module for so many channels.
    ///
    /// # Errors
    /// In words: the module's own if it takes other channels, or that nothing fits what it does.
    pub fn of(norm: &GroupNorm, channels: usize, device: &Device) -> std::result::Result<Found, String> {
        let candle = |error: candle_core::Error| error.to_string();
        let found = find(norm, channels, device).map_err(candle)?;
        found.ok_or_else(|| {
            "no number of groups and no ε give what this module gives; write it out in simpler steps"
                .to_string()
        })
    }
}

fn find(norm: &GroupNorm, channels: usize, device: &Device) -> Result<Option<Found>> {
    let bias = norm.forward(&Numbers::zeros((1, channels, 2), DType::F32, device)?)?;
    let bias = bias.narrow(2, 0, 1)?.flatten_all()?;
    let weight = spread(norm, channels, f64::from(1 << 20), device)?;
    let Some(epsilon) = epsilon(norm, &weight, channels, device)? else { return Ok(None) };
    let x = noise(channels, device)?;
    let expected = norm.forward(&x)?;
    for groups in (1..=channels).filter(|&groups| channels.is_multiple_of(groups)) {
        let found = Found { groups, epsilon, weight: weight.clone(), bias: bias.clone() };
        let difference = (found.forward(&x)? - &expected)?.abs()?.div(&expected.abs()?.maximum(1.)?)?;
        let largest = difference.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        if largest <= TOLERANCE {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl Found {
    /// The definition.
    fn forward(&self, x: &Numbers) -> Result<Numbers> {
        let (n, channels, _) = x.dims3()?;
        let groups = x.reshape((n, self.groups, ()))?;
        let groups = groups.broadcast_sub(&groups.mean_keepdim(D::Minus1)?)?;
        let variance = groups.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = groups.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?.reshape(x.shape())?;
        let of_channel = |numbers: &Numbers| numbers.reshape((1, channels, 1));
        normal.broadcast_mul(&of_channel(&self.weight)?)?.broadcast_add(&of_channel(&self.bias)?)
    }
}

/// Half of what lies between the module's results for h and −h: weight · h / √(h² + ε).
fn spread(norm: &GroupNorm, channels: usize, h: f64, device: &Device) -> Result<Numbers> {
    let pair = Numbers::new(&[h as f32, -h as f32], device)?.reshape((1, 1, 2))?;
    let y = norm.forward(&pair.broadcast_as((1, channels, 2))?.contiguous()?)?;
    let half = (y.narrow(2, 0, 1)? - y.narrow(2, 1, 1)?)? * 0.5;
    half?.flatten_all()
}

/// ε, to five digits: of the channel whose weight is largest, as its quotient is rounded least. Without any
/// weight, ε changes nothing.
fn epsilon(norm: &GroupNorm, weight: &Numbers, channels: usize, device: &Device) -> Result<Option<f64>> {
    let numbers = |t: &Numbers| t.to_dtype(DType::F64)?.to_vec1::<f64>();
    let weights = numbers(weight)?;
    let largest = (0..channels).max_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs()));
    let Some(at) = largest.filter(|&at| weights[at] != 0.) else { return Ok(Some(1e-5)) };
    let mut guess = 1e-5f64;
    // With a² = ε the quotient is most telling; from anywhere, a few rounds come there.
    for _ in 0..12 {
        let quotient = numbers(&spread(norm, channels, guess.sqrt(), device)?)?[at] / weights[at];
        let next = guess * (quotient.powi(-2) - 1.).max(0.);
        if !quotient.is_finite() || !next.is_finite() {
            return Ok(None);
        }
        // From far above ε nothing of it is seen: come nearer.
        guess = if next < guess * 1e-3 { guess * 1e-3 } else { next };
        if guess < 1e-30 {
            return Ok(Some(0.));
        }
    }
    let digits = 10f64.powf(4. - guess.log10().floor());
    Ok(Some((guess * digits).round() / digits))
}

/// Numbers that differ between channels, in mean and in size.
fn noise(channels: usize, device: &Device) -> Result<Numbers> {
    let mut key = 1u64;
    let numbers = (0..2 * channels * 6).map(|at| {
        key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (key >> 33) as f32 / (1u64 << 30) as f32 - 1.;
        let channel = (at / 6 % channels) as f32;
        noise * (1. + channel % 3.) + channel % 5. - 1.
    });
    Numbers::from_iter(numbers, device)?.reshape((2, channels, 6))
}
