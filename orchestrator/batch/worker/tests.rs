//! Tests of group commit: order, batching, errors, ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinSet;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a [`Ledger`] is to do with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Note(u32),
    Fail,
    Panic,
    Miscount(usize),
}

/// Keeps what it committed; replies with the place in its list.
#[derive(Default)]
struct Ledger {
    batches: Arc<Mutex<Vec<Vec<Command>>>>,
    idles: Arc<AtomicUsize>,
    /// Tells that a commit began, then waits until it may go on.
    gate: Option<(Sender<()>, Receiver<()>)>,
    /// What the commit itself takes.
    takes: Duration,
    length: usize,
}

impl Commit for Ledger {
    type Command = Command;
    type Reply = usize;
    type Error = &'static str;

    fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<usize>, &'static str> {
        if let Some((began, go_on)) = &self.gate {
            began.send(()).unwrap();
            go_on.recv_timeout(PATIENCE).unwrap();
        }
        thread::sleep(self.takes);
        if batch.contains(&Command::Panic) {
            panic!("on purpose");
        }
        if batch.contains(&Command::Fail) {
            return Err("disk full");
        }
        if let Some(Command::Miscount(replies)) = batch.first() {
            return Ok(vec![0; *replies]);
        }
        let first = self.length;
        self.length += batch.len();
        lock(&self.batches).push(batch);
        Ok((first..self.length).collect())
    }

    fn idle(&mut self) {
        self.idles.fetch_add(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ledger whose commits wait: what tells that one began, and what lets it go on.
fn gated() -> (Ledger, Receiver<()>, Sender<()>) {
    let (began, has_begun) = channel();
    let (let_go, go_on) = channel();
    let ledger = Ledger { gate: Some((began, go_on)), ..Ledger::default() };
    (ledger, has_begun, let_go)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Lets tasks run until `count` places of the queue are taken.
async fn until_queued(handle: &Handle<Ledger>, size: usize, count: usize) {
    let queued = async {
        while handle.callers.queue.free() > size - count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, queued).await.unwrap();
}

#[test]
fn applies_in_order() {
    let ledger = Ledger::default();
    let batches = Arc::clone(&ledger.batches);
    let (handle, worker) = spawn(ledger, Options::default()).unwrap();
    for n in 0..50 {
        assert_eq!(handle.ask_blocking(Command::Note(n)), Ok(n as usize));
    }
    worker.shutdown().unwrap();
    let applied: Vec<_> = lock(&batches).concat();
    assert_eq!(applied, (0..50).map(Command::Note).collect::<Vec<_>>());
}

#[test]
fn commits_what_waits_together() {
    for callers in [Callers::Near, Callers::Far] {
        what_waits_is_committed_together(Options { callers, ..Options::default() });
    }
}

fn what_waits_is_committed_together(options: Options) {
    let ledger = Ledger { takes: Duration::from_millis(2), ..Ledger::default() };
    let batches = Arc::clone(&ledger.batches);
    let (handle, worker) = spawn(ledger, options).unwrap();
    let replies: Vec<usize> = thread::scope(|scope| {
        let ask_in_turn = |producer: u32| {
            let handle = &handle;
            move || {
                let ask = |n| handle.ask_blocking(Command::Note(producer * 100 + n)).unwrap();
                (0..100).map(ask).collect::<Vec<usize>>()
            }
        };
        let producers: Vec<_> = (0..8).map(|p| scope.spawn(ask_in_turn(p))).collect();
        producers.into_iter().flat_map(|p| p.join().unwrap()).collect()
    });
    worker.shutdown().unwrap();
    let batches = lock(&batches);
    assert!(batches.len() <= 400, "{} commits for 800 commands", batches.len());
    let applied = batches.concat();
    assert_eq!(applied.len(), 800);
    // Each caller got the place of its own command, and its commands are in order.
    for (asked, place) in replies.iter().enumerate() {
        assert_eq!(applied[*place], Command::Note(u32::try_from(asked).unwrap()));
    }
    for of_one in replies.chunks(100) {
        assert!(of_one.is_sorted());
    }
}

#[test]
fn a_batch_has_a_limit() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let batches = Arc::clone(&ledger.batches);
        let options = Options { max_batch: 3, ..Options::default() };
        let (handle, worker) = spawn(ledger, options).unwrap();
        let mut asked = JoinSet::new();
        for n in 0..8 {
            let handle = handle.clone();
            asked.spawn(async move { handle.ask(Command::Note(n)).await });
            if n == 0 {
                tokio::task::yield_now().await;
                has_begun.recv_timeout(PATIENCE).unwrap();
            }
        }
        until_queued(&handle, options.queue, 7).await;
        for _ in 0..4 {
            let_go.send(()).unwrap();
        }
        assert!(asked.join_all().await.iter().all(Result::is_ok));
        worker.shutdown().unwrap();
        let sizes: Vec<usize> = lock(&batches).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 3, 3, 1]);
    });
}

