//! Answers to what is no request: hyper tells its status alone, and here it gets
//! the body that every other error has, and is logged and counted like them.
//!
//! Every answer of a route has a request ID in its head, so a 4xx without one is
//! hyper's own. It is written in one piece, and the connection is closed after it. Of a
//! head that took too long, and of HTTP/2, hyper says nothing: that is told as the stream
//! is closed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

use super::error::Failure;
use super::metrics::Metrics;
use super::write_time::WriteTime;

/// An error is answered in the version of the request before it.
const CLIENT_ERRORS: [&str; 2] = ["HTTP/1.1 4", "HTTP/1.0 4"];
const REQUEST_ID: &[u8] = b"x-request-id";
const NO_BODY: &str = "content-length: 0\r\n";
/// What hyper would say of a head that took too long, and of one of another protocol.
const TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const MALFORMED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Why a stream is closed without a word.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence(Arc<OnceLock<&'static [u8]>>);

impl Silence {
    /// Notes by which error a connection ended.
    pub(super) fn is_of(&self, error: &hyper::Error) {
        if error.is_timeout() {
            self.0.get_or_init(|| TIMEOUT);
        } else if error.is_parse() {
            self.0.get_or_init(|| MALFORMED);
        }
    }
}

/// A stream on which hyper's own errors get a body.
#[derive(Debug)]
pub(super) struct Explained {
    stream: WriteTime,
    silence: Silence,
    metrics: Arc<Metrics>,
    /// When the first byte came that is not answered yet.
    begin: Option<Instant>,
    /// What is written in the place of a head, as far as it is not yet, and how long
    /// the head was.
    instead: Option<(Vec<u8>, usize)>,
}

impl Explained {
    pub(super) fn new(stream: WriteTime, silence: Silence, metrics: Arc<Metrics>) -> Self {
        Self { stream, silence, metrics, begin: None, instead: None }
    }

    /// Returns what to write instead of a head that is hyper's own error, and logs and
    /// counts it.
    fn explain(&self, head: &[u8]) -> Option<Vec<u8>> {
        let Explanation { bytes, status, code, error, request_id } = explanation(head)?;
        tracing::warn!(status, code, error, request_id, "refused");
        let took = self.begin.map_or_else(Default::default, |begin| begin.elapsed());
        self.metrics.answered(None, status, took);
        Some(bytes)
    }
}

/// The answer of an error of hyper's.
#[derive(Debug, PartialEq, Eq)]
struct Explanation {
    bytes: Vec<u8>,
    status: u16,
    code: &'static str,
    error: &'static str,
    request_id: String,
}

fn is_client_error(head: &[u8]) -> bool {
    CLIENT_ERRORS.iter().any(|begin| head.starts_with(begin.as_bytes()))
}

fn explanation(head: &[u8]) -> Option<Explanation> {
    if !is_client_error(head) || head.windows(REQUEST_ID.len()).any(|w| w == REQUEST_ID) {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    let (line, _) = head.split_once("\r\n")?;
    if !head.ends_with("\r\n\r\n") || !head.contains(NO_BODY) {
        return None;
    }
    let request_id = Uuid::new_v4().to_string();
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let (code, error) = match status {
        414 => ("uri_too_long", "The URI is too long"),
        431 => ("header_fields_too_large", "The headers are too many or too large"),
        408 => ("request_timeout", "The request did not arrive in time"),
        _ => ("malformed_request", "The request is not well-formed HTTP/1.1"),
    };
    let failure = Failure { success: false, error, code, request_id: &request_id };
    let body = serde_json::to_string(&failure).ok()?;
    let headers = format!(
        "content-type: application/json\r\ncache-control: no-store\r\n\
         x-request-id: {request_id}\r\ncontent-length: {}\r\n",
        body.len()
    );
    let bytes = (head.replace(NO_BODY, &headers) + &body).into_bytes();
    Some(Explanation { bytes, status, code, error, request_id })
}

impl AsyncRead for Explained {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.begin.get_or_insert_with(Instant::now);
        }
        read
    }
}

/// Whoever has begun a head hears what became of it; a connection that only rested is
/// closed without a word, which could be taken for the answer to what comes just now.
impl Drop for Explained {
    fn drop(&mut self) {
        if self.begin.is_some()
            && let Some(head) = self.silence.0.get()
            && let Some(bytes) = self.explain(head)
            && let Err(error) = self.stream.try_write(&bytes)
        {
            tracing::debug!(%error, "nobody hears what became of a head");
        }
    }
}

impl AsyncWrite for Explained {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            let explained = this.explain(buf);
            this.begin = None;
            let Some(bytes) = explained else {
                return Pin::new(&mut this.stream).poll_write(cx, buf);
            };
            this.instead = Some((bytes, buf.len()));
        }
        while let Some((bytes, told)) = &mut this.instead {
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
            bytes.drain(..written);
            let told = *told;
            if bytes.is_empty() {
                this.instead = None;
                return Poll::Ready(Ok(told));
            }
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(0))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        match first {
            Some(first) if self.instead.is_some() || is_client_error(first) => {
                self.poll_write(cx, first)
            }
            _ => {
                self.begin = None;
                Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_without_a_request_id_gets_a_body() {
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let explained = explanation(own).unwrap();
        assert_eq!((explained.status, explained.code), (431, "header_fields_too_large"));
        let text = String::from_utf8(explained.bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 ") && head.contains("\r\nconnection: close\r\n"));
        assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert!(body.contains(r#""code":"header_fields_too_large""#), "{body}");
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            assert_eq!(explanation(other), None);
        }
        let old = b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(explanation(old).unwrap().code, "malformed_request");
    }
}
