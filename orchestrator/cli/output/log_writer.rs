//! Stderr as the log of a service, which nobody may be reading: a pipe that is full must
//! keep no request from its answer, nor the service from its end.
//!
//! A line is written at once where that can be done without waiting, so that a service
//! that is killed after an answer has logged it. Else it is kept in memory, to a limit,
//! and written by a thread of its own once somebody reads. What is beyond the limit is
//! lost, and how much that was is logged in its place.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::pipe::PIPE_BUF;

use super::service_log::lost_lines;

/// The most bytes that are kept: some thousand lines.
const MAX_KEPT: usize = 1024 * 1024;

/// A log that is written to `out`.
pub(super) struct LogWriter<F> {
    out: F,
    /// Is told each number of lines that are lost.
    lose: Box<dyn Fn(u64) + Send + Sync>,
    kept: Mutex<Kept>,
    /// Told when something is kept.
    is_kept: Condvar,
}

impl<F> fmt::Debug for LogWriter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Lines that were lost since somebody was told of such.
    lost: u64,
    /// Whether the last line that was written was not written to its end.
    is_torn: bool,
}

#[derive(Debug)]
struct Entry {
    text: Vec<u8>,
    /// How many bytes of it are written.
    written: usize,
    /// How many lines are lost with it: one, or those that it tells of.
    lines: u64,
    is_notice: bool,
}

