//! What a file says of itself, and what edgegan's keys mean.

use candle_onnx::onnx::StringStringEntryProto;
use contract::{Contract, Golden};
use serde::Serialize;

/// A line of a file's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What an `edgegan.` key says, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
}

impl From<StringStringEntryProto> for Entry {
    fn from(StringStringEntryProto { key, value }: StringStringEntryProto) -> Entry {
        let meaning = key.strip_prefix("edgegan.").and_then(|key| meaning(key, &value));
        Entry { key, value, meaning }
    }
}

/// The table of [`contract::metadata`], in words.
fn meaning(key: &str, value: &str) -> Option<String> {
    let text = match key {
        "format" => "version of these keys",
        "network" => "what it is, if no generator",
        "architecture" => "the network",
        "dataset" => "what it was trained on",
        "classes" => match serde_json::from_str::<Vec<String>>(value).ok()?.len() {
            0 => "no classes: it takes no labels",
            count => return Some(format!("names of {count} classes, in the label's order")),
        },
        "latent_dim" => "latents that an image takes",
        "latent_distribution" => "how they are drawn",
        "pixel_range" => "values of black and white in the output",
        "epochs" => "passes over the training set",
        "iterations" => "steps of training",
        "recipe" => "how it was trained",
        "seed" => "of its training",
        "checkpoint_sha256" => "of the checkpoint that it was exported from",
        "quality" => "measured figures",
        "precision" => "how its numbers are kept, and how far that takes the output from float32",
        "subpixel" => "transposed convolutions that are kept as convolutions",
        "adopted" => "the other program's file that it was made of, and what was added",
        "golden" => {
            let Golden { seed, labels, tolerance, .. } = serde_json::from_str(value).ok()?;
            return Some(format!(
                "{} images of seed {seed}, to be drawn again within {tolerance} of 255 levels: `infer self-test`",
                labels.len()
            ));
        }
        _ => return None,
    };
    Some(text.to_string())
}

/// What keeps `infer` from reading the metadata of a generator; of any other file, nothing.
pub fn fault(metadata: &[Entry]) -> Option<String> {
    metadata.iter().find(|entry| entry.key == "edgegan.format")?;
    contract(metadata).err()
}

/// The names of its classes, in the label's order: a generator's, or of what reads its drawings.
///
/// # Errors
/// A sentence, if they can't be read.
pub fn classes(metadata: &[Entry]) -> Result<Vec<String>, String> {
    let Some(entry) = metadata.iter().find(|entry| entry.key == "edgegan.classes") else {
        return Ok(Vec::new());
    };
    serde_json::from_str(&entry.value).map_err(|error| format!("its edgegan.classes can't be read ({error})"))
}

/// The contract that these entries are.
///
/// # Errors
/// As [`Contract::from_metadata`].
pub fn contract(metadata: &[Entry]) -> Result<Contract, String> {
    Contract::from_metadata(|key| {
        metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    })
}
