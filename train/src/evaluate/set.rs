//! The pictures to be measured: data in any layout that `train` reads, a `.npz` file under the judge's
//! classes, or as many as are asked for from a checkpoint or an ONNX model.
//!
//! How frequent each class is among the pictures of a generator is its user's choice, so what it is measured by
//! must not depend on it: its classes are as frequent here as those of the real pictures that it is compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use contract::dataset::npz;
use contract::picture::Framing;
use contract::{files, run::GENERATOR};
use infer::{Generator, ModelSource};
use models::Architecture;
use models::architectures::judge::Sizes;
use models::checkpoint::Checkpoint;
use models::judge::Judge;
use models::{Network, Parameters};

use super::known;
use super::real::Real;
use super::report::Drawn;
use crate::sources::{self, Images, LabelledImages, Loaded, Size, Source, Split};

/// Pictures drawn at a time.
const BATCH: usize = 64;
/// Pictures that may be drawn in all.
pub const MOST: usize = 1_000_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The data, the checkpoint or the model.
    pub path: PathBuf,
    /// Which part of data.
    pub split: Split,
    /// What pictures of data are resized to.
    pub size: Option<Size>,
    /// Which of a checkpoint's weights: `average` or `raw`.
    pub weights: &'static str,
    /// Pictures to draw: for each class as many, on average, or in all if there are no classes.
    pub count: usize,
    /// Key of the latents.
    pub seed: u64,
    /// The ONNX Runtime library; without it, it is looked for.
    pub runtime: Option<PathBuf>,
    /// The folder of the real pictures; without it, MNIST's.
    pub real: Option<PathBuf>,
}

/// Pictures to be measured; once they are loaded, of the judge's size, and labelled by the judge's classes
/// if they have labels.
pub struct Set {
    /// The pictures.
    pub data: LabelledImages,
    /// What they are, for people.
    pub what: String,
    /// The checkpoint that drew them, if one did.
    pub checkpoint: Option<Drawn>,
    /// What the generator was trained on that drew them, if one did.
    pub trained_on: Option<TrainedOn>,
    /// What a user should know.
    pub notes: Vec<String>,
}

/// The data of a generator.
pub struct TrainedOn {
    /// Their name.
    pub dataset: String,
    /// Their SHA-256, which ONNX files don't tell.
    pub sha256: Option<String>,
}

/// Reads or draws the pictures, and reads the real ones that they are compared with.
///
/// # Errors
/// One sentence, if there is nothing there, or it isn't for this judge.
pub fn load(request: &Request, judge: &Judge) -> Result<(Set, Real)> {
    let path = &request.path;
    let ends_with = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    let run = path.join(GENERATOR);
    let (set, real) = if ends_with("onnx") {
        draw_onnx(request, judge)?
    } else if ends_with("safetensors") {
        draw_checkpoint(path, request, judge)?
    } else if run.is_file() {
        draw_checkpoint(&run, request, judge)?
    } else if ends_with("npz") {
        sources::refuse_strings(path)?;
        beside_real(read_npz(path, judge)?, request, judge)?
    } else {
        let source = Source {
            path: Some(path.clone()),
            mirror: None,
            size: request.size,
            framing: judge.header.framing,
        };
        let Loaded { data, notes } = sources::load_any(&source, request.split, &mut |_| ())?;
        // What was left out is worth a note; that a class has no pictures shows in the figures.
        let notes = notes.into_iter().filter(|note| !note.starts_with("no picture")).collect();
        let what = format!("{} ({} images)", path.display(), data.len());
        let set = Set { data, what, checkpoint: None, trained_on: None, notes };
        beside_real(set, request, judge)?
    };
    Ok((fit(set, judge, path)?, real))
}

/// Pictures that were read, and the real ones.
fn beside_real(set: Set, request: &Request, judge: &Judge) -> Result<(Set, Real)> {
    let real = real_for(set.data.images().shape(), set.data.class_names(), request, judge)?;
    Ok((set, real))
}

/// The same pictures under the judge's classes, which they must be of if they have labels.
fn fit(set: Set, judge: &Judge, path: &Path) -> Result<Set> {
    let images = set.data.images();
    let places = places(images.shape(), set.data.class_names(), judge, path)?;
    if !set.data.has_labels() {
        return Ok(set);
    }
    let labels = set.data.labels().iter().map(|&label| places[usize::from(label)]).collect();
    let known = judge.header.provenance.classes.clone();
    let data = LabelledImages::with_class_names(images.clone(), labels, known, "generated")?;
    Ok(Set { data, ..set })
}

/// Where the classes of pictures of this shape are among the judge's. Both must be the judge's.
fn places(shape: [usize; 3], classes: &[String], judge: &Judge, path: &Path) -> Result<Vec<u8>> {
    check_size(shape, judge, &path.display().to_string())?;
    let known = &judge.header.provenance.classes;
    let place = |class: &String| match known.iter().position(|other| other == class) {
        Some(place) => Ok(place as u8),
        None => bail!(
            "{} has a class {class:?}, which is none of the judge's ({}); give images of those, or another \
             --judge",
            path.display(),
            known.join(", ")
        ),
    };
    classes.iter().map(place).collect()
}

