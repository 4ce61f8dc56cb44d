//! What to start next: a pure function of a snapshot, what runs, the limits and
//! what was asked for.
//!
//! Sees no clock, no file and no environment; the same input gives the same plan.
//! For every open item that is not started the plan says why. Near-linear in items
//! and dependencies. What a start means is the run loop's business.

mod eligibility;
mod filter;
mod order;
mod plan;
#[cfg(test)]
mod tests;

pub use eligibility::Waiting;
pub use filter::{Filter, FilterError, FilterKey, Selection};
pub use plan::{Plan, Running, Start, View, plan};
