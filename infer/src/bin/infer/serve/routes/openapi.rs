//! `/openapi.json`: all routes, for programs that make clients of it.

use axum::{http::header, response::IntoResponse};

const OPENAPI: &str = include_str!("openapi.json");

/// `GET /openapi.json`
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
