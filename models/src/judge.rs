//! A trained judge ([`architectures::judge`](crate::architectures::judge)) and its file: safetensors,
//! with what it is and where it comes from in the header, and the file's digest, as a generator's
//! checkpoint has them.

use std::path::Path;

use candle_core::{Device, Tensor};
use contract::files::{self, sha256};
use contract::picture::Framing;
use serde::{Deserialize, Serialize};

use crate::architectures::judge::{NAME, Sizes};
use crate::checkpoint::Provenance;
use crate::sealed::{self, FORMAT, FORMATS, Kind, Sealed};
use crate::{Error, Network, Parameters, Result};

/// What a judge's file says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    format: u32,
    architecture: String,
    /// The judge's sizes.
    pub config: Sizes,
    /// How files became the pictures that it knows.
    #[serde(default)]
    pub framing: Framing,
    /// How the weights came about.
    pub provenance: Provenance,
    /// How it did on pictures that it was not trained on, if that was measured.
    pub score: Option<Score>,
}

/// Errors on a test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Pictures judged.
    pub images: usize,
    /// Pictures judged wrongly.
    pub errors: usize,
}

impl Header {
    /// The header of a judge of these sizes and of pictures that were framed so.
    pub fn new(config: Sizes, framing: Framing, provenance: Provenance, score: Option<Score>) -> Header {
        Header { format: FORMAT, architecture: NAME.to_string(), config, framing, provenance, score }
    }
}

/// Whether a file's bytes are a judge: not of which version, nor whether it is whole.
pub fn is_judge(bytes: &[u8]) -> bool {
    let json = sealed::header(bytes).ok().flatten();
    json.and_then(|json| serde_json::from_str::<Kind>(&json).ok())
        .is_some_and(|kind| kind.architecture == NAME)
}

/// A trained judge.
#[derive(Debug)]
pub struct Judge {
    /// What its file says of it.
    pub header: Header,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    body: Network,
    head: Network,
    parameters: Parameters,
}

impl Judge {
    /// A judge with these weights.
    ///
    /// # Errors
    /// If the weights are not those of the header's sizes.
    pub fn new(header: Header, parameters: Parameters) -> Result<Judge> {
        let (body, head) = (header.config.body()?, header.config.head()?);
        Ok(Judge { header, sha256: String::new(), body, head, parameters })
    }

