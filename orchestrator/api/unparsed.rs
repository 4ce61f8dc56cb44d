//! Answers to what is no request: hyper tells its status alone, and here it gets
//! the body that every other error has.
//!
//! Every answer of a route has a request ID in its head, so a 4xx without one is
//! hyper's own. It is written in one piece, and the connection is closed after it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

use super::error::Failure;

const CLIENT_ERROR: &[u8] = b"HTTP/1.1 4";
const REQUEST_ID: &[u8] = b"x-request-id";
const NO_BODY: &str = "content-length: 0\r\n";

/// A stream on which hyper's own errors get a body.
#[derive(Debug)]
pub(super) struct Explained<S> {
    stream: S,
    /// What is written in the place of a head, as far as it is not yet, and how long
    /// the head was.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Explained<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, instead: None }
    }
}

/// Returns what to write instead of a head that is hyper's own error.
fn instead(head: &[u8]) -> Option<Vec<u8>> {
    if !head.starts_with(CLIENT_ERROR) || head.windows(REQUEST_ID.len()).any(|w| w == REQUEST_ID) {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    let (status, _) = head.strip_prefix("HTTP/1.1 ")?.split_once("\r\n")?;
    if !head.ends_with("\r\n\r\n") || !head.contains(NO_BODY) {
        return None;
    }
    let request_id = Uuid::new_v4().to_string();
    let (code, error) = match status.split(' ').next()? {
        "414" => ("uri_too_long", "The URI is too long"),
        "431" => ("header_fields_too_large", "The headers are too many or too large"),
        "408" => ("request_timeout", "The request did not arrive in time"),
        _ => ("malformed_request", "This is not HTTP/1.1"),
    };
    let failure = Failure { success: false, error, code, request_id: &request_id };
    let body = serde_json::to_string(&failure).ok()?;
    let headers = format!(
        "content-type: application/json\r\ncache-control: no-store\r\n\
         x-request-id: {request_id}\r\ncontent-length: {}\r\n",
        body.len()
    );
    Some((head.replace(NO_BODY, &headers) + &body).into_bytes())
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.instead.is_none() {
            let Some(bytes) = instead(buf) else {
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
            Some(first) if self.instead.is_some() || first.starts_with(CLIENT_ERROR) => {
                self.poll_write(cx, first)
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
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
        let text = String::from_utf8(instead(own).unwrap()).unwrap();
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
            assert_eq!(instead(other), None);
        }
    }
}
