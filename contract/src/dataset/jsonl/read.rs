//! Reading JSON lines.

use std::{
    io::{BufRead, BufReader},
    path::Path,
};

use serde::Deserialize;

use crate::dataset::{
    Images,
    packed::{Labels, Plain, open},
};

#[derive(Deserialize)]
struct Line {
    label: Option<i64>,
    class: Option<String>,
    shape: [usize; 3],
    pixels: Vec<u8>,
}

/// The pictures of a file that `infer dataset --format jsonl` wrote, and their labels.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or has other lines.
pub fn read(path: &Path) -> Result<Plain, String> {
    let (mut all, mut labels, mut first) = (Vec::new(), Labels::default(), None);
    for (index, line) in BufReader::new(open(path)?).lines().enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| format!("line {number} can't be read: {error}"))?;
        let line: Line = serde_json::from_str(&line).map_err(|error| {
            format!("line {number} is no picture ({error}); expected an object with label, class, shape and pixels")
        })?;
        let Line { label, class, shape, pixels } = line;
        let expected = *first.get_or_insert(shape);
        let volume = shape.iter().try_fold(1usize, |volume, side| volume.checked_mul(*side));
        if shape != expected || volume != Some(pixels.len()) || ![1, 3].contains(&shape[0]) {
            return Err(format!(
                "line {number} has {} pixels of shape {shape:?}; expected as many as the shape says, 1 or 3 \
                 channels, and the shape of line 1, {expected:?}",
                pixels.len()
            ));
        }
        labels.push(index, label)?;
        if let (Some(&label), Some(class)) = (labels.labels.last(), class) {
            let known = labels.classes.entry(label).or_insert_with(|| class.clone());
            if *known != class {
                return Err(format!("line {number} calls the class {label} {class:?}, and others {known:?}"));
            }
        }
        all.extend(pixels);
    }
    let Some([channels, height, width]) = first else { return Err("has no lines".into()) };
    let images = Images::with_channels(channels, height, width, all).map_err(|error| error.to_string())?;
    Ok((images, labels))
}
