//! What there is to ask for, and what every answer goes through.

mod about;
mod dataset;
mod look;
mod openapi;
mod pictures;
mod query;
mod v2;

use std::{
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Instant,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};

use super::{
    Server, access_log,
    answer::Refusal,
    auth,
    metrics::{Kind, Moment},
    page,
};

/// All routes. `openapi.json` describes them.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .merge(v2::routes())
        .route("/digits/{file}", get(pictures::digits))
        .route("/grid.png", get(pictures::grid))
        .route("/look/{file}", get(look::look))
        .route("/dataset.npz", get(dataset::npz))
        .route("/dataset/{file}", get(dataset::idx))
        .route("/latents", get(about::latents))
        .route("/dimensions", get(about::dimensions))
        .route("/about", get(about::about))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi::openapi))
        .route("/", get(page::index))
        .route("/assets/{name}", get(page::asset))
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(Arc::clone(&server), auth::check))
        .layer(from_fn_with_state(Arc::clone(&server), auth::share))
        .layer(from_fn_with_state(Arc::clone(&server), access_log::record))
        .layer(from_fn_with_state(Arc::clone(&server), every_answer))
        .with_state(server)
}

/// What every answer has.
async fn every_answer(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    server.metrics.responses.fetch_add(1, Relaxed);
    if response.status() == axum::http::StatusCode::SERVICE_UNAVAILABLE {
        server.metrics.full.fetch_add(1, Relaxed);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if server.draining.load(SeqCst) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn nothing(uri: Uri) -> Refusal {
    let path = contract::printable(uri.path()).into_owned();
    Refusal::not_found(format!("there is nothing at {path}; /openapi.json has all routes"))
}

async fn other_method() -> Refusal {
    Refusal::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "this route has no such method; see /openapi.json",
    )
}

/// `GET /metrics`
async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let counted = server.shelf.counted();
    let moments: Vec<_> = (counted.iter())
        .map(|(model, metrics)| Moment {
            name: &model.name,
            metrics,
            images_under_way: model.batcher.under_way(),
            orders_waiting: model.batcher.waiting(),
        })
        .collect();
    let text = server.metrics.text(&moments);
    let mut response = Response::new(text.into());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Counts a model's request with how it ended.
fn count(server: &Server, model: &str, kind: Kind, started: Instant, status: u16) {
    if let Some(metrics) = server.shelf.metrics(model) {
        metrics.answered(kind, status, started.elapsed());
    }
}
