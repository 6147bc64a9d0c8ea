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

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const INDEX: Asset = Asset { name: "index.html", kind: HTML, bytes: include_bytes!("index.html") };

macro_rules! assets {
    ($($name:literal: $kind:ident),+ $(,)?) => {
        &[$(Asset { name: $name, kind: $kind, bytes: include_bytes!($name) }),+]
    };
}

/// All others.
const ASSETS: &[Asset] = assets! {
    "about.js": JAVASCRIPT,
    "backend.js": JAVASCRIPT,
    "dataset.js": JAVASCRIPT,
    "dom.js": JAVASCRIPT,
    "icon.svg": SVG,
    "latest.js": JAVASCRIPT,
    "link.js": JAVASCRIPT,
    "motion.js": JAVASCRIPT,
    "page.css": CSS,
    "page.js": JAVASCRIPT,
    "path.js": JAVASCRIPT,
    "pixels.js": JAVASCRIPT,
    "plate.js": JAVASCRIPT,
    "scenes.js": JAVASCRIPT,
    "server.js": JAVASCRIPT,
    "sliders.js": JAVASCRIPT,
    "tensors.js": JAVASCRIPT,
    "theme.js": JAVASCRIPT,
};

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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_page_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/infer/serve/page");
        let found: BTreeSet<String> = (fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".rs") && name != INDEX.name)
            .collect();
        let embedded: BTreeSet<String> = ASSETS.iter().map(|asset| asset.name.to_string()).collect();
        assert_eq!(embedded, found);
    }

    #[test]
    fn what_a_file_refers_to_is_there() {
        let is_there = |name: &str| ASSETS.iter().any(|asset| asset.name == name);
        let mut references = 0;
        for asset in ASSETS.iter().chain([&INDEX]) {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for before in ["from \"./", "=\"assets/"] {
                for (_, name) in text.match_indices(before).map(|(at, _)| text.split_at(at + before.len())) {
                    let name = name.split('"').next().unwrap();
                    assert!(is_there(name), "{} refers to {name}", asset.name);
                    references += 1;
                }
            }
        }
        assert!(references > ASSETS.len(), "{references}");
    }
}
