//! Running the git command.
//!
//! Owns what every call has in common: arguments without a shell, an environment
//! in which nothing points at another repository or can ask a question, a process
//! group of its own (a Ctrl-C is meant for us, who say when a commit is given up), a
//! limit of time, and the wait for a lock that another program holds. Commands
//! speak in the locale `C`; only a commit keeps the person's, since their hooks run
//! in it. What the answers mean is known to those who ask.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::GitError;
use super::hurry::Hurry;
use crate::fs;

/// How long a command may take. Even a large work tree takes seconds.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// How long a commit may take: hooks may build and test.
const COMMIT_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How often is looked whether a call is to be given up.
const LOOK: Duration = Duration::from_millis(50);

/// How long a command that is given up has to remove its locks.
const TIDY: Duration = Duration::from_secs(1);

/// How long a process that a hook left behind may keep our end of its output open.
const LINGER: Duration = Duration::from_secs(1);

/// The most of what a command said that goes into a message, in characters.
const MESSAGE: usize = 600;

/// What a program that started us may have set for a repository of its own; the
/// first ones are what `git rev-parse --local-env-vars` lists, save for settings.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
];

/// One call of git, about to be made.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    /// The subcommand, as it is named in messages.
    name: &'static str,
    command_line: Vec<&'a OsStr>,
    index: Option<&'a Path>,
    stdin: Vec<u8>,
    is_commit: bool,
    is_unreplaced: bool,
    hurry: Option<&'a Hurry>,
}

/// What a command that ended said.
#[derive(Debug)]
pub(super) struct Answer {
    name: &'static str,
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Call<'a> {
    /// Makes a call of a subcommand.
    pub(super) fn new(name: &'static str) -> Self {
        let is_commit = name == "commit";
        Self {
            name,
            command_line: vec![OsStr::new(name)],
            index: None,
            stdin: Vec::new(),
            is_commit,
            is_unreplaced: false,
            hurry: None,
        }
    }

    /// Adds arguments.
    pub(super) fn args(mut self, args: &[&'a str]) -> Self {
        self.command_line.extend(args.iter().map(|arg| OsStr::new(*arg)));
        self
    }

    /// Adds an argument that is, or holds, a path.
    pub(super) fn arg_os(mut self, arg: &'a OsStr) -> Self {
        self.command_line.push(arg);
        self
    }

    /// Uses an index other than the repository's.
    pub(super) fn index(mut self, index: &'a Path) -> Self {
        self.index = Some(index);
        self
    }

    /// Gives this on standard input, which is else empty.
    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = bytes;
        self
    }

    /// Sees each commit as it was made, and not what `git replace` has put in its place.
    pub(super) fn unreplaced(mut self) -> Self {
        self.is_unreplaced = true;
        self
    }

