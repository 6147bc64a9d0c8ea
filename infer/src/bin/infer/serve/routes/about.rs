//! `/about`, `/latents`, `/dimensions`: what a page has to know of the models and of their latents.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use contract::{latent::latent_batch, number::large};
use infer::{Description, Placement, find_class, path};
use serde::Serialize;
use serde_json::json;

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

/// A model, and what runs it.
#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    file: &'a str,
    sha256: &'a str,
    #[serde(flatten)]
    model: Description<'a>,
    engine: &'a str,
    device: &'a str,
    execution_providers: &'a [Placement],
    workers: usize,
    milliseconds_an_image: f64,
    images_a_request: usize,
    judge: Option<&'a str>,
}

fn describe(model: &Model) -> Described<'_> {
    let Model { name, contract, shape, about, judge, batcher, .. } = model;
    Described {
        name,
        file: &about.file,
        sha256: &about.sha256,
        model: Description::new(contract, *shape),
        engine: &about.engine,
        device: &about.device,
        execution_providers: &about.placements,
        workers: batcher.workers(),
        milliseconds_an_image: about.milliseconds,
        images_a_request: batcher.most_images(),
        judge: judge.as_ref().ok().map(|judge| judge.judge.as_str()),
    }
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

/// Each dimension, and how far its one end is from the other.
async fn changes(model: &Model, z: &[f32], label: i64) -> Result<Vec<(usize, f64)>, Refusal> {
    let dim = z.len();
    let _admitted =
        model.batcher.admit((2 * dim).min(model.batcher.most_images())).ok_or_else(Refusal::full)?;
    let latents = path::ends(model.contract.latent_distribution, z, 0..dim);
    let labels = model.labels(vec![label; 2 * dim]);
    let wanted = Wanted { pixels: true, ..Wanted::default() };
    let drawn = model.batcher.draw(Order { count: 2 * dim, latents, labels, wanted, verify: None }).await?;
    let size: usize = model.shape.iter().product();
    let mut changes: Vec<(usize, f64)> = (drawn.pixels.chunks_exact(2 * size).enumerate())
        .map(|(dimension, ends)| {
            let (low, high) = ends.split_at(size);
            (dimension, path::change(low, high))
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
