//! The contract between `export`, which writes an ONNX file, and `infer`, which draws from it.
//!
//! # The graph
//!
//! Inputs `z: float32[batch, latent_dim]` and, in a labelled model, `label: int64[batch]`; output
//! `image: float32[batch, channels, height, width]` with 1 or 3 channels. `batch` is symbolic.
//!
//! # The metadata
//!
//! `metadata_props` of the file, every value a string. Bold keys must be there.
//!
//! | key | value |
//! |---|---|
//! | **`edgegan.format`** | `1` |
//! | **`edgegan.architecture`** | such as `labelled-dcgan` |
//! | **`edgegan.dataset`** | such as `mnist` |
//! | `edgegan.classes` | JSON array of class names in the label's order; absent or `[]`: unlabelled |
//! | **`edgegan.latent_dim`** | a whole number |
//! | **`edgegan.latent_distribution`** | `uniform(-1,1)` or `normal(0,1)`, drawn as [`latents`](crate::latent::latents) and [`normal_latents`](crate::latent::normal_latents) do |
//! | **`edgegan.pixel_range`** | `0,1` or `-1,1`: the values of black and white |
//! | `edgegan.epochs`, `edgegan.iterations`, `edgegan.seed` | whole numbers |
//! | `edgegan.recipe`, `edgegan.checkpoint_sha256` | text |
//! | `edgegan.quality` | JSON object of measured figures |
//! | `edgegan.precision` | JSON object: `fp16` or `int8`, and how far it is from single precision; absent: single precision |
//! | `edgegan.subpixel` | JSON array of transposed convolutions that the graph has as convolutions |
//! | `edgegan.adopted` | JSON object, of a file that was made of another program's: that one's SHA-256, program and operator sets, and the nodes that were added |
//! | `edgegan.golden` | JSON object, see [`Golden`] |
//!
//! # 8-bit pixels
//!
//! A value x of the output becomes ⌊255 · (x − black) / (white − black) + ½⌋, limited to 0…255.
//!
//! # Judges
//!
//! A judge reads pictures: input `image: float32[batch, channels, height, width]`, the picture's 8
//! bits as black + (white − black) · level / 255; output `logits: float32[batch, classes]`. `batch`
//! is symbolic, the rest is not. It has `edgegan.network` = `judge`, and `edgegan.classes` and
//! `edgegan.pixel_range` as a generator has them. `infer`'s `verify` says what is redrawn.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Golden, PixelRange, visible};

/// The format that this crate reads and writes.
pub const FORMAT: u32 = 1;

/// Names of the graph's inputs and its output.
pub mod tensor {
    /// Latents, float32, `(batch, latent_dim)`.
    pub const Z: &str = "z";
    /// Class indices, int64, `(batch)`.
    pub const LABEL: &str = "label";
    /// Pictures, float32, `(batch, channels, height, width)`: a generator's output, a judge's input.
    pub const IMAGE: &str = "image";
    /// A judge's output, float32, `(batch, classes)`.
    pub const LOGITS: &str = "logits";
}

/// Measured figures, by their names.
pub type Quality = Map<String, Value>;

/// What a generator's file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// The network, such as `labelled-dcgan`.
    pub architecture: String,
    /// What it was trained on, such as `mnist`.
    pub dataset: String,
    /// Class names in the label's order; empty for an unlabelled model.
    pub classes: Vec<String>,
    /// How many latents one image takes.
    pub latent_dim: usize,
    /// How latents are drawn.
    pub latent_distribution: LatentDistribution,
    /// What the output's values mean.
    pub pixel_range: PixelRange,
    /// How it was trained.
    pub training: Training,
    /// Measured figures, by name.
    pub quality: Quality,
    /// A case that `infer self-test` replays.
    pub golden: Option<Golden>,
}

/// How a generator was trained; what isn't known is left out of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Training {
    /// Passes over the training set.
    pub epochs: Option<u64>,
    /// Steps of the optimiser's loop.
    pub iterations: Option<u64>,
    /// Name of the recipe.
    pub recipe: Option<String>,
    /// Seed of weights, order and noise.
    pub seed: Option<u64>,
    /// SHA-256 of the checkpoint's file, hexadecimal.
    pub checkpoint_sha256: Option<String>,
}

/// The distribution of the latents. Checkpoints have its name in small letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatentDistribution {
    /// U(−1, 1), as [`latents`](crate::latent::latents) draws it.
    #[default]
    Uniform,
    /// N(0, 1), as [`normal_latents`](crate::latent::normal_latents) draws it.
    Normal,
}