    /// Is given up when that says so.
    pub(super) fn hurry(mut self, hurry: &'a Hurry) -> Self {
        self.hurry = Some(hurry);
        self
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("git");
        command.arg("--no-pager").args(&self.command_line).current_dir(folder);
        for name in FOREIGN {
            command.env_remove(name);
        }
        if !self.is_commit {
            command.env("LC_ALL", "C").env_remove("LANGUAGE");
            // Somebody else's command is not to fail since we were looking.
            command.env("GIT_OPTIONAL_LOCKS", "0");
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_EDITOR", ":").env("GIT_PAGER", "cat");
        if self.is_unreplaced {
            command.env("GIT_NO_REPLACE_OBJECTS", "1");
        }
        if let Some(index) = self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.stdin(if self.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        command
    }

    /// Makes the call in a folder, and returns what came of it, good or bad.
    pub(super) fn ask(&self, folder: &Path) -> Result<Answer, GitError> {
        let limit = if self.is_commit { COMMIT_LIMIT } else { LIMIT };
        self.ask_within(folder, limit)
    }

    fn ask_within(&self, folder: &Path, limit: Duration) -> Result<Answer, GitError> {
        let begin = Instant::now();
        let mut child =
            self.command(folder).spawn().map_err(|error| self.not_started(folder, error))?;
        if let Some(pipe) = child.stdin.take() {
            feed(pipe, self.stdin.clone());
        }
        let stdout = child.stdout.take().map(Output::collect);
        let stderr = child.stderr.take().map(Output::collect);
        // It closes its standard output when it ends, and nothing that a hook
        // started has that one.
        let ended = stdout.as_ref().is_none_or(|stdout| self.is_complete(stdout, begin, limit));
        let status =
            if ended { wait_until(&mut child, self.end_of(begin, limit)) } else { Ok(None) };
        let not_started = |source| GitError::NotStarted { command: self.name, source };
        let Some(status) = status.map_err(not_started)? else {
            let (command, is_hurried) = (self.name, self.end_of(begin, limit) < begin + limit);
            end(&mut child).map_err(not_started)?;
            return Err(match is_hurried {
                true => GitError::Interrupted { command },
                false => GitError::TimedOut { command, limit },
            });
        };
        if let Some(stderr) = &stderr {
            stderr.is_complete(LINGER);
        }
        let text = |output: Option<Output>| output.map(Output::take).unwrap_or_default();
        Ok(Answer { name: self.name, status, stdout: text(stdout), stderr: text(stderr) })
    }

    /// Returns when a call that began at `begin` is given up.
    fn end_of(&self, begin: Instant, limit: Duration) -> Instant {
        let hurried = self.hurry.and_then(|hurry| hurry.end_of(begin));
        hurried.map_or(begin + limit, |end| end.min(begin + limit))
    }

    /// Waits for the end of the output, for as long as the call may take.
    fn is_complete(&self, output: &Output, begin: Instant, limit: Duration) -> bool {
        loop {
            let left = self.end_of(begin, limit).saturating_duration_since(Instant::now());
            let is_complete = output.is_complete(left.min(LOOK));
            if is_complete || left.is_zero() {
                return is_complete;
            }
        }
    }

    /// Makes the call, and returns what it printed; a failure is an error.
    pub(super) fn run(&self, folder: &Path) -> Result<Vec<u8>, GitError> {
        let answer = self.ask(folder)?;
        if answer.status.success() { Ok(answer.stdout) } else { Err(answer.error()) }
    }

    fn not_started(&self, folder: &Path, source: io::Error) -> GitError {
        // The same answer stands for a folder that is gone.
        let is_missing =
            source.kind() == io::ErrorKind::NotFound && matches!(fs::stamp(folder), Ok(Some(_)));
        if is_missing {
            GitError::NotInstalled
        } else {
            GitError::NotStarted { command: self.name, source }
        }
    }
}

/// Makes a commit again for as long as another program holds a lock, at most for `wait`,
/// and not for longer than somebody wants to wait for a commit.
pub(super) fn patiently<T>(
    wait: Duration,
    hurry: &Hurry,
    mut act: impl FnMut() -> Result<T, GitError>,
) -> Result<T, GitError> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match act() {
            Err(GitError::Locked { .. })
                if hurry.end_of(begin).is_some_and(|end| Instant::now() >= end) =>
            {
                return Err(GitError::Interrupted { command: "commit" });
            }
            Err(GitError::Locked { .. }) if begin.elapsed() < wait => thread::sleep(pause),
            done => return done,
        }
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

impl Answer {
    /// Returns what a command that failed said, as an error.
    pub(super) fn error(&self) -> GitError {
        let message = message(&self.stderr);
        // The second is a branch that somebody moved meanwhile.
        if names_lock(&message) || message.contains("cannot lock ref") {
            return GitError::Locked { message };
        }
        let message = if message.is_empty() { self.status.to_string() } else { message };
        GitError::Failed { command: self.name, message }
    }
}

/// What git locks beside its refs, each by a file of that name with `.lock` behind it.
const LOCKED: &[&str] = &["index", "HEAD", "config", "packed-refs", "shallow"];

/// Tells whether a message names a lock of git's, which it does in any language; hooks
/// speak of locks of their own.
fn names_lock(message: &str) -> bool {
    message.match_indices(".lock").any(|(end, _)| {
        let path = &message[..end];
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let folder = path[..path.len() - name.len()].split_whitespace().next_back();
        LOCKED.contains(&name) || folder.is_some_and(|folder| folder.contains("/refs/"))
    })
}

/// Returns an answer that is not understood, as an error.
pub(super) fn unexpected(command: &'static str, answer: &[u8]) -> GitError {
    GitError::Unexpected { command, answer: message(answer) }
}

/// Makes one line of what a command said: the end of it, where it is long.
fn message(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join("; ");
    let clean: Vec<char> = line.chars().filter(|c| !c.is_control()).collect();
    if clean.len() <= MESSAGE {
        return clean.into_iter().collect();
    }
    let end = clean[clean.len() - MESSAGE..].iter();
    std::iter::once(&'…').chain(end).collect()
}

fn feed(mut pipe: impl Write + Send + 'static, bytes: Vec<u8>) {
    thread::spawn(move || {
        // A command that ends without reading tells why by its own answer.
        if let Err(error) = pipe.write_all(&bytes) {
            tracing::debug!(%error, "git did not read all that it was given");
        }
    });
}

/// What a command prints, read by a thread while it runs.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Output {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (ended, end) = mpsc::channel::<()>();
        let into = Arc::clone(&bytes);
        thread::spawn(move || {
            let _ended = ended;
            let mut piece = vec![0; 16 * 1024];
            loop {
                match pipe.read(&mut piece) {
                    Ok(0) => return,
                    Ok(len) => into
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend_from_slice(&piece[..len]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::warn!(%error, "the output of git is cut short");
                        return;
                    }
                }
            }
        });
        Self { bytes, end }
    }

