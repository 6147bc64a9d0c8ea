//! Who may ask: the token, and origins of pages.

use std::{fs, path::Path, sync::Arc};

use anyhow::Result;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use infer::Error;
use sha2::{Digest, Sha256};

use super::{Server, answer::Refusal};

/// Shorter tokens are guessed.
const SHORTEST: usize = 16;

/// Routes that need no token: what a probe asks.
const OPEN: [&str; 2] = ["/v2/health/live", "/v2/health/ready"];

/// The token's digest. What is compared are digests: they are of one length, and tell nothing of how much of
/// a guess is right.
pub struct Token([u8; 32]);

impl Token {
    /// Reads a file that holds a token in one line.
    ///
    /// # Errors
    ///
    /// If it can't be read, or holds no token that is worth the name.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |found: String| Error::BadInput(format!("token file {}: {found}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let token = text.trim();
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(refuse(format!(
                "expected one line of {SHORTEST} or more letters, digits and signs; make one with \
                 `openssl rand -hex 32`"
            )))?;
        }
        Ok(Self::of(token))
    }

    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether a request's headers have it: as a bearer's token, or as the password that a browser asks for.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(sent) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        match sent.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.is(token.trim()),
            Some((scheme, both)) if scheme.eq_ignore_ascii_case("basic") => {
                let decoded =
                    BASE64_STANDARD.decode(both.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                decoded
                    .as_deref()
                    .and_then(|both| both.split_once(':'))
                    .is_some_and(|(_, token)| self.is(token))
            }
            _ => false,
        }
    }

    /// In a time that doesn't depend on where they differ.
    fn is(&self, token: &str) -> bool {
        let Self(other) = Self::of(token);
        let differing = self.0.iter().zip(other).fold(0, |differing, (a, b)| differing | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

/// Serves only who has the token, if there is one.
pub async fn check(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    match &server.token {
        Some(token) if !OPEN.contains(&request.uri().path()) && !token.is_in(request.headers()) => {
            let message = "this needs the server's token, as `Authorization: Bearer …`";
            let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).into_response();
            let challenge = HeaderValue::from_static("Bearer realm=\"infer\", Basic realm=\"infer\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        _ => next.run(request).await,
    }
}

/// Tells browsers which other origin's pages may read the answers: the one that was allowed, if any. A
/// preflight is answered without a token, as browsers send it without.
pub async fn share(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let Some(allowed) = &server.allow_origin else { return next.run(request).await };
    let is_allowed = request.headers().get(header::ORIGIN) == Some(allowed);
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match is_preflight && is_allowed {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if is_allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "infer-confidence, infer-seed, inference-header-content-length, retry-after",
            ),
        );
        if is_preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static("authorization, content-type, inference-header-content-length"),
            );
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> bool {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        Token::of("a-secret-of-some-length").is_in(&headers)
    }

    #[test]
    fn only_the_token_is_the_token() {
        let basic = |both: &str| format!("Basic {}", BASE64_STANDARD.encode(both));
        assert!(sent("Bearer a-secret-of-some-length"));
        assert!(sent("bearer  a-secret-of-some-length"));
        assert!(sent(&basic("anyone:a-secret-of-some-length")));
        for wrong in
            ["Bearer a-secret-of-some-lengt", "Bearer ", "a-secret-of-some-length", "Basic a", "Digest x"]
        {
            assert!(!sent(wrong), "{wrong}");
        }
        assert!(!sent(&basic("a-secret-of-some-length")));
        assert!(!sent(&basic("a-secret-of-some-length:")));
        assert!(!Token::of("a-secret-of-some-length").is_in(&HeaderMap::new()));
    }
}