impl fmt::Display for LatentDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform(-1,1)"),
            Self::Normal => f.write_str("normal(0,1)"),
        }
    }
}

impl Contract {
    /// The metadata that says this, keys with their `edgegan.` prefix, for an exporter to write.
    pub fn to_metadata(&self) -> Vec<(String, String)> {
        let optional = [
            ("epochs", self.training.epochs.map(|n| n.to_string())),
            ("iterations", self.training.iterations.map(|n| n.to_string())),
            ("recipe", self.training.recipe.clone()),
            ("seed", self.training.seed.map(|n| n.to_string())),
            ("checkpoint_sha256", self.training.checkpoint_sha256.clone()),
            ("golden", self.golden.as_ref().map(to_json)),
        ];
        [
            ("format", FORMAT.to_string()),
            ("architecture", self.architecture.clone()),
            ("dataset", self.dataset.clone()),
            ("classes", to_json(&self.classes)),
            ("latent_dim", self.latent_dim.to_string()),
            ("latent_distribution", self.latent_distribution.to_string()),
            ("pixel_range", self.pixel_range.to_string()),
            ("quality", to_json(&self.quality)),
        ]
        .into_iter()
        .chain(optional.into_iter().filter_map(|(key, value)| Some((key, value?))))
        .map(|(key, value)| (format!("edgegan.{key}"), value))
        .collect()
    }

    /// Reads a file's metadata; `lookup` gives the value of a whole key.
    ///
    /// # Errors
    ///
    /// A sentence about the first key that is missing or has a value that means nothing.
    pub fn from_metadata<'a>(lookup: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let metadata = Metadata { lookup };
        let Some(format) = metadata.get("format") else {
            return Err("it has no edgegan.format in its metadata".into());
        };
        if format != FORMAT.to_string() {
            return Err(format!("its edgegan.format is {format:?}, and this program reads {FORMAT}"));
        }
        Ok(Self {
            architecture: metadata.required("architecture")?.into(),
            dataset: metadata.required("dataset")?.into(),
            classes: metadata.json("classes")?.unwrap_or_default(),
            latent_dim: match metadata.number("latent_dim")? {
                Some(dim @ 1..=0xffff) => dim as usize,
                Some(dim) => {
                    return Err(format!("its edgegan.latent_dim is {dim}, expected 1 to 65535"));
                }
                None => return Err("it has no edgegan.latent_dim in its metadata".into()),
            },
            latent_distribution: match metadata.required("latent_distribution")? {
                "uniform(-1,1)" => LatentDistribution::Uniform,
                "normal(0,1)" => LatentDistribution::Normal,
                other => {
                    return Err(format!(
                        "its edgegan.latent_distribution is {other:?}, expected \"uniform(-1,1)\" or \
                         \"normal(0,1)\""
                    ));
                }
            },
            pixel_range: metadata.pixel_range()?,
            training: Training {
                epochs: metadata.number("epochs")?,
                iterations: metadata.number("iterations")?,
                recipe: metadata.get("recipe").map(Into::into),
                seed: metadata.number("seed")?,
                checkpoint_sha256: metadata.get("checkpoint_sha256").map(Into::into),
            },
            quality: metadata.json("quality")?.unwrap_or_default(),
            golden: metadata.json("golden")?,
        })
    }

    /// Whether the model takes labels.
    pub fn is_labelled(&self) -> bool {
        !self.classes.is_empty()
    }

    /// The classes in words, such as `the classes 0, 1 and 2`.
    pub fn describe_classes(&self) -> String {
        describe_classes(&self.classes)
    }
}

/// Classes in words, such as `the classes 0, 1 and 2`.
pub fn describe_classes(classes: &[String]) -> String {
    match classes {
        [] => "pictures without a class".into(),
        [only] => format!("the class {}", visible(only)),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|class| visible(class)).collect();
            format!("the classes {} and {}", first.join(", "), visible(last))
        }
    }
}

/// What a judge's metadata says: its classes in the order of its logits, and what its input's
/// values mean.
///
/// # Errors
///
/// A sentence about the first key that is missing or has a value that no judge has.
pub fn judge_metadata<'a>(
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<(Vec<String>, PixelRange), String> {
    let metadata = Metadata { lookup };
    match metadata.get("network") {
        Some("judge") => {}
        Some(other) => return Err(format!("its edgegan.network is {other:?}")),
        None if metadata.get("latent_dim").is_some() => return Err("it is a generator".into()),
        None => return Err("it has no edgegan.network in its metadata".into()),
    }
    Ok((metadata.json("classes")?.unwrap_or_default(), metadata.pixel_range()?))
}

