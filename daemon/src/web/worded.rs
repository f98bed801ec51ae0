//! A connection on which a request that is none is refused in words. The library answers such a
//! one by itself, with a bare head; that answer is replaced on its way by one with a body and
//! with the headers of all other answers. Everything else passes through as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{body, headers};
use crate::agent::api::error::Refusal;

/// Longest head of a request in bytes.
pub(super) const MAX_HEAD: usize = 16 << 10;
/// Longest that HTTP/2 hands over, to be refused here in words: of a longer one the library says
/// 431 and nothing more. One at a time is read on a connection.
pub(super) const MAX_HANDED_OVER: usize = 4 * MAX_HEAD;
/// What is counted for each field besides name and value (RFC 9113, section 6.5.2).
const FIELD: usize = 32;
const HEAD_TOO_LONG: &str =
    "The head of this request is too long. In a browser: remove the cookies of this address.";

/// Refuses a request whose head is too long. Without HTTP/2 it does not come so far.
pub(super) async fn head(request: Request, next: Next) -> Response {
    if length(&request) <= MAX_HEAD {
        return next.run(request).await;
    }
    let mut response = body::refused(request.uri(), Refusal::invalid(HEAD_TOO_LONG));
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

fn length(request: &Request) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let fields = request.headers().iter();
    path + fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum::<usize>()
}

/// Longest bare answer of the library, in bytes: its status, three fields, a date.
const MAX_BARE: usize = 256;

/// See above.
pub(super) struct Worded<S> {
    stream: S,
    /// What is still to be written in the place of a bare answer, and how long that one was.
    instead: Option<Instead>,
}

struct Instead {
    text: Vec<u8>,
    written: usize,
    stands_for: usize,
}

impl<S> Worded<S> {
    pub(super) fn of(stream: S) -> Worded<S> {
        Worded { stream, instead: None }
    }
}

/// The words for a bare answer; none for anything else.
fn words(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > MAX_BARE || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
    let status = head.strip_prefix("http/1.1 ")?.get(..3)?;
    if !head.contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    let (title, text) = match status {
        "400" => ("400 Bad Request", "This is no HTTP request that can be read."),
        "414" => ("414 URI Too Long", "The address of this request is too long."),
        "431" => ("431 Request Header Fields Too Large", HEAD_TOO_LONG),
        _ => return None,
    };
    let body = format!("{text}\n");
    let mut answer = format!(
        "HTTP/1.1 {title}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\ncache-control: no-store\r\n",
        body.len()
    );
    for (name, value) in headers::ALL {
        answer += &format!("{name}: {value}\r\n");
    }
    Some(format!("{answer}\r\n{body}").into_bytes())
}

impl<S: AsyncRead + Unpin> AsyncRead for Worded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Worded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            let stands_for = bytes.len();
            this.instead = words(bytes).map(|text| Instead { text, written: 0, stands_for });
        }
        let Some(instead) = &mut this.instead else {
            return Pin::new(&mut this.stream).poll_write(context, bytes);
        };
        while instead.written < instead.text.len() {
            let rest = &instead.text[instead.written..];
            match Pin::new(&mut this.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => instead.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let stands_for = instead.stands_for;
        this.instead = None;
        Poll::Ready(Ok(stands_for))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::http::{Request, Response};
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What comes back to these bytes, over a pipe that takes only so many at a time.
    async fn answer(request: &[u8], pipe: usize) -> String {
        let (mut here, there) = tokio::io::duplex(pipe);
        let serve = tokio::spawn(async move {
            let service = service_fn(async |_: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Body::from("good")))
            });
            let mut http = Builder::new(TokioExecutor::new());
            http.http1().max_buf_size(16 << 10);
            let _ = http.serve_connection(TokioIo::new(Worded::of(there)), service).await;
        });
        let (mut reads, mut writes) = tokio::io::split(&mut here);
        let mut text = Vec::new();
        let said = async {
            // One that is refused early is closed before all of it was said.
            let _ = writes.write_all(request).await;
        };
        let (_, read) = tokio::join!(said, reads.read_to_end(&mut text));
        read.expect("read");
        serve.await.expect("served");
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn a_request_that_is_none_is_refused_in_words_the_second_one_too() {
        let long = format!("GET / HTTP/1.1\r\nhost: gw\r\nx: {}\r\n\r\n", "y".repeat(20 << 10));
        let good = "GET / HTTP/1.1\r\nhost: gw\r\n\r\n";
        for (request, status, word) in [
            ("nonsense\r\n\r\n".to_owned(), "400", "no HTTP request"),
            (format!("{good}more nonsense\r\n\r\n"), "400", "no HTTP request"),
            (long, "431", "remove the cookies"),
        ] {
            for pipe in [64 << 10, 50] {
                let said = answer(request.as_bytes(), pipe).await;
                let at = said.find(&format!("HTTP/1.1 {status} ")).expect(&said);
                let (head, body) = said[at..].split_once("\r\n\r\n").expect("head and body");
                assert!(head.contains("content-security-policy: default-src"), "{head}");
                assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{said}");
                assert!(body.contains(word), "{said}");
                assert_eq!(said.contains("\r\n\r\ngood"), request.starts_with(good), "{said}");
            }
        }
        let last = "GET / HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n";
        assert!(answer(last.as_bytes(), 64 << 10).await.ends_with("\r\n\r\ngood"));
    }
}
