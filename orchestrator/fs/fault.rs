//! The fault seam, for tests: a disk that fills up, a process that dies.
//!
//! Every operation of `fs` that changes state is a numbered point. A plan is
//! armed for one closure on one thread: [`count`] records the points, [`fail_at`]
//! and [`fail_when`] let some fail, [`crash_at`] lets the process "die" at one:
//! from then on nothing changes the disk any more, neither a retry nor a cleanup
//! on drop, until the closure returns, while locks are released as the system
//! would. What the closure returns lives past that death: return plain values,
//! not a `Staged` or a `FileLock`. Reads always work. Other threads are never
//! affected, so tests may run in parallel; a plan inside a plan suspends the
//! outer one. Unarmed, a point costs the look at one thread-local flag.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a point is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Create a file.
    Create,
    /// Write the contents of a file.
    Write,
    /// Append to a file.
    Append,
    /// Cut a file.
    Truncate,
    /// Set mode or owner of a file.
    SetAttributes,
    /// Fsync a file.
    SyncFile,
    /// Rename a file.
    Rename,
    /// Exchange two files.
    Exchange,
    /// Make a second name for a file.
    Link,
    /// Remove a file.
    Remove,
    /// Create a folder.
    CreateDir,
    /// Fsync a folder.
    SyncDir,
}

/// A point that was passed: what was about to be done, and to which path (the
/// target, where there are two).
pub type Point = (Op, PathBuf);

/// When, with regard to the operation, the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The operation is not done.
    Before,
    /// Half of the bytes of a write or append land; any other operation is done.
    Torn,
    /// The operation is done, and reports success, but is the last.
    After,
}

/// Runs `f` and returns, beside its result, the points it passed, in order.
/// Indexes into that list are what [`fail_at`] and [`crash_at`] take.
///
/// ```
/// use orchestrator::fs::{self, fault};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("notes.txt");
/// let (written, points) = fault::count(|| fs::replace(&path, b"new"));
/// written?;
/// for n in 0..points.len() {
///     let (_, died_at) = fault::crash_at(n, fault::Crash::Torn, || fs::replace(&path, b"newer"));
///     assert!(died_at.is_some());
///     let text = fs::read(&path)?;
///     assert!(text == b"new" || text == b"newer");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn count<R>(f: impl FnOnce() -> R) -> (R, Vec<Point>) {
    let (result, plan) = run_with(Mode::Record, f);
    (result, plan.passed)
}

/// Runs `f` with its point number `n` (from 0) failing once with `error`, undone.
/// Returns what failed, `None` where `f` passed fewer points.
///
/// `error` is as the system would answer: `io::ErrorKind::StorageFull.into()`, or
/// `io::Error::from_raw_os_error(…)`.
pub fn fail_at<R>(n: usize, error: io::Error, f: impl FnOnce() -> R) -> (R, Option<Point>) {
    let (result, plan) = run_with(Mode::FailAt(n, Some(error)), f);
    (result, plan.struck)
}

/// Runs `f` with every point failing, undone, for which `fails` says so: a full
/// disk, or a folder that cannot be written. Returns the first that failed.
pub fn fail_when<R>(
    kind: io::ErrorKind,
    fails: impl Fn(Op, &Path) -> bool + 'static,
    f: impl FnOnce() -> R,
) -> (R, Option<Point>) {
    let (result, plan) = run_with(Mode::FailWhen(kind, Box::new(fails)), f);
    (result, plan.struck)
}

/// Runs `f` and lets the process "die" at its point number `n` (from 0), as
/// `crash` says; every later point fails without effect. Returns where it died,
/// `None` where `f` passed fewer points.
pub fn crash_at<R>(n: usize, crash: Crash, f: impl FnOnce() -> R) -> (R, Option<Point>) {
    let (result, plan) = run_with(Mode::CrashAt(n, crash), f);
    (result, plan.struck)
}

/// Tells whether an error stems from a process that [`crash_at`] let die.
pub fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ProcessDied>())
}

