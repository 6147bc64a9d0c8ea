//! What a data set is and how much of it is written, in a file beside it.

use std::{
    fs,
    io::{self, ErrorKind},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Error, Format, Record, Tail,
    folder::Boxes,
    plan::{Labels, Shard, Volumes},
};
use crate::{files, noise::Noise, printable, strings::Strings, visible};

/// The file in a data set's folder, or the end of its name beside a data set of one file.
const NAME: &str = "manifest.json";

/// A data set, or a part of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its format.
    pub format: Format,
    /// Path or name of the model.
    pub model: String,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// Name and version of what draws.
    pub engine: String,
    /// On which device; null in manifests from before this was recorded.
    #[serde(default)]
    pub device: Option<String>,
    /// Seed of the images.
    pub seed: u64,
    /// Training images of the whole data set, which come first.
    pub count: u64,
    /// Test images of the whole data set, which follow them.
    #[serde(default)]
    pub test: u64,
    /// Images of each file, where a data set is in several; of which parts have whole ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_file: Option<u64>,
    /// Which part of the data set.
    pub shard: Shard,
    /// Index of the first image of this part.
    pub first: u64,
    /// How many images this part has.
    pub images: u64,
    /// How many of them, from the first on, are written and safe.
    pub complete: u64,
    /// The label of each image.
    pub labels: Labels,
    /// If its images are strings, how they are made; `labels` then says which characters they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strings: Option<Strings>,
    /// What was done to the images, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// What a folder of strings has their boxes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<Boxes>,
    /// The classes' names, in the order of their labels.
    pub classes: Vec<String>,
    /// The judge, and what it refused among the complete images; null if there is none.
    pub verified: Option<Verification>,
    /// Channels, height and width; known once an image is drawn.
    pub shape: Option<[usize; 3]>,
    /// Where to resume.
    pub tail: Tail,
}

/// A judge that looks at what is drawn, and how many images it refused so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Path or name of the judge.
    pub judge: String,
    /// SHA-256 of the judge's file.
    pub judge_sha256: String,
    /// The least confidence, 0 to 1.
    pub threshold: f64,
    /// Images that are not their first draw.
    pub redrawn: u64,
    /// Draws that were discarded.
    pub redraws: u64,
}

/// A file that is to grow, as its manifest knows it.
pub(super) struct Part<'a> {
    pub path: &'a Path,
    /// What it begins with; other bytes of the same length may come in its place.
    pub header: &'a [u8],
    /// Where the safe bytes end; none: the file is to begin, in place of what is there.
    pub end: Option<u64>,
    /// None in the manifest of an older version.
    pub record: Option<&'a Record>,
    /// Whether nothing more is to come.
    pub complete: bool,
}

impl Verification {
    /// Counts images that were drawn again, and the draws that were discarded for them.
    pub fn add(&mut self, redrawn: u64, redraws: u64) {
        self.redrawn += redrawn;
        self.redraws += redraws;
    }

    /// One line about the first `images` images.
    pub fn of(&self, images: u64) -> String {
        let Self { threshold, redrawn, .. } = self;
        let judge = printable(&self.judge);
        format!("verified by {judge}, confidence {threshold} or more: {redrawn} of {images} redrawn")
    }
}

impl Manifest {
    /// Where the manifest of this output lies.
    pub fn path(format: Format, output: &Path) -> PathBuf {
        match format.is_folder() {
            true => output.join(NAME),
            false => {
                let mut name = output.file_name().unwrap_or_default().to_owned();
                name.push(".");
                name.push(NAME);
                output.with_file_name(name)
            }
        }
    }

