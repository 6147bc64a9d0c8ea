//! Connections: accepting them, serving each within its limits, and ending without losing one.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use axum::{Extension, Router, extract::ConnectInfo};
use contract::one_line;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{
    Server,
    limits::{LARGEST_HEAD, Patient},
    routes,
};

/// How long a server that is to end still takes connections: load balancers need a moment to see that it is
/// no longer ready, and clients to see that theirs is closed.
const LAME_DUCK: Duration = Duration::from_millis(500);

/// Connections that the system may hold until they are accepted.
const BACKLOG: u32 = 1024;

/// An address that is this process's own.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    ///
    /// If it is taken, or isn't this machine's.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
        };
        let bound = socket.and_then(|socket| {
            // So that a server that ended can be started again at once; two at a time it doesn't allow.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        match bound {
            Ok(bound) => Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
                "--listen {address}: another program listens there already; end it, or name another port"
            ),
            Err(error) => bail!("--listen {address}: {error}; name an address of this machine and a port"),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until a signal says to stop; then answers what is under way.
    ///
    /// # Errors
    ///
    /// If signals can't be received, or connections had to be cut off.
    pub async fn serve(self, server: Arc<Server>) -> Result<()> {
        let app = routes::router(Arc::clone(&server));
        let graceful = GracefulShutdown::new();
        let mut stop = pin!(Signals::new(Arc::clone(&server))?.stop());
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => take(&server, &app, &graceful, accepted).await,
            }
        }
        // From here on, answers close their connections, and probes are told that this server is not ready.
        server.draining.store(true, SeqCst);
        let end = sleep(LAME_DUCK);
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => take(&server, &app, &graceful, accepted).await,
                () = &mut end => break,
            }
        }
        drop(self.listener);
        let patience = server.limits.patience;
        if timeout(patience, graceful.shutdown()).await.is_err() {
            let open = server.metrics.connections_open.load(Relaxed);
            bail!(
                "stopped, but {open} connections took longer than {} s and were cut off",
                patience.as_secs()
            );
        }
        Ok(())
    }
}

/// Serves a connection in a task of its own.
async fn take(
    server: &Arc<Server>,
    app: &Router,
    graceful: &GracefulShutdown,
    accepted: io::Result<(TcpStream, SocketAddr)>,
) {
    let (stream, client) = match accepted {
        Ok(accepted) => accepted,
        Err(error) => {
            // Too many files are open, or the client is gone already: others will close theirs.
            if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                sleep(Duration::from_millis(50)).await;
            }
            return;
        }
    };
    // Answers are small and written at once.
    let _ = stream.set_nodelay(true);
    let patience = server.limits.patience;
    let service = TowerToHyperService::new(app.clone().layer(Extension(ConnectInfo(client))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), service);
    let watched = graceful.watch(connection);
    let server = Arc::clone(server);
    server.metrics.connections.fetch_add(1, Relaxed);
    server.metrics.connections_open.fetch_add(1, Relaxed);
    tokio::spawn(async move {
        // What goes wrong is the client's: it is gone, too slow, or speaks no HTTP and was told so.
        let _ = watched.await;
        server.metrics.connections_open.fetch_sub(1, Relaxed);
    });
}

/// What the system tells the server.
struct Signals {
    server: Arc<Server>,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new(server: Arc<Server>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            server,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    #[cfg(not(unix))]
    fn new(server: Arc<Server>) -> io::Result<Self> {
        Ok(Self { server })
    }

    /// Waits for a signal to stop, and reads the models anew whenever one says so. A second signal to stop
    /// ends the process at once.
    #[cfg(unix)]
    async fn stop(mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = tokio::signal::ctrl_c() => break,
                hang_up = self.hang_up.recv() => if hang_up.is_some() {
                    reload(&self.server).await;
                },
            }
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            std::process::exit(130);
        });
    }

    #[cfg(not(unix))]
    async fn stop(self) {
        drop(self.server);
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Reads the models anew while the old ones serve.
#[cfg(unix)]
async fn reload(server: &Arc<Server>) {
    if let Some(log) = &server.access_log {
        log.reopen();
    }
    let reloading = Arc::clone(server);
    let reloaded = tokio::task::spawn_blocking(move || reloading.shelf.reload()).await;
    let metrics = &server.metrics;
    let failed = match reloaded {
        Ok(Ok(())) => {
            metrics.reloads.fetch_add(1, Relaxed);
            // The old models end with their last answers.
            tokio::spawn(async {
                sleep(Duration::from_secs(5)).await;
                let _ = tokio::task::spawn_blocking(super::memory::give_back).await;
            });
            eprintln!("the models were read anew");
            return;
        }
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "reading them failed".into(),
    };
    metrics.failed_reloads.fetch_add(1, Relaxed);
    eprintln!("error: the models stay as they were: {}", one_line(&failed));
}
