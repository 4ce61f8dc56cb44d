//! A TCP proxy in front of a server's socket, which cuts connections as a network
//! does: by a reset, between the bytes or just before an answer.
//!
//! What it does is deterministic: a connection is cut when a test says so, or at
//! the first byte that the server sends after the test has said so, and then the
//! server has worked and the client does not know.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

struct State {
    /// Counts the cuts; each connection ends at the next one.
    cuts: watch::Sender<u64>,
    /// The next bytes of the server are swallowed, and the connection cut.
    swallows: AtomicBool,
    /// New connections are cut at once.
    refuses: AtomicBool,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy on a free port of the loopback address.
    pub(crate) fn before(socket: PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("no runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("no port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            cuts: watch::Sender::new(0),
            swallows: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        runtime.spawn(accept(listener, socket, Arc::clone(&state)));
        Self { address, state, runtime: Some(runtime) }
    }

    /// Returns the URL of a database behind the proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://orchestrator@{}/{database}", self.address)
    }

    /// Resets all connections.
    pub(crate) fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Resets all connections, and waits until each end knows.
    pub(crate) fn cut_all(&self) {
        let begin = Instant::now();
        while self.state.open.load(Ordering::SeqCst) > 0 {
            assert!(begin.elapsed() < Duration::from_secs(60), "a connection stays");
            self.cut();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Swallows the next answer of the server, and resets its connection.
    pub(crate) fn swallow_an_answer(&self) {
        self.state.swallows.store(true, Ordering::SeqCst);
    }

    /// Resets new connections as long as it is told to.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Returns how many connections came.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, state: Arc<State>) {
    while let Ok((mut client, _)) = listener.accept().await {
        state.accepted.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        let (socket, state) = (socket.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let cut = state.cuts.subscribe();
            if !state.refuses.load(Ordering::SeqCst)
                && let Ok(server) = UnixStream::connect(&socket).await
            {
                forward(&mut client, server, &state, cut).await;
            }
            // A close would be a farewell; a network says nothing.
            client.set_zero_linger().expect("it is a socket");
            drop(client);
            state.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Copies both ways until either end closes or the connection is to be cut.
async fn forward(
    client: &mut TcpStream,
    server: UnixStream,
    state: &State,
    mut cut: watch::Receiver<u64>,
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            _ = cut.changed() => return,
            count = from_client.read(&mut asked) => match count.unwrap_or(0) {
                0 => return,
                count => if to_server.write_all(&asked[..count]).await.is_err() { return },
            },
            count = from_server.read(&mut answered) => match count.unwrap_or(0) {
                0 => return,
                _ if state.swallows.swap(false, Ordering::SeqCst) => return,
                count => if to_client.write_all(&answered[..count]).await.is_err() { return },
            },
        }
    }
}
