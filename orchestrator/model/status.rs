//! Where an item stands, and the one table of legal transitions.
//!
//! ```text
//! new → scoping → ready → in_progress → done
//!  └───────┴────────┴──────────┴→ blocked → back to where it was
//! ```
//! Done is terminal. A person may call any open item done; the program skips
//! nothing. What else changes with a status (phase, reasons) is `change`'s work.

use super::level::words;

words! {
    /// Where an item stands.
    #[derive(Default)]
    ItemStatus, "status", {
        /// Not looked at yet: waits for triage.
        #[default]
        New = "new",
        /// In its pre-phases.
        Scoping = "scoping",
        /// Can be started.
        Ready = "ready",
        /// In its main phases.
        InProgress = "in_progress",
        /// Waits for a person.
        Blocked = "blocked",
        /// Finished.
        Done = "done",
    }
}

/// A transition that the table does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an item that is {from} cannot become {to}")]
pub struct IllegalTransition {
    /// Where it stands.
    pub from: ItemStatus,
    /// Where it was to go.
    pub to: ItemStatus,
}

impl ItemStatus {
    /// Returns whether anything can still happen to the item.
    pub fn is_open(self) -> bool {
        self != Self::Done
    }

    /// Checks a transition against the table. `blocked_from` is where a blocked
    /// item came from; without it a blocked item goes back to new.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the table has no such row.
    pub fn check_transition(
        self,
        to: Self,
        blocked_from: Option<Self>,
    ) -> Result<(), IllegalTransition> {
        use ItemStatus::{Blocked, Done, InProgress, New, Ready, Scoping};
        let legal = match (self, to) {
            (New, Scoping) | (Scoping, Ready) | (Ready, InProgress) => true,
            // A person's word; the program reaches done from in_progress alone.
            (New | Scoping | Ready | InProgress | Blocked, Done) => true,
            (New | Scoping | Ready | InProgress, Blocked) => true,
            (Blocked, back) => back == blocked_from.unwrap_or(New),
            _ => false,
        };
        if legal { Ok(()) } else { Err(IllegalTransition { from: self, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ItemStatus::{Blocked, Done, InProgress, New, Ready, Scoping};

    #[test]
    fn the_table_is_exactly_this() {
        let all = [New, Scoping, Ready, InProgress, Blocked, Done];
        let mut legal = Vec::new();
        for from in all {
            for to in all {
                if from.check_transition(to, Some(Ready)).is_ok() {
                    legal.push((from, to));
                }
            }
        }
        assert_eq!(
            legal,
            [
                (New, Scoping),
                (New, Blocked),
                (New, Done),
                (Scoping, Ready),
                (Scoping, Blocked),
                (Scoping, Done),
                (Ready, InProgress),
                (Ready, Blocked),
                (Ready, Done),
                (InProgress, Blocked),
                (InProgress, Done),
                (Blocked, Ready),
                (Blocked, Done),
            ]
        );
    }

    #[test]
    fn spellings_of_in_progress() {
        for spelling in ["in_progress", "in-progress", "In Progress", "IN_PROGRESS"] {
            assert_eq!(spelling.parse(), Ok(InProgress), "{spelling}");
        }
        assert!("inprogress".parse::<ItemStatus>().is_err());
    }

    #[test]
    fn a_block_without_memory_goes_back_to_new() {
        assert!(Blocked.check_transition(New, None).is_ok());
        assert!(Blocked.check_transition(Ready, None).is_err());
    }
}
