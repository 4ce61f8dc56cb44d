//! Advisory locks on files: one holder at a time, threads and processes alike.
//!
//! The system releases the lock when its holder drops it or is killed. A lock
//! that was taken belongs to the file that the path names at that moment: if the
//! folder was deleted and made anew meanwhile, the new file is locked instead.
//! Waiting is polling with jitter, since the system's queues are neither fair nor
//! limited in time. The file holds who has the lock, for messages only: it is not
//! fsynced, may be stale or garbage, and decides nothing. Which lock goes before
//! which is the caller's affair.
#![expect(clippy::disallowed_methods, reason = "this is the module that touches the file system")]

use std::fmt;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::{FsError, is_absent};
use super::fault::{self, Op, point};

/// The pauses between two tries: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(20);

/// How often one try opens the file anew when the path changes hands under it.
const REOPENS: usize = 16;

/// The most that is read of what a holder wrote, in bytes.
const HOLDER_MAX: u64 = 4096;

/// Who holds a lock, as it stands in the lock file: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine it runs on, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What it does, as a person would recognise it.
    pub command: String,
    /// When it began, as text.
    pub started: String,
}

impl Holder {
    /// Returns this process as a holder.
    pub fn this_process(
        host: Option<String>,
        command: impl Into<String>,
        started: impl Into<String>,
    ) -> Self {
        Self { pid: std::process::id(), host, command: command.into(), started: started.into() }
    }
}

/// What a lock file says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// Who wrote last that they hold it.
    pub holder: Holder,
    /// Whether that process is still there; `None` where we cannot tell, as for
    /// another machine. A process that was killed does not hold the lock.
    pub alive: Option<bool>,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { pid, host, command, started } = &self.holder;
        write!(f, "process {pid} ({command}, since {started}")?;
        if let Some(host) = host {
            write!(f, ", on {host}")?;
        }
        f.write_str(match self.alive {
            Some(true) => ", still running)",
            Some(false) => ", no longer running)",
            None => ")",
        })
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else held it all the time.
    #[error("{} is locked by {}; waited {:.1} s", path.display(), name(holder.as_deref()), waited.as_secs_f64())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// Who, where the file says.
        holder: Option<Box<HeldBy>>,
        /// How long we tried.
        waited: Duration,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FsError),
}

fn name(holder: Option<&HeldBy>) -> String {
    holder.map_or_else(|| "an unknown process".to_owned(), HeldBy::to_string)
}

/// An advisory lock, held until it is dropped.
///
/// ```
/// use std::time::Duration;
/// use orchestrator::fs::{FileLock, Holder, LockError};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("lock");
/// let me = Holder::this_process(None, "add", "12:00");
/// let lock = FileLock::acquire(&path, Duration::from_secs(1), &me)?;
/// let second = FileLock::try_acquire(&path, &me);
/// assert!(matches!(second, Err(LockError::Busy { holder: Some(by), .. }) if by.holder == me));
/// drop(lock);
/// FileLock::try_acquire(&path, &me)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock on `path`, which is created where missing (its folder is
    /// not), and writes `holder` into it. Tries for `timeout`, at least once.
    ///
    /// Not re-entrant: a thread that holds the lock waits for itself.
    ///
    /// # Errors
    /// [`LockError::Busy`] after `timeout`; [`LockError::File`] at once.
    pub fn acquire(path: &Path, timeout: Duration, holder: &Holder) -> Result<Self, LockError> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(file) = take(path)? {
                let lock = Self { file, path: path.to_owned() };
                lock.write_holder(holder);
                return Ok(lock);
            }
            let waited = start.elapsed();
            if waited >= timeout {
                return Err(LockError::Busy {
                    path: path.to_owned(),
                    holder: held_by(path, holder.host.as_deref()).map(Box::new),
                    waited,
                });
            }
            thread::sleep(jitter(pause).min(timeout - waited));
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Takes the lock if nobody has it; else [`LockError::Busy`] at once.
    pub fn try_acquire(path: &Path, holder: &Holder) -> Result<Self, LockError> {
        Self::acquire(path, Duration::ZERO, holder)
    }

    /// Tells whether the path still names the file that is locked: one that was deleted,
    /// or replaced, keeps nobody else out.
    ///
    /// # Errors
    /// Where the path cannot be examined.
    pub fn is_in_place(&self) -> Result<bool, FsError> {
        is_at(&self.file, &self.path).map_err(FsError::one("examine", &self.path))
    }

    /// Returns the path that was locked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns who wrote last that they hold the lock on `path`; `host` is ours.
    ///
    /// A holder that ends in order takes its name away, one that was killed is
    /// not alive. `None` where there is no file, or nothing to be understood in it.
    pub fn holder(path: &Path, host: Option<&str>) -> Option<HeldBy> {
        held_by(path, host)
    }

    /// A full disk must not keep anybody from the lock for the sake of a message.
    fn write_holder(&self, holder: &Holder) {
        let write = || {
            let mut line = serde_json::to_vec(holder)?;
            line.push(b'\n');
            self.clear_holder()?;
            (&self.file).rewind()?;
            fault::write(Op::Write, &self.path, &self.file, &line)
        };
        if let Err(error) = write() {
            tracing::debug!(path = %self.path.display(), %error, "the lock does not say who holds it");
        }
    }

    fn clear_holder(&self) -> io::Result<()> {
        if self.file.metadata()?.len() == 0 {
            return Ok(());
        }
        point(Op::Truncate, &self.path, || self.file.set_len(0))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = self.clear_holder() {
            tracing::debug!(path = %self.path.display(), %error, "a released lock still names its holder");
        }
        // Closing releases too, but not while a child between fork and exec has
        // a copy of the handle.
        if let Err(error) = fs4::FileExt::unlock(&self.file) {
            tracing::warn!(path = %self.path.display(), %error, "cannot unlock; closing the file does it");
        }
    }
}

