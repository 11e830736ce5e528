//! Suites, statistics, gates, item-level logs.