/// Tells whether a plan is armed for this thread: what could go to another one would pass
/// it by.
pub(crate) fn is_armed() -> bool {
    ARMED.get()
}

/// Passes a point: does `act`, unless the plan of this thread says otherwise.
pub(super) fn point<T>(op: Op, path: &Path, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if !ARMED.get() {
        return act();
    }
    match decide(op, path) {
        // Only a write can be torn; anything else is done or not done.
        Verdict::Do | Verdict::Tear => act(),
        Verdict::Fail(error) => Err(error),
    }
}

/// Passes a point that writes `bytes` to `file`, of which half may land.
pub(super) fn write(op: Op, path: &Path, mut file: impl Write, bytes: &[u8]) -> io::Result<()> {
    if !ARMED.get() {
        return file.write_all(bytes);
    }
    match decide(op, path) {
        Verdict::Do => file.write_all(bytes),
        Verdict::Tear => {
            file.write_all(&bytes[..bytes.len() / 2])?;
            Err(died())
        }
        Verdict::Fail(error) => Err(error),
    }
}

#[derive(Debug, Clone, Copy)]
struct ProcessDied;

impl fmt::Display for ProcessDied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process has died, says the test's plan")
    }
}

impl std::error::Error for ProcessDied {}

fn died() -> io::Error {
    io::Error::other(ProcessDied)
}

type Predicate = Box<dyn Fn(Op, &Path) -> bool>;

enum Mode {
    Record,
    FailAt(usize, Option<io::Error>),
    FailWhen(io::ErrorKind, Predicate),
    CrashAt(usize, Crash),
}

struct Plan {
    mode: Mode,
    passed: Vec<Point>,
    struck: Option<Point>,
}

enum Verdict {
    Do,
    Tear,
    Fail(io::Error),
}

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

fn decide(op: Op, path: &Path) -> Verdict {
    // The plan is taken out while it is asked, so that a predicate which touches
    // the file system itself does not find it borrowed.
    let Some(mut plan) = PLAN.take() else {
        return Verdict::Do;
    };
    let verdict = plan.decide(op, path);
    PLAN.set(Some(plan));
    verdict
}

impl Plan {
    fn decide(&mut self, op: Op, path: &Path) -> Verdict {
        let index = self.passed.len();
        self.passed.push((op, path.to_owned()));
        let verdict = match &mut self.mode {
            Mode::Record => Verdict::Do,
            Mode::FailAt(n, error) if *n == index => match error.take() {
                Some(error) => Verdict::Fail(error),
                None => Verdict::Do,
            },
            Mode::FailWhen(kind, fails) if fails(op, path) => Verdict::Fail((*kind).into()),
            Mode::CrashAt(n, crash) if index >= *n => match crash {
                Crash::After if index == *n => Verdict::Do,
                Crash::Torn if index == *n => Verdict::Tear,
                Crash::Before | Crash::Torn | Crash::After => Verdict::Fail(died()),
            },
            Mode::FailAt(..) | Mode::FailWhen(..) | Mode::CrashAt(..) => return Verdict::Do,
        };
        if !matches!(self.mode, Mode::Record) {
            self.struck.get_or_insert_with(|| (op, path.to_owned()));
        }
        verdict
    }
}

/// Puts back the plan of the surrounding closure, when the closure panics too.
struct Restore(Option<Plan>);

impl Drop for Restore {
    fn drop(&mut self) {
        let outer = self.0.take();
        ARMED.set(outer.is_some());
        PLAN.set(outer);
    }
}

