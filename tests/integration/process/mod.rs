//! The hardest promises, through the program itself: many processes at once, kills
//! at random moments, editors that take no lock, disks and folders that refuse.
//!
//! Each file holds one of them; `peer_faults` says for every fault known of other
//! programs which test would find it here.

mod editors;
mod git;
mod invalid;
mod kills;
mod parallel;
mod peer_faults;
mod places;
mod refusals;
mod slipped;
mod unprivileged;