    /// Writes the file, whole or not at all, and gives its SHA-256.
    ///
    /// # Errors
    /// [`Error::Write`] if the folder can't be written or the disk is full.
    pub fn save(&self, path: &Path) -> Result<String> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        let parameters =
            self.parameters.iter().map(|(name, value)| (name.to_string(), value.as_tensor().clone()));
        let bytes = sealed::to_bytes(&self.header, parameters, wrong)?;
        files::write(path, |file| file.write_all(&bytes))?;
        Ok(sha256(&bytes))
    }

    /// Reads a judge.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read; else as [`Judge::from_bytes`].
    pub fn load(path: &Path, device: &Device) -> Result<Judge> {
        Judge::from_bytes(&files::read(path).map_err(Error::reading(path))?, path, device)
    }

    /// A judge from its file's bytes; `path` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is cut short, is no safetensors file, was changed after it was
    /// written, or is no judge.
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Judge> {
        let wrong = |message: String| Error::Checkpoint { path: path.to_path_buf(), message };
        let remedy = "use another judge, or train one with `evaluate train-judge`";
        let file = sealed::File::open(bytes).map_err(|why| wrong(format!("{why}; {remedy}")))?;
        let json = (file.header.as_ref())
            .ok_or_else(|| wrong(format!("a safetensors file without edgegan's header; {remedy}")))?;
        let not_understood = |e: serde_json::Error| {
            wrong(format!("its header is not understood ({e}); it may be of another version"))
        };
        let kind: Kind = serde_json::from_str(json).map_err(not_understood)?;
        if kind.architecture != NAME {
            let found = kind.architecture;
            return Err(wrong(format!("architecture {found:?}, which is no judge ({NAME:?}); {remedy}")));
        }
        if !FORMATS.contains(&kind.format) {
            let found = kind.format;
            return Err(wrong(format!("a judge of format {found}, this version reads up to {FORMAT}")));
        }
        let Sealed { header, file_sha256 } =
            serde_json::from_str::<Sealed<Header>>(json).map_err(not_understood)?;
        if !file.is_as_written(kind.format, file_sha256.as_deref()) {
            return Err(wrong(format!("changed since it was written (its SHA-256 differs); {remedy}")));
        }
        let named = header.provenance.classes.len();
        if named != header.config.classes {
            let classes = header.config.classes;
            return Err(wrong(format!("it names {named} classes, but has {classes}; {remedy}")));
        }
        header.provenance.check().map_err(|found| wrong(format!("{found}; {remedy}")))?;
        let refused = |error: Error| wrong(format!("{error}; {remedy}"));
        let network = header.config.network().map_err(refused)?;
        let parameters = network.with_weights(file.tensors(wrong)?, device).map_err(refused)?;
        Ok(Judge { sha256: sha256(bytes), ..Judge::new(header, parameters)? })
    }

    /// The features of pictures.
    ///
    /// # Shapes
    /// `x` (N, C, H, W) in [0, 1] → (N, [`FEATURES`](crate::architectures::judge::FEATURES))
    ///
    /// # Errors
    /// [`Error::Input`] if the pictures are of another size; Candle's.
    pub fn features(&self, x: &Tensor) -> Result<Tensor> {
        self.body.sample(&self.parameters, x, None)
    }

    /// The logits of each class, from features.
    ///
    /// # Shapes
    /// (N, [`FEATURES`](crate::architectures::judge::FEATURES)) → (N, classes)
    ///
    /// # Errors
    /// [`Error::Input`] if these are no features; Candle's.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        self.head.sample(&self.parameters, features, None)
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, Tensor};
    use contract::picture::Framing;

    use super::{Header, Judge, Score, Sizes, is_judge};
    use crate::Architecture;
    use crate::checkpoint::{self, Checkpoint, Contents, Provenance};

    const CONFIG: Sizes = Sizes { classes: 2, channels: 1, height: 8, width: 12 };

    fn provenance() -> Provenance {
        Provenance::example(["short", "long"])
    }

    fn saved(path: &Path) -> Judge {
        let parameters = CONFIG.network().unwrap().initialise(1, &Device::Cpu).unwrap();
        let score = Some(Score { images: 9, errors: 1 });
        let judge =
            Judge::new(Header::new(CONFIG, Framing::default(), provenance(), score), parameters).unwrap();
        let sha256 = judge.save(path).unwrap();
        Judge { sha256, ..judge }
    }

    /// With a text of the header replaced by another of its length.
    fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    }

    /// The same judge as it was written before there was a digest.
    fn unsealed(bytes: &[u8]) -> Vec<u8> {
        let bytes = replaced(bytes, r#"\"format\":2"#, r#"\"format\":1"#);
        replaced(&bytes, "file_sha256", "File_sha256")
    }

    #[test]
    fn every_bit_counts_but_in_files_of_before_there_was_a_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judge.safetensors");
        saved(&path);
        let whole = std::fs::read(&path).unwrap();
        let load = |bytes: &[u8]| Judge::from_bytes(bytes, &path, &Device::Cpu).map_err(|e| e.to_string());
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        // A bit of each byte of the header, and of some of the weights.
        for i in (0..header).chain((header..whole.len()).step_by(10_007)) {
            let mut changed = whole.clone();
            changed[i] ^= 1 << (i % 8);
            assert!(load(&changed).is_err(), "byte {i}");
        }
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        let error = load(&changed).unwrap_err();
        assert!(error.contains("changed since it was written") && error.contains("train-judge"), "{error}");
        assert_eq!(load(&unsealed(&changed)).unwrap().header.provenance, provenance());
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judge.safetensors");
        let written = saved(&path);
        let read = Judge::load(&path, &Device::Cpu).unwrap();
        assert_eq!((&read.header, &read.sha256), (&written.header, &written.sha256));
        let x = Tensor::rand(0f32, 1., (3, 1, 8, 12), &Device::Cpu).unwrap();
        let logits =
            |judge: &Judge| judge.logits(&judge.features(&x).unwrap()).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(logits(&read), logits(&written));
        assert!(is_judge(&std::fs::read(&path).unwrap()));
    }

    #[test]
    fn a_generator_is_no_judge_and_a_judge_no_generator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.safetensors");
        let header = checkpoint::Header {
            format: checkpoint::FORMAT,
            architecture: Architecture::LabelledDcgan(crate::Sizes::default()),
            provenance: provenance(),
        };
        Contents::default().save(&header, &path).unwrap();
        assert!(!is_judge(&std::fs::read(&path).unwrap()));
        let error = Judge::load(&path, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("\"labelled-dcgan\", which is no judge"), "{error}");
        saved(&path);
        assert!(Checkpoint::load(&path).is_err());
    }

    #[test]
    fn numbers_that_no_judge_has_are_refused_before_memory_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judge.safetensors");
        let mut judge = saved(&path);
        let written = judge.header.clone();
        for (change, part) in [
            (
                (|h| h.config.height = 1 << 40) as fn(&mut Header),
                "height is 1099511627776, but must be from 1",
            ),
            (|h| h.config.channels = 0, "channels is 0, but must be from 1 to 1024"),
            (|h| h.config.classes = 3, "names 2 classes, but has 3"),
            (|h| h.provenance.images = 0, "images 0; expected 1 to"),
            (|h| h.provenance.iterations = u64::MAX, "iterations 18446744073709551615; expected 0 to"),
            (|h| h.provenance.epochs = -1., "epochs -1; expected 0 or more"),
        ] {
            judge.header = written.clone();
            change(&mut judge.header);
            judge.save(&path).unwrap();
            let error = Judge::load(&path, &Device::Cpu).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("judge.safetensors"), "{error}");
        }
    }

    #[test]
    fn files_that_are_no_judge_say_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judge.safetensors");
        saved(&path);
        let whole = std::fs::read(&path).unwrap();
        let load = |bytes: &[u8]| Judge::from_bytes(bytes, &path, &Device::Cpu).unwrap_err().to_string();
        assert!(load(&whole[..whole.len() - 1]).contains("cut short"));
        assert!(load(b"no tensors at all").contains("no safetensors file"));
        let text = |from: &str, to: &str| replaced(&unsealed(&whole), from, to);
        assert!(load(&text(r#"\"format\":1"#, r#"\"format\":9"#)).contains("a judge of format 9"));
        assert!(load(&text(r#"\"classes\":2"#, r#"\"classes\":3"#)).contains("names 2 classes, but has 3"));
        assert!(load(&text(r#"\"height\":8"#, r#"\"height\":9"#)).contains("features.linear.weight"));
    }
}
