//! Weights in a safetensors file, with what they are and where they come from in its header.
//!
//! Tensors are named `<group>.<layer>.<parameter>`. A run's `generator.safetensors` has the groups
//! `average` (the exponential moving average, which samples better) and `raw`; the files in its
//! `checkpoints/` also hold what training needs to go on. The metadata has one key, `edgegan`, with a
//! [`Header`] as JSON, and in it the SHA-256 of the whole file, taken with zeros in the digest's own
//! place: a file that is not to the bit what was written is refused.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use contract::files::{self, sha256};
use serde::{Deserialize, Serialize};

use crate::network::Network;
pub use crate::sealed::FORMAT;
use crate::sealed::{self, FORMATS, Kind, Sealed};
use crate::{Architecture, Error, Parameters, Result};

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The networks and their sizes: `architecture` and `config`.
    #[serde(flatten)]
    pub architecture: Architecture,
    /// How the weights came about.
    pub provenance: Provenance,
}

/// How weights came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// "mnist", or the name of the data's folder.
    pub dataset: String,
    /// SHA-256 over the images and labels that were trained on.
    pub dataset_sha256: String,
    /// "train" or "all"; figures on the test set may be quoted for "train" alone.
    pub split: String,
    /// The classes' names, in the order of the labels.
    pub classes: Vec<String>,
    /// Images of one epoch.
    pub images: usize,
    /// "reference", …, and after a colon what the run has otherwise.
    pub recipe: String,
    /// Key of every random number.
    pub seed: u64,
    /// N
    pub batch_size: usize,
    /// Iterations done: one update of D each, and as many of G as the recipe has.
    pub iterations: u64,
    /// Passes over the data done.
    pub epochs: f64,
    /// "cpu", "cuda:0", …
    pub device: String,
}

impl Provenance {
    /// Passes over the data, for people: whole ones where the last iteration ended one, though the rest of
    /// its batch began the next.
    pub fn passes(&self) -> f64 {
        let whole =
            |iterations: u64| iterations.saturating_mul(self.batch_size as u64) / self.images.max(1) as u64;
        match self.iterations > 0 && whole(self.iterations - 1) < whole(self.iterations) {
            true => whole(self.iterations) as f64,
            false => self.epochs,
        }
    }

    /// Whether these numbers are some that training counts, which a file that anyone wrote may not have:
    /// what is read of them is multiplied and divided by.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        // Any product of the two, and of iterations and a recipe's updates, fits 64 bits.
        const ITERATIONS: u64 = 1 << 47;
        const BATCH: u64 = 1 << 16;
        // Batches count them in 32 bits.
        const IMAGES: u64 = u32::MAX as u64;
        for (name, found, least, most) in [
            ("images", self.images as u64, 1, IMAGES),
            ("batch_size", self.batch_size as u64, 1, BATCH),
            ("iterations", self.iterations, 0, ITERATIONS),
        ] {
            if !(least..=most).contains(&found) {
                return Err(format!("its header says {name} {found}; expected {least} to {most}"));
            }
        }
        match self.epochs >= 0. {
            true => Ok(()),
            false => Err(format!("its header says epochs {}; expected 0 or more", self.epochs)),
        }
    }
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// What it says of itself.
    pub header: Header,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    tensors: HashMap<String, Tensor>,
}

/// Tensors to be written, by name.
#[derive(Default)]
pub struct Contents(Vec<(String, Tensor)>);