/// Tries once; `None` where somebody else has it.
fn take(path: &Path) -> Result<Option<File>, FsError> {
    for _ in 0..REOPENS {
        let file = open(path).map_err(FsError::one("open lock", path))?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(None),
            Err(fs4::TryLockError::Error(error)) => return Err(FsError::one("lock", path)(error)),
        }
        if is_at(&file, path).map_err(FsError::one("lock", path))? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            point(Op::Create, path, || options.create(true).open(path))
        }
        opened => opened,
    }
}

/// Tells whether `path` still names the open `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere an open file cannot be removed from under its path.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns between half of `pause` and all of it.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    // Below 512, so the cast keeps the value.
    pause / 2 + pause * (random as u32) / 1024
}

fn held_by(path: &Path, host: Option<&str>) -> Option<HeldBy> {
    let mut line = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HOLDER_MAX).read_to_end(&mut line).ok()?;
    let holder: Holder = serde_json::from_slice(&line).ok()?;
    let alive = if holder.host.as_deref() == host { is_alive(holder.pid) } else { None };
    Some(HeldBy { holder, alive })
}

#[cfg(unix)]
fn is_alive(pid: u32) -> Option<bool> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    match rustix::process::test_kill_process(pid) {
        // It is there, but somebody else's.
        Ok(()) | Err(rustix::io::Errno::PERM) => Some(true),
        Err(rustix::io::Errno::SRCH) => Some(false),
        Err(_) => None,
    }
}

