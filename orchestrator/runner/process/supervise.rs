//! The supervisor: the process between the orchestrator and an agent.
//!
//! It starts the agent in a process group of its own and outside any terminal,
//! and is gone only when the agent's whole tree is: when the agent ends, when it
//! is told to by an [`Order`] or a signal, and when the pipe that is its standard
//! input closes, which happens however the orchestrator ends. On Linux it is the
//! reaper of all orphans below it, so that nothing escapes by a double fork or a
//! session of its own; elsewhere the agent's process group is all that it knows.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal as listen};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::attempt::{pid_file, prompt_file};
use super::super::error::RunnerError;
use super::end::{KILL_PATIENCE, TERM_GRACE, signal};
use super::record::{Exit, Record};
use super::table::{Process, boot, descendants};
use crate::fs;

/// How often the tree is looked at while it ends.
const PAUSE: Duration = Duration::from_millis(50);

/// What the orchestrator can tell a supervisor, a byte in its standard input. The
/// end of that means [`Order::End`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// End the tree: SIGTERM, and SIGKILL 5 s later.
    End,
    /// End the tree with SIGKILL.
    Kill,
}

impl Order {
    /// Returns the byte that stands for it.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::End => b'e',
            Self::Kill => b'k',
        }
    }
}

/// Runs an agent until its whole tree has ended; the body of the hidden
/// subcommand. Returns the exit status to end with: the agent's own, or 128 and
/// the number of the signal that ended it.
///
/// `args` is what follows the subcommand's name: the attempt's folder, `stdin` or
/// `null` for what the agent reads, and the agent's command. It inherits working
/// folder, environment, standard output and standard error from this process.
///
/// # Errors
/// Where the agent cannot be started, or its processes cannot be recorded.
pub fn supervise_main(args: impl IntoIterator<Item = OsString>) -> Result<u8, RunnerError> {
    let plan = Plan::read(args)?;
    // Fails where this is a group's leader already; then there is nothing to leave.
    let _already_leader = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(RunnerError::system("become a reaper"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunnerError::system("start a runtime"))?;
    runtime.block_on(supervise(plan))
}

/// What is to be started, and where.
struct Plan {
    folder: PathBuf,
    reads_prompt: bool,
    program: OsString,
    args: Vec<OsString>,
}

impl Plan {
    fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, RunnerError> {
        let mut args = args.into_iter();
        let mut next = || args.next().ok_or(RunnerError::Arguments);
        let folder = next()?.into();
        let reads_prompt = match next()?.to_str() {
            Some("stdin") => true,
            Some("null") => false,
            _ => return Err(RunnerError::Arguments),
        };
        let program = next()?;
        Ok(Self { folder, reads_prompt, program, args: args.collect() })
    }

    /// Starts the agent. The handle is let go: whoever reaps orphans reaps all.
    fn start(&self) -> Result<io::Result<Pid>, RunnerError> {
        let stdin = if self.reads_prompt {
            Stdio::from(fs::open(&prompt_file(&self.folder))?)
        } else {
            Stdio::null()
        };
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(stdin).process_group(0);
        Ok(command.spawn().map(|child| Pid::from_child(&child)))
    }
}

async fn supervise(plan: Plan) -> Result<u8, RunnerError> {
    // First of all, lest an early signal ends us, or an early end is missed.
    let mut signals = Signals::new()?;
    let mut orders = orders()?;
    let record_file = pid_file(&plan.folder);
    let mut record = Record {
        boot: boot(),
        supervisor: Some(Process::of(rustix::process::getpid())),
        ..Record::default()
    };
    record.write(&record_file)?;
    let agent = match plan.start()? {
        Ok(agent) => agent,
        Err(source) => {
            record.start_error = source.raw_os_error();
            record.write(&record_file)?;
            let program = plan.program.to_string_lossy().into_owned();
            return Err(RunnerError::Agent { program, source });
        }
    };
    record.agent = Some(Process::of(agent));
    // From here on the tree comes first, and a full disk second.
    let recorded = record.write(&record_file);
    let mut tree = Tree::new(agent);
    while !tree.is_done()? {
        tokio::select! {
            order = signals.next() => if let Some(order) = order {
                record.signalled = true;
                tree.obey(order);
            },
            Some(order) = orders.recv() => tree.obey(order),
            () = sleep_until(tree.wakes_at), if tree.is_ending() => tree.press(),
        }
    }
    record.exit = tree.exit;
    if matches!(tree.stage, Stage::GivenUp) {
        // All that the system runs is looked through for these.
        record.survivors = tree.members().iter().map(|process| process.pid).collect();
    }
    record.write(&record_file)?;
    recorded?;
    Ok(match tree.exit {
        Some(Exit::Code(code)) => u8::try_from(code).unwrap_or(u8::MAX),
        Some(Exit::Signal(number)) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        None => u8::MAX,
    })
}

/// The agent and all below it.
struct Tree {
    agent: Pid,
    exit: Option<Exit>,
    stage: Stage,
    /// When to look at it again, while it ends.
    wakes_at: Instant,
}

#[derive(Clone, Copy)]
enum Stage {
    Running,
    /// SIGTERM was sent; SIGKILL follows then.
    Ending(Instant),
    /// SIGKILL is sent again and again, to what was just forked; until then.
    Killing(Instant),
    /// There are processes that nothing ends.
    GivenUp,
}

impl Tree {
    fn new(agent: Pid) -> Self {
        Self { agent, exit: None, stage: Stage::Running, wakes_at: Instant::now() }
    }

    /// Reaps what has ended, and tells whether nothing is left to be done. An
    /// agent that has ended is followed by all that it leaves behind.
    fn is_done(&mut self) -> Result<bool, RunnerError> {
        let is_empty = !self.reap()? && !self.is_group_alive();
        if !is_empty && self.exit.is_some() {
            self.obey(Order::End);
        }
        Ok(is_empty || matches!(self.stage, Stage::GivenUp))
    }

    /// Reaps all that has ended; returns whether there are children left, and
    /// with them, as each orphan becomes one, anything at all.
    fn reap(&mut self) -> Result<bool, RunnerError> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.agent => self.exit = exit_of(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(true),
                Err(Errno::CHILD) => return Ok(false),
                Err(error) => return Err(RunnerError::system("wait for processes")(error)),
            }
        }
    }

    fn is_group_alive(&self) -> bool {
        !cfg!(target_os = "linux") && rustix::process::test_kill_process_group(self.agent).is_ok()
    }

    fn obey(&mut self, order: Order) {
        match (order, self.stage) {
            (Order::End, Stage::Running) => {
                self.signal(Signal::TERM);
                self.stage = Stage::Ending(Instant::now() + TERM_GRACE);
            }
            (Order::Kill, Stage::Running | Stage::Ending(_)) => {
                self.signal(Signal::KILL);
                self.stage = Stage::Killing(Instant::now() + KILL_PATIENCE);
            }
            _ => {}
        }
    }

    fn is_ending(&self) -> bool {
        !matches!(self.stage, Stage::Running)
    }

    /// Goes on with ending the tree, once some time has passed.
    fn press(&mut self) {
        let now = Instant::now();
        self.wakes_at = now + PAUSE;
        match self.stage {
            Stage::Ending(until) if now >= until => self.obey(Order::Kill),
            Stage::Killing(until) if now >= until => self.stage = Stage::GivenUp,
            Stage::Killing(_) => self.signal(Signal::KILL),
            Stage::Running | Stage::Ending(_) | Stage::GivenUp => {}
        }
    }

    /// Returns what lives below us; nothing where the system does not tell.
    fn members(&self) -> Vec<Process> {
        descendants(&[rustix::process::getpid().as_raw_pid()]).unwrap_or_default()
    }

    /// Signals all of the tree. What cannot be signalled, such as a program of
    /// another user, is found to be alive later, and recorded.
    fn signal(&self, kind: Signal) {
        let members = self.members();
        for process in &members {
            let _may_be_gone = signal(*process, kind);
        }
        if members.is_empty() && (self.exit.is_none() || self.is_group_alive()) {
            let _may_be_gone = rustix::process::kill_process_group(self.agent, kind);
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    let code = status.exit_status().map(Exit::Code);
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// The signals that concern a supervisor.
struct Signals {
    child: Listener,
    end: [Listener; 4],
}

impl Signals {
    fn new() -> Result<Self, RunnerError> {
        let on = |kind| listen(kind).map_err(RunnerError::system("listen to signals"));
        Ok(Self {
            child: on(SignalKind::child())?,
            end: [
                on(SignalKind::terminate())?,
                on(SignalKind::interrupt())?,
                on(SignalKind::hangup())?,
                on(SignalKind::quit())?,
            ],
        })
    }

    /// Waits until a child has ended, or somebody wants us to end.
    async fn next(&mut self) -> Option<Order> {
        let [term, int, hup, quit] = &mut self.end;
        tokio::select! {
            _ = self.child.recv() => return None,
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hup.recv() => {}
            _ = quit.recv() => {}
        }
        Some(Order::End)
    }
}

/// Listens to standard input, on a thread: a pipe is read blocking.
fn orders() -> Result<mpsc::Receiver<Order>, RunnerError> {
    let (sender, orders) = mpsc::channel(4);
    let listen = move || {
        let mut bytes = [0];
        loop {
            let order = match io::stdin().read(&mut bytes) {
                Ok(1) if bytes[0] == Order::Kill.byte() => Order::Kill,
                Ok(1) if bytes[0] == Order::End.byte() => Order::End,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(1) => continue,
                Ok(_) | Err(_) => {
                    // Where nobody listens any more, all has ended.
                    let _ended = sender.blocking_send(Order::End);
                    return;
                }
            };
            if sender.blocking_send(order).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("orders".to_owned());
    thread.spawn(listen).map_err(RunnerError::system("start a thread"))?;
    Ok(orders)
}
