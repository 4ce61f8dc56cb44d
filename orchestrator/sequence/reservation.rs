//! Numbers that are held for somebody, and answers that are kept for a repetition.
//!
//! Both are rows beside the sequences, written in the same transaction as the
//! numbers: what was answered is there, and what is there was taken. A reservation
//! whose time is up can no longer be confirmed, and its numbers stay taken.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Issued;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use super::{Counter, Key, Layout};

/// Numbers that are held until they are confirmed or the time is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Under which it is confirmed.
    pub id: Uuid,
    /// The numbers.
    pub issued: Issued,
    /// Until when it can be confirmed, by the database's clock.
    pub expires_at: Timestamp,
}

/// A reservation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationRow {
    /// The reservation.
    pub reservation: Reservation,
    /// Its IDs, ascending.
    pub ids: Vec<String>,
}

/// An answer as it is stored for a repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The scope of the idempotency key.
    pub scope: String,
    /// The idempotency key.
    pub key: String,
    /// What was asked for; another text under the same key is a conflict.
    pub fingerprint: String,
    /// The answer, JSON.
    pub answer: String,
    /// Until when it is repeated, by the database's clock.
    pub expires_at: Timestamp,
}

/// Reads what a reservation has taken of its sequence at most: its key and its IDs, as far
/// as they make sense.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) fn taken(layout: &Layout, key: Vec<String>, ids: &[String]) -> Option<Counter> {
    let key = Key::new(key).ok()?;
    let format = layout.format(&key);
    let number = |id: &String| {
        let (_, number) = format.parse(id, key.values().len())?;
        u32::try_from(number).ok()
    };
    let highest = ids.iter().filter_map(number).max()?;
    Some((key, Ok(highest)))
}
