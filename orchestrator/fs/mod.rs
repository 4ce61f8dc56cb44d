//! The file system: the only code that touches it.