/// Typed access to the `edgegan.` keys.
struct Metadata<F> {
    lookup: F,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Metadata<F> {
    fn get(&self, key: &str) -> Option<&'a str> {
        (self.lookup)(&format!("edgegan.{key}"))
    }

    fn required(&self, key: &str) -> Result<&'a str, String> {
        (self.get(key)).ok_or_else(|| format!("it has no edgegan.{key} in its metadata"))
    }

    fn pixel_range(&self) -> Result<PixelRange, String> {
        match self.required("pixel_range")? {
            "0,1" => Ok(PixelRange::ZeroToOne),
            "-1,1" => Ok(PixelRange::MinusOneToOne),
            other => Err(format!("its edgegan.pixel_range is {other:?}, expected \"0,1\" or \"-1,1\"")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<u64>, String> {
        (self.get(key))
            .map(|text| {
                text.parse().map_err(|_| format!("its edgegan.{key} is {text:?}, expected a whole number"))
            })
            .transpose()
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, String> {
        (self.get(key))
            .map(|text| {
                serde_json::from_str(text)
                    .map_err(|error| format!("its edgegan.{key} can't be read ({error})"))
            })
            .transpose()
    }
}

/// JSON of a value whose keys are strings, which can't fail.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use ndarray::Array4;

    use super::*;

    fn contract() -> Contract {
        let images = Array4::from_shape_fn((2, 1, 2, 3), |(n, _, y, x)| (n * 90 + y * 3 + x) as u8);
        Contract {
            architecture: "labelled-dcgan".into(),
            dataset: "mnist".into(),
            classes: vec!["0".into(), "one \"1\"".into()],
            latent_dim: 100,
            latent_distribution: LatentDistribution::Uniform,
            pixel_range: PixelRange::MinusOneToOne,
            training: Training {
                epochs: Some(25),
                iterations: Some(23_450),
                recipe: Some("reference".into()),
                seed: Some(u64::MAX),
                checkpoint_sha256: Some("ab".repeat(32)),
            },
            quality: Map::from_iter([("accuracy".to_string(), Value::from(0.996))]),
            golden: Some(Golden::new(7, vec![0, 1], &images, 1)),
        }
    }

    fn read(metadata: &HashMap<String, String>) -> Result<Contract, String> {
        Contract::from_metadata(|key| metadata.get(key).map(String::as_str))
    }

    #[test]
    fn metadata_comes_back_as_it_went() {
        let bare = Contract {
            classes: Vec::new(),
            training: Training::default(),
            quality: Map::new(),
            golden: None,
            latent_distribution: LatentDistribution::Normal,
            pixel_range: PixelRange::ZeroToOne,
            ..contract()
        };
        for contract in [contract(), bare] {
            let metadata = contract.to_metadata().into_iter().collect();
            assert_eq!(read(&metadata), Ok(contract));
        }
    }

    #[test]
    fn each_wrong_value_is_named() {
        for (key, value, expected) in [
            ("format", None, "no edgegan.format"),
            ("format", Some("2"), "edgegan.format is \"2\""),
            ("architecture", None, "no edgegan.architecture"),
            ("dataset", None, "no edgegan.dataset"),
            ("classes", Some("0,1"), "edgegan.classes can't be read"),
            ("latent_dim", None, "no edgegan.latent_dim"),
            ("latent_dim", Some("0"), "edgegan.latent_dim is 0"),
            ("latent_dim", Some("many"), "edgegan.latent_dim is \"many\""),
            ("latent_distribution", Some("normal(0,2)"), "normal(0,2)"),
            ("pixel_range", Some("0,255"), "0,255"),
            ("epochs", Some("-1"), "edgegan.epochs is \"-1\""),
            ("golden", Some("{}"), "edgegan.golden can't be read"),
        ] {
            let mut metadata: HashMap<_, _> = contract().to_metadata().into_iter().collect();
            let key = format!("edgegan.{key}");
            match value {
                Some(value) => metadata.insert(key, value.into()),
                None => metadata.remove(&key),
            };
            let error = read(&metadata).err().unwrap_or_default();
            assert!(error.contains(expected), "expected {expected:?} in {error:?}");
        }
    }
}