    /// Reads a manifest, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it can't be read or isn't a manifest.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let name = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(Error::Refused(format!("{name} can't be read: {error}"))),
        };
        let none = |why: String| Error::Refused(format!("{name} is no manifest of infer's: {why}"));
        let read: Self = serde_json::from_str(&text).map_err(|error| none(error.to_string()))?;
        match read.contradiction() {
            Some(what) => Err(none(what)),
            None => Ok(Some(read)),
        }
    }

    /// The manifest of what lies at a path, a file or a folder, if it has one that can be read.
    pub fn beside(path: &Path) -> Option<Self> {
        let mut of_file = path.file_name().unwrap_or_default().to_owned();
        of_file.push(".");
        of_file.push(NAME);
        let manifest = if path.is_dir() { path.join(NAME) } else { path.with_file_name(of_file) };
        Self::read(&manifest).ok().flatten()
    }

    /// What is known of a file of this data set, which has `name` on record and ends at `end` if it has
    /// any of the complete images.
    pub(super) fn part<'a>(&'a self, path: &'a Path, name: &str, header: &'a [u8], end: u64) -> Part<'a> {
        let end = (self.complete > 0).then_some(end);
        Part { path, header, end, record: self.tail.files.get(name), complete: self.is_complete() }
    }

    /// The first thing in it that can't be.
    fn contradiction(&self) -> Option<String> {
        let Self { count, test, shard, first, images, complete, .. } = *self;
        let Some(all) = count.checked_add(test) else {
            return Some(format!("{count} and {test} images are too many"));
        };
        if !(1..=shard.of).contains(&shard.index) {
            return Some(format!("there is no part {} of {}", shard.index, shard.of));
        }
        if self.per_file == Some(0) {
            return Some("its files have no images".into());
        }
        let part = self.range();
        if (first, images) != (part.start, part.end - part.start) {
            return Some(format!("part {shard} of {all} images is not {images} images from {first} on"));
        }
        if complete > images {
            return Some(format!("it says that {complete} of {images} images are complete"));
        }
        let fault = self.strings.as_ref().and_then(Strings::fault);
        if let Some(fault) = fault.or_else(|| self.noise.as_ref().and_then(Noise::fault)) {
            return Some(fault);
        }
        let is_side = |side: &usize| (1..=0xffff).contains(side);
        match self.shape {
            Some([1 | 3, sides @ ..]) if sides.iter().all(is_side) => None,
            Some(shape) => Some(format!("no picture has the shape {shape:?}")),
            None if complete > 0 => Some(format!("{complete} images are complete, and it has no shape")),
            None => None,
        }
    }

    /// The data set's files, if it is in several.
    pub fn volumes(&self) -> Option<Volumes> {
        let Self { count, test, per_file, .. } = *self;
        Some(Volumes { count, test, per_file: per_file? })
    }

    /// The images of this part.
    pub fn range(&self) -> Range<u64> {
        match self.volumes() {
            Some(volumes) => volumes.range(self.shard),
            None => self.shard.range(self.count + self.test),
        }
    }

    /// Whether all images of this part are complete.
    pub fn is_complete(&self) -> bool {
        self.complete == self.images
    }

    /// Replaces the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let written = files::write(path, |mut file| {
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")
        });
        written.map_err(|error| error.source)
    }

    fn threshold(&self) -> String {
        self.verified.as_ref().map_or("off".into(), |verified| verified.threshold.to_string())
    }

    fn judge_sha256(&self) -> &str {
        self.verified.as_ref().map_or("", |verified| &verified.judge_sha256)
    }

    /// Refuses to resume any data set but the one that was begun.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], in the words of `infer dataset`'s options.
    pub fn check_same(&self, asked: &Self, path: &Path) -> Result<(), Error> {
        let format = |manifest: &Self| format!("--format {}", manifest.format);
        let model = |manifest: &Self| format!("a model of SHA-256 {}", manifest.model_sha256);
        let seed = |manifest: &Self| format!("--seed {}", manifest.seed);
        let count = |manifest: &Self| format!("--count {}", manifest.count);
        let test = |manifest: &Self| format!("--test {}", manifest.test);
        let per_file = |manifest: &Self| match manifest.per_file {
            Some(images) => format!("--per-file {images}"),
            None => String::new(),
        };
        let shard = |manifest: &Self| format!("--shard {}/{}", manifest.shard.index, manifest.shard.of);
        // The model is the same, and so are its classes.
        let labels = |manifest: &Self| manifest.labels.words(&asked.classes);
        let strings = |manifest: &Self| match &manifest.strings {
            Some(strings) => strings.to_string(),
            None => "--strings off".into(),
        };
        let boxes = |manifest: &Self| match manifest.boxes {
            Some(boxes) => format!("--boxes {boxes}"),
            None => String::new(),
        };
        let noise = |manifest: &Self| match &manifest.noise {
            Some(noise) => format!("--noise {noise}"),
            None => "--noise off".into(),
        };
        let verify = |manifest: &Self| format!("--verify {:?}", manifest.threshold());
        let judge = |manifest: &Self| format!("a judge of SHA-256 {}", manifest.judge_sha256());
        let all: [&dyn Fn(&Self) -> String; 13] = [
            &format, &model, &seed, &count, &test, &per_file, &shard, &strings, &boxes, &labels, &noise,
            &verify, &judge,
        ];
        let sides = all.into_iter().map(|say| (say(self), say(asked)));
        let Some((begun, asked)) = sides.into_iter().find(|(begun, asked)| begun != asked) else {
            return Ok(());
        };
        let path = path.display();
        // An option need not be named twice.
        let now = match begun.split_once(' ') {
            Some((option, _)) if option.starts_with("--") => {
                asked.strip_prefix(option).map_or(asked.as_str(), str::trim_start)
            }
            _ => &asked,
        };
        Err(Error::Refused(format!(
            "{path}: begun with {begun}, and now it is {now}; resume with the same, or name another --out"
        )))
    }
}

