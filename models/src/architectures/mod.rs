//! The networks: a file for each architecture, whose lists read like the paper's table.
//!
//! [`Architecture`] is what a checkpoint, a run's configuration and an ONNX file say that a network is,
//! and everyone who needs to know it asks it. [`judge`] is the classifier, which draws nothing, and
//! [`projected`] has discriminators of what it sees.
//!
//! ```
//! use models::{Architecture, Sizes};
//!
//! let pair = Architecture::LabelledDcgan(Sizes::default());
//! assert_eq!(pair.generator()?.trainable(), 7_065_211);
//! assert_eq!(pair.discriminator()?.trainable(), 3_769_479);
//!
//! let pair = Architecture::UnlabelledDcgan(Sizes::unlabelled());
//! assert_eq!(pair.generator()?.trainable(), 5_135_363);
//! assert_eq!(pair.discriminator()?.trainable(), 4_316_545);
//! # Ok::<(), models::Error>(())
//! ```

mod dcgan;
pub mod judge;
pub mod projected;

use contract::PixelRange;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Network, Result};
pub use dcgan::Sizes;
use dcgan::{labelled, unlabelled};

/// A generator and its discriminator, with their sizes. Files have it as `architecture` and `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "architecture", content = "config", rename_all = "kebab-case")]
pub enum Architecture {
    /// Pictures with labels.
    LabelledDcgan(Sizes),
    /// Pictures of any kind.
    UnlabelledDcgan(Sizes),
}

/// What the file of an architecture states.
struct Pair {
    /// Its variant.
    of: fn(Sizes) -> Architecture,
    /// What checkpoints and ONNX files call it.
    name: &'static str,
    /// Whether labels go in.
    is_labelled: bool,
    /// Black and white in its pictures.
    pixel_range: PixelRange,
    generator: fn(&Sizes) -> Result<Network>,
    discriminator: fn(&Sizes) -> Result<Network>,
}

/// All of them.
const PAIRS: &[&Pair] = &[&labelled::PAIR, &unlabelled::PAIR];

impl Architecture {
    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PAIRS.iter().map(|pair| pair.name)
    }

    fn parts(&self) -> (&'static Pair, &Sizes) {
        match self {
            Architecture::LabelledDcgan(sizes) => (&labelled::PAIR, sizes),
            Architecture::UnlabelledDcgan(sizes) => (&unlabelled::PAIR, sizes),
        }
    }

    /// What checkpoints and ONNX files call it.
    pub fn name(&self) -> &'static str {
        self.parts().0.name
    }

    /// The sizes of both networks.
    pub fn sizes(&self) -> &Sizes {
        self.parts().1
    }

    /// The same pair with other sizes.
    pub fn with_sizes(self, sizes: Sizes) -> Architecture {
        (self.parts().0.of)(sizes)
    }

    /// How many classes its labels have; `None` if no labels go in.
    pub fn classes(&self) -> Option<usize> {
        let (pair, sizes) = self.parts();
        pair.is_labelled.then_some(sizes.classes)
    }

    /// Black and white in the pictures that one network draws and the other takes.
    pub fn pixel_range(&self) -> PixelRange {
        self.parts().0.pixel_range
    }

    /// What black is in these pictures, where white is 1.
    pub fn black(&self) -> f64 {
        f64::from(self.pixel_range().from_u8(0))
    }

    /// The generator: z (N, latent_dim), and labels if it has classes → pictures (N, C, H, W) of the
    /// [`Architecture::pixel_range`].
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn generator(&self) -> Result<Network> {
        self.check()?;
        let (pair, sizes) = self.parts();
        (pair.generator)(sizes)
    }

    /// The discriminator: pictures (N, C, H, W), and labels if it has classes → logits (N, 1).
    ///
    /// # Errors
    /// If a size is 0 or larger than 65,536.
    pub fn discriminator(&self) -> Result<Network> {
        self.check()?;
        let (pair, sizes) = self.parts();
        (pair.discriminator)(sizes)
    }

    /// Sizes may come from a file that anyone wrote.
    fn check(&self) -> Result<()> {
        let (pair, sizes) = self.parts();
        check(pair.name, 1 << 16, &sizes.named(pair.is_labelled))
    }

    /// Reads the architecture of a run's configuration. Earlier versions wrote its sizes alone, as in
    /// [`Architecture::from`]. For serde's `deserialize_with`.
    ///
    /// # Errors
    /// If it is neither.
    pub fn of_run<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Architecture, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let read = match value.get("architecture") {
            Some(_) => Architecture::deserialize(value),
            None => Sizes::deserialize(value).map(Architecture::from),
        };
        read.map_err(D::Error::custom)
    }
}

