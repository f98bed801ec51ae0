//! Connections to the API's socket: one request each, its head and body within limits, and
//! an answer in the API's own form also where the request never became one. Called by
//! `serve`; which route answers is the router's.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::caller::Connection;
use super::error::Refusal;

/// How long the head of a request may take: a client on this machine needs none of it.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest head in bytes; the longest path of the API has less than a hundred.
pub(super) const MAX_HEAD: usize = 16 << 10;
/// How long a client may leave an answer unread; a stream of events lasts as long as it reads.
const STALLED: Duration = Duration::from_secs(60);
/// Connections at once: the console, a few commands that wait, and a crowd of scripts.
const MAX_CONNECTIONS: usize = 128;
/// After a connection could not be accepted: the machine is out of files for a moment.
const BREATHE: Duration = Duration::from_millis(100);

/// Serves the connections of `listener` for as long as it is polled.
pub async fn serve(listener: UnixListener, router: Router) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            unreachable!("these places are never closed")
        };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, router.clone(), place))),
            Err(error) => {
                eprintln!("twinwall agent: accepting a connection to its socket: {error}");
                tokio::time::sleep(BREATHE).await;
            }
        }
    }
}

async fn connection(stream: UnixStream, router: Router, _place: OwnedSemaphorePermit) {
    answer(stream, router).await;
}

async fn answer(stream: UnixStream, router: Router) {
    let caller = Connection::of(&stream);
    let asked = Arc::new(AtomicBool::new(false));
    let reached = Arc::clone(&asked);
    let service = service_fn(move |request: Request<Incoming>| {
        reached.store(true, Ordering::Relaxed);
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(caller.clone()));
        TowerToHyperService::new(router.clone()).call(request)
    });
    let io = TokioIo::new(Silent { stream, asked: Arc::clone(&asked), stalled: None });
    let mut http = Builder::new();
    http.keep_alive(false).timer(TokioTimer::new());
    http.header_read_timeout(HEAD_TIME).max_header_size(MAX_HEAD);
    let mut served = http.serve_connection(io, service);
    let ended = poll_fn(|context| served.poll_without_shutdown(context)).await;
    let mut stream = served.into_parts().io.into_inner().stream;
    if let (Err(error), false) = (ended, asked.load(Ordering::Relaxed))
        && let Some(text) = never_asked(&error)
    {
        let _ = stream.write_all(text.as_bytes()).await;
    }
    let _ = stream.shutdown().await;
}

/// The answer to what never became a request; none where nobody waits for one.
fn never_asked(error: &hyper::Error) -> Option<String> {
    let (status, message) = if error.is_timeout() {
        let text = format!("the request's head was not complete within {} s", HEAD_TIME.as_secs());
        (StatusCode::REQUEST_TIMEOUT, text)
    } else if error.is_parse_too_large() {
        let text = format!("the request's head is too long; at most {MAX_HEAD} bytes");
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text)
    } else if error.is_parse() {
        (StatusCode::BAD_REQUEST, format!("this is no HTTP/1.1 request: {error}"))
    } else {
        return None;
    };
    let body = serde_json::to_string(&Refusal::invalid(message)).ok()?;
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A connection on which nothing is said before a request has reached the router: what hyper
/// would say by itself has no body.
struct Silent {
    stream: UnixStream,
    asked: Arc<AtomicBool>,
    /// Runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Silent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Silent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.asked.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
