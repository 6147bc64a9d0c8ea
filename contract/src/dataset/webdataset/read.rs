//! Reading WebDataset's tar files: files that share a name up to its first dot make up a sample.

use std::{collections::BTreeMap, io::Read, path::Path};

use serde_json::Value;
use tar::Archive;

use crate::{
    dataset::packed::{Encoded, Labels, Packed, open},
    printable,
};

/// The endings of pictures.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];
/// The endings of a class's number, and of all that is known.
const LABEL: &str = "cls";
const KNOWN: &str = "json";
/// The longest file that isn't a picture.
const LONGEST_TEXT: u64 = 1 << 20;

/// What is found of a sample.
#[derive(Default)]
struct Sample {
    picture: Option<Encoded>,
    label: Option<i64>,
    class: Option<String>,
}

/// The pictures of a tar file in its order, each with the class's number in the `.cls` beside it, and the
/// classes' names in the `.json`, as far as they are there.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or isn't such a file.
pub fn read(path: &Path) -> Result<Packed, String> {
    let damaged =
        |error: std::io::Error| format!("can't be read as a tar file ({})", printable(&error.to_string()));
    let mut archive = Archive::new(std::io::BufReader::new(open(path)?));
    let (mut samples, mut places) = (Vec::<Sample>::new(), BTreeMap::new());
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((key, ending)) = split(&name) else { continue };
        let place = *places.entry(key.to_owned()).or_insert_with(|| {
            samples.push(Sample::default());
            samples.len() - 1
        });
        let sample = &mut samples[place];
        let mut bytes = Vec::new();
        let ending = ending.to_lowercase();
        match ending.as_str() {
            ending if PICTURES.contains(&ending) => {
                entry.read_to_end(&mut bytes).map_err(damaged)?;
                if sample.picture.replace(Encoded { name: printable(&name).into_owned(), bytes }).is_some() {
                    return Err(format!(
                        "has two pictures of one name, of which one is {}",
                        printable(&name)
                    ));
                }
            }
            LABEL | KNOWN => {
                entry.by_ref().take(LONGEST_TEXT).read_to_end(&mut bytes).map_err(damaged)?;
                let text = String::from_utf8_lossy(&bytes);
                match ending.as_str() {
                    LABEL => {
                        let label = text.trim().parse();
                        sample.label = Some(label.map_err(|_| {
                            format!(
                                "has in {} {:?}; expected a class's number",
                                printable(&name),
                                text.trim()
                            )
                        })?);
                    }
                    _ => sample.class = class(&text),
                }
            }
            _ => {}
        }
    }
    let (mut pictures, mut labels) = (Vec::new(), Labels::default());
    for Sample { picture, label, class } in samples {
        let Some(picture) = picture else { continue };
        labels.push(pictures.len(), label)?;
        if let (Some(&label), Some(class)) = (labels.labels.last(), class) {
            let known = labels.classes.entry(label).or_insert_with(|| class.clone());
            if *known != class {
                return Err(format!("calls the class {label} {known:?}, and in {} {class:?}", picture.name));
            }
        }
        pictures.push(picture);
    }
    match pictures.is_empty() {
        true => Err("has no pictures; expected files such as 000000.png and 000000.cls".into()),
        false => Ok((pictures, labels)),
    }
}

/// The class's name in a `.json`.
fn class(text: &str) -> Option<String> {
    let known: Value = serde_json::from_str(text).ok()?;
    Some(known.get("class")?.as_str()?.to_owned())
}

/// A file's name up to the first dot of its last part, and what follows that dot.
fn split(name: &str) -> Option<(&str, &str)> {
    let last = name.rfind('/').map_or(0, |place| place + 1);
    let dot = last + name[last..].find('.')?;
    (dot > last).then(|| (&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_its_name_up_to_the_first_dot() {
        assert_eq!(split("a.b/000.seg.png"), Some(("a.b/000", "seg.png")));
        assert_eq!(split("000.png"), Some(("000", "png")));
        assert_eq!([split("a/.hidden"), split("a.b/c")], [None, None]);
        assert_eq!(class("{\"class\": \"ant\"}").as_deref(), Some("ant"));
        assert_eq!([class("{\"class\": 3}"), class("[]"), class("")], [None, None, None]);
    }
}
