//! A client that sends just what a test says, and reads one answer at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer on a busy machine; longer than the service lets anyone wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the body of an answer that must be this.
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// Returns the code and the text of an error, which must have the form that all
    /// have.
    #[track_caller]
    pub(super) fn failed(self, status: u16) -> (String, String) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body = self.json();
        let mut keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "error", "request_id", "success"]);
        assert_eq!(body["success"], false);
        assert_eq!(self.header("x-request-id"), body["request_id"].as_str());
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        assert_eq!(status == 503, self.header("retry-after").is_some(), "{self:?}");
        (text("code"), text("error"))
    }
}

/// A connection that is kept open.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    headers: String,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), headers: String::new() })
    }

    /// Sends these headers too, from now on; each ends with a line break.
    pub(super) fn with(mut self, headers: &str) -> Self {
        self.headers = headers.to_owned();
        self
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(super) fn ask(&mut self, method: &str, target: &str, body: &str) -> io::Result<Answer> {
        let content = match body {
            "" => String::new(),
            _ => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
        };
        let headers = &self.headers;
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{content}\r\n");
        self.send(format!("{head}{body}").as_bytes())?;
        self.read(method == "HEAD")
    }

    /// Reads an answer whose length is told.
    pub(super) fn read(&mut self, is_head: bool) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = match length {
            Some((_, length)) if !is_head => length.parse().unwrap(),
            _ => 0,
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        Ok(Answer { status, headers, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(super) fn get(&mut self, target: &str) -> Answer {
        self.ask("GET", target, "").unwrap()
    }

    pub(super) fn post(&mut self, target: &str, body: &Value) -> Answer {
        self.ask("POST", target, &body.to_string()).unwrap()
    }
}
