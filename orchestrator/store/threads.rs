//! Two things at once, for what takes long: two waits for the disk, a long text that is
//! hashed while it goes there, many items that are read on two threads.
//!
//! Where no thread is to be had, one is done after the other; nothing here decides
//! whether a thread pays.

use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::fs::fault;

/// Does two things at once, where there is a thread for the second.
pub(super) fn both<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    // A fault that a test plans strikes on its own thread alone.
    if fault::is_armed() {
        let second = second();
        return (first(), second);
    }
    let second = Mutex::new(Some(second));
    let take = || second.lock().unwrap_or_else(PoisonError::into_inner).take();
    thread::scope(|scope| {
        let run = || take().map(|second| second());
        let beside = thread::Builder::new().spawn_scoped(scope, run);
        let first = first();
        let second = match beside.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread was to be had: it was not begun.
            Err(_) => run(),
        };
        (first, second.expect("it is taken once, by the thread or here"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done_and_a_panic_is_passed_on() {
        let (mut here, mut there) = (0, 0);
        assert_eq!(both(|| here += 1, || there += 2), ((), ()));
        assert_eq!((here, there), (1, 2));
        let caught = std::panic::catch_unwind(|| both(|| (), || panic!("there")));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"there"));
    }
}