fn run_with<R>(mode: Mode, f: impl FnOnce() -> R) -> (R, Plan) {
    let inner = Plan { mode, passed: Vec::new(), struck: None };
    let _restore = Restore(PLAN.replace(Some(inner)));
    ARMED.set(true);
    let result = f();
    let plan = PLAN.take();
    let plan = plan.expect("a plan inside this one has put it back");
    (result, plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    fn three_appends(path: &Path) -> Vec<Result<(), fs::FsError>> {
        ["one\n", "two\n", "six\n"]
            .iter()
            .map(|line| fs::append(path, line.as_bytes(), fs::Durability::Buffered))
            .collect()
    }

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        (dir, path)
    }

    fn text(path: &Path) -> String {
        String::from_utf8(fs::read_if_exists(path).unwrap().unwrap_or_default()).unwrap()
    }

    #[test]
    fn counts_in_order() {
        let (_dir, path) = fresh();
        let (results, points) = count(|| three_appends(&path));
        assert!(results.iter().all(Result::is_ok));
        let ops: Vec<Op> = points.iter().map(|(op, _)| *op).collect();
        assert_eq!(ops, [Op::Create, Op::Append, Op::Append, Op::Append]);
        assert!(points.iter().all(|(_, at)| *at == path));
        let ((), points) = count(|| ());
        assert_eq!(points, []);
    }

    #[test]
    fn fails_once_and_goes_on() {
        let (_dir, path) = fresh();
        let full = io::ErrorKind::StorageFull;
        let (results, failed) = fail_at(2, full.into(), || three_appends(&path));
        assert_eq!(failed, Some((Op::Append, path.clone())));
        assert!(results[1].as_ref().unwrap_err().is_full());
        assert_eq!(text(&path), "one\nsix\n");
        let (_, failed) = fail_at(99, full.into(), || three_appends(&path));
        assert_eq!(failed, None);
    }

    #[test]
    fn fails_where_told() {
        let (_dir, path) = fresh();
        let denied = io::ErrorKind::PermissionDenied;
        let (results, failed) =
            fail_when(denied, |op, _| op == Op::Append, || three_appends(&path));
        assert_eq!(failed, Some((Op::Append, path.clone())));
        assert!(results.iter().all(|r| r.as_ref().is_err_and(fs::FsError::is_denied)));
        assert_eq!(text(&path), "");
    }

    #[test]
    fn the_dead_write_no_more() {
        for (crash, left) in
            [(Crash::Before, "one\n"), (Crash::Torn, "one\ntw"), (Crash::After, "one\ntwo\n")]
        {
            let (_dir, path) = fresh();
            let (results, died) = crash_at(2, crash, || {
                let results = three_appends(&path);
                assert!(fs::remove(&path).unwrap_err().is_crash());
                results
            });
            assert_eq!(died, Some((Op::Append, path.clone())));
            assert_eq!(results[1].is_ok(), crash == Crash::After);
            assert!(results[2].as_ref().unwrap_err().is_crash());
            assert_eq!(text(&path), left, "{crash:?}");
            fs::remove(&path).unwrap();
        }
    }

    #[test]
    fn an_inner_plan_suspends_the_outer_one() {
        let (_dir, path) = fresh();
        let (_, outer) = count(|| {
            let (_, inner) = count(|| three_appends(&path));
            assert_eq!(inner.len(), 4);
            fs::remove(&path)
        });
        assert_eq!(outer, [(Op::Remove, path)]);
    }

    #[test]
    fn a_panic_disarms() {
        let (_dir, path) = fresh();
        let plan = || crash_at(0, Crash::Before, || panic!("on purpose"));
        assert!(std::panic::catch_unwind(plan).is_err());
        fs::replace(&path, b"alive").unwrap();
    }

    #[test]
    fn other_threads_go_on() {
        let (_dir, path) = fresh();
        let (written, _) = crash_at(0, Crash::Before, || {
            std::thread::scope(|scope| scope.spawn(|| fs::replace(&path, b"alive")).join())
        });
        written.unwrap().unwrap();
    }

    #[test]
    fn a_predicate_may_read_and_write() {
        let (dir, path) = fresh();
        let log = dir.path().join("log");
        let also = log.clone();
        let writes = move |_: Op, _: &Path| fs::replace(&also, b"asked").is_err();
        let (results, failed) = fail_when(io::ErrorKind::Other, writes, || three_appends(&path));
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(failed, None);
        assert_eq!(text(&log), "asked");
    }
}