#[test]
fn nothing_is_answered_before_the_commit_returned() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let (handle, worker) = spawn(ledger, Options::default()).unwrap();
        let mut reply = tokio::spawn({
            let handle = handle.clone();
            async move { handle.ask(Command::Note(1)).await }
        });
        tokio::task::yield_now().await;
        has_begun.recv_timeout(PATIENCE).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(30), &mut reply).await;
        assert!(early.is_err());
        let_go.send(()).unwrap();
        assert_eq!(reply.await.unwrap(), Ok(0));
        worker.shutdown().unwrap();
    });
}

#[test]
fn an_error_answers_all_of_the_batch_and_no_other() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let size = Options::default().queue;
        let (handle, worker) = spawn(ledger, Options::default()).unwrap();
        let ask = |command| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(command).await })
        };
        let before = ask(Command::Note(1));
        tokio::task::yield_now().await;
        has_begun.recv_timeout(PATIENCE).unwrap();
        let together = [ask(Command::Note(2)), ask(Command::Fail), ask(Command::Note(3))];
        until_queued(&handle, size, 3).await;
        for _ in 0..3 {
            let_go.send(()).unwrap();
        }
        assert_eq!(before.await.unwrap(), Ok(0));
        for reply in together {
            assert_eq!(reply.await.unwrap(), Err(AskError::Commit("disk full")));
        }
        assert_eq!(handle.ask(Command::Note(4)).await, Ok(1));
        worker.shutdown().unwrap();
    });
}

#[test]
fn a_miscount_is_an_error_and_the_worker_goes_on() {
    let (handle, worker) = spawn(Ledger::default(), Options::default()).unwrap();
    for replies in [0, 2] {
        let miscount = AskError::ReplyCount { commands: 1, replies };
        assert_eq!(handle.ask_blocking(Command::Miscount(replies)), Err(miscount));
    }
    assert_eq!(handle.ask_blocking(Command::Note(1)), Ok(0));
    worker.shutdown().unwrap();
}

#[test]
fn a_full_queue_is_busy_for_those_who_do_not_wait() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        // A size of 0 counts as 1.
        let options = Options { queue: 0, ..Options::default() };
        let (handle, worker) = spawn(ledger, options).unwrap();
        let ask = |command| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(command).await })
        };
        let first = ask(Command::Note(1));
        tokio::task::yield_now().await;
        has_begun.recv_timeout(PATIENCE).unwrap();
        let second = ask(Command::Note(2));
        until_queued(&handle, 1, 1).await;
        assert_eq!(handle.try_ask(Command::Note(3)).await, Err(AskError::Busy));
        let third = ask(Command::Note(4));
        for _ in 0..4 {
            let_go.send(()).unwrap();
        }
        for (place, reply) in [first, second, third].into_iter().enumerate() {
            assert_eq!(reply.await.unwrap(), Ok(place));
        }
        assert_eq!(handle.try_ask(Command::Note(5)).await, Ok(3));
        worker.shutdown().unwrap();
    });
}

#[test]
fn a_panic_closes_for_all_and_is_reported() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let options = Options { queue: 2, max_batch: 1, ..Options::default() };
        let (handle, worker) = spawn(ledger, options).unwrap();
        let ask = |command| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(command).await })
        };
        let mut asked = vec![ask(Command::Panic)];
        tokio::task::yield_now().await;
        has_begun.recv_timeout(PATIENCE).unwrap();
        // Two in the queue, two that wait for a place.
        asked.extend((0..4).map(|n| ask(Command::Note(n))));
        until_queued(&handle, 2, 2).await;
        let_go.send(()).unwrap();
        for reply in asked {
            let reply = tokio::time::timeout(PATIENCE, reply).await;
            assert_eq!(reply.unwrap().unwrap(), Err(AskError::Closed));
        }
        assert_eq!(handle.ask(Command::Note(9)).await, Err(AskError::Closed));
        assert_eq!(handle.try_ask(Command::Note(9)).await, Err(AskError::Closed));
        let message = "on purpose".to_owned();
        assert_eq!(worker.shutdown(), Err(WorkerPanicked { message }));
    });
}

