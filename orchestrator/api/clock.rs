//! The time of day, for what the service itself tells and compares: tokens that
//! expire, and reservations that are counted as open. Whether a reservation can
//! still be confirmed is told by the database's clock alone.

use jiff::Timestamp;

/// Returns the time now.
#[expect(clippy::disallowed_methods, reason = "a face reads the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
