//! `/look/walk.gif` and others: what `infer look` draws, to the byte.

use std::{path::Path as FilePath, sync::Arc, time::Instant};

use axum::{
    extract::{Path, State},
    response::Response,
};
use clap::Parser;
use infer::{
    cli::{Film, View},
    look::Space,
};

use super::{
    count,
    pictures::{picture_response, refusal},
    query,
};
use crate::serve::{Server, answer::Refusal, metrics::Kind, models::Model, studio::Images};

/// Options of the views, as parameters; each view knows which of them are its own.
const OPTIONS: [&str; 11] =
    ["seed", "index", "count", "dimensions", "steps", "stops", "from", "to", "label", "digit", "scale"];
const FLAGS: [&str; 1] = ["captions"];

/// The command line that draws the same.
#[derive(Parser)]
#[command(name = "look")]
struct CommandLine {
    #[command(subcommand)]
    view: View,
}

/// `GET /look/{view}.png` and `.gif`
pub async fn look(
    State(server): State<Arc<Server>>,
    Path(file): Path<String>,
    mut query: query::Query,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let model = server.shelf.models().named(query.text("model")?.as_deref())?;
    let answer = draw(&model, &file, query).await;
    let status = answer.as_ref().map_or_else(|refusal| refusal.status, Response::status);
    count(&server, &model.name, Kind::Picture, started, status.as_u16());
    answer
}

async fn draw(model: &Arc<Model>, file: &str, query: query::Query) -> Result<Response, Refusal> {
    let nothing =
        || Refusal::not_found("views are grid, sweep, walk, between and classes, such as /look/walk.gif");
    let (name, extension) = file.split_once('.').ok_or_else(nothing)?;
    if !name.bytes().all(|byte| byte.is_ascii_lowercase()) || name == "help" {
        return Err(nothing());
    }
    let arguments = ["look".to_string(), name.into()].into_iter().chain(query.arguments(&OPTIONS, &FLAGS)?);
    let parsed = CommandLine::try_parse_from(arguments);
    let CommandLine { view } = parsed.map_err(|error| match error.kind() {
        clap::error::ErrorKind::InvalidSubcommand => nothing(),
        _ => query::refused(&error),
    })?;
    if !view.extensions().contains(&extension) {
        return Err(Refusal::not_found(format!("{name} is drawn as {}", view.extensions().join(" or "))));
    }
    let animated = view.is_animated(FilePath::new(file));
    let seed = infer::cli::seed(view.output().seed);
    let space = Space { contract: &model.contract, model: &model.name, seed };
    let plan = view.plan(&space, animated)?;
    let [_, height, width] = model.shape;
    Film::new(&view, &plan, animated, [width, height])?;
    let images = Images { z: plan.z.clone(), labels: model.labels(plan.labels.clone()), verify: None };
    let (images, _) = model.picture(images).await?;
    let model = Arc::clone(model);
    let encoded = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let film = Film::new(&view, &plan, animated, [width, height])?;
        film.encode(&images, &model.contract, seed, &mut bytes)?;
        Ok(bytes)
    });
    let bytes = encoded.await.map_err(anyhow::Error::from).flatten().map_err(refusal)?;
    Ok(picture_response(bytes, if animated { "image/gif" } else { "image/png" }, seed, &[]))
}