impl From<Sizes> for Architecture {
    /// The pair that has these sizes: the unlabelled one if there are no classes.
    fn from(sizes: Sizes) -> Architecture {
        match sizes.classes {
            0 => Architecture::UnlabelledDcgan(sizes),
            _ => Architecture::LabelledDcgan(sizes),
        }
    }
}

/// Refuses a size that is 0 or above `most`, by its name.
fn check(network: &str, most: usize, sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| !(1..=most).contains(size)) {
        Some((name, size)) => Err(Error::Input {
            network: network.to_string(),
            message: format!("{name} is {size}, but must be from 1 to {most}"),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use contract::LatentDistribution;
    use serde_json::json;

    use super::{Architecture, PAIRS, Sizes};

    fn all() -> Vec<Architecture> {
        let sizes = |labelled| if labelled { Sizes::default() } else { Sizes::unlabelled() };
        PAIRS.iter().map(|pair| (pair.of)(sizes(pair.is_labelled))).collect()
    }

    #[test]
    fn sizes_that_no_network_has_are_refused_by_name() {
        for pair in all() {
            for height in [0, 1 << 40] {
                let wrong = pair.with_sizes(Sizes { height, ..*pair.sizes() });
                for network in [wrong.generator(), wrong.discriminator()] {
                    let error = network.unwrap_err().to_string();
                    assert!(error.contains("height is") && error.contains(pair.name()), "{error}");
                }
            }
        }
    }

    #[test]
    fn the_unlabelled_pair_has_no_units() {
        let sizes = Sizes::unlabelled();
        let whole = Architecture::UnlabelledDcgan(sizes);
        let none =
            Architecture::UnlabelledDcgan(Sizes { generator_units: 0, discriminator_units: 0, ..sizes });
        assert_eq!(none.generator().unwrap(), whole.generator().unwrap());
        assert_eq!(none.discriminator().unwrap(), whole.discriminator().unwrap());
        let labelled = Architecture::LabelledDcgan(Sizes { generator_units: 0, ..Sizes::default() });
        assert!(labelled.generator().unwrap_err().to_string().contains("generator_units is 0"));
    }

    #[test]
    fn files_have_the_name_and_the_sizes() {
        assert!(all().iter().map(|pair| pair.name()).eq(Architecture::names()));
        for pair in all() {
            let written = serde_json::to_value(pair).unwrap();
            assert_eq!(written, json!({ "architecture": pair.name(), "config": pair.sizes() }));
            assert_eq!(serde_json::from_value::<Architecture>(written).unwrap(), pair);
            assert_eq!(pair.classes().is_some(), pair.generator().unwrap().classes().is_some());
        }
    }

    #[test]
    fn a_run_of_an_earlier_version_has_the_sizes_alone() {
        let read = |json: &str| Architecture::of_run(&mut serde_json::Deserializer::from_str(json));
        let labelled = r#"{"latent_dim": 100, "latent": "normal", "classes": 10, "channels": 1, "height": 28,
            "width": 28, "generator_filters": 64, "generator_units": 1024, "discriminator_filters": 64,
            "discriminator_units": 1024}"#;
        let sizes = Sizes { latent: LatentDistribution::Normal, ..Sizes::default() };
        assert_eq!(read(labelled).unwrap(), Architecture::LabelledDcgan(sizes));
        // Before there was a choice of latents.
        let unlabelled = r#"{"latent_dim": 100, "classes": 0, "channels": 3, "height": 64, "width": 64,
            "generator_filters": 64, "generator_units": 0, "discriminator_filters": 64,
            "discriminator_units": 0}"#;
        let sizes = Sizes { generator_units: 0, discriminator_units: 0, ..Sizes::unlabelled() };
        assert_eq!(read(unlabelled).unwrap(), Architecture::UnlabelledDcgan(sizes));
        for pair in all() {
            assert_eq!(read(&serde_json::to_string(&pair).unwrap()).unwrap(), pair);
        }
        assert!(read(r#"{"latent_dim": 100}"#).unwrap_err().to_string().contains("missing field `classes`"));
        assert!(read(r#"{"architecture": "stylegan"}"#).unwrap_err().to_string().contains("stylegan"));
    }
}
