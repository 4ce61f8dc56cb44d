//! Redis behind the same routes: INCR, with each one in the log before its answer
//! (`appendfsync always`). Requests share a connection and are pipelined, so Redis
//! syncs once for all that came together.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orchestrator::api::{Answer, Source};
use orchestrator::sequence::{Issued, Key, Layout, Reply, Request, SequenceError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::plain::key_of;
use crate::{Error, Result};

/// A server of our own, in a folder of its own; ended when dropped.
pub(crate) struct RedisServer(Child);

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().expect("it was killed");
        }
    }
}

/// Tells whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    // Some print their version and fail.
    command.status().is_ok()
}

/// Counters in Redis.
#[derive(Debug)]
pub(crate) struct Redis {
    layout: Layout,
    asked: mpsc::UnboundedSender<(Key, oneshot::Sender<u32>)>,
}

impl Redis {
    /// Starts a server in a folder, and connects to it.
    pub(crate) async fn start(dir: &Path) -> Result<(Self, RedisServer)> {
        let socket = dir.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--appendonly", "yes", "--appendfsync", "always"]);
        command.args(["--save", "", "--unixsocket"]).arg(&socket).arg("--dir").arg(dir);
        let server = RedisServer(command.stdout(Stdio::null()).spawn()?);
        let begin = Instant::now();
        let stream = loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => break stream,
                Err(error) if begin.elapsed() > Duration::from_secs(30) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let (asked, asking) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            if let Err(error) = carry(stream, asking).await {
                tracing::error!(%error, "Redis is gone");
            }
        });
        Ok((Self { layout: Layout::registry(), asked }, server))
    }
}

/// Sends what waits in one piece, and answers in the same order.
async fn carry(
    stream: UnixStream,
    mut asking: mpsc::UnboundedReceiver<(Key, oneshot::Sender<u32>)>,
) -> Result<()> {
    let (reader, mut writer) = stream.into_split();
    let (sent, mut waiting) = mpsc::unbounded_channel::<oneshot::Sender<u32>>();
    let answers = tokio::spawn(async move {
        let mut lines = BufReader::new(reader).lines();
        while let Some(answer_to) = waiting.recv().await {
            let line = lines.next_line().await?.ok_or("the connection was closed")?;
            let number = line.strip_prefix(':').and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| Error::from(format!("refused: {line}")))?;
            if answer_to.send(number).is_err() {
                tracing::trace!("a client did not wait for its answer");
            }
        }
        Ok::<_, Error>(())
    });
    let mut batch = Vec::new();
    while asking.recv_many(&mut batch, 1024).await > 0 {
        let mut text = String::new();
        for (key, answer_to) in batch.drain(..) {
            text.push_str(&format!("INCR {}\r\n", key.values().join(":")));
            sent.send(answer_to).map_err(|_| "the answers have ended")?;
        }
        writer.write_all(text.as_bytes()).await?;
    }
    drop(sent);
    answers.await?
}

impl Source for Redis {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn ask(&self, request: Request) -> Answer<'_> {
        Box::pin(async move {
            let key = key_of(request);
            let (answer_to, answer) = oneshot::channel();
            self.asked.send((key.clone(), answer_to)).map_err(|_| SequenceError::Closed)?;
            let first = answer.await.map_err(|_| SequenceError::Closed)?;
            Ok(Reply::Issued(Issued { key, first, count: 1 }))
        })
    }
}