impl Labels {
    /// Each class that has another weight than 1, with it.
    pub(super) fn balance(&self, classes: &[String]) -> String {
        let weights = classes.iter().zip(self.weights(classes.len())).filter(|(_, weight)| *weight != 1);
        weights.map(|(class, weight)| format!("{}={weight}", visible(class))).collect::<Vec<_>>().join(",")
    }

    /// What an option says of them.
    fn words(&self, classes: &[String]) -> String {
        match self {
            Self::InTurn { .. } => "all classes in turn".into(),
            Self::Cycle(_) => format!("--balance {}", self.balance(classes)),
            Self::All(label) => {
                let name = usize::try_from(*label).ok().and_then(|label| classes.get(label));
                format!(
                    "--label {}",
                    name.map_or_else(|| label.to_string(), |name| visible(name).into_owned())
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(change: &str) -> Manifest {
        let text = r#"{"format":"raw","model":"m","model_sha256":"","engine":"rten 0.27","seed":1,"count":10,
            "shard":{"index":2,"of":3},"first":3,"images":3,"complete":1,"labels":{"all":1},
            "classes":["a","b"],"verified":null,"shape":[1,2,3],"tail":{"offset":6,"crc32":0}}"#;
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        let change: serde_json::Value = serde_json::from_str(change).unwrap();
        for (key, changed) in change.as_object().unwrap() {
            value[key] = changed.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn one_of_before_there_were_digests_is_read() {
        let old = manifest("{}");
        assert_eq!((old.contradiction(), old.test, &old.device), (None, 0, &None));
        assert!(old.tail.files.is_empty());
    }

    #[test]
    fn what_can_not_be_is_told() {
        for (change, part) in [
            (r#"{"complete":18446744073709551615}"#, "18446744073709551615 of 3 images are complete"),
            (r#"{"complete":4}"#, "4 of 3 images"),
            (r#"{"images":4}"#, "part 2-of-3 of 10 images is not 4 images from 3 on"),
            (r#"{"first":0}"#, "is not 3 images from 0 on"),
            (r#"{"shard":{"index":0,"of":0}}"#, "no part 0 of 0"),
            (r#"{"shard":{"index":4,"of":3}}"#, "no part 4 of 3"),
            (r#"{"count":18446744073709551615,"test":1}"#, "too many"),
            (r#"{"per_file":0}"#, "files have no images"),
            (r#"{"per_file":4}"#, "part 2-of-3 of 10 images is not 3 images from 3 on"),
            (r#"{"shape":[2,3,4]}"#, "no picture has the shape [2, 3, 4]"),
            (r#"{"shape":[1,0,4]}"#, "no picture has the shape"),
            (r#"{"shape":[1,4294967296,4294967296]}"#, "no picture has the shape"),
            (r#"{"shape":null}"#, "it has no shape"),
            (r#"{"noise":{"blur":{"from":2,"to":1}}}"#, "--noise blur=2..1"),
        ] {
            let found = manifest(change).contradiction().unwrap_or_default();
            assert!(found.contains(part), "{change}: {found}");
        }
    }

    #[test]
    fn a_difference_is_told_in_words() {
        let begun = manifest("{}");
        for (change, sentence) in [
            (r#"{"format":"npz"}"#, "begun with --format raw, and now it is npz;"),
            (r#"{"seed":2}"#, "begun with --seed 1, and now it is 2;"),
            (r#"{"shard":{"index":1,"of":3}}"#, "begun with --shard 2/3, and now it is 1/3;"),
            (
                r#"{"labels":{"in_turn":{"classes":2}}}"#,
                "begun with --label b, and now it is all classes in turn;",
            ),
            (r#"{"labels":{"all":0}}"#, "begun with --label b, and now it is a;"),
            (r#"{"test":3}"#, "begun with --test 0, and now it is 3;"),
            (r#"{"labels":{"cycle":[0,1,1]}}"#, "begun with --label b, and now it is --balance b=2;"),
            (r#"{"noise":{"blur":{"from":0,"to":1}}}"#, "begun with --noise off, and now it is blur=0..1;"),
        ] {
            let said = begun.check_same(&manifest(change), Path::new("m.json")).unwrap_err().to_string();
            assert!(said.starts_with("m.json: begun") && said.contains(sentence), "{said}");
        }
        assert!(begun.check_same(&begun, Path::new("m.json")).is_ok());
    }
}
