//! Reading raw pixels, of which the manifest beside them says what they are.

use std::{fs, path::Path};

use crate::dataset::{
    Images, Manifest,
    packed::{Labels, Plain, open},
    tail::FILE,
};
use crate::files::sha256;

/// The pictures of a file that `infer dataset --format raw` wrote, and their labels.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or has no manifest that fits.
pub fn read(path: &Path) -> Result<Plain, String> {
    let format = "raw".parse()?;
    let beside = Manifest::path(format, path);
    let manifest = Manifest::read(&beside).map_err(|error| error.to_string())?;
    let Some(manifest) = manifest.filter(|manifest| manifest.format == format) else {
        let beside = beside.file_name().unwrap_or_default().display();
        return Err(format!(
            "is raw pixels, and {beside}, which says what they are, is not beside it; give another format, or put \
             the manifest there"
        ));
    };
    let none = || "has no image yet; go on with `infer dataset --resume`".to_owned();
    let [channels, height, width] = manifest.shape.ok_or_else(none)?;
    open(path)?;
    let mut pixels = fs::read(path).map_err(|error| format!("can't be read: {error}"))?;
    let length = manifest.complete.checked_mul((channels * height * width) as u64);
    match length {
        Some(0) => return Err(none()),
        // What follows isn't safe yet.
        Some(length) if length <= pixels.len() as u64 => pixels.truncate(length as usize),
        _ => return Err(format!("has {} bytes, and its manifest says more", pixels.len())),
    }
    let record = manifest.tail.files.get(FILE);
    if record.is_some_and(|record| record.sha256 != sha256(&pixels)) {
        return Err("was changed since it was written: its SHA-256 is another than its manifest's".into());
    }
    let images = Images::with_channels(channels, height, width, pixels).map_err(|error| error.to_string())?;
    let mut labels = Labels::named(&manifest.classes);
    for index in 0..images.count() {
        let label = manifest.labels.of(manifest.first + index as u64);
        labels.push(index, (!manifest.classes.is_empty()).then_some(label))?;
    }
    Ok((images, labels))
}
