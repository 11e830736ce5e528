//! What can be wrong with a recipe.

use std::path::PathBuf;

/// An error in a recipe, with the place and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file could not be read.
    #[error("cannot read the recipe {}: {source}; check the path", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("{origin} is not valid YAML: {message}")]
    Yaml {
        /// File and, where known, line and column.
        origin: String,
        /// What the parser says.
        message: String,
    },
    /// A key or value is wrong.
    #[error("{origin}: {path}: {message}")]
    Invalid {
        /// File and, where known, line and column.
        origin: String,
        /// Path of the key, such as `arms.hybrid.stages[1].grpo.learning_rate`.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// An override does not have the form `key=value`.
    #[error("--set {text}: {message}")]
    Override {
        /// The override as given.
        text: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A column of the command line is not `PART=COLUMN`.
    #[error("--columns {pair}: {message}")]
    Columns {
        /// The pair as given.
        pair: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// An environment variable is not set.
    #[error(
        "`{text}` needs the environment variable {name}, which is not set; set it ({name}=… temper …) or write the path out"
    )]
    Environment {
        /// The text that names it.
        text: String,
        /// The variable.
        name: String,
    },
    /// A `${` without its `}`.
    #[error("`{text}` has a `${{` without `}}`; write `${{NAME}}`")]
    Unclosed {
        /// The text.
        text: String,
    },
    /// A suite file that cannot be included.
    #[error("`{name}`: {message}")]
    Include {
        /// What `include` names.
        name: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A malformed `hf://` path.
    #[error("`{text}`: {message}")]
    HubPath {
        /// The path.
        text: String,
        /// What is malformed, and what to write.
        message: String,
    },
}
