//! Settings of cleaning, splitting and mixing that cannot be.

/// What is wrong with a setting, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}. {remedy}")]
pub struct SettingError {
    /// What was found, and what was expected.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl SettingError {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}
