//! The Open Inference Protocol, version 2, over HTTP. What the messages are is in `infer::protocol`, what a
//! request asks of a model in [`ask`], what models and the server say of themselves in [`metadata`].

mod ask;
mod metadata;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use infer::protocol::{Encoded, InferRequest, InferResponse, JSON_LENGTH_HEADER, OutputTensor, Values};
use serde_json::{Map, Value};
use tokio::{task::spawn_blocking, time::timeout};

use super::count;
use crate::serve::{
    Server,
    answer::{Holding, Refusal},
    batching::{Drawn, Failure},
    metrics::Kind,
    models::{Model, VERSION},
};
use ask::{Asked, Output};

/// Larger bodies are read and written by threads that may take their time.
const LARGE: usize = 64 << 10;

/// The protocol's routes.
pub fn routes() -> Router<Arc<Server>> {
    let mut router = Router::new()
        .route("/v2", get(metadata::server))
        .route("/v2/health/live", get(metadata::live))
        .route("/v2/health/ready", get(metadata::ready));
    for model in ["/v2/models/{model}", "/v2/models/{model}/versions/{version}"] {
        router = router
            .route(model, get(metadata::model))
            .route(&format!("{model}/ready"), get(metadata::model_ready))
            .route(&format!("{model}/infer"), post(infer));
    }
    router
}

/// A model, and one of its versions if an address names one.
#[derive(serde::Deserialize)]
struct Address {
    model: String,
    version: Option<String>,
}

impl Address {
    fn find(&self, server: &Server) -> Result<Arc<Model>, Refusal> {
        let model = server.shelf.models().named(Some(&self.model))?;
        match &self.version {
            Some(version) if version != VERSION => {
                let (name, version) = (&model.name, contract::visible(version));
                Err(Refusal::not_found(format!("model {name} has no version {version}; it has {VERSION}")))
            }
            _ => Ok(model),
        }
    }
}

/// `POST …/infer`
async fn infer(
    State(server): State<Arc<Server>>,
    Path(address): Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let model = address.find(&server)?;
    let answer = answer(&server, &model, &headers, body).await;
    let status = answer.as_ref().map_or_else(|refusal| refusal.status, Response::status);
    count(&server, &model.name, Kind::Infer, started, status.as_u16());
    answer
}

async fn answer(
    server: &Server,
    model: &Arc<Model>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        let message = format!("Content-Encoding {encoding:?} is not read; send the body as it is");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let json_length = json_length(headers)?;
    let body = server.limits.read(body).await?;
    let reading = Arc::clone(model);
    let read = move || -> Result<Asked, Refusal> {
        let request =
            InferRequest::parse(&body.bytes, json_length).map_err(|error| Refusal::bad(error.to_string()))?;
        Asked::of(request, &reading.facts())
    };
    let large = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut asked = match large.is_none_or(|length: usize| length > LARGE) {
        true => spawn_blocking(read).await.map_err(|_| Failure::broken("reading the request failed"))??,
        false => read()?,
    };
    let order = std::mem::take(&mut asked.order);
    let images = order.count;
    let admission = model.batcher.admit(images).ok_or_else(Refusal::full)?;
    let drawn = timeout(server.limits.patience, model.batcher.draw(order)).await;
    let drawn = drawn.map_err(|_| {
        let seconds = server.limits.patience.as_secs();
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("this was not drawn within {seconds} s; ask for less"),
        )
    })??;
    let writing = Arc::clone(model);
    let write = move || encode(&writing, asked, images, drawn);
    let Encoded { body, json_length } = match images * model.shape.iter().product::<usize>() > LARGE {
        true => spawn_blocking(write).await.map_err(|_| Failure::broken("writing the answer failed"))?,
        false => write(),
    };
    let mut response = Response::new(Holding::body(body, admission));
    let headers = response.headers_mut();
    let kind = if json_length.is_some() { "application/octet-stream" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(length) = json_length {
        headers.insert(HeaderName::from_static(JSON_LENGTH_HEADER), HeaderValue::from(length));
    }
    Ok(response)
}

/// How many bytes of the body are JSON, if the header says.
fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let Some(value) = headers.get(JSON_LENGTH_HEADER) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| {
        Refusal::bad(format!(
            "the header Inference-Header-Content-Length is {value:?}, expected a number of bytes"
        ))
    })
}

fn encode(model: &Model, asked: Asked, images: usize, drawn: Drawn) -> Encoded {
    let Asked { id, seed, outputs, .. } = asked;
    let mut response = InferResponse::new(&model.name, VERSION, id);
    if let Some((seed, index)) = seed {
        response.parameters(Map::from_iter([
            ("seed".to_string(), Value::from(seed)),
            ("index".to_string(), Value::from(index)),
        ]));
    }
    let pictures = [images, model.shape[0], model.shape[1], model.shape[2]].to_vec();
    let Drawn { values, pixels, readings, .. } = drawn;
    let (mut values, mut pixels) = (Some(values), Some(pixels));
    for (output, binary) in outputs {
        let (shape, values) = match output {
            Output::Image => (pictures.clone(), Values::Float32(values.take().unwrap_or_default())),
            Output::Pixels => (pictures.clone(), Values::Uint8(pixels.take().unwrap_or_default())),
            Output::Judged => {
                (vec![images], Values::Int64(readings.iter().map(|reading| reading.label).collect()))
            }
            Output::Confidence => {
                let confidences = readings.iter().map(|reading| reading.confidence as f32);
                (vec![images], Values::Float32(confidences.collect()))
            }
        };
        response.add(OutputTensor { name: output.name(), shape, values }, binary);
    }
    response.finish()
}