/// Refuses pictures of another size than the judge's.
///
/// # Errors
/// One sentence.
pub fn check_size(found: [usize; 3], judge: &Judge, name: &str) -> Result<()> {
    let kind = |[channels, height, width]: [usize; 3]| {
        format!("{width}×{height} {}", if channels == 3 { "in colour" } else { "grey" })
    };
    let config = &judge.header.config;
    let expected = [config.channels, config.height, config.width];
    if found != expected {
        bail!(
            "the images of {name} are {}, but the judge takes {}; give others, or another --judge, as `{}` \
             trains it",
            kind(found),
            kind(expected),
            known::train_judge()
        );
    }
    Ok(())
}

/// Refuses pictures without labels that were made from their files otherwise than those that the judge knows.
///
/// # Errors
/// One sentence.
pub fn check_framing(framing: Framing, judge: &Judge) -> Result<()> {
    let made = |of: Framing| format!("--crop={} --background {}", of.crop, of.background);
    let of_judge = judge.header.framing;
    if framing != of_judge {
        bail!(
            "the judge knows pictures made with {}, but the run's are made with {}; make the run's as the judge's \
             are, or give another judge, as `{}` trains it",
            made(of_judge),
            made(framing),
            known::train_judge()
        );
    }
    Ok(())
}

/// Labels of so many pictures for each class on average, in a mix of these shares at every length: equal shares
/// take turns. Without classes it is label 0, which no network looks at.
///
/// # Errors
/// If there would be none, or too many.
pub fn labels(count: usize, shares: &[usize]) -> Result<Vec<u8>> {
    let classes = shares.len();
    let total = count.checked_mul(classes.max(1)).filter(|total| (1..=MOST).contains(total));
    let Some(total) = total else {
        bail!("--count {count}: that many of {classes} classes are not from 1 to {MOST} images");
    };
    let all: usize = shares.iter().sum();
    let mut drawn = vec![0; classes];
    let next = |i| {
        // The class that has most of its share to come, and the first of such.
        let to_come = |&class: &usize| (shares[class] * (i + 1)) as i64 - (drawn[class] * all) as i64;
        let class = (0..classes).rev().max_by_key(to_come)?;
        drawn[class] += 1;
        Some(class as u8)
    };
    Ok((0..total).map(next).map(Option::unwrap_or_default).collect())
}

/// How many of the real pictures that others are compared with are of each of these classes: one, if they are not
/// of classes.
fn shares(classes: &[String], real: &Real) -> Vec<usize> {
    let compared = real.test.as_ref().unwrap_or(&real.training);
    if !compared.has_labels() {
        return vec![1; classes.len()];
    }
    let found = compared.of_each_class();
    let place = |class| compared.class_names().iter().position(|name| name == class);
    classes.iter().map(|class| place(class).map_or(0, |place| found[place])).collect()
}

/// Pictures that a generator drew, whose labels are of these classes; of none if it takes no labels.
///
/// # Errors
/// If they don't agree.
fn drawn(images: Images, labels: Vec<u8>, classes: Vec<String>) -> Result<LabelledImages> {
    Ok(match classes.is_empty() {
        true => LabelledImages::unlabelled(images, "generated"),
        false => LabelledImages::with_class_names(images, labels, classes, "generated")?,
    })
}

/// The real pictures to compare those of this shape and these classes with, once both are known to be the judge's.
fn real_for(shape: [usize; 3], classes: &[String], request: &Request, judge: &Judge) -> Result<Real> {
    places(shape, classes, judge, &request.path)?;
    Real::load(request.real.as_deref(), judge, !classes.is_empty())
}

fn draw_onnx(request: &Request, judge: &Judge) -> Result<(Set, Real)> {
    let path = &request.path;
    let source = ModelSource::File(path);
    let contract = source.contract()?;
    let options = infer::Options {
        runtime: request.runtime.clone(),
        expected_images: request.count.saturating_mul(contract.classes.len().max(1)),
        ..infer::Options::default()
    };
    let mut generator = Generator::load(&source, &options)?;
    let real = real_for(generator.image_shape()?, &contract.classes, request, judge)?;
    let labels = labels(request.count, &shares(&contract.classes, &real))?;
    let asked: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    let images = generator.images(&asked, request.seed, 0)?;
    let (_, channels, height, width) = images.dim();
    let images = Images::with_channels(channels, height, width, images.into_iter().collect())?;
    let set = Set {
        what: describe(path, &contract.dataset, request, labels.len(), contract.is_labelled()),
        data: drawn(images, labels, contract.classes)?,
        checkpoint: None,
        trained_on: Some(TrainedOn { dataset: contract.dataset, sha256: None }),
        notes: generator.notes(),
    };
    Ok((set, real))
}

