//! A run's quality while it trains: what the judge says of the averaged generator every few epochs.
//!
//! The drawings are compared with training pictures, never with test pictures: a run may choose its
//! best checkpoint by these figures, and what is measured on the test set afterwards stays honest.

use std::fmt;

use anyhow::{Result, bail};
use contract::printable;
use models::Architecture;
use models::architectures::judge::FEATURES;
use models::judge::Judge;
use models::{Network, Parameters};
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;
use super::frechet::{Features, Moments};
use super::{known, set, shuffled};
use crate::judge::Opinion;
use crate::sources::LabelledImages;

/// Pictures drawn for each class, on average.
const COUNT: usize = 500;
/// Pictures drawn where there are no classes.
const WITHOUT_CLASSES: usize = 2000;
/// Training pictures that they are compared with.
const REFERENCE: usize = 10_000;

/// One measurement: a line of `quality.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Iterations done.
    pub iteration: u64,
    /// Passes over the data done, with a fraction.
    pub epoch: f64,
    /// Pictures drawn.
    pub images: usize,
    /// How they agree with their labels, if they have any.
    #[serde(flatten)]
    pub labels: Option<Labels>,
    /// Fréchet distance to training pictures, in the judge's features.
    pub frechet: f64,
}

/// How pictures agree with their labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// The part of them whose label is the judge's class.
    pub agreement: f64,
    /// The least part in a class.
    pub worst_class: f64,
    /// Which class that is.
    pub worst: String,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quality { images, labels, frechet, .. } = self;
        match labels {
            Some(Labels { agreement, worst_class, worst }) => write!(
                f,
                "agreement {:.2} % of {images} images ({}: {:.1} %), Fréchet distance {frechet:.3}",
                agreement * 100.,
                printable(worst),
                worst_class * 100.
            ),
            None => write!(f, "Fréchet distance {frechet:.3} of {images} images"),
        }
    }
}

/// The judge, and what it knows of the training pictures.
pub struct Ongoing {
    judge: Judge,
    reference: Moments,
    /// How many of the training pictures are of each class, if they have labels.
    shares: Vec<usize>,
    seed: u64,
}

impl Ongoing {
    /// Looks at the training pictures; `seed` is the key of the latents.
    ///
    /// # Errors
    /// If they are not of the judge's size and, where they have labels, classes and kind; Candle's.
    pub fn new(judge: Judge, data: &LabelledImages, seed: u64) -> Result<Ongoing> {
        set::check_size(data.images().shape(), &judge, data.name())?;
        let classes = &judge.header.provenance.classes;
        if data.has_labels() && data.class_names() != classes {
            bail!(
                "{} has the classes {}, but the judge knows {}; train one on these data with `{}` and name it \
                 with --judge",
                data.name(),
                data.class_names().join(", "),
                classes.join(", "),
                known::train_judge()
            );
        }
        if data.has_labels() {
            known::check(&judge, data)?;
        }
        let chosen: Vec<usize> = shuffled(data.len()).into_iter().take(REFERENCE).collect();
        let chosen = data.images().picked(&chosen)?;
        let reference = Features::new(&Opinion::of(&judge, &chosen)?.features, FEATURES)?.moments(None);
        let shares = if data.has_labels() { data.of_each_class() } else { Vec::new() };
        Ok(Ongoing { judge, reference, shares, seed })
    }

    /// Measures a generator, always on the same latents.
    ///
    /// # Errors
    /// If it draws pixels that are no numbers; Candle's.
    pub fn measure(
        &self,
        generator: (&Network, &Parameters),
        networks: &Architecture,
        (iteration, epoch): (u64, f64),
    ) -> Result<Quality> {
        let labels = match networks.classes() {
            Some(_) => set::labels(COUNT, &self.shares)?,
            None => set::labels(WITHOUT_CLASSES, &[])?,
        };
        let images = set::draw(generator, networks, &labels, self.seed)?;
        let opinion = Opinion::of(&self.judge, &images)?;
        let moments = Features::new(&opinion.features, FEATURES)?.moments(None);
        Ok(Quality {
            iteration,
            epoch,
            images: labels.len(),
            labels: networks.classes().map(|classes| self.labels(&labels, &opinion, classes)),
            frechet: self.reference.distance(&moments),
        })
    }

    fn labels(&self, labels: &[u8], opinion: &Opinion, classes: usize) -> Labels {
        let agreement = Agreement::of(labels, &opinion.classes, classes);
        let parts = agreement.classes.iter().enumerate();
        let parts = parts.filter_map(|(class, found)| Some((class, found.as_ref()?.value)));
        let worst = parts.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        Labels {
            agreement: agreement.overall.value,
            worst_class: worst.1,
            worst: self.judge.header.provenance.classes[worst.0].clone(),
        }
    }
}
