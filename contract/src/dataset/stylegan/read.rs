//! Reading StyleGAN's archives.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
    path::Path,
};

use serde::Deserialize;
use zip::ZipArchive;

use super::TABLE;
use crate::{
    dataset::packed::{Encoded, Labels, Packed, open},
    printable,
};

/// The endings of pictures.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];
/// The longest table of labels.
const LONGEST_TABLE: u64 = 1 << 30;

/// What `dataset.json` says.
#[derive(Default, Deserialize)]
struct Table {
    /// Pairs of a picture's name and its label; none: pictures without labels.
    labels: Option<Vec<(String, i64)>>,
    /// The classes' names, in archives that `infer` wrote.
    #[serde(default)]
    classes: Vec<String>,
}

/// The pictures of an archive in the order of their names, as StyleGAN's training takes them, and the labels
/// that its table has.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or isn't such a file.
pub fn read(path: &Path) -> Result<Packed, String> {
    let damaged = |what: &str, error: &dyn std::fmt::Display| {
        format!("{} can't be read ({})", printable(what), printable(&error.to_string()))
    };
    let file = BufReader::new(open(path)?);
    let mut archive = ZipArchive::new(file).map_err(|error| damaged("its directory", &error))?;
    let mut names: Vec<String> = archive.file_names().flatten().map(|name| name.into_owned()).collect();
    names.sort();
    let table = match names.iter().any(|name| name == TABLE) {
        false => Table::default(),
        true => {
            let file = archive.by_name(TABLE).map_err(|error| damaged(TABLE, &error))?;
            let mut text = Vec::new();
            file.take(LONGEST_TABLE).read_to_end(&mut text).map_err(|error| damaged(TABLE, &error))?;
            serde_json::from_slice(&text).map_err(|error| damaged(TABLE, &error))?
        }
    };
    let known: Option<BTreeMap<String, i64>> = table.labels.map(|labels| labels.into_iter().collect());
    let (mut pictures, mut labels) = (Vec::new(), Labels::named(&table.classes));
    for name in names {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
        if !PICTURES.contains(&ending.as_str()) {
            continue;
        }
        let label = match &known {
            None => None,
            Some(known) => {
                let label = known.get(&name.replace('\\', "/")).copied();
                Some(label.ok_or_else(|| format!("has no label of {} in {TABLE}", printable(&name)))?)
            }
        };
        let mut bytes = Vec::new();
        let mut file = archive.by_name(&name).map_err(|error| damaged(&name, &error))?;
        file.read_to_end(&mut bytes).map_err(|error| damaged(&name, &error))?;
        labels.push(pictures.len(), label)?;
        pictures.push(Encoded { name: printable(&name).into_owned(), bytes });
    }
    match pictures.is_empty() {
        true => Err(format!("has no pictures; expected PNG files and {TABLE}")),
        false => Ok((pictures, labels)),
    }
}
