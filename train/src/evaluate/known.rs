//! Whether a judge knows the pictures that it is to judge: digits and shirts may have the same size and
//! both be called 0 to 9.

use anyhow::{Result, bail};
use models::judge::Judge;

use super::shuffled;
use crate::judge::Opinion;
use crate::sources::LabelledImages;

/// Pictures that are tried.
const TRIED: usize = 1000;
/// The name of the genuine MNIST and of its parts, and of nothing else.
const MNIST: &str = "mnist";

/// Whether data of this name and digest are what the judge was trained on.
pub fn is_of(judge: &Judge, name: &str, digest: Option<&str>) -> bool {
    let own = &judge.header.provenance;
    (name == MNIST && own.dataset == MNIST) || digest == Some(own.dataset_sha256.as_str())
}

/// Whether real data are what the judge was trained on.
pub fn is_of_data(judge: &Judge, data: &LabelledImages) -> bool {
    is_of(judge, data.name(), None) || is_of(judge, data.name(), Some(&data.digest()))
}

/// The share of labels on which a judge's agreement is halfway between guessing and its accuracy on pictures
/// of its own kind; below it, the judge is as good as guessing.
pub fn guessing(judge: &Judge) -> f64 {
    let own = judge.header.score.filter(|score| score.images > 0);
    let own = own.map_or(1., |score| 1. - score.errors as f64 / score.images as f64);
    (own + 1. / judge.header.config.classes as f64) / 2.
}

/// The command that trains another judge.
pub fn train_judge() -> String {
    contract::command("evaluate", ["train-judge".as_ref()])
}

/// Refuses real data, of the judge's size and classes, on which it can only guess.
///
/// # Errors
/// One sentence; Candle's.
pub fn check(judge: &Judge, data: &LabelledImages) -> Result<()> {
    if is_of_data(judge, data) {
        return Ok(());
    }
    let chosen: Vec<usize> = shuffled(data.len()).into_iter().take(TRIED).collect();
    let tried = data.images().picked(&chosen)?;
    let labels: Vec<u8> = chosen.iter().map(|&i| data.labels()[i]).collect();
    let agreement = Opinion::of(judge, &tried)?.agreeing(&labels) as f64 / labels.len() as f64;
    if agreement < guessing(judge) {
        bail!(
            "{} is not what the judge was trained on ({}), and its labels are the judge's for {:.0} % of the \
             images; train one on these data with `{}` and name it with --judge",
            data.name(),
            judge.header.provenance.dataset,
            agreement * 100.,
            train_judge()
        );
    }
    Ok(())
}
