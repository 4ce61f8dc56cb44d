//! Running a phase from its prompt to its report.
//!
//! The order matters: prompt and output files first, then the supervisor, then
//! nothing until it has ended; what it recorded is read, what it may have left is
//! ended, and only then the result is read, when nobody writes it any more.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::error::RunnerError;
use super::job::{PhaseJob, Progress, Stop, Supervisor};
use super::process::{Ended, EndedBy, Exit, OutputLog, Patience, Record, end_leftovers, watch};
use super::report::{Outcome, Report, Timeout, read_result};
use super::{agent, prompt, transcript};
use crate::fs::{self, Durability};

/// How much of standard error goes into a report.
const STDERR_TAIL: usize = 4 * 1024;

/// How far apart the signals to all processes of a service may arrive.
const SAME_MOMENT: Duration = Duration::from_millis(500);

/// Runs one phase of one item with its agent, and reports what came of it.
///
/// The agent, and all it started, has ended when this returns, and is made to end
/// where this is dropped. `stop` may change at any time; a sender that is gone
/// changes nothing. `progress` is called in between and must not block.
///
/// # Errors
/// Where the agent cannot be started, or a file of the attempt cannot be written.
/// An agent that fails is no error, but an [`Outcome`].
pub async fn run(
    job: PhaseJob<'_>,
    stop: Receiver<Stop>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report, RunnerError> {
    let started = Instant::now();
    let attempt = job.attempt;
    let root = fs::resolve(job.root)?;
    let mut warnings = prompt::missing_workflows(&job, &root)?;
    let text = prompt::text(&job, &root);
    fs::append(&attempt.prompt_file(), text.as_bytes(), Durability::Buffered)?;
    let mut log = OutputLog::create(&attempt.output_file(), &attempt.error_file())?;
    let plan = agent::plan(&job, &root, &text);
    if !plan.is_tellable() {
        let source = io::ErrorKind::InvalidInput.into();
        return Err(RunnerError::Agent { program: program_of(&job), source });
    }
    Record::announce(&attempt.pid_file())?;
    let Supervisor { exe, subcommand, pool } = job.supervisor;
    let complaints = || log.stderr().map_err(io::Error::other);
    let mut supervisor = pool
        .start(exe, subcommand, complaints, &plan)
        .await
        .map_err(|source| RunnerError::Supervisor { exe: exe.clone(), source })?;
    progress(Progress::Started { attempt: attempt.number(), folder: attempt.folder().to_owned() });
    // Only whoever takes up a killed run asks for it, so the agent need not wait for it.
    attempt.note_item(job.item)?;
    attempt.make_spare();
    let patience = Patience { total: job.timeout, idle: job.agent.idle_timeout };
    let mut on_line = |line: &str| {
        let line = line.to_owned();
        progress(Progress::Output { line });
    };
    let mut wish = stop.clone();
    let mut ended = watch(&mut supervisor, patience, stop, &mut log, &mut on_line).await?;
    let has_waited = supervisor.has_waited;
    if ended.supervisor.is_none() {
        pool.put_back(supervisor);
    }
    let record = settle(attempt, &mut warnings).await?;
    // Ended by somebody just before it was told to begin; what it fails at has a code.
    let is_ended = |status: ExitStatus| status.success() || status.signal().is_some();
    if has_waited && record.supervisor.is_none() && ended.supervisor.is_some_and(is_ended) {
        ended.by = EndedBy::Stop;
    }
    if ended.by == EndedBy::Itself && record.is_signalled() && is_stopped(&mut wish).await {
        ended.by = EndedBy::Stop;
    }
    let outcome = outcome_of(&job, ended, &record, &log, &mut warnings)?;
    Ok(Report {
        outcome,
        exit: record.exit,
        last_line: log.last_line().map(str::to_owned),
        stderr_tail: log.stderr_tail(STDERR_TAIL)?,
        duration: started.elapsed(),
        attempt: attempt.number(),
        folder: attempt.folder().to_owned(),
        warnings,
    })
}

/// Makes sure that nothing of an attempt runs any more, which the orchestrator was
/// killed in the middle of, and returns what it came to:
/// [`Outcome::Result`], [`Outcome::NoResult`] or one about another item or phase.
///
/// Blocks, for half a minute at worst. Outside Linux no process is looked for.
///
/// # Errors
/// [`RunnerError::StillRunning`] where a process could not be ended.
pub fn end_leftover(attempt: &Attempt) -> Result<Outcome, RunnerError> {
    let record = Record::read(&attempt.pid_file())?;
    let survivors = end_leftovers(record.as_ref(), &attempt.result_file())?;
    if !survivors.is_empty() {
        return Err(RunnerError::StillRunning { pids: survivors });
    }
    fs::remove_if_exists(&attempt.pid_file())?;
    Ok(read_result(attempt))
}

/// Tells whether the caller wants us to stop, or is just about to: what signals an
/// agent may have signalled us too, as a system does that shuts down.
async fn is_stopped(wish: &mut Receiver<Stop>) -> bool {
    let stopped = wish.wait_for(|stop| *stop != Stop::Run);
    matches!(tokio::time::timeout(SAME_MOMENT, stopped).await, Ok(Ok(_)))
}

fn program_of(job: &PhaseJob<'_>) -> String {
    job.agent.command.first().cloned().unwrap_or_default()
}

/// Reads what the supervisor recorded, and ends what it did not.
async fn settle(attempt: &Attempt, warnings: &mut Vec<String>) -> Result<Record, RunnerError> {
    let record = Record::read(&attempt.pid_file())?;
    let is_whole = |record: &Record| record.exit.is_some() || record.start_error.is_some();
    let survivors = match &record {
        Some(record) if is_whole(record) => record.survivors.clone(),
        // It was killed, or could not write; its tree may be there still.
        _ => {
            let (record, result_file) = (record.clone(), attempt.result_file());
            let end = move || end_leftovers(record.as_ref(), &result_file);
            let ended = tokio::task::spawn_blocking(end).await;
            ended.map_err(RunnerError::system("end processes"))??
        }
    };
    if survivors.is_empty() {
        fs::remove_if_exists(&attempt.pid_file())?;
    } else {
        warnings.push(format!("processes that nothing ends: {survivors:?}"));
    }
    Ok(record.unwrap_or_default())
}

/// Returns how the phase ended: by its result, else by what ended it.
fn outcome_of(
    job: &PhaseJob<'_>,
    ended: Ended,
    record: &Record,
    log: &OutputLog,
    warnings: &mut Vec<String>,
) -> Result<Outcome, RunnerError> {
    if let Some(code) = record.start_error {
        return Err(RunnerError::Agent {
            program: program_of(job),
            source: io::Error::from_raw_os_error(code),
        });
    }
    let idle = job.agent.idle_timeout;
    let ended_by_us = match ended.by {
        EndedBy::Itself => None,
        EndedBy::Stop => Some(Outcome::Interrupted),
        EndedBy::Idle => Some(Outcome::TimedOut(Timeout::Idle(idle))),
        EndedBy::Total => Some(Outcome::TimedOut(Timeout::Total(job.timeout))),
    };
    let read = read_result(job.attempt);
    if let Some(result) = read.result() {
        warnings.extend(result.warnings.iter().cloned());
    }
    match (read, ended_by_us) {
        (Outcome::NoResult { .. }, Some(outcome)) => Ok(outcome),
        (Outcome::NoResult { reason }, None) if record.exit.is_some() => {
            Ok(Outcome::NoResult { reason: explain(reason, record.exit, log)? })
        }
        (Outcome::NoResult { reason }, None) => {
            without_end(job.attempt, reason, ended.supervisor, record, log)
        }
        (outcome, Some(by_us)) => {
            warnings.push(format!("a result was there, although {by_us}"));
            Ok(outcome)
        }
        (outcome, None) => Ok(outcome),
    }
}

/// Adds to the reason what the agent itself has to say.
fn explain(reason: String, exit: Option<Exit>, log: &OutputLog) -> Result<String, RunnerError> {
    let mut reason = match exit {
        Some(exit) => format!("the agent ended with {exit}; {reason}"),
        None => reason,
    };
    let stdout = log.stdout_tail()?;
    if let Some(message) = transcript::error_message(&stdout) {
        reason.push_str(&format!("; it reports an error: {message}"));
    }
    let refused = transcript::refused_tools(&stdout);
    if !refused.is_empty() {
        reason.push_str(&format!(
            "; it had no leave to use {}: in its `command`, `--permission-mode acceptEdits` lets \
             claude edit files",
            refused.join(", ")
        ));
    }
    Ok(reason)
}

/// Returns the outcome where the supervisor did not live to tell the end.
fn without_end(
    attempt: &Attempt,
    mut reason: String,
    supervisor: Option<ExitStatus>,
    record: &Record,
    log: &OutputLog,
) -> Result<Outcome, RunnerError> {
    // An agent may clean up more than it should, the record included.
    let is_folder_gone = fs::stamp(attempt.folder())?.is_none();
    if is_folder_gone {
        reason = "the folder of the attempt is gone".to_owned();
    }
    let Some(supervisor) = supervisor else { return Ok(Outcome::NoResult { reason }) };
    // The first thing that an agent does may be to kill it.
    let is_begun =
        record.agent.is_some() || (record.supervisor.is_some() && supervisor.signal().is_some());
    if is_begun || is_folder_gone {
        let reason = format!("the agent's supervisor ended with {supervisor}; {reason}");
        return Ok(Outcome::NoResult { reason });
    }
    // Until it has left our terminal, it shares the Ctrl-C that is meant for us; later,
    // somebody may have told it to end just when it was to begin.
    let by_hand = supervisor.signal() == Some(rustix::process::Signal::INT.as_raw());
    if by_hand || supervisor.success() {
        return Ok(Outcome::Interrupted);
    }
    Err(RunnerError::SupervisorEnded {
        status: supervisor.to_string(),
        stderr: log.stderr_tail(STDERR_TAIL)?,
    })
}
