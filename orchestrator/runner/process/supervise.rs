//! The supervisor: the process between the orchestrator and an agent.
//!
//! It starts the agent in a process group of its own and outside any terminal, and is
//! done with it only when the agent's whole tree has ended: when the agent ends, when
//! an [`Order`] or a signal says so, and when the socket that is its standard input
//! closes, which happens however the orchestrator ends. Then it may take another one.
//! On Linux it is the reaper of all orphans below it, so that nothing escapes by a
//! double fork or a session of its own; elsewhere the agent's process group is all that
//! it knows.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use tokio::net::UnixStream;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal as listen};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::super::attempt::{error_file, output_file, pid_file, prompt_file};
use super::super::error::RunnerError;
use super::end::{KILL_PATIENCE, TERM_GRACE, signal};
use super::message::{self, Message, Order, Plan, READY};
use super::record::{Exit, Record};
use super::table::{Process, boot, descendants};
use crate::fs;

/// How often the tree is looked at while it ends.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs agents, one after the other, each until its whole tree has ended; the body of
/// the hidden subcommand. Returns the exit status to end with.
///
/// What to start, and when to end it, comes through standard input; `args`, what
/// follows the subcommand's name, is empty.
///
/// # Errors
/// Where an agent cannot be started, or its processes cannot be recorded.
pub fn supervise_main(args: impl IntoIterator<Item = OsString>) -> Result<u8, RunnerError> {
    if args.into_iter().next().is_some() {
        return Err(RunnerError::Arguments);
    }
    // Fails where this is a group's leader already; then there is nothing to leave.
    let _already_leader = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(RunnerError::system("become a reaper"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunnerError::system("start a runtime"))?;
    runtime.block_on(serve())
}

/// Takes agents until the orchestrator has no more, or one did not end in order.
async fn serve() -> Result<u8, RunnerError> {
    // First of all, lest an early signal ends us, or an early end is missed.
    let mut signals = Signals::new()?;
    let mut inbox = inbox()?;
    let ours = Record {
        boot: boot(),
        supervisor: Some(Process::of(rustix::process::getpid())),
        ..Record::default()
    };
    loop {
        let plan = tokio::select! {
            message = inbox.recv() => match message {
                Some(Message::Start(plan)) => plan,
                // It came too late: that agent has ended.
                Some(Message::Order(_)) => continue,
                None => return Ok(0),
            },
            order = signals.next() => match order {
                Some(_) => return Ok(0),
                None => continue,
            },
        };
        if !supervise(&plan, ours.clone(), &mut signals, &mut inbox).await? {
            return Ok(0);
        }
        // Where nobody listens any more, there is nothing more to be read either.
        let _nobody_listens = rustix::io::write(rustix::stdio::stdin(), &[READY]);
    }
}

/// Starts the agent. The handle is let go: whoever reaps orphans reaps all.
fn start(plan: &Plan) -> Result<io::Result<Pid>, RunnerError> {
    let stdin = if plan.reads_prompt {
        Stdio::from(fs::open(&prompt_file(&plan.folder))?)
    } else {
        Stdio::null()
    };
    let stdout = fs::open_output(&output_file(&plan.folder))?;
    let stderr = fs::open_output(&error_file(&plan.folder))?;
    // What we have to complain about from now on belongs there too.
    rustix::stdio::dup2_stderr(&stderr).map_err(RunnerError::system("redirect errors"))?;
    let mut command = Command::new(&plan.argv[0]);
    command.args(&plan.argv[1..]).envs(plan.env.iter().cloned()).current_dir(&plan.root);
    command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
    Ok(command.spawn().map(|child| Pid::from_child(&child)))
}

/// Runs one agent. Returns whether another one may follow.
async fn supervise(
    plan: &Plan,
    mut record: Record,
    signals: &mut Signals,
    inbox: &mut mpsc::Receiver<Message>,
) -> Result<bool, RunnerError> {
    let record_file = pid_file(&plan.folder);
    record.write(&record_file)?;
    let agent = match start(plan)? {
        Ok(agent) => agent,
        Err(source) => {
            record.start_error = source.raw_os_error();
            record.write(&record_file)?;
            let program = plan.argv[0].to_string_lossy().into_owned();
            return Err(RunnerError::Agent { program, source });
        }
    };
    record.agent = Some(Process::of(agent));
    // From here on the tree comes first, and a full disk second.
    let recorded = record.write(&record_file);
    let mut tree = Tree::new(agent);
    let mut is_told = true;
    while !tree.is_done()? {
        tokio::select! {
            order = signals.next() => if let Some(order) = order {
                record.signalled = true;
                tree.obey(order);
            },
            message = inbox.recv(), if is_told => match message {
                Some(Message::Order(order)) => tree.obey(order),
                Some(Message::Start(_)) => return Err(RunnerError::Arguments),
                None => {
                    is_told = false;
                    tree.obey(Order::End);
                }
            },
            () = sleep_until(tree.wakes_at), if tree.is_ending() => tree.press(),
        }
    }
    record.exit = tree.exit;
    let is_given_up = matches!(tree.stage, Stage::GivenUp);
    if is_given_up {
        // All that the system runs is looked through for these.
        record.survivors = tree.members().iter().map(|process| process.pid).collect();
    }
    record.write(&record_file)?;
    recorded?;
    Ok(is_told && !is_given_up && !record.signalled)
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

/// Listens to standard input, in a task of its own: a message that is read in part must
/// not be dropped.
fn inbox() -> Result<mpsc::Receiver<Message>, RunnerError> {
    let line = || {
        let line = Socket::from(rustix::stdio::stdin().try_clone_to_owned()?);
        line.set_nonblocking(true)?;
        UnixStream::from_std(line)
    };
    let mut line = line().map_err(RunnerError::system("listen to standard input"))?;
    let (sender, inbox) = mpsc::channel(4);
    tokio::spawn(async move {
        // What is no message ends us like the end of them.
        while let Ok(Some(message)) = message::read(&mut line).await {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    Ok(inbox)
}
