//! Clients that ask for one number after the other, each on a connection of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Error, Result};

/// What all clients of a round ask for, and how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) project: String,
    pub(crate) time: Duration,
}

/// What they were told.
pub(crate) struct Told {
    pub(crate) numbers: Vec<u32>,
    pub(crate) took: Vec<Duration>,
    pub(crate) elapsed: Duration,
}

impl Load {
    pub(crate) async fn run(
        &self,
        address: SocketAddr,
        token: &str,
        connections: usize,
    ) -> Result<Told> {
        let project = &self.project;
        let request = format!(
            "GET /ids/next?type=US&project={project} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let begin = Instant::now();
        let clients = streams.into_iter().map(|stream| {
            let (request, time) = (request.clone(), self.time);
            tokio::spawn(async move { ask(stream, request.as_bytes(), begin, time).await })
        });
        let clients: Vec<_> = clients.collect();
        let mut told = Told { numbers: Vec::new(), took: Vec::new(), elapsed: Duration::ZERO };
        for client in clients {
            for (number, took) in client.await?? {
                told.numbers.push(number);
                told.took.push(took);
            }
        }
        told.elapsed = begin.elapsed();
        Ok(told)
    }
}

async fn ask(
    mut stream: TcpStream,
    request: &[u8],
    begin: Instant,
    time: Duration,
) -> Result<Vec<(u32, Duration)>> {
    let mut told = Vec::new();
    let mut buffer = vec![0; 4096];
    while begin.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(request).await?;
        let mut filled = 0;
        let body = loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            filled += read;
            if let Some(body) = body(&buffer[..filled]) {
                break body;
            }
            if read == 0 {
                return Err("the connection was closed".into());
            }
        };
        told.push((number(body)?, sent.elapsed()));
    }
    Ok(told)
}

/// Returns the body of an answer that is there as a whole: it ends with a brace.
fn body(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    body.ends_with('}').then_some(body)
}

fn number(body: &str) -> Result<u32> {
    let refused = || Error::from(format!("refused: {body}"));
    let (_, rest) = body.split_once(r#""next_id":"US-"#).ok_or_else(refused)?;
    let (number, _) = rest.split_once('"').ok_or_else(refused)?;
    Ok(number.parse()?)
}
