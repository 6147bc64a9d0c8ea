//! What holds for unlabelled pictures, and what for labelled ones alone.

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::{Layer, Value};
use crate::sources::unlabelled::Background;

/// Settings of labelled pictures and of the networks that take labels.
const LABELLED_ONLY: [&str; 8] = [
    "split",
    "mismatch",
    "contrast",
    "guide",
    "generator-units",
    "discriminator-units",
    "evaluate-every",
    "judge",
];
/// Settings of unlabelled pictures.
const UNLABELLED_ONLY: [&str; 2] = ["crop", "background"];

/// What unlabelled pictures are resized to, unless a size is given.
pub(super) const SIZE: &str = "64x64";
/// What they lie on, unless it is given.
pub(super) const BACKGROUND: &str = "white";

/// How files become pictures without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlabelled {
    /// Whether they are cropped to the shape of the size, rather than stretched.
    pub crop: bool,
    /// What transparent ones lie on.
    pub background: Background,
}

/// Whether the pictures have no labels.
pub(super) fn is_asked(values: &Layer) -> bool {
    values.switch("unlabelled")
}

/// How they are made, if they have no labels.
///
/// # Errors
/// If the background is no colour.
pub(super) fn of(values: &Layer) -> Result<Option<Unlabelled>> {
    let background = values.text("background").filter(|_| is_asked(values));
    let made = |background: &str| {
        let background = background.parse().map_err(|error| anyhow!("background: {error}"))?;
        Ok(Unlabelled { crop: values.switch("crop"), background })
    };
    background.map(made).transpose()
}

/// Refuses settings of the other kind of pictures than is learned: those that aren't as in `plain`, the
/// first recipe.
///
/// # Errors
/// One sentence with the key, what was found and what was expected.
pub(super) fn check(values: &Layer, plain: &Layer) -> Result<()> {
    let unlabelled = is_asked(values);
    for key in foreign(unlabelled) {
        match values.get(key) {
            found if found == plain.get(key) => {}
            None => {}
            Some(value) if unlabelled => bail!(
                "{key} is {value}, which is for labelled pictures; leave it out, or leave out unlabelled{}",
                if ["mismatch", "contrast", "guide"].contains(key) {
                    " (the recipe \"reference\" fits both)"
                } else {
                    ""
                }
            ),
            Some(value) => {
                bail!("{key} is {value}, which is for unlabelled pictures; leave it out, or add unlabelled")
            }
        }
    }
    if unlabelled && values.get("data").is_none() {
        bail!("unlabelled is given, but not data; expected the folder of the pictures");
    }
    Ok(())
}

/// Gives the settings of unlabelled pictures that are left open, and drops those of the other kind.
pub(super) fn complete(values: &mut Layer) {
    let unlabelled = is_asked(values);
    if unlabelled {
        let text = |text: &str| Value::Text(text.to_string());
        let open = [("size", text(SIZE)), ("crop", Value::Switch(true)), ("background", text(BACKGROUND))];
        for (key, value) in open {
            values.0.entry(key).or_insert(value);
        }
    }
    values.0.retain(|key, _| !foreign(unlabelled).contains(key));
}

fn foreign(unlabelled: bool) -> &'static [&'static str] {
    if unlabelled { &LABELLED_ONLY } else { &UNLABELLED_ONLY }
}