/// As the ONNX model of this checkpoint draws: latents from the same streams.
fn draw_checkpoint(path: &Path, request: &Request, judge: &Judge) -> Result<(Set, Real)> {
    let bytes = files::read(path).with_context(|| format!("can't read {}", path.display()))?;
    if models::judge::is_judge(&bytes) {
        bail!("{} is a judge, which draws nothing; name a generator's checkpoint", path.display());
    }
    let checkpoint = Checkpoint::from_bytes(&bytes, path)?;
    let architecture = checkpoint.header.architecture;
    let number = architecture.classes().unwrap_or(0);
    let network = architecture.generator()?;
    let parameters = checkpoint
        .parameters(checkpoint.generator_group(request.weights), &network, judge.parameters().device())
        .with_context(|| format!("{} has no such generator", path.display()))?;
    let provenance = checkpoint.header.provenance;
    if provenance.classes.len() != number {
        bail!("{}: its header names {} classes of {}", path.display(), provenance.classes.len(), number);
    }
    let models::Sizes { channels, height, width, .. } = *architecture.sizes();
    let real = real_for([channels, height, width], &provenance.classes, request, judge)?;
    let labels = labels(request.count, &shares(&provenance.classes, &real))?;
    let images = draw((&network, &parameters), &architecture, &labels, request.seed)
        .with_context(|| path.display().to_string())?;
    let set = Set {
        what: describe(path, &provenance.dataset, request, labels.len(), number > 0),
        data: drawn(images, labels, provenance.classes)?,
        checkpoint: Some(Drawn { sha256: checkpoint.sha256, weights: request.weights }),
        trained_on: Some(TrainedOn { dataset: provenance.dataset, sha256: Some(provenance.dataset_sha256) }),
        notes: Vec::new(),
    };
    Ok((set, real))
}

/// Image i from the latents of stream i, as `infer` draws it, with label i if the generator takes labels.
///
/// # Errors
/// If pixels are not finite; Candle's.
pub fn draw(
    (generator, parameters): (&Network, &Parameters),
    architecture: &Architecture,
    labels: &[u8],
    seed: u64,
) -> Result<Images> {
    let device = parameters.device();
    let sizes = architecture.sizes();
    let mut pixels = Vec::new();
    for (batch, labels) in labels.chunks(BATCH).enumerate() {
        let indices: Vec<u64> = (0..labels.len()).map(|i| (batch * BATCH + i) as u64).collect();
        let z = contract::latent::latent_batch(sizes.latent, seed, &indices, sizes.latent_dim);
        let z = Tensor::from_iter(z, device)?.reshape((labels.len(), sizes.latent_dim))?;
        let y = Tensor::from_iter(labels.iter().map(|&label| u32::from(label)), device)?;
        let y = architecture.classes().map(|_| &y);
        let images = generator.sample(parameters, &z, y)?.flatten_all()?.to_vec1::<f32>()?;
        if images.iter().any(|pixel| !pixel.is_finite()) {
            bail!("the generator draws pixels that are no numbers: training failed");
        }
        pixels.extend(images.into_iter().map(|pixel| architecture.pixel_range().to_u8(pixel)));
    }
    Ok(Images::with_channels(sizes.channels, sizes.height, sizes.width, pixels)?)
}

fn describe(path: &Path, dataset: &str, request: &Request, images: usize, is_labelled: bool) -> String {
    let mix = if is_labelled { ", classes as frequent as among the real ones" } else { "" };
    format!("{} (trained on {dataset}), {images} images{mix}, seed {}", path.display(), request.seed)
}

/// Labels are the judge's: an archive names no classes.
fn read_npz(path: &Path, judge: &Judge) -> Result<Set> {
    let Sizes { classes, channels, height, width } = judge.header.config;
    let read = npz::read(path, [channels, height, width], classes).map_err(anyhow::Error::msg);
    let (images, labels) = read.with_context(|| path.display().to_string())?;
    Ok(Set {
        what: format!("{} ({} images)", path.display(), images.count()),
        data: LabelledImages::with_class_names(
            images,
            labels,
            judge.header.provenance.classes.clone(),
            "generated",
        )?,
        checkpoint: None,
        trained_on: None,
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn classes_are_as_frequent_as_their_shares_at_every_length() {
        assert_eq!(labels(2, &[7; 3]).unwrap(), [0, 1, 2, 0, 1, 2]);
        let shares = [980, 1135, 0, 1010];
        let all: usize = shares.iter().sum();
        let drawn = labels(500, &shares).unwrap();
        assert_eq!(drawn.len(), 2000);
        for length in 1..=drawn.len() {
            for (class, share) in shares.into_iter().enumerate() {
                let found = drawn[..length].iter().filter(|&&label| usize::from(label) == class).count();
                let expected = (length * share) as f64 / all as f64;
                assert!((found as f64 - expected).abs() < 1., "{found} of {length} are of class {class}");
            }
        }
        assert_eq!(labels(3, &[]).unwrap(), [0; 3]);
        assert!(labels(0, &shares).is_err() && labels(usize::MAX, &shares).is_err());
    }
}
