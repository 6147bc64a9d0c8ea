//! Classes as a command line names them.

use contract::{Contract, visible};

use crate::Error;

/// The label of a class that `option` of the command line names, for a model of this name.
///
/// # Errors
///
/// [`Error::UnknownClass`].
pub fn find_class(contract: &Contract, option: &str, name: &str, model: &str) -> Result<i64, Error> {
    contract.label(name).ok_or_else(|| Error::UnknownClass {
        asked: format!("{option} {}", visible(name)),
        model: model.into(),
        classes: contract.describe_classes(),
        nearest: contract.nearest_class(name).map(Into::into),
    })
}

/// A contract of these classes, for tests.
#[cfg(test)]
pub(crate) fn contract_of(classes: &[&str]) -> Contract {
    Contract {
        architecture: "tiny".into(),
        dataset: "names".into(),
        classes: classes.iter().map(|class| (*class).into()).collect(),
        latent_dim: 1,
        latent_distribution: contract::LatentDistribution::Uniform,
        pixel_range: contract::PixelRange::ZeroToOne,
        training: Default::default(),
        quality: Default::default(),
        golden: None,
    }
}
