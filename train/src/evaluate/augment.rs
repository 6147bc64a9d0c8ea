//! Do generated pictures help a classifier? Judges that learn from a few real pictures, alone and with the
//! generated ones added, on real test pictures.
//!
//! Both see as many pictures: the few real ones come again until they are as many as the generated ones, or
//! fill all of it. What differs is what half of the pictures are.

use std::fmt;

use anyhow::{Result, bail};
use candle_core::Device;
use models::judge::Judge;
use serde::Serialize;

use super::interval::Estimate;
use super::measure::gan_train;
use super::shuffled;
use crate::judge;
use crate::sources::LabelledImages;

/// Numbers of real pictures that are tried.
pub const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Augmented {
    /// Generated pictures that were added.
    pub generated: usize,
    /// Iterations of each judge.
    pub iterations: u64,
    /// A judge of the generated pictures alone.
    pub generated_alone: Estimate,
    /// Judges of real ones.
    pub rows: Vec<Row>,
}

/// A number of real pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How many, of each class as many.
    pub real: usize,
    /// A judge of these alone.
    pub alone: Estimate,
    /// A judge of these and the generated ones.
    pub with_generated: Estimate,
}

/// How the judges are trained, of which `judge` measures.
pub fn options(judge: &Judge) -> judge::Options {
    judge::Options { epochs: 4, framing: judge.header.framing, ..judge::Options::default() }
}

/// The largest set that a judge is trained on.
///
/// # Errors
/// If there are fewer real pictures than the fewest of [`SIZES`], or of other classes.
pub fn largest(data: &LabelledImages, training: &LabelledImages) -> Result<LabelledImages> {
    if training.len() < SIZES[0] {
        bail!(
            "--augment learns from {} real images or more, and {} has {}; leave it out, or name others with --real",
            SIZES[0],
            training.name(),
            training.len()
        );
    }
    if data.class_names() != training.class_names() {
        bail!(
            "--augment adds the images to real ones of {}, whose classes are others; leave it out, or name others \
             with --real",
            training.name()
        );
    }
    let most = SIZES.into_iter().filter(|size| *size <= training.len()).max().unwrap_or(SIZES[0]);
    mixed(data, &balanced(training, most)?, true)
}

/// Trains and tries all judges. `progress` is told which one is trained, the iterations done of it, and the loss.
///
/// # Errors
/// As [`largest`]; Candle's.
pub fn augment(
    data: &LabelledImages,
    training: &LabelledImages,
    test: &LabelledImages,
    options: judge::Options,
    device: &Device,
    progress: &mut dyn FnMut(&str, u64, f64),
) -> Result<Augmented> {
    let most = largest(data, training)?.len();
    let mut accuracy = |what: &str, set: &LabelledImages| {
        let set = cycled(set, most)?;
        gan_train(&set, test, options, device, &mut |done, loss| progress(what, done, loss))
    };
    let generated_alone = accuracy("the images alone", data)?;
    let mut rows = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= training.len()) {
        let real = balanced(training, size)?;
        rows.push(Row {
            real: size,
            alone: accuracy(&format!("{size} real images"), &mixed(data, &real, false)?)?,
            with_generated: accuracy(&format!("{size} real images and these"), &mixed(data, &real, true)?)?,
        });
    }
    Ok(Augmented { generated: data.len(), iterations: options.iterations(most), generated_alone, rows })
}

/// So many of the pictures, at random, of each class as many as there can be.
fn balanced(data: &LabelledImages, size: usize) -> Result<LabelledImages> {
    let mut rest: Vec<Vec<usize>> = vec![Vec::new(); data.classes()];
    for index in shuffled(data.len()) {
        rest[usize::from(data.labels()[index])].push(index);
    }
    let mut chosen = Vec::new();
    for round in 0.. {
        let before = chosen.len();
        for class in &rest {
            chosen.extend(class.get(round).filter(|_| chosen.len() < size));
        }
        if chosen.len() == size || chosen.len() == before {
            break;
        }
    }
    Ok(data.picked(&chosen)?)
}

/// Real pictures over and over, as many as there are of the greater of both, then `data` as many times; or the
/// real ones in their place.
fn mixed(data: &LabelledImages, real: &LabelledImages, with_data: bool) -> Result<LabelledImages> {
    let half = data.len().max(real.len());
    let other = if with_data { data } else { real };
    Ok(cycled(real, half)?.followed_by(&cycled(other, half)?)?)
}

