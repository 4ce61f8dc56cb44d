//! The writer: what a batch of commands becomes.

use std::sync::Arc;

use tokio::sync::watch;

use super::command::{Changed, Command, Reply};
use crate::batch::Commit;
use crate::model::BacklogSnapshot;
use crate::store::{BacklogStore, Request, StoreError, events};

/// One answer: a command's own error does not concern the others of its batch.
pub(super) type Answer = Result<Reply, Arc<StoreError>>;

/// The state of the writer's thread.
pub(super) struct Writer {
    pub store: BacklogStore,
    pub snapshots: watch::Sender<Arc<BacklogSnapshot>>,
    /// The snapshot before the last one: to give up its items takes a while.
    pub retired: Option<Arc<BacklogSnapshot>>,
    /// Whether it was said already that the file cannot be read at the moment.
    pub has_reported: bool,
}

impl Commit for Writer {
    type Command = Command;
    type Reply = Answer;
    type Error = Arc<StoreError>;

    fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<Answer>, Arc<StoreError>> {
        let mut answers = Vec::with_capacity(batch.len());
        // Changes that follow each other are saved together.
        let mut waiting: Vec<Vec<Request>> = Vec::new();
        for command in batch {
            let other = match command {
                Command::Change(requests) => {
                    waiting.push(requests);
                    continue;
                }
                other => other,
            };
            self.save(&mut waiting, &mut answers);
            let answer = self.carry_out(other).map_err(Arc::new);
            if answer.is_err() {
                self.tell_warnings();
            }
            answers.push(answer);
        }
        self.save(&mut waiting, &mut answers);
        self.publish();
        Ok(answers)
    }

    fn after(&mut self) {
        self.retired = None;
    }

    fn idle(&mut self) {
        match self.store.refresh() {
            Ok(changed) => {
                self.has_reported = false;
                if changed {
                    self.publish();
                }
            }
            Err(error) if !self.has_reported => {
                self.has_reported = true;
                // Whoever asks for something is told by the answer.
                tracing::info!(%error, "the backlog cannot be read at the moment; nothing is written until it can");
            }
            Err(_) => {}
        }
        self.tell_warnings();
    }
}

impl Drop for Writer {
    /// The next process starts where this one ends.
    fn drop(&mut self) {
        if let Err(error) = self.store.write_cache() {
            tracing::debug!(%error, "no cache was written");
        }
    }
}

impl Writer {
    fn tell_warnings(&mut self) {
        for warning in self.store.take_warnings() {
            tracing::warn!("{warning}");
        }
    }

    fn save(&mut self, waiting: &mut Vec<Vec<Request>>, answers: &mut Vec<Answer>) {
        if waiting.is_empty() {
            return;
        }
        let counts: Vec<usize> = waiting.iter().map(Vec::len).collect();
        let requests: Vec<Request> = waiting.drain(..).flatten().collect();
        match self.store.lock().and_then(|locked| locked.save(&requests)) {
            Ok(saved) => {
                let mut outcomes = saved.outcomes.into_iter();
                let mut named = saved.named;
                let mut warnings = self.store.take_warnings();
                let told = saved.told.map_err(Arc::new);
                for count in counts {
                    answers.push(Ok(Reply::Changed(Changed {
                        outcomes: outcomes.by_ref().take(count).collect(),
                        // Told once, to whoever asked first.
                        named: std::mem::take(&mut named),
                        warnings: std::mem::take(&mut warnings),
                        told: told.clone(),
                    })));
                }
            }
            Err(error) => {
                // What was put aside must be named all the same.
                self.tell_warnings();
                let error = Arc::new(error);
                answers.extend(counts.iter().map(|_| Err(Arc::clone(&error))));
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Reply, StoreError> {
        match command {
            Command::Change(requests) => {
                let saved = self.store.lock()?.save(&requests)?;
                let warnings = self.store.take_warnings();
                Ok(Reply::Changed(Changed {
                    outcomes: saved.outcomes,
                    named: saved.named,
                    warnings,
                    told: saved.told.map_err(Arc::new),
                }))
            }
            Command::Ingest(inbox) => {
                let mut ingested = self.store.ingest(&inbox)?;
                ingested.notes.extend(self.store.take_warnings());
                Ok(Reply::Ingested(ingested))
            }
            Command::LogAgain(phase) => self.store.log_again(&phase).map(|()| Reply::Done),
            Command::Refresh => self.store.refresh().map(|_| Reply::Done),
            Command::Tell(story) => {
                events::append(self.store.paths(), &story).map(|()| Reply::Done)
            }
            Command::WasMade(record) => self.store.was_made(&record).map(Reply::WasMade),
            Command::RebuildMark => self.store.rebuild_mark().map(Reply::Mark),
        }
    }

    fn publish(&mut self) {
        match self.store.snapshot() {
            Ok(snapshot) => {
                self.retired = Some(self.snapshots.send_replace(Arc::new(snapshot)));
            }
            // Readers keep the last one that could be read.
            Err(error) => tracing::debug!(%error, "no new snapshot"),
        }
    }
}
