//! `infer serve`: labelled digits for other programs, and a page for people.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | what it can be told |
//! | [`listener`] | connections, and ending without losing one |
//! | [`limits`], [`auth`], [`access_log`] | what clients may take, who may ask, what is recorded |
//! | [`routes`] | what there is to ask for |
//! | [`models`] | the models, and reading them anew |
//! | [`batching`] | images of many requests through the network together |
//! | [`studio`] | pictures as the command line draws them |
//! | [`metrics`] | what is counted |
//! | [`memory`] | giving memory back |

mod access_log;
mod answer;
mod auth;
mod batching;
mod limits;
mod listener;
mod memory;
mod metrics;
mod models;
mod options;
mod page;
mod routes;
mod studio;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use anyhow::{Context, Result};
use axum::http::HeaderValue;
use contract::printable;
use serde::Serialize;
use tokio::{runtime, sync::Semaphore};

pub use options::{EXAMPLES, Request};

use access_log::AccessLog;
use auth::Token;
use limits::Limits;
use listener::Listener;
use metrics::Metrics;
use models::Shelf;

/// Data sets that are drawn at a time.
const DATASETS: usize = 2;
/// Threads that read requests and write answers: little work beside drawing.
const HTTP_THREADS: usize = 2;
/// Threads that encode pictures and read large requests.
const ENCODING_THREADS: usize = 4;

/// What all routes share.
pub struct Server {
    shelf: Shelf,
    limits: Limits,
    metrics: Metrics,
    token: Option<Token>,
    allow_origin: Option<HeaderValue>,
    access_log: Option<AccessLog>,
    datasets: Arc<Semaphore>,
    /// Whether it is about to end.
    draining: AtomicBool,
}

/// What is said once it serves.
#[derive(Serialize)]
struct Report {
    url: String,
    listen: SocketAddr,
    models: Vec<Served>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Served {
    name: String,
    file: String,
    engine: String,
    device: String,
}

/// Serves until it is told to stop.
pub fn serve(request: &Request) -> Result<()> {
    memory::keep_little();
    let server = Arc::new(Server {
        token: request.token_file.as_deref().map(Token::read).transpose()?,
        allow_origin: (request.allow_origin.as_deref().map(HeaderValue::from_str).transpose())
            .context("--allow-origin")?,
        access_log: request.access_log.as_deref().map(AccessLog::open).transpose()?,
        limits: Limits::new(request.largest_body.get() << 20, request.patience()),
        metrics: Metrics::new(),
        datasets: Arc::new(Semaphore::new(DATASETS)),
        draining: AtomicBool::new(false),
        shelf: Shelf::load(request)?,
    });
    limits::open_as_many_files_as_allowed();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(HTTP_THREADS))
        .max_blocking_threads(ENCODING_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .context("no thread can be started")?;
    let ended = runtime.block_on(async {
        let listener = Listener::bind(request.listen).await?;
        let report = Report::new(&server, listener.address());
        for warning in &report.warnings {
            eprintln!("warning: {warning}");
        }
        request.running.print(&report, || report.to_string())?;
        listener.serve(Arc::clone(&server)).await
    });
    runtime.shutdown_background();
    if let Some(log) = &server.access_log {
        log.end();
    }
    ended
}

impl Report {
    fn new(server: &Server, listen: SocketAddr) -> Self {
        let mut warnings = Vec::new();
        if !listen.ip().is_loopback() && server.token.is_none() {
            warnings.push(format!(
                "whoever reaches {listen} can draw; name a --token-file, or listen on 127.0.0.1 behind a proxy"
            ));
        }
        let models = server.shelf.models();
        let models = models.iter().map(|model| Served {
            name: model.name.clone(),
            file: model.about.file.clone(),
            engine: model.about.engine.clone(),
            device: model.about.device.clone(),
        });
        Self { url: format!("http://{listen}"), listen, models: models.collect(), warnings }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "listening on {}", self.url)?;
        self.models.iter().try_for_each(|Served { name, file, engine, device }| {
            writeln!(f, "model {name}: {}, {engine}, {device}", printable(file))
        })
    }
}
