//! What a database must do to be a store of sequences.
//!
//! A backend carries out one batch in one transaction, in the steps of
//! [`Plan`](super::Plan): begin so that nobody else can change the same rows; read
//! the answers that are known and the database's clock; raise; add; settle; insert
//! reservations and answers; confirm; delete; commit. `tests/integration/sequence`
//! holds the suite that every backend passes.

use super::{Key, Layout, Reply, Request, SequenceError};

/// A sequence, and where it stands: the last number issued, or why it has none.
pub type Counter = (Key, Result<u32, SequenceError>);

/// A store of sequences. It may block, and is used by one thread at a time.
pub trait Backend: Send + 'static {
    /// Returns where the sequences lie.
    fn layout(&self) -> &Layout;

    /// Carries out all requests in one transaction; one result for each, in the
    /// same order. When it returns, the transaction is durable.
    ///
    /// # Errors
    /// Where nothing was changed for any of them, or, with
    /// [`SequenceError::OutcomeUnknown`], nobody knows. The next call must work
    /// where the database does, so a lost connection is opened anew.
    fn commit(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Reply, SequenceError>>, SequenceError>;

    /// Reads all sequences, in the order of their keys.
    ///
    /// # Errors
    /// Where they cannot be read at all; a row that makes no sense is in the list.
    fn counters(&mut self) -> Result<Vec<Counter>, SequenceError>;
}
