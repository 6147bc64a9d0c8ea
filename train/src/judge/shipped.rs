//! The judge that is part of the program; models/pretrained/JUDGE_CARD.md describes it.

use std::path::Path;

use candle_core::Device;
use models::Result;
use models::judge::Judge;

/// What messages call it.
pub const NAME: &str = "mnist-judge (shipped)";

static BYTES: &[u8] = include_bytes!("../../../models/pretrained/mnist-judge.safetensors");

/// The judge of digits.
///
/// # Errors
/// Candle's, if the device has no room.
pub fn shipped(device: &Device) -> Result<Judge> {
    Judge::from_bytes(BYTES, Path::new(NAME), device)
}