impl Contents {
    /// Adds one tensor.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) {
        self.0.push((name.to_string(), tensor.clone()));
    }

    /// Adds every parameter under `group`.
    pub fn parameters(&mut self, group: &str, parameters: &Parameters) {
        for (name, value) in parameters.iter() {
            self.tensor(&format!("{group}.{name}"), value);
        }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Write`] if the folder can't be written or the disk is full.
    pub fn save(self, header: &Header, path: &Path) -> Result<()> {
        let bytes = self.to_bytes(header, path)?;
        Ok(files::write(path, |file| file.write_all(&bytes))?)
    }

    /// The file's bytes, the same for the same contents; `path` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if a name is there twice; Candle's.
    pub fn to_bytes(self, header: &Header, path: &Path) -> Result<Vec<u8>> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        sealed::to_bytes(header, self.0, wrong)
    }
}

impl Checkpoint {
    /// Reads a checkpoint onto the host.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read; otherwise those of [`Checkpoint::from_bytes`].
    pub fn load(path: &Path) -> Result<Checkpoint> {
        Checkpoint::from_bytes(&files::read(path).map_err(Error::reading(path))?, path)
    }

    /// A checkpoint from a file's bytes; `path` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is cut short, is no safetensors file, or was changed after it was
    /// written; [`Error::Checkpoint`] if it is of another program, format or architecture.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Checkpoint> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        let damaged = |message: String| Error::Damaged { path: path.to_path_buf(), message };
        let file = sealed::File::open(bytes).map_err(damaged)?;
        let json = file.header.as_ref().ok_or_else(|| {
            wrong("a safetensors file without edgegan's header; use one that `train` wrote".to_string())
        })?;
        let not_understood = |e: serde_json::Error| {
            wrong(format!("its header is not understood ({e}); it may be of another version"))
        };
        let Kind { format, architecture } = serde_json::from_str(json).map_err(not_understood)?;
        if !FORMATS.contains(&format) {
            return Err(wrong(format!("header format {format}, this version reads up to {FORMAT}")));
        }
        if !Architecture::names().any(|name| name == architecture) {
            let known: Vec<_> = Architecture::names().map(|name| format!("{name:?}")).collect();
            let known = known.join(" and ");
            return Err(wrong(format!("architecture {architecture:?}, this version knows {known}")));
        }
        let Sealed { header, file_sha256 } =
            serde_json::from_str::<Sealed<Header>>(json).map_err(not_understood)?;
        let sizes = *header.architecture.sizes();
        if header.architecture.classes().is_some() != (sizes.classes > 0) {
            let classes = sizes.classes;
            return Err(wrong(format!(
                "architecture {architecture:?}, but its sizes are for {classes} classes"
            )));
        }
        let check = header.provenance.check();
        check.map_err(|found| wrong(format!("{found}; use another checkpoint or train again")))?;
        if !file.is_as_written(format, file_sha256.as_deref()) {
            return Err(damaged("changed since it was written (its SHA-256 differs)".to_string()));
        }
        Ok(Checkpoint { header, sha256: sha256(bytes), tensors: file.tensors(wrong)? })
    }

    /// The weights of `network` under `group`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if one is missing or of another shape.
    pub fn parameters(&self, group: &str, network: &Network, device: &Device) -> Result<Parameters> {
        let prefix = format!("{group}.");
        let under = self.tensors.iter().filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?, t)));
        network.with_weights(under.map(|(name, t)| (name.to_string(), t.clone())).collect(), device)
    }

    /// The group that holds these weights of the generator: a run's checkpoint, from which training goes
    /// on, calls what others call `raw` by the network's name.
    pub fn generator_group<'a>(&self, weights: &'a str) -> &'a str {
        let has = |group: &str| {
            let begins = |name: &String| name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'));
            self.tensors.keys().any(begins)
        };
        if weights == "raw" && !has("raw") && has("generator") { "generator" } else { weights }
    }

    /// One tensor by its full name, if it is there.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Gives `var` the numbers of a tensor that training goes on from; `what` is what an error calls them.
    ///
    /// # Errors
    /// [`Error::Parameter`] if it is missing; Candle's, if it is of another shape.
    pub fn restore(&self, name: &str, var: &Var, what: &str) -> Result<()> {
        let found = self.tensor(name).ok_or_else(|| Error::Parameter {
            name: name.to_string(),
            message: format!("{what} is not there; it can't be resumed from"),
        })?;
        Ok(var.set(&found.to_device(var.device())?)?)
    }
}

#[cfg(test)]
impl Provenance {
    /// One of a small run, with these classes.
    pub(crate) fn example<const N: usize>(classes: [&str; N]) -> Provenance {
        Provenance {
            version: "0".to_string(),
            dataset: "data".to_string(),
            dataset_sha256: "0".repeat(64),
            split: "train".to_string(),
            classes: classes.map(String::from).to_vec(),
            images: 7,
            recipe: "reference".to_string(),
            seed: 3,
            batch_size: 2,
            iterations: 5,
            epochs: 1.5,
            device: "cpu".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, Tensor};

    use super::{Checkpoint, Contents, FORMAT, Header, Provenance};
    use crate::{Architecture, Sizes};

    fn header() -> Header {
        Header {
            format: FORMAT,
            architecture: Architecture::LabelledDcgan(Sizes::default()),
            provenance: Provenance::example(["a \"quoted\" class"]),
        }
    }

    fn bytes() -> Vec<u8> {
        let mut contents = Contents::default();
        contents.tensor("raw.weight", &Tensor::arange(0f32, 6., &Device::Cpu).unwrap());
        contents
            .tensor("average.weight", &Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap());
        contents.to_bytes(&header(), Path::new("file")).unwrap()
    }

    fn load(bytes: &[u8]) -> Result<Checkpoint, String> {
        Checkpoint::from_bytes(bytes, Path::new("file")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let checkpoint = load(&bytes()).unwrap();
        assert_eq!(checkpoint.header, header());
        let tensor = checkpoint.tensor("raw.weight").unwrap();
        assert_eq!(tensor.to_vec1::<f32>().unwrap(), [0., 1., 2., 3., 4., 5.]);
        assert_eq!(checkpoint.tensor("average.weight").unwrap().dims(), [2, 3]);
        assert!(bytes() == bytes(), "the same contents gave two files");
    }

    #[test]
    fn files_of_earlier_versions_call_a_batch_norm_s_weights_otherwise() {
        let mut contents = Contents::default();
        let names = ["adam.generator.first.h0.norm.gain", "average.h0.norm.offset", "raw.offset.bias"];
        for name in names {
            contents.tensor(name, &Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu).unwrap());
        }
        let checkpoint = load(&contents.to_bytes(&header(), Path::new("file")).unwrap()).unwrap();
        for name in ["adam.generator.first.h0.norm.weight", "average.h0.norm.bias", "raw.offset.bias"] {
            assert!(checkpoint.tensor(name).is_some(), "{name}");
        }
    }

    #[test]
    fn an_architecture_that_is_not_of_its_sizes_is_refused() {
        let written = |header: &Header| {
            let mut contents = Contents::default();
            contents.tensor("a", &Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu).unwrap());
            contents.to_bytes(header, Path::new("file")).unwrap()
        };
        let of = |architecture| Header { architecture, ..header() };
        let wrong = of(Architecture::LabelledDcgan(Sizes::unlabelled()));
        let error = load(&written(&wrong)).unwrap_err();
        assert!(error.contains("\"labelled-dcgan\", but its sizes are for 0 classes"), "{error}");
        let unlabelled = of(Architecture::UnlabelledDcgan(Sizes::unlabelled()));
        let mut bytes = written(&unlabelled);
        assert_eq!(load(&bytes).unwrap().header, unlabelled);
        let name = String::from_utf8_lossy(&bytes).find("unlabelled-dcgan").unwrap();
        bytes[name..name + 16].copy_from_slice(b"unlabelled-style");
        assert!(load(&bytes).unwrap_err().contains("knows \"labelled-dcgan\" and \"unlabelled-dcgan\""));
    }

    #[test]
    fn every_bit_counts() {
        let whole = bytes();
        for i in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[i / 8] ^= 1 << (i % 8);
            assert!(load(&changed).is_err(), "byte {}, bit {}", i / 8, i % 8);
        }
        for length in 0..whole.len() {
            assert!(load(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
        }
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(load(&damaged).unwrap_err().contains("checkpoint file: changed since it was written"));
    }

    #[test]
    fn files_of_the_format_before_have_no_digest() {
        let mut old = bytes();
        let text = String::from_utf8_lossy(&old).into_owned();
        let format = text.find(r#"\"format\":2"#).unwrap() + r#"\"format\":"#.len();
        old[format] = b'1';
        assert!(load(&old).unwrap_err().contains("changed since it was written"));
        let key = text.find("file_sha256").unwrap();
        old[key] = b'F';
        *old.last_mut().unwrap() ^= 1;
        assert_eq!(load(&old).unwrap().header.format, 1);
        old[format] = b'3';
        assert!(load(&old).unwrap_err().contains("header format 3, this version reads up to 2"));
    }

    #[test]
    fn numbers_that_no_training_counts_are_refused() {
        let written = |change: fn(&mut Provenance)| {
            let mut header = header();
            change(&mut header.provenance);
            load(&Contents::default().to_bytes(&header, Path::new("file")).unwrap())
        };
        assert!(written(|_| {}).is_ok());
        for (change, part) in [
            ((|p| p.images = 0) as fn(&mut Provenance), "images 0; expected 1 to"),
            (|p| p.batch_size = 0, "batch_size 0; expected 1 to 65536"),
            (|p| p.batch_size = 1 << 40, "batch_size 1099511627776; expected"),
            (|p| p.iterations = u64::MAX, "iterations 18446744073709551615; expected 0 to"),
            (|p| p.epochs = -1., "epochs -1; expected 0 or more"),
        ] {
            let error = written(change).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_epoch_ends_within_a_batch() {
        // 11 images in batches of 4: the first epoch ends in iteration 3, the second in iteration 6.
        let passes = |iterations: u64| {
            let epochs = iterations as f64 * 4. / 11.;
            Provenance { iterations, batch_size: 4, images: 11, epochs, ..header().provenance }.passes()
        };
        assert_eq!([0, 3, 6].map(passes), [0., 1., 2.]);
        assert_eq!([2, 4].map(passes), [8. / 11., 16. / 11.]);
    }

    #[test]
    fn raw_weights_are_found_under_either_name() {
        let group = |names: &[&str], weights: &'static str| {
            let mut contents = Contents::default();
            let tensor = Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu).unwrap();
            names.iter().for_each(|name| contents.tensor(name, &tensor));
            let bytes = contents.to_bytes(&header(), Path::new("file")).unwrap();
            load(&bytes).unwrap().generator_group(weights)
        };
        assert_eq!(group(&["generator.h0", "average.h0"], "raw"), "generator");
        assert_eq!(group(&["generator.h0", "average.h0"], "average"), "average");
        assert_eq!(group(&["raw.h0", "generator.h0"], "raw"), "raw");
        assert_eq!(group(&["raws.h0", "generators.h0"], "raw"), "raw");
    }

    #[test]
    fn places_beyond_the_file_are_refused_and_not_added_up() {
        let header = format!(
            r#"{{"a":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}},"b":{{"dtype":"U8","shape":[{0}],"data_offsets":[{0},{1}]}}}}"#,
            u64::MAX / 8,
            u64::MAX - 1,
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        assert!(load(&bytes).unwrap_err().contains("a tensor ends after the file"));
    }
}