#[test]
fn shutdown_answers_what_is_queued_and_takes_no_more() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let batches = Arc::clone(&ledger.batches);
        let options = Options { queue: 3, ..Options::default() };
        let (handle, worker) = spawn(ledger, options).unwrap();
        let ask = |command| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.ask(command).await })
        };
        let mut taken = vec![ask(Command::Note(0))];
        tokio::task::yield_now().await;
        has_begun.recv_timeout(PATIENCE).unwrap();
        taken.extend((1..4).map(|n| ask(Command::Note(n))));
        until_queued(&handle, 3, 3).await;
        let outside = ask(Command::Note(4));
        tokio::task::yield_now().await;
        for _ in 0..2 {
            let_go.send(()).unwrap();
        }
        // On the thread of the runtime: no caller can run until it returns.
        worker.shutdown().unwrap();
        for (place, reply) in taken.into_iter().enumerate() {
            assert_eq!(reply.await.unwrap(), Ok(place));
        }
        assert_eq!(outside.await.unwrap(), Err(AskError::Closed));
        assert_eq!(handle.ask(Command::Note(5)).await, Err(AskError::Closed));
        assert_eq!(lock(&batches).concat().len(), 4);
    });
}

#[test]
fn ends_when_nobody_can_ask() {
    let (handle, worker) = spawn(Ledger::default(), Options::default()).unwrap();
    let other = handle.clone();
    drop(handle);
    assert_eq!(other.ask_blocking(Command::Note(1)), Ok(0));
    drop(other);
    let start = std::time::Instant::now();
    while !worker.is_finished() {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    worker.shutdown().unwrap();
}

#[test]
fn callers_that_went_away_do_not_matter() {
    runtime().block_on(async {
        let (ledger, has_begun, let_go) = gated();
        let (handle, worker) = spawn(ledger, Options::default()).unwrap();
        let leaves = tokio::time::timeout(Duration::from_millis(20), handle.ask(Command::Note(1)));
        assert!(leaves.await.is_err());
        has_begun.recv_timeout(PATIENCE).unwrap();
        for _ in 0..2 {
            let_go.send(()).unwrap();
        }
        assert_eq!(handle.ask(Command::Note(2)).await, Ok(1));
        worker.shutdown().unwrap();
    });
}

#[test]
fn idles_while_nothing_comes() {
    let ledger = Ledger::default();
    let idles = Arc::clone(&ledger.idles);
    let idle_every = Duration::from_millis(1);
    let (handle, worker) = spawn(ledger, Options { idle_every, ..Options::default() }).unwrap();
    let start = std::time::Instant::now();
    while idles.load(Ordering::Relaxed) < 3 {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(handle.ask_blocking(Command::Note(1)), Ok(0));
    worker.shutdown().unwrap();
}

#[test]
fn a_commit_may_run_a_runtime_of_its_own() {
    struct Nested;
    impl Commit for Nested {
        type Command = ();
        type Reply = ();
        type Error = std::convert::Infallible;
        fn commit(&mut self, batch: Vec<()>) -> Result<Vec<()>, Self::Error> {
            runtime().block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
            Ok(batch)
        }
    }
    let (handle, worker) = spawn(Nested, Options::default()).unwrap();
    assert_eq!(handle.ask_blocking(()), Ok(()));
    worker.shutdown().unwrap();
}

#[test]
fn blocks_inside_a_runtime_too() {
    let (handle, worker) = spawn(Ledger::default(), Options::default()).unwrap();
    // More often than a task may poll before its runtime makes it yield.
    runtime().block_on(async {
        for n in 0..1000 {
            assert_eq!(handle.ask_blocking(Command::Note(n)), Ok(n as usize));
        }
    });
    worker.shutdown().unwrap();
}

#[test]
fn callers_that_are_near_cost_an_eighth_of_a_commit_at_most() {
    let micros = Duration::from_micros;
    for (commit, near, far) in
        [(0, 0, 0), (200, 0, 1_600), (799, 0, 4_000), (800, 100, 4_000), (90_000, 4_000, 4_000)]
    {
        assert_eq!(Callers::Near.linger(micros(commit)), micros(near), "{commit}");
        assert_eq!(Callers::Far.linger(micros(commit)), micros(far), "{commit}");
    }
}

#[test]
fn a_batch_gathers_until_enough_have_come_or_the_time_is_up() {
    let (queue, drain) = queue(8);
    let begin = Instant::now();
    drain.gather(1, Duration::from_millis(20));
    assert!(begin.elapsed() >= Duration::from_millis(20));
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..3 {
                thread::sleep(Duration::from_millis(5));
                queue.try_push(n).unwrap();
            }
        });
        drain.gather(3, PATIENCE);
    });
    assert_eq!(drain.next(8, PATIENCE), Next::Batch(vec![0, 1, 2]));
    // From then on a single entry wakes it again.
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            queue.try_push(3).unwrap();
        });
        assert_eq!(drain.next(8, PATIENCE), Next::Batch(vec![3]));
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            queue.close();
        });
        drain.gather(1, PATIENCE);
    });
    assert!(begin.elapsed() < PATIENCE);
}
