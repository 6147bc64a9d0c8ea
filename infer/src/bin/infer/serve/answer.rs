//! Answers: what every refusal looks like, and bodies that hold what they stand for until they are sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use serde_json::json;

use super::batching::Failure;

/// Seconds after which a full server is worth another try.
const RETRY_AFTER: &str = "1";

/// Why a request is not served: a status and one sentence, as `{"error": "…"}`.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    pub message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request asks for what can't be.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Too much is under way.
    pub fn full() -> Self {
        let message = "the server is full: as much as it takes at a time is under way; try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status =
            if failure.is_refused { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::new(status, failure.message)
    }
}

impl From<infer::Error> for Refusal {
    fn from(error: infer::Error) -> Self {
        Self { message: as_parameters(&error.to_string()), ..Failure::from(error).into() }
    }
}

/// A sentence about a command line's options, about a request's parameters of the same names.
pub fn as_parameters(sentence: &str) -> String {
    let is_letter = |rest: &str| rest.starts_with(|first: char| first.is_ascii_lowercase());
    let mut words = String::new();
    for (i, rest) in contract::one_line(sentence).split("--").enumerate() {
        if i > 0 && !is_letter(rest) {
            words.push_str("--");
        }
        words.push_str(rest);
    }
    words
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, message } = self;
        let mut response =
            (status, json_body(&json!({ "error": contract::one_line(&message) }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// A JSON answer.
pub fn json_body(value: &serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// A body in one piece that holds something, such as an admission, until all of it is sent or the client is
/// gone.
pub struct Holding<T> {
    bytes: Option<Bytes>,
    held: Option<T>,
}

impl<T: Send + Unpin + 'static> Holding<T> {
    pub fn body(bytes: Vec<u8>, held: T) -> Body {
        Body::new(Self { bytes: Some(bytes.into()), held: Some(held) })
    }
}

/// So much of a body is handed over at a time: what is left is held until the client has taken the rest.
const PIECE: usize = 64 << 10;

impl<T: Send + Unpin> http_body::Body for Holding<T> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.bytes.as_mut().map(|bytes| bytes.split_to(bytes.len().min(PIECE)));
        match piece {
            Some(piece) if !piece.is_empty() => Poll::Ready(Some(Ok(Frame::data(piece)))),
            _ => {
                (self.bytes, self.held) = (None, None);
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::as_parameters;

    #[test]
    fn options_are_parameters() {
        assert_eq!(
            as_parameters("ask for a smaller --scale or\n--steps"),
            "ask for a smaller scale or steps"
        );
        assert_eq!(as_parameters("--label x is no class -- or so"), "label x is no class -- or so");
    }
}