    /// Waits for the end of the output, at most that long.
    fn is_complete(&self, limit: Duration) -> bool {
        !matches!(self.end.recv_timeout(limit), Err(mpsc::RecvTimeoutError::Timeout))
    }

    fn take(self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Ends a command and what it has started.
fn end(child: &mut Child) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let signal = |signal| match kill_process_group(group, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
                Err(error) => Err(io::Error::from(error)),
            };
            signal(Signal::TERM)?;
            wait_until(child, Instant::now() + TIDY)?;
            signal(Signal::KILL)?;
        }
    }
    #[cfg(not(unix))]
    child.kill()?;
    child.wait().map(|_| ())
}

/// Returns the first line of an answer, as text.
pub(super) fn first_line(command: &'static str, answer: &[u8]) -> Result<String, GitError> {
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| unexpected(command, answer))?;
    if line.is_empty() { Err(unexpected(command, answer)) } else { Ok(line.to_owned()) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_another_program_is_none_of_gits() {
        for message in [
            "fatal: Unable to create '/a b/.git/index.lock': File exists.",
            "fatal: Konnte \u{bb}/x/.git/worktrees/w/HEAD.lock\u{ab} nicht erstellen",
            "error: Unable to create '/x/.git/refs/heads/my branch.lock': File exists.",
        ] {
            assert!(names_lock(message), "{message}");
        }
        for message in [
            "error: cannot take '/x/yarn.lock'",
            "Cargo.lock' needs to be updated",
            "the refs/heads of '/x/.lock'",
        ] {
            assert!(!names_lock(message), "{message}");
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let call = Call::new("-c").args(&["alias.wait=!sleep 600", "wait"]);
        let error = call.ask_within(dir.path(), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn what_lingers_with_our_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let call = Call::new("-c").args(&["alias.leave=!sleep 120 >&2 & echo here >&2", "leave"]);
        let begin = Instant::now();
        let answer = call.ask(dir.path()).unwrap();
        assert!(answer.status.success());
        assert_eq!(message(&answer.stderr), "here");
        assert!(begin.elapsed() < Duration::from_secs(100), "{:?}", begin.elapsed());
    }

    #[test]
    fn what_a_hook_that_started_us_has_set_points_nowhere() {
        let call = Call::new("status");
        let command = call.command(Path::new("."));
        let set: Vec<_> = command.get_envs().collect();
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"] {
            assert!(set.contains(&(OsStr::new(name), None)), "{name}: {set:?}");
        }
        assert!(set.contains(&(OsStr::new("GIT_TERMINAL_PROMPT"), Some(OsStr::new("0")))));
        assert!(set.contains(&(OsStr::new("LC_ALL"), Some(OsStr::new("C")))));
    }

    #[test]
    fn a_folder_that_is_gone_is_not_taken_for_a_missing_git() {
        let dir = tempfile::tempdir().unwrap();
        let error = Call::new("version").run(&dir.path().join("none")).unwrap_err();
        assert!(matches!(error, GitError::NotStarted { .. }), "{error}");
    }

    #[test]
    fn a_message_is_one_line_with_the_end_of_it() {
        assert_eq!(message(b"\n one\r\n\n\ttwo\x1b\n"), "one; two");
        let long = message("ä".repeat(2000).as_bytes());
        assert_eq!((long.chars().count(), long.starts_with('…')), (MESSAGE + 1, true));
    }
}
