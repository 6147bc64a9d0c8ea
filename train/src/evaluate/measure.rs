//! All measurements together.

use anyhow::{Context, Result, bail};
use candle_core::Device;
use models::architectures::judge::FEATURES;
use models::judge::Judge;

use super::agreement::Agreement;
use super::distances::Points;
use super::frechet::Features;
use super::interval::Estimate;
use super::manifold::{self, Manifold};
use super::report::{Compared, Figures};
use super::{diversity, nearest, shuffled};
use crate::judge::{self, Opinion};
use crate::sources::LabelledImages;

/// Nearest neighbours that are shown.
const SHOWN: usize = 20;
/// How GAN-train's judge is trained.
pub const GAN_TRAIN: judge::Options = judge::Options { epochs: 6, batch_size: 128, seed: 0 };

/// Real pictures.
pub struct Real {
    /// Those that generators learn from.
    pub training: LabelledImages,
    /// Those that no generator has seen.
    pub test: LabelledImages,
}

/// Measures `data`, which are of the judge's size and classes. `progress` is told what comes next.
///
/// # Errors
/// If there are too few pictures; Candle's.
pub fn measure(
    data: &LabelledImages,
    real: &Real,
    judge: &Judge,
    progress: &mut dyn FnMut(String),
) -> Result<Figures> {
    if data.len() < manifold::FEWEST {
        bail!("{} images are too few to measure; give {} or more", data.len(), manifold::FEWEST);
    }
    progress(format!("judging {} images", data.len()));
    let opinion = Opinion::of(judge, data.images())?;
    let agreement = Agreement::of(data.labels(), &opinion.classes, data.classes());

    // Test pictures have nothing to be compared with but training pictures.
    let is_test = data.images() == real.test.images();
    let training = shuffled(real.training.len());
    let (reference, rest) = match is_test {
        true => {
            let (reference, rest) = training.split_at(real.test.len().min(training.len() / 2));
            (pick(&real.training, reference)?, rest)
        }
        false => (real.test.clone(), &training[..]),
    };
    let others = pick(&real.training, &rest[..data.len().min(rest.len())])?;
    progress(format!("judging {} real images", reference.len() + others.len()));
    let at_reference = Opinion::of(judge, reference.images())?;
    let at_others = Opinion::of(judge, others.images())?;

    progress("Fréchet distance".to_string());
    let features = |opinion: &Opinion| Features::new(&opinion.features, FEATURES);
    let moments = features(&at_reference)?.moments(None);
    let frechet = features(&opinion)?.distance(&moments);
    let frechet_floor = features(&at_others)?.distance(&moments);

    progress("precision, recall, density, coverage".to_string());
    let n = data.len().min(reference.len());
    let manifold = Manifold::of(&points(&at_reference, n)?, &points(&opinion, n)?)?;
    let manifold_ceiling = Manifold::of(
        &points(&at_reference, n.min(others.len()))?,
        &points(&at_others, n.min(others.len()))?,
    )?;

    progress("diversity".to_string());
    let (labels, others_labels) = (data.labels(), reference.labels());
    let diversity =
        diversity::of_classes((&opinion, labels), (&at_reference, others_labels), data.classes())?;

    progress("nearest training images".to_string());
    let nearest = nearest::nearest(data.images(), real.test.images(), real.training.images(), SHOWN)?;
    let reference = Compared {
        images: reference.len(),
        what: if is_test { "real training images" } else { "real test images" },
        floor_images: others.len(),
        manifold_images: n,
    };
    Ok(Figures {
        images: data.len(),
        reference,
        agreement,
        frechet,
        frechet_floor,
        manifold,
        manifold_ceiling,
        diversity,
        nearest,
        gan_train: None,
    })
}

/// GAN-train (Shmelkov et al. 2018): a judge that has seen the generated pictures alone, on real test
/// pictures. `progress` is called with the iterations done and the loss.
///
/// # Errors
/// Candle's.
pub fn gan_train(
    data: &LabelledImages,
    real: &Real,
    device: &Device,
    progress: &mut dyn FnMut(u64, f64),
) -> Result<Estimate> {
    let student = judge::train(data, "train", GAN_TRAIN, device, progress)?;
    let opinion = Opinion::of(&student, real.test.images())?;
    Ok(Estimate::proportion(opinion.agreeing(real.test.labels()), real.test.len()))
}

/// The features of `n` of the pictures, the same every time.
fn points(opinion: &Opinion, n: usize) -> Result<Points> {
    let chosen = shuffled(opinion.classes.len());
    let values = chosen[..n].iter().flat_map(|&i| opinion.row(i)).map(|&v| f64::from(v));
    Ok(Points::new(values.collect(), FEATURES)?)
}

/// Some of the pictures.
fn pick(data: &LabelledImages, indices: &[usize]) -> Result<LabelledImages> {
    let picked = data.images().picked(indices).context("too few training images to compare with")?;
    let labels = indices.iter().map(|&i| data.labels()[i]).collect();
    Ok(LabelledImages::with_class_names(picked, labels, data.class_names().to_vec(), data.name())?)
}
