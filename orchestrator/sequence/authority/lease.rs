//! Numbers taken in advance, handed out from memory.
//!
//! A lease is used from its beginning and in order, by its callers' own threads: they
//! need nothing but the next number of a block that is durable. Whatever takes numbers
//! of the same sequence beside it gets higher ones, so the lease ends there: numbers of
//! one sequence only ever rise, and what is left of the lease is a gap.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sequence::{Action, Issued, Key, MAX_COUNT, Reply, Request, SequenceError};

/// The most sequences of which something is held; where it is more, some of it is given
/// up, as at a restart.
const MAX_HELD: usize = 10_000;

/// Where the numbers of a request come from.
#[derive(Debug)]
enum Source {
    /// Of a block that is ours.
    Held(Issued),
    /// Of the block that the request at this place of the database's batch takes.
    Block { place: usize, offset: u32, count: u32 },
    /// Of the database's batch itself.
    Direct(usize),
}

/// A block that this batch takes and has partly given away.
struct Open {
    place: usize,
    used: u32,
}

/// What is left of the blocks: filled by the authority, used by all.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// How many numbers a block has.
    size: NonZeroU32,
    /// What is left of each sequence's block, never empty.
    blocks: Arc<Mutex<HashMap<Key, Issued>>>,
}

impl Held {
    pub(super) fn new(size: NonZeroU32) -> Self {
        let size = size.min(NonZeroU32::new(MAX_COUNT).unwrap_or(size));
        Self { size, blocks: Arc::default() }
    }

    /// Serves a request, where it is one for numbers alone and a block has so many.
    pub(super) fn take(&self, request: &Request) -> Option<Issued> {
        let (key, count) = self.plain(request)?;
        let mut blocks = self.lock();
        let block = blocks.get_mut(key)?;
        let issued = split(block, count)?;
        if block.count == 0 {
            blocks.remove(key);
        }
        Some(issued)
    }

    fn plain<'a>(&self, request: &'a Request) -> Option<(&'a Key, u32)> {
        match &request.action {
            Action::Next { key, count }
                if request.idempotency.is_none() && (1..=self.size.get()).contains(count) =>
            {
                Some((key, *count))
            }
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Issued>> {
        // Nothing panics while it holds the lock, and no step leaves it half done.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leases of an authority.
#[derive(Debug)]
pub(super) struct Leases {
    held: Held,
}

impl Drop for Leases {
    fn drop(&mut self) {
        // An authority that has ended issues nothing.
        self.held.lock().clear();
    }
}

/// A batch that was looked at: what the database is asked for, and who gets what.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) requests: Vec<Request>,
    sources: Vec<Source>,
}

impl Leases {
    pub(super) fn new(held: Held) -> Self {
        Self { held }
    }

    /// Serves what it can from blocks, and says what must be asked of the database.
    pub(super) fn share(&mut self, batch: &[Request]) -> Shared {
        let mut shared = Shared { requests: Vec::new(), sources: Vec::with_capacity(batch.len()) };
        let mut open: HashMap<&Key, Open> = HashMap::new();
        for request in batch {
            let source = match self.held.plain(request) {
                Some(_) if let Some(issued) = self.held.take(request) => Source::Held(issued),
                Some((key, count)) => self.open(key, count, &mut open, &mut shared.requests),
                None => {
                    if let Some(key) = request.action.key() {
                        self.held.lock().remove(key);
                        open.remove(key);
                    }
                    shared.requests.push(request.clone());
                    Source::Direct(shared.requests.len() - 1)
                }
            };
            shared.sources.push(source);
        }
        shared
    }

    /// Takes the numbers from a block that this batch asks the database for.
    fn open<'a>(
        &self,
        key: &'a Key,
        count: u32,
        open: &mut HashMap<&'a Key, Open>,
        requests: &mut Vec<Request>,
    ) -> Source {
        // What is left of the one before is too little.
        self.held.lock().remove(key);
        let size = self.held.size.get();
        if let Some(block) = open.get_mut(key)
            && block.used + count <= size
        {
            let offset = block.used;
            block.used += count;
            return Source::Block { place: block.place, offset, count };
        }
        requests.push(Action::Next { key: key.clone(), count: size }.into());
        let place = requests.len() - 1;
        open.insert(key, Open { place, used: count });
        Source::Block { place, offset: 0, count }
    }

    /// Says who gets what, given what the database's batch came to. Of each
    /// sequence's last block the rest is kept.
    pub(super) fn answer(
        &mut self,
        shared: Shared,
        outcomes: &[Result<Reply, SequenceError>],
    ) -> Vec<Result<Reply, SequenceError>> {
        let mut kept: HashMap<Key, Issued> = HashMap::new();
        let answer = |source| match source {
            Source::Held(issued) => Ok(Reply::Issued(issued)),
            Source::Direct(place) => {
                // It ended the lease of its sequence, also one that is new here.
                if let Some(key) = shared.requests[place].action.key() {
                    kept.remove(key);
                }
                outcomes[place].clone()
            }
            Source::Block { place, offset, count } => {
                let mut rest = match outcomes[place].clone()? {
                    Reply::Issued(block) => block,
                    other => return Ok(other),
                };
                if let Some(used) = offset.checked_add(count).filter(|&used| used <= rest.count) {
                    let mut issued = rest.clone();
                    issued.first += offset;
                    issued.count = count;
                    // The last number of all may be in use: then nothing is left.
                    rest.count -= used;
                    match rest.first.checked_add(used) {
                        Some(first) if rest.count > 0 => {
                            rest.first = first;
                            kept.insert(rest.key.clone(), rest);
                        }
                        _ => drop(kept.remove(&rest.key)),
                    }
                    return Ok(Reply::Issued(issued));
                }
                Err(SequenceError::Exhausted { key: rest.key, last: i64::from(u32::MAX) })
            }
        };
        let answers = shared.sources.into_iter().map(answer).collect();
        let mut blocks = self.held.lock();
        blocks.extend(kept);
        let mut excess = 0..blocks.len().saturating_sub(MAX_HELD);
        if !excess.is_empty() {
            blocks.retain(|_, _| excess.next().is_none());
        }
        answers
    }
}

/// Takes the first `count` numbers of a block, where it has so many.
fn split(block: &mut Issued, count: u32) -> Option<Issued> {
    let left = block.count.checked_sub(count)?;
    let issued = Issued { key: block.key.clone(), first: block.first, count };
    // Beyond the last number of all nothing is left, and `first` means nothing.
    block.first = block.first.saturating_add(count);
    block.count = left;
    Some(issued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_an_end() {
        let mut leases = Leases::new(Held::new(NonZeroU32::new(5).unwrap()));
        for from in [0, MAX_HELD] {
            let key = |n: usize| Key::new(["US", &format!("p{n}")]).unwrap();
            let keys = (from..from + MAX_HELD).map(key);
            let batch: Vec<Request> =
                keys.map(|key| Action::Next { key, count: 1 }.into()).collect();
            let shared = leases.share(&batch);
            let taken = |request: &Request| {
                let key = request.action.key().unwrap().clone();
                Ok(Reply::Issued(Issued { key, first: 1, count: 5 }))
            };
            let outcomes: Vec<_> = shared.requests.iter().map(taken).collect();
            let answers = leases.answer(shared, &outcomes);
            assert!(answers.iter().all(Result::is_ok));
            assert_eq!(leases.held.lock().len(), MAX_HELD);
        }
    }
}