impl<F: AsFd + Send + Sync + 'static> LogWriter<F> {
    /// Makes a log, whose losses are told to `lose`.
    pub(super) fn new(out: F, lose: impl Fn(u64) + Send + Sync + 'static) -> Arc<Self> {
        let kept = Mutex::default();
        let log = Arc::new(Self { out, lose: Box::new(lose), kept, is_kept: Condvar::new() });
        let follower = Arc::clone(&log);
        let follow = move || follower.follow();
        // Without the thread, what is kept is written with the next line.
        if let Err(error) = thread::Builder::new().name("log".to_owned()).spawn(follow) {
            tracing::debug!(%error, "the log has no thread");
        }
        log
    }

    /// Writes what is kept, where somebody reads it within this time.
    pub(super) fn finish(&self, within: Duration) {
        let end = Instant::now() + within;
        loop {
            self.settle(&mut self.kept());
            let left = end.saturating_duration_since(Instant::now());
            if self.kept().entries.is_empty() || left.is_zero() {
                return;
            }
            self.takes_more(Some(left));
        }
    }

    /// Writes what is kept whenever somebody reads.
    fn follow(&self) {
        loop {
            let kept = self.is_kept.wait_while(self.kept(), |kept| kept.entries.is_empty());
            // Nobody is kept from logging meanwhile.
            drop(kept);
            if self.takes_more(None) {
                self.settle(&mut self.kept());
            }
        }
    }

    fn put(&self, line: &[u8]) {
        let mut kept = self.kept();
        self.settle(&mut kept);
        if kept.lost > 0 || kept.bytes + line.len() > MAX_KEPT {
            kept.lost += 1;
            (self.lose)(1);
            return;
        }
        kept.push(line.to_vec(), 1, false);
        self.drain(&mut kept);
        if !kept.entries.is_empty() {
            self.is_kept.notify_one();
        }
    }

    /// Writes what is kept, and how much was lost after that.
    fn settle(&self, kept: &mut Kept) {
        self.drain(kept);
        if kept.lost > 0 && kept.entries.is_empty() {
            let lost = std::mem::take(&mut kept.lost);
            kept.push(lost_lines(lost).into_bytes(), lost, true);
            self.drain(kept);
        }
    }

    /// Writes what can be written without waiting. What cannot be written at all is lost.
    fn drain(&self, kept: &mut Kept) {
        while let Some(entry) = kept.entries.front_mut() {
            if !self.takes_more(Some(Duration::ZERO)) {
                return;
            }
            let rest = &entry.text[entry.written..];
            // More than this might have to wait, although the stream takes something.
            match write(&self.out, &rest[..rest.len().min(PIPE_BUF)]) {
                Ok(written) => {
                    entry.written += written;
                    kept.is_torn = false;
                    kept.bytes -= written;
                    if entry.written == entry.text.len() {
                        kept.entries.pop_front();
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => (self.lose)(kept.give_up()),
            }
        }
    }

    /// Waits until the stream takes something, or fails; returns whether it does.
    fn takes_more(&self, within: Option<Duration>) -> bool {
        let within = within.and_then(|within| Timespec::try_from(within).ok());
        let mut out = [PollFd::new(&self.out, PollFlags::OUT)];
        retry_on_intr(|| poll(&mut out, within.as_ref())).is_ok_and(|ready| ready > 0)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, mut text: Vec<u8>, lines: u64, is_notice: bool) {
        if self.is_torn && self.entries.is_empty() {
            text.insert(0, b'\n');
        }
        self.bytes += text.len();
        self.entries.push_back(Entry { text, written: 0, lines, is_notice });
    }

    /// Loses all that is kept, and returns how many lines more are lost by that.
    fn give_up(&mut self) -> u64 {
        self.is_torn |= self.entries.front().is_some_and(|entry| entry.written > 0);
        self.bytes = 0;
        let mut more = 0;
        for entry in self.entries.drain(..) {
            self.lost += entry.lines;
            more += if entry.is_notice { 0 } else { entry.lines };
        }
        more
    }
}

/// Takes whole lines, written or not.
impl<F: AsFd + Send + Sync + 'static> Write for &LogWriter<F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read};
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    type Log = Arc<LogWriter<PipeWriter>>;

    fn log() -> (PipeReader, Log, Arc<AtomicU64>) {
        let (reader, writer) = io::pipe().unwrap();
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let lose = move |lines| {
            counter.fetch_add(lines, Ordering::Relaxed);
        };
        (reader, LogWriter::new(writer, lose), lost)
    }

    /// Returns a line with its number, longer than a piece now and then.
    fn line(n: u64) -> String {
        let more = "x".repeat(if n.is_multiple_of(7) { 2 * PIPE_BUF } else { 200 });
        format!("{{\"n\":{n},\"more\":\"{more}\"}}\n")
    }

    #[test]
    fn what_a_full_pipe_does_not_take_is_kept_to_a_limit_and_then_counted() {
        let (reader, log, lost) = log();
        let mut written = 0;
        while lost.load(Ordering::Relaxed) < 10 {
            (&*log).write_all(line(written).as_bytes()).unwrap();
            written += 1;
        }
        // Nobody logs any more, and who reads again gets it all the same.
        let mut lines = BufReader::new(reader).lines();
        for n in 0..written - 10 {
            assert_eq!(lines.next().unwrap().unwrap() + "\n", line(n));
        }
        let notice: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&notice["lost"], &notice["level"]), (&10.into(), &"WARN".into()));
        (&*log).write_all(line(written).as_bytes()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap() + "\n", line(written));
        assert_eq!(lost.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn what_is_kept_is_written_at_the_end() {
        let (mut reader, log, lost) = log();
        let expected: String = (0..200).map(line).collect();
        (&*log).write_all(expected.as_bytes()).unwrap();
        // Nobody reads.
        log.finish(Duration::from_millis(10));
        assert!(!log.kept().entries.is_empty());
        let length = expected.len();
        let reading = thread::spawn(move || {
            let mut text = vec![0; length];
            reader.read_exact(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        log.finish(Duration::from_secs(120));
        assert!(log.kept().entries.is_empty());
        assert_eq!(reading.join().unwrap(), expected);
        assert_eq!(lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn without_a_reader_lines_are_counted_as_lost() {
        let (reader, log, lost) = log();
        drop(reader);
        for n in 1..=3 {
            (&*log).write_all(line(n).as_bytes()).unwrap();
            assert_eq!(lost.load(Ordering::Relaxed), n);
        }
        assert_eq!(log.kept().lost, 3);
    }
}
