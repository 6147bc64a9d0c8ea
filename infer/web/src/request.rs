//! What a page asks for.

use serde::{Deserialize, Deserializer, de};

/// A request; what its bytes beside the text are is said of each.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Request {
    /// Loads a generator; the bytes are its file. The reply describes it.
    LoadGenerator {
        /// What messages call it.
        name: String,
    },
    /// Loads the judge of its images; the bytes are its file.
    LoadJudge {
        /// What messages call it.
        name: String,
    },
    /// Draws the pictures that the generator's file promises, and compares them.
    SelfTest,
    /// Draws image `index` + i of `seed` as class `labels[i]`; one image, whatever its label, without classes.
    Draw {
        /// Classes.
        labels: Vec<i64>,
        #[serde(deserialize_with = "decimal")]
        seed: u64,
        #[serde(deserialize_with = "decimal")]
        index: u64,
        /// How sure the judge must be, if what it misreads is drawn anew.
        verify: Option<f64>,
    },
    /// Draws images of any latents, which are the bytes.
    DrawLatents {
        /// A class for each; none without classes.
        labels: Vec<i64>,
    },
    /// z of an image.
    Latents {
        #[serde(deserialize_with = "decimal")]
        seed: u64,
        #[serde(deserialize_with = "decimal")]
        index: u64,
    },
    /// How much some dimensions change an image of class `label`, whose z is the bytes.
    Changes { label: i64, first: usize, count: usize },
    /// Draws images of a data set, as its file has them.
    Part(Part),
    /// What stands around the pixels of a data set: its files' other bytes.
    Frame {
        format: Format,
        count: u64,
        /// CRC-32 of all pixels.
        crc: u32,
    },
}

/// Some images of a data set.
#[derive(Debug, Deserialize)]
pub struct Part {
    pub format: Format,
    #[serde(deserialize_with = "decimal")]
    pub seed: u64,
    /// Index of the first, and how many.
    pub first: u64,
    pub count: u64,
    /// As in [`Request::Draw`].
    pub verify: Option<f64>,
    /// CRC-32 of the pixels before these.
    pub crc: u32,
}

/// A data set's format.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Npz,
    Idx,
}

/// Seeds and indices come as decimal texts: JavaScript's numbers don't hold them all.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom(format!("\"{text}\" is no whole number from 0 to 2^64 - 1")))
}
