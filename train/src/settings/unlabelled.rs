//! What holds for unlabelled pictures, and what for labelled ones alone.

use anyhow::{Result, bail};
use contract::picture::{Background, Framing};

use crate::options::value::{Colour, Pixels, Switch};
use crate::options::{Data, Options, written};
use crate::recipe::{Recipe, RecipeName};
use crate::sources::Size;

/// Settings of labelled pictures, beside the [weights](Recipe::of_labels).
const LABELLED_ONLY: [&str; 3] = ["guide-finish", "generator-units", "discriminator-units"];
/// Settings of unlabelled pictures.
const UNLABELLED_ONLY: [&str; 3] = ["crop", "background", "features"];

/// How pictures are made, if they have no labels.
pub(super) fn of(data: &Data) -> Option<Framing> {
    let (Switch(crop), Colour(background)) = (data.crop.clone()?, data.background.clone()?);
    Some(Framing { crop, background })
}

/// Refuses options of the other kind of pictures than is learned: those that aren't as in the reference
/// recipe.
///
/// # Errors
/// One sentence with the key, what was found and what was expected.
pub(super) fn check(options: &Options) -> Result<()> {
    let is_unlabelled = options.data.is_unlabelled();
    let (values, plain) = (options.values()?, RecipeName::Reference.options()?.values()?);
    for key in foreign(is_unlabelled) {
        let Some(value) = values.get(key).filter(|value| plain.get(key) != Some(*value)) else { continue };
        let value = written(value);
        if !is_unlabelled {
            bail!("{key} is {value}, which is for unlabelled pictures; leave it out, or add unlabelled");
        }
        let fits_both = match LABELLED_ONLY.contains(&key) {
            true => "",
            false => " (the recipe \"reference\" fits both)",
        };
        bail!(
            "{key} is {value}, which is for labelled pictures; leave it out, or leave out unlabelled{fits_both}"
        );
    }
    if is_unlabelled && options.data.data.is_none() {
        bail!("unlabelled is given, but not data; expected the folder of the pictures");
    }
    Ok(())
}

/// Gives the options of unlabelled pictures that are left open, and drops those of the other kind.
///
/// # Errors
/// None that is known of.
pub(super) fn complete(mut options: Options) -> Result<Options> {
    let is_unlabelled = options.data.is_unlabelled();
    if is_unlabelled {
        let Data { size, crop, background, .. } = &mut options.data;
        size.get_or_insert(Pixels(Size { width: 64, height: 64 }));
        crop.get_or_insert(Switch(true));
        background.get_or_insert(Colour(Background([255; 3])));
    }
    options.without(&foreign(is_unlabelled))
}

/// Settings of the other kind of pictures.
fn foreign(is_unlabelled: bool) -> Vec<&'static str> {
    match is_unlabelled {
        true => Recipe::default().of_labels().map(|(key, _)| key).into_iter().chain(LABELLED_ONLY).collect(),
        false => UNLABELLED_ONLY.to_vec(),
    }
}
