//! Vocabulary: pure values, no I/O, no clock, no async.
