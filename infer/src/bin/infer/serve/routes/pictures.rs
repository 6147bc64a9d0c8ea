//! `/digits/2024.png`, `/grid.png`: what `infer --digits` and `infer --all` draw, to the byte.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use clap::Parser;
use contract::latent::latent_batch;

use super::{count, query};
use crate::{
    draw::{Draw, Layout},
    serve::{
        Server,
        answer::Refusal,
        metrics::Kind,
        models::Model,
        studio::{Images, Verified},
    },
};

/// Which seed a picture is of, and how sure the judge is of each of its images.
const SEED: HeaderName = HeaderName::from_static("infer-seed");
const CONFIDENCE: HeaderName = HeaderName::from_static("infer-confidence");

/// Parameters of a picture, as options of the command line.
const OPTIONS: [&str; 5] = ["seed", "index", "count", "scale", "verify"];
const FLAGS: [&str; 1] = ["captions"];

/// The command line that draws the same.
#[derive(Parser)]
#[command(name = "infer")]
struct CommandLine {
    #[command(flatten)]
    draw: Draw,
}

/// `GET /digits/2024.png`: a number, or one class by its name.
pub async fn digits(
    State(server): State<Arc<Server>>,
    Path(file): Path<String>,
    mut query: query::Query,
) -> Result<Response, Refusal> {
    let Some(what) = file.strip_suffix(".png") else {
        return Err(Refusal::not_found("pictures are called after what they show, such as /digits/2024.png"));
    };
    let model = server.shelf.models().named(query.text("model")?.as_deref())?;
    let option = match model.contract.label(what) {
        Some(_) => format!("--label={what}"),
        None => format!("--digits={what}"),
    };
    let mut arguments = query.arguments(&OPTIONS, &FLAGS)?;
    // A class may have any name, an unlabelled model has none.
    if model.contract.is_labelled() {
        arguments.push(option);
    }
    answer(&server, &model, arguments).await
}

/// `GET /grid.png`: every class, one column each.
pub async fn grid(State(server): State<Arc<Server>>, mut query: query::Query) -> Result<Response, Refusal> {
    let model = server.shelf.models().named(query.text("model")?.as_deref())?;
    let rows = query.text("rows")?;
    let known = ["seed", "index", "scale", "verify", "model", "rows"];
    let mut arguments = query.arguments(&known, &FLAGS)?;
    arguments.extend(rows.map(|rows| format!("--count={rows}")));
    arguments.extend(model.contract.is_labelled().then(|| "--all".to_string()));
    answer(&server, &model, arguments).await
}

async fn answer(server: &Server, model: &Arc<Model>, arguments: Vec<String>) -> Result<Response, Refusal> {
    let started = Instant::now();
    let answer = draw(model, arguments).await;
    let status = answer.as_ref().map_or_else(|refusal| refusal.status, Response::status);
    count(server, &model.name, Kind::Picture, started, status.as_u16());
    answer
}

async fn draw(model: &Arc<Model>, arguments: Vec<String>) -> Result<Response, Refusal> {
    let arguments = ["infer".to_string()].into_iter().chain(arguments);
    let CommandLine { draw } =
        CommandLine::try_parse_from(arguments).map_err(|error| query::refused(&error))?;
    let layout = draw.layout(&model.name, &model.contract).map_err(refusal)?;
    let verified = match draw.threshold() {
        None => None,
        Some(threshold) => {
            let mut verified = model.judge.clone().map_err(Refusal::bad)?;
            verified.threshold = threshold;
            Some(verified)
        }
    };
    let seed = infer::cli::seed(draw.seed());
    let images = images(model, &layout, seed, verified.as_ref().map(|verified| verified.threshold));
    let (images, confidences) = model.picture(images).await?;
    let texts = Arc::clone(model);
    let png = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<u8>> {
        let picture = draw.picture(&layout, &texts.contract, &images)?;
        Ok(picture.to_png(&draw.texts(&layout, &texts.contract, seed, verified.as_ref()))?)
    });
    let png = png.await.map_err(anyhow::Error::from).flatten().map_err(refusal)?;
    Ok(picture_response(png, "image/png", seed, &confidences))
}

fn images(model: &Model, layout: &Layout, seed: u64, threshold: Option<f64>) -> Images {
    let contract = &model.contract;
    let indices: Vec<u64> = layout.samples.iter().map(|sample| sample.index).collect();
    let labels = layout.samples.iter().map(|sample| sample.label).collect();
    Images {
        z: latent_batch(contract.latent_distribution, seed, &indices, contract.latent_dim),
        labels: model.labels(labels),
        verify: threshold.map(|threshold| Verified { threshold, seed, samples: layout.samples.clone() }),
    }
}

/// What the library or the machine says, as a refusal.
pub fn refusal(error: anyhow::Error) -> Refusal {
    match error.downcast::<infer::Error>() {
        Ok(error) => error.into(),
        Err(error) => crate::serve::batching::Failure::broken(format!("{error:#}")).into(),
    }
}

/// A picture's answer.
pub fn picture_response(bytes: Vec<u8>, kind: &'static str, seed: u64, confidences: &[f64]) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    response.headers_mut().insert(SEED, HeaderValue::from(seed));
    if !confidences.is_empty() {
        let confidences: Vec<_> = confidences.iter().map(f64::to_string).collect();
        if let Ok(confidences) = HeaderValue::from_str(&confidences.join(",")) {
            response.headers_mut().insert(CONFIDENCE, confidences);
        }
    }
    response
}
