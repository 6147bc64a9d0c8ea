//! What a client may take: of memory, and of time.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, http::StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep, timeout},
};

use super::answer::Refusal;

/// The largest head of a request. What is larger is answered with status 431.
pub const LARGEST_HEAD: usize = 64 << 10;

/// Bodies of all requests together, in units of [`UNIT`]. The first unit of each is free.
const BODIES: usize = 1 << 10;
const UNIT: usize = 64 << 10;

/// What bodies of requests may take.
pub struct Limits {
    /// Bytes of a body.
    pub largest_body: usize,
    /// How long a client may take to send one, or to take a part of the answer.
    pub patience: Duration,
    bodies: Arc<Semaphore>,
}

/// A body, and its part of what all of them may take.
pub struct Held {
    pub bytes: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

impl Limits {
    pub fn new(largest_body: usize, patience: Duration) -> Self {
        // One of the largest always has room.
        let units = BODIES.max(largest_body.div_ceil(UNIT));
        Self { largest_body, patience, bodies: Arc::new(Semaphore::new(units)) }
    }

    /// Reads a body, in time and within its limits.
    ///
    /// # Errors
    ///
    /// Status 413 for one that is too large, 408 for one that takes too long, 503 if others take all room,
    /// 400 for one that breaks off.
    pub async fn read(&self, body: Body) -> Result<Held, Refusal> {
        timeout(self.patience, self.read_all(body)).await.unwrap_or_else(|_| {
            let seconds = self.patience.as_secs();
            let message = format!("the request's body took longer than {seconds} s");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
        })
    }

    async fn read_all(&self, mut body: Body) -> Result<Held, Refusal> {
        let too_large = || {
            let message = format!("a request's body may have {} bytes at most", self.largest_body);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        let announced = http_body::Body::size_hint(&body).lower();
        if announced > self.largest_body as u64 {
            return Err(too_large());
        }
        let mut room = Vec::new();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::bad("the request's body breaks off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > self.largest_body {
                return Err(too_large());
            }
            // Also before it grows: a vector doubles.
            while bytes.len() + data.len() > UNIT * (room.len() + 1) {
                room.push(Arc::clone(&self.bodies).try_acquire_owned().map_err(|_| Refusal::full())?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.into(), _room: room })
    }
}

/// A connection whose other end has to take what is written, part by part, in time.
pub struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Runs while nothing is taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, stalled: None }
    }

    /// What came of trying to write, or an error if none was taken for too long.
    fn taken<T>(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.stalled = None;
            return tried;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.taken(cx, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.taken(cx, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Lets the process open as many files, connections among them, as the system allows it.
#[cfg(unix)]
pub fn open_as_many_files_as_allowed() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write the one structure that they get; a failure leaves the limit as it is,
    // and the server then takes fewer connections.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

#[cfg(not(unix))]
pub fn open_as_many_files_as_allowed() {}
