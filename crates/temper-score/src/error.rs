//! Errors of building scorers.

/// Why a scorer cannot be built, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// No scorer type of that name.
    #[error("scorer `{name}`: no scorer type `{kind}`{}; the types are {known}", hint(nearest))]
    Unknown {
        /// The scorer as the recipe names it.
        name: String,
        /// The type that was asked for.
        kind: String,
        /// The known type that looks most like it.
        nearest: Option<String>,
        /// All known types.
        known: String,
    },
    /// A parameter is unknown, missing or of the wrong kind.
    #[error("scorer `{name}` of type `{kind}`: {what}; {remedy}")]
    Parameter {
        /// The scorer as the recipe names it.
        name: String,
        /// Its type.
        kind: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A scorer is made of itself.
    #[error("scorer `{name}` is made of itself ({path}); let it be made of other scorers")]
    Circular {
        /// The scorer as the recipe names it.
        name: String,
        /// The chain of names that leads back to it.
        path: String,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (nearest: `{name}`)")).unwrap_or_default()
}
