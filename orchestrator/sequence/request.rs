//! What callers ask a sequence for, and what they get.
//!
//! A request stands for itself: it is valid or not, and gets its own answer,
//! whatever else is in the same batch. Limits that only a face knows, such as
//! which types there are, are the face's.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Key, Layout, Reservation, SequenceError};

/// The most numbers that one request may take. A batch of 256 requests for that
/// many is still far from the end of all numbers.
pub const MAX_COUNT: u32 = 10_000;

/// The most reservations, and the most kept answers, that one [`Action::Expire`]
/// deletes: more would keep everyone else waiting.
pub const MAX_EXPIRED: u32 = 1000;

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub action: Action,
    /// Makes a repetition get the same answer; heeded for numbers and reservations.
    pub idempotency: Option<Idempotency>,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Takes the next numbers, which follow each other.
    Next {
        /// Of which sequence.
        key: Key,
        /// How many, 1 to [`MAX_COUNT`].
        count: u32,
    },
    /// Takes the next numbers and holds them as a reservation.
    Reserve {
        /// Of which sequence.
        key: Key,
        /// How many, 1 to [`MAX_COUNT`].
        count: u32,
        /// How long it can be confirmed, by the database's clock.
        ttl: Duration,
    },
    /// Confirms a reservation. Once confirmed it stays so; a repetition is no error.
    Confirm(Uuid),
    /// Deletes reservations whose time was up that long ago and that nobody confirmed,
    /// and answers that are no longer repeated: at most [`MAX_EXPIRED`] of each, so it
    /// is to be asked for again until all are gone. Their numbers stay taken.
    Expire {
        /// How long their time must have been up.
        grace: Duration,
    },
    /// Writes and commits what means nothing to anybody, and takes no number: tells
    /// whether a request for numbers would be carried out.
    Probe,
    /// Raises a sequence to a number that exists, or leaves it where it is higher.
    Raise {
        /// Which sequence.
        key: Key,
        /// The highest number that is known to exist.
        to: u32,
    },
}

/// Says that two requests are the same one, sent twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Who asks, and where: a key means something within it only.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// How long the answer is kept.
    pub keep: Duration,
}

impl From<Action> for Request {
    fn from(action: Action) -> Self {
        Self { action, idempotency: None }
    }
}

impl Action {
    /// Returns the sequence that the numbers are of, and how many.
    pub(super) fn takes(&self) -> Option<(&Key, u32)> {
        match self {
            Self::Next { key, count } | Self::Reserve { key, count, .. } => Some((key, *count)),
            Self::Confirm(_) | Self::Expire { .. } | Self::Probe | Self::Raise { .. } => None,
        }
    }

    /// Returns the sequence that the request is about.
    #[cfg(feature = "runtime")]
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Self::Raise { key, .. } => Some(key),
            _ => self.takes().map(|(key, _)| key),
        }
    }

    /// Checks what can be told without the database.
    ///
    /// # Errors
    /// [`SequenceError::Key`] or [`SequenceError::Count`].
    pub fn check(&self, layout: &Layout) -> Result<(), SequenceError> {
        if let Self::Raise { key, .. } = self {
            layout.check(key)?;
        }
        if let Some((key, count)) = self.takes() {
            layout.check(key)?;
            if count == 0 || count > MAX_COUNT {
                return Err(SequenceError::Count { count, max: MAX_COUNT });
            }
        }
        Ok(())
    }

    /// Returns a text that is the same for the same request.
    pub(super) fn fingerprint(&self) -> String {
        let kind = match self {
            Self::Next { .. } => "next",
            Self::Reserve { .. } => "reserve",
            Self::Confirm(_) | Self::Expire { .. } | Self::Probe | Self::Raise { .. } => "",
        };
        let (key, count) = self.takes().map_or((&[] as &[String], 0), |(k, n)| (k.values(), n));
        // A value has no control characters, so that none can look like two.
        format!("{kind}\n{count}\n{}", key.join("\n"))
    }
}

/// Numbers that were taken and follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Of which sequence.
    pub key: Key,
    /// The first one.
    pub first: u32,
    /// How many, at least 1.
    pub count: u32,
}

impl Issued {
    /// Returns the numbers, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        let first = self.first;
        (0..self.count).map_while(move |n| first.checked_add(n))
    }

    /// Returns the IDs, ascending.
    pub fn ids(&self, layout: &Layout) -> Vec<String> {
        self.numbers().map(|number| layout.id(&self.key, number)).collect()
    }

    /// Returns the ID before the first one; `None` where that is number 1.
    pub fn previous(&self, layout: &Layout) -> Option<String> {
        let number = self.first.checked_sub(1).filter(|&number| number > 0)?;
        Some(layout.id(&self.key, number))
    }
}

/// What a request got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The numbers.
    Issued(Issued),
    /// The numbers, and under what they are held.
    Reserved(Reservation),
    /// The reservation is confirmed, now or since earlier.
    Confirmed(Uuid),
    /// What was deleted.
    Expired {
        /// How many reservations.
        deleted: u64,
        /// Whether nothing is left to delete.
        is_all: bool,
    },
    /// What was written as a probe is committed.
    Probed,
    /// Where a sequence stood, and stands.
    Raised {
        /// The last number issued before; `None` where there was no row.
        before: Option<u32>,
        /// The last number that counts as issued now.
        now: u32,
    },
    /// What the same request got before.
    Repeated(Box<Reply>),
}

impl Reply {
    /// Returns what the request got, and whether that was told before.
    pub fn told(self) -> (Self, bool) {
        match self {
            Self::Repeated(reply) => (*reply, true),
            reply => (reply, false),
        }
    }

    /// Returns what a repetition of the request gets.
    pub(super) fn again(self) -> Self {
        Self::Repeated(Box::new(self.told().0))
    }
}
