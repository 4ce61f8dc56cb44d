//! Connections: how many, how slow they may be, and how they end.
//!
//! Of those that are too many, further ones wait until they are accepted. One that
//! sends its head too slowly, rests for long, or does not take its answers, is closed.
//! At the end no more are accepted, requests under way are answered within a time, and
//! the rest is cut.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::router::router;
use super::same_machine::OnLoopback;
use super::service::Service;
use super::unparsed::{Explained, Silence};
use super::write_time::WriteTime;

/// The pause after an accept that failed, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a reason that lasts, such as too few file descriptors, is not told again.
const QUIET: Duration = Duration::from_secs(60);
/// How often measurements are moved into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);
/// More headers than the guard lets through, so that it can say so.
const MAX_HEADERS: usize = 1000;

/// How much of anything, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; the default is 2048.
    pub connections: usize,
    /// Requests for numbers at a time; more hear that it is busy. The default is
    /// 1024, as many as the authority's queue holds.
    pub requests: usize,
    /// Bytes of a body; the default is 16 KiB.
    pub body: usize,
    /// How long a body may take to arrive; the default is 10 s.
    pub body_time: Duration,
    /// How long the head of a request may take, and a connection may rest; the
    /// default is 30 s.
    pub head_time: Duration,
    /// How long the other side may take to read what it is answered; the default is
    /// 30 s.
    pub write_time: Duration,
    /// How long requests under way may take at the end; the default is 15 s, longer
    /// than the authority lets anyone wait.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            requests: 1024,
            body: 16 * 1024,
            body_time: Duration::from_secs(10),
            head_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            drain: Duration::from_secs(15),
        }
    }
}

/// Serves until `stop` is there, and then until all that is under way is answered,
/// or the time for that is up. Returns whether all was answered.
///
/// # Errors
/// Where the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    stop: impl Future<Output = ()>,
) -> io::Result<bool> {
    let limits = service.inner.limits;
    let mut stop = pin!(stop);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let metrics = Arc::clone(&service.inner.metrics);
    let permits = Arc::clone(&service.inner.permits);
    let mut router = router(service);
    if listener.local_addr()?.ip().is_loopback() {
        router = router.layer(Extension(OnLoopback));
    }
    let router = TowerToHyperService::new(router);
    let http = http(&limits);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut told = None;
    let mut upkeep = tokio::time::interval(UPKEEP);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            _ = upkeep.tick() => {
                metrics.settle();
                continue;
            }
            accepted = accept(&listener, &slots, &mut told) => accepted?,
        };
        while connections.try_join_next().is_some() {}
        let (stream, slot) = accepted;
        let silence = Silence::default();
        let stream = WriteTime::new(stream, limits.write_time);
        let stream = Explained::new(stream, silence.clone(), Arc::clone(&metrics));
        let connection = http.serve_connection(TokioIo::new(stream), router.clone());
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            let _slot = slot;
            let mut connection = pin!(connection);
            // A client that goes away is no news.
            if let Err(error) = connection.as_mut().await {
                tracing::debug!(%error, "a connection ended");
                silence.is_of(&error);
            }
        });
    }
    drop(listener);
    let drained = async {
        graceful.shutdown().await;
        // Those whose clients have gone away are logged all the same.
        let all = u32::try_from(limits.requests).unwrap_or(u32::MAX);
        permits.acquire_many(all).await.is_ok()
    };
    let is_drained = tokio::time::timeout(limits.drain, drained).await.unwrap_or(false);
    connections.shutdown().await;
    Ok(is_drained)
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_time).max_headers(MAX_HEADERS);
    // Who has said all may close its side and still wait for the answer.
    http.half_close(true);
    http
}

/// Waits for a connection, however long none can be accepted; `told` is when that was
/// said last.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    told: &mut Option<Instant>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    loop {
        let error = match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small, and should not wait for more.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection may be slow");
                }
                return Ok((stream, slot));
            }
            Err(error) => error,
        };
        if told.is_none_or(|told| told.elapsed() > QUIET) {
            tracing::warn!(%error, "no connection is accepted, until one can be");
            *told = Some(Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
