//! The source that a command on data is about.
