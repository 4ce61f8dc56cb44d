//! Git: the common directory, and the git command.
