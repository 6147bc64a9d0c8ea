//! The page for people: files that are part of the program, and nothing from elsewhere.

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::answer::Refusal;

/// What a browser lets the page do: run and show what comes from this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file under `/assets/`.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const INDEX: Asset =
    Asset { name: "index.html", kind: "text/html; charset=utf-8", bytes: include_bytes!("index.html") };

/// All others.
const ASSETS: &[Asset] =
    &[Asset { name: "page.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("page.css") }];

/// `GET /`
pub async fn index() -> Response {
    INDEX.response()
}

/// `GET /assets/{name}`
pub async fn asset(Path(name): Path<String>) -> Result<Response, Refusal> {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map(Asset::response).ok_or_else(|| Refusal::not_found("the page has no such file"))
}

impl Asset {
    fn response(&self) -> Response {
        let mut response = Body::from(self.bytes).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
