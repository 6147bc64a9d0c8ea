//! What a generator's file says of it.

use contract::{Contract, Golden, Training};
use infer::Generator;
use models::checkpoint::Header;

use crate::Result;

/// Key of the golden case's latents.
const GOLDEN_SEED: u64 = 0;
/// Images of the golden case of an unlabelled generator; a labelled one has one a class.
const GOLDEN_IMAGES: usize = 10;

/// What the file says about itself, but for the golden case; an error is a sentence about the
/// checkpoint.
pub fn contract(header: &Header, sha256: String) -> std::result::Result<Contract, String> {
    let Header { architecture, provenance, .. } = header;
    let (named, classes) = (provenance.classes.len(), architecture.classes().unwrap_or(0));
    if named != classes {
        return Err(format!("its header names {named} classes, but its generator has {classes}"));
    }
    Ok(Contract {
        architecture: architecture.name().to_string(),
        dataset: provenance.dataset.clone(),
        classes: provenance.classes.clone(),
        latent_dim: architecture.sizes().latent_dim,
        latent_distribution: architecture.sizes().latent,
        pixel_range: architecture.pixel_range(),
        training: Training {
            // Those that were finished.
            epochs: Some(provenance.epochs as u64),
            iterations: Some(provenance.iterations),
            recipe: Some(provenance.recipe.clone()),
            seed: Some(provenance.seed),
            checkpoint_sha256: Some(sha256),
        },
        quality: Default::default(),
        golden: None,
    })
}

/// What the generator draws now, for any device to compare with: `tolerance` is the levels of 255 by
/// which one may miss it. Another order of additions can move a number across the edge between two.
///
/// # Errors
/// If the engine can't run the file.
pub fn golden(generator: &mut Generator, tolerance: u8) -> Result<Golden> {
    let labels: Vec<i64> = match generator.contract().classes.len() {
        0 => vec![0; GOLDEN_IMAGES],
        classes => (0..classes as i64).collect(),
    };
    let images = generator.images(&labels, GOLDEN_SEED, 0)?;
    Ok(Golden::new(GOLDEN_SEED, labels, &images, tolerance))
}