/// So many pictures, the same over and over.
fn cycled(data: &LabelledImages, count: usize) -> Result<LabelledImages> {
    let indices: Vec<usize> = (0..count).map(|i| i % data.len()).collect();
    Ok(data.picked(&indices)?)
}

impl fmt::Display for Augmented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generated, iterations, generated_alone, rows } = self;
        writeln!(
            f,
            "judges of {iterations} iterations each, {} real test images; generated images alone: {}",
            generated_alone.n,
            generated_alone.percent()
        )?;
        write!(f, "  {:>11}  {:<26}  with {generated} generated ones", "real images", "alone")?;
        for Row { real, alone, with_generated } in rows {
            write!(f, "\n  {real:>11}  {:<26}  {}", alone.percent(), with_generated.percent())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Images;

    fn set(n: usize, classes: usize, begin: u8) -> LabelledImages {
        let images = Images::new(1, 1, (0..n).map(|i| begin + i as u8).collect()).unwrap();
        LabelledImages::new(images, (0..n).map(|i| (i % classes) as u8).collect(), classes, "real").unwrap()
    }

    #[test]
    fn each_class_has_as_many() {
        let chosen = balanced(&set(40, 4, 0), 10).unwrap();
        let counts: Vec<_> =
            (0..4).map(|label| chosen.labels().iter().filter(|other| **other == label).count()).collect();
        assert_eq!(counts, [3, 3, 2, 2]);
        let pixels = chosen.images().pixels();
        assert!(pixels.iter().zip(chosen.labels()).all(|(pixel, label)| pixel % 4 == *label));
        assert_eq!(std::collections::HashSet::<u8>::from_iter(pixels.iter().copied()).len(), 10);
        assert_eq!(balanced(&set(5, 4, 0), 10).unwrap().len(), 5);
    }

    /// Pictures of which each row tells the class.
    #[test]
    fn judges_learn_from_few_and_from_both() {
        let (h, w, classes) = (12, 10, 3);
        let set = |n: usize, noise: usize| {
            let pixel = |n: usize, i: usize| match i / w % classes == n % classes {
                true => 255 - (n * noise + i) % 100,
                false => (n * noise + i) % 60,
            };
            let pixels = (0..n).flat_map(|n| (0..h * w).map(move |i| pixel(n, i) as u8)).collect();
            let labels = (0..n).map(|n| (n % classes) as u8).collect();
            LabelledImages::new(Images::new(h, w, pixels).unwrap(), labels, classes, "real").unwrap()
        };
        let (generated, training, test) = (set(30, 7), set(150, 11), set(60, 13));
        let options = judge::Options { epochs: 1, batch_size: 8, ..judge::Options::default() };
        let mut told = Vec::new();
        let mut progress = |what: &str, done, _| told.push((what.to_owned(), done));
        let found = augment(&generated, &training, &test, options, &Device::Cpu, &mut progress).unwrap();
        // 150 real pictures are enough for the first row alone; each judge sees 200.
        assert_eq!(
            (found.generated, found.iterations, found.rows.len(), found.rows[0].real),
            (30, 25, 1, 100)
        );
        assert!(told.iter().all(|(_, done)| *done == 25) && told.len() == 3, "{told:?}");
        for estimate in [found.generated_alone, found.rows[0].alone, found.rows[0].with_generated] {
            assert_eq!(estimate.n, 60);
        }
        let text = found.to_string();
        assert!(text.starts_with("judges of 25 iterations each, 60 real test images; generated"), "{text}");
        assert!(text.contains("\n          100  ") && text.contains("with 30 generated ones\n"), "{text}");
    }

    #[test]
    fn halves_are_as_long_and_so_are_both_sets() {
        let (generated, real) = (set(6, 2, 100), set(4, 2, 0));
        let pixels = |with| mixed(&generated, &real, with).unwrap().images().pixels().to_vec();
        assert_eq!(pixels(true), [0, 1, 2, 3, 0, 1, 100, 101, 102, 103, 104, 105]);
        assert_eq!(pixels(false), [0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1]);
        let error = largest(&generated, &real).unwrap_err().to_string();
        assert!(error.contains("100 real images or more, and real has 4"), "{error}");
        let error = largest(&set(6, 3, 0), &set(200, 2, 0)).unwrap_err().to_string();
        assert!(error.contains("whose classes are others"), "{error}");
    }
}
