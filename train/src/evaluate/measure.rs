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
use super::real::Real;
use super::report::{Compared, Figures};
use super::{diversity, nearest, shuffled};
use crate::judge::{self, Opinion};
use crate::sources::LabelledImages;

/// Nearest neighbours that are shown.
const SHOWN: usize = 20;

/// How the judge of GAN-train is trained, of which this one measures.
pub fn gan_train_options(judge: &Judge) -> judge::Options {
    judge::Options { epochs: 6, framing: judge.header.framing, ..judge::Options::default() }
}

/// Measures `data`, which are of the judge's size, and of its classes if they have labels. `progress` is
/// told what comes next.
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
    let has_labels = data.has_labels();
    let agreement = has_labels.then(|| Agreement::of(data.labels(), &opinion.classes, data.classes()));

    // Test pictures have nothing to be compared with but training pictures, nor has a generator where there
    // is no test part.
    let unseen = real.test.as_ref().filter(|test| data.images() != test.images());
    let training = shuffled(real.training.len());
    let pick =
        |indices: &[usize]| real.training.picked(indices).context("too few training images to compare with");
    let (reference, rest) = match unseen {
        Some(test) => (test.clone(), &training[..]),
        None => {
            let most = real.test.as_ref().map_or(usize::MAX, LabelledImages::len);
            let (reference, rest) = training.split_at(most.min(training.len() / 2));
            (pick(reference)?, rest)
        }
    };
    let others = pick(&rest[..data.len().min(rest.len())])?;
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

    let diversity = match has_labels {
        true => {
            progress("diversity".to_string());
            let real = (&at_reference, reference.labels());
            Some(diversity::of_classes((&opinion, data.labels()), real, data.classes())?)
        }
        false => None,
    };

    progress("nearest training images".to_string());
    let test = real.test.as_ref().map(LabelledImages::images);
    let nearest = nearest::nearest(data.images(), test, real.training.images(), SHOWN)?;
    let reference = Compared {
        images: reference.len(),
        what: if unseen.is_some() { "real test images" } else { "real training images" },
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
        augmented: None,
    })
}

/// GAN-train (Shmelkov et al. 2018): a judge that has seen the generated pictures alone, on real `test`
/// pictures. `progress` is called with the iterations done and the loss.
///
/// # Errors
/// Candle's.
pub fn gan_train(
    data: &LabelledImages,
    test: &LabelledImages,
    options: judge::Options,
    device: &Device,
    progress: &mut dyn FnMut(u64, f64),
) -> Result<Estimate> {
    let student = judge::train(data, "train", options, device, progress)?;
    let opinion = Opinion::of(&student, test.images())?;
    Ok(Estimate::proportion(opinion.agreeing(test.labels()), test.len()))
}

/// The features of `n` of the pictures, the same every time.
fn points(opinion: &Opinion, n: usize) -> Result<Points> {
    let chosen = shuffled(opinion.classes.len());
    let values = chosen[..n].iter().flat_map(|&i| opinion.row(i)).map(|&v| f64::from(v));
    Ok(Points::new(values.collect(), FEATURES)?)
}