#[cfg(not(unix))]
fn is_alive(_pid: u32) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::fs::fault::{Crash, count, crash_at, fail_at};

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_secs(20);

    fn me() -> Holder {
        Holder::this_process(Some("here".into()), "orchestrator add", "12:00")
    }

    fn busy(result: Result<FileLock, LockError>) -> (Option<Box<HeldBy>>, String) {
        match result {
            Err(error) => {
                let text = error.to_string();
                match error {
                    LockError::Busy { holder, .. } => (holder, text),
                    LockError::File(error) => panic!("{error}: {}", error.io()),
                }
            }
            Ok(_) => panic!("the lock was free"),
        }
    }

    #[test]
    fn names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = FileLock::acquire(&path, SHORT, &me()).unwrap();
        let start = Instant::now();
        let (holder, text) = busy(FileLock::acquire(&path, SHORT, &me()));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(holder.unwrap().alive, Some(true));
        let pid = std::process::id();
        assert!(
            text.contains(&format!(
                "process {pid} (orchestrator add, since 12:00, on here, still running)"
            )),
            "{text}"
        );
        drop(lock);
        assert_eq!(FileLock::holder(&path, Some("here")), None);
        drop(FileLock::try_acquire(&path, &me()).unwrap());
    }

    #[test]
    fn says_nothing_of_processes_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let _lock = FileLock::try_acquire(&path, &me()).unwrap();
        assert_eq!(FileLock::holder(&path, Some("there")).unwrap().alive, None);
        assert_eq!(FileLock::holder(&path, None).unwrap().alive, None);
    }

    #[test]
    fn garbage_in_the_file_is_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        for garbage in [&b"\xff\xfe"[..], b"{", b"{\"pid\": -1}", &[b'x'; 10_000]] {
            fs::write(&path, garbage).unwrap();
            let lock = FileLock::try_acquire(&path, &me()).unwrap();
            assert_eq!(FileLock::holder(&path, Some("here")).unwrap().holder, me());
            fs::write(&path, garbage).unwrap();
            let (holder, text) = busy(FileLock::try_acquire(&path, &me()));
            assert_eq!(holder, None);
            assert!(text.contains("an unknown process"), "{text}");
            drop(lock);
        }
    }

    #[test]
    fn a_folder_made_anew_gets_a_lock_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        let path = folder.join("lock");
        fs::create_dir(&folder).unwrap();
        let old = FileLock::try_acquire(&path, &me()).unwrap();
        let waiting = {
            let path = path.clone();
            thread::spawn(move || FileLock::acquire(&path, LONG, &me()))
        };
        thread::sleep(SHORT);
        // In one step, since the folder of a lock must exist.
        fs::rename(&folder, dir.path().join("gone"))
            .and_then(|()| fs::create_dir(&folder))
            .unwrap();
        let new = match waiting.join().unwrap() {
            Ok(lock) => lock,
            // It looked in between.
            Err(LockError::File(error)) if error.is_not_found() => {
                FileLock::try_acquire(&path, &me()).unwrap()
            }
            Err(error) => panic!("{error}"),
        };
        // The holder of the old one has not let go, and others meet the new one.
        busy(FileLock::try_acquire(&path, &me()));
        drop(old);
        busy(FileLock::try_acquire(&path, &me()));
        drop(new);
        drop(FileLock::try_acquire(&path, &me()).unwrap());
    }

    #[test]
    fn without_a_folder_it_is_an_error_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/lock");
        match FileLock::acquire(&path, LONG, &me()) {
            Err(LockError::File(error)) => assert!(error.is_not_found()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_full_disk_hides_the_holder_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let (lock, points) = count(|| FileLock::try_acquire(&path, &me()));
        drop(lock.unwrap());
        assert_eq!(points, [(Op::Create, path.clone()), (Op::Write, path.clone())]);
        let full = io::ErrorKind::StorageFull.into();
        let (lock, failed) = fail_at(0, full, || FileLock::try_acquire(&path, &me()));
        assert_eq!(failed, Some((Op::Write, path.clone())));
        let lock = lock.unwrap();
        busy(FileLock::try_acquire(&path, &me()));
        drop(lock);
    }

    #[test]
    fn a_death_releases_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let ((), died) = crash_at(1, Crash::Torn, || {
            let lock = FileLock::try_acquire(&path, &me());
            assert!(lock.is_ok());
        });
        assert_eq!(died, Some((Op::Write, path.clone())));
        assert!(fs::metadata(&path).unwrap().len() > 0, "the dead clean nothing up");
        drop(FileLock::try_acquire(&path, &me()).unwrap());
    }

    #[test]
    fn eight_threads_count_without_a_loss() {
        const TURNS: u32 = 100;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let counter = dir.path().join("counter");
        fs::write(&counter, "0").unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..TURNS {
                        let _lock = FileLock::acquire(&path, LONG, &me()).unwrap();
                        let count: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
                        fs::write(&counter, (count + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&counter).unwrap(), (8 * TURNS).to_string());
    }

    /// The other process of [`a_kill_releases_it`]; on its own it does nothing.
    #[test]
    #[ignore = "run by a_kill_releases_it"]
    fn hold_until_killed() {
        let Some(path) = std::env::var_os("LOCK_TO_HOLD") else {
            return;
        };
        let _lock = FileLock::try_acquire(Path::new(&path), &me()).unwrap();
        println!("\nholding");
        thread::sleep(LONG);
    }

    #[test]
    fn a_kill_releases_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["fs::lock::tests::hold_until_killed", "--exact", "--ignored", "--nocapture"])
            .env("LOCK_TO_HOLD", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = io::BufReader::new(child.stdout.take().unwrap());
        assert!(said.lines().any(|line| line.unwrap() == "holding"));
        let (holder, _) = busy(FileLock::try_acquire(&path, &me()));
        assert_eq!(holder.unwrap().holder.pid, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(FileLock::holder(&path, Some("here")).unwrap().alive, Some(false));
        drop(FileLock::try_acquire(&path, &me()).unwrap());
    }

    #[test]
    fn pauses_stay_in_their_bounds() {
        for _ in 0..1000 {
            let pause = jitter(LAST_PAUSE);
            assert!(pause >= LAST_PAUSE / 2 && pause <= LAST_PAUSE);
        }
    }
}
