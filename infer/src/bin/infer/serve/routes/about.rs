//! `/about`, `/latents`, `/dimensions`: what a page has to know of the models and of their latents.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use contract::{latent::latent_batch, number::large};
use infer::{find_class, path};
use serde_json::{Value, json};

use super::query::Query;
use crate::serve::{
    Server,
    answer::{Refusal, json_body},
    batching::{Order, Wanted},
    models::Model,
};

/// `GET /about`
pub async fn about(State(server): State<Arc<Server>>) -> Response {
    let models = server.shelf.models();
    let models: Vec<_> = models.iter().map(|model| describe(model)).collect();
    json_body(&json!({
        "program": format!("infer {}", env!("CARGO_PKG_VERSION")),
        "models": models,
        "largest_body": server.limits.largest_body,
    }))
}

fn describe(model: &Model) -> Value {
    let Model { name, contract, shape, about, judge, batcher, .. } = model;
    json!({
        "name": name,
        "file": about.file,
        "sha256": about.sha256,
        "architecture": contract.architecture,
        "dataset": contract.dataset,
        "classes": contract.classes,
        "noun": contract.noun(),
        "latent_dim": contract.latent_dim,
        "latent_distribution": contract.latent_distribution.to_string(),
        "latent_reach": path::reach(contract.latent_distribution),
        "channels": shape[0],
        "height": shape[1],
        "width": shape[2],
        "engine": about.engine,
        "device": about.device,
        "execution_providers": about.placements,
        "workers": batcher.workers(),
        "milliseconds_an_image": about.milliseconds,
        "images_a_request": batcher.most_images(),
        "judge": judge.as_ref().ok().map(|judge| &judge.judge),
        "quality": contract.quality,
    })
}

/// `GET /latents`: z of an image.
pub async fn latents(State(server): State<Arc<Server>>, mut query: Query) -> Result<Response, Refusal> {
    let model = server.shelf.models().named(query.text("model")?.as_deref())?;
    let (seed, index) = image(&mut query)?;
    query.end(&["model", "seed", "index"])?;
    let z = z_of(&model, seed, index);
    Ok(json_body(&json!({ "model": model.name, "seed": seed, "index": index, "z": z })))
}

/// `GET /dimensions`: the latent dimensions of an image, those first along which it changes most.
pub async fn dimensions(State(server): State<Arc<Server>>, mut query: Query) -> Result<Response, Refusal> {
    let model = server.shelf.models().named(query.text("model")?.as_deref())?;
    let (seed, index) = image(&mut query)?;
    let label = query.text("label")?;
    query.end(&["model", "seed", "index", "label"])?;
    let label = match (label, model.contract.is_labelled()) {
        (Some(name), _) => find_class(&model.contract, "--label", &name, &model.name)?,
        (None, false) => 0,
        (None, true) => {
            let classes = model.contract.describe_classes();
            return Err(Refusal::bad(format!(
                "name one of {classes} as label: each moves in a way of its own"
            )));
        }
    };
    let changes = changes(&model, &z_of(&model, seed, index), label).await?;
    let listed: Vec<_> = changes
        .iter()
        .map(|(dimension, change)| json!({ "dimension": dimension, "change": change }))
        .collect();
    Ok(json_body(&json!({ "model": model.name, "seed": seed, "index": index, "dimensions": listed })))
}

/// Each dimension, and the root mean square of how far pixels move (of 255) from its one end to the other.
async fn changes(model: &Model, z: &[f32], label: i64) -> Result<Vec<(usize, f64)>, Refusal> {
    let dim = z.len();
    let _admitted =
        model.batcher.admit((2 * dim).min(model.batcher.most_images())).ok_or_else(Refusal::full)?;
    let reach = path::reach(model.contract.latent_distribution);
    let mut latents = z.repeat(2 * dim);
    for dimension in 0..dim {
        latents[2 * dimension * dim + dimension] = -reach;
        latents[(2 * dimension + 1) * dim + dimension] = reach;
    }
    let labels = model.labels(vec![label; 2 * dim]);
    let wanted = Wanted { pixels: true, ..Wanted::default() };
    let drawn = model.batcher.draw(Order { count: 2 * dim, latents, labels, wanted, verify: None }).await?;
    let size: usize = model.shape.iter().product();
    let mut changes: Vec<(usize, f64)> = (drawn.pixels.chunks_exact(2 * size).enumerate())
        .map(|(dimension, ends)| {
            let (low, high) = ends.split_at(size);
            let squares = low.iter().zip(high).map(|(low, high)| f64::from(low.abs_diff(*high)).powi(2));
            (dimension, ((squares.sum::<f64>() / size as f64).sqrt() * 100.0).round() / 100.0)
        })
        .collect();
    changes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(changes)
}

fn image(query: &mut Query) -> Result<(u64, u64), Refusal> {
    let seed = infer::cli::seed(query.value("seed", large::<0>)?);
    Ok((seed, query.value("index", large::<0>)?.unwrap_or_default()))
}

fn z_of(model: &Model, seed: u64, index: u64) -> Vec<f32> {
    let contract = &model.contract;
    latent_batch(contract.latent_distribution, seed, &[index], contract.latent_dim)
        .into_raw_vec_and_offset()
        .0
}
