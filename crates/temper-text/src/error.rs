//! Errors of this crate.

use std::path::PathBuf;

/// What went wrong with a tokenizer, a chat template or an example, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}. {remedy}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
        /// What to do.
        remedy: String,
    },
    /// A file is not what it should be.
    #[error("{}: {what}. {remedy}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The chat template cannot render a dialogue.
    #[error("{}: {what}. {remedy}", file.display())]
    Template {
        /// The file that holds the template.
        file: PathBuf,
        /// What the template said, and where.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The model has no chat template, and the input is a dialogue.
    #[error(
        "{}: there is no chat template, and the input is a dialogue. Add chat_template.jinja to the model directory, or \
         give plain text (`chat: false` on the data source)", dir.display()
    )]
    NoChatTemplate {
        /// The tokenizer's directory.
        dir: PathBuf,
    },
    /// Text begins with the BOS token twice.
    #[error(
        "the encoded {what} begins with {bos} twice: {excerpt:?}. Remove {bos} from the text or from the chat template; one of \
         the two is added by the tokenizer"
    )]
    DoubleBos {
        /// `text`, `prompt` or `dialogue`.
        what: &'static str,
        /// The token.
        bos: String,
        /// How the text begins.
        excerpt: String,
    },
    /// No token is known to end a completion.
    #[error("{}: no stop token is known: {what}. {remedy}", dir.display())]
    NoStop {
        /// The tokenizer's directory.
        dir: PathBuf,
        /// Why.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A prompt without a single token.
    #[error("the prompt is empty, and the tokenizer adds no BOS: there is nothing to continue. Give a prompt")]
    EmptyPrompt,
    /// A completion that cannot be learned.
    #[error("{what}. {remedy}")]
    Completion {
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The ids of a sampled completion are not those of its text.
    #[error("{what}. {remedy}")]
    Sampled {
        /// What the ids say, and what the text says.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer cannot encode {excerpt:?}: {what}. Check the row's text, or tokenizer.json")]
    Encode {
        /// How the text begins.
        excerpt: String,
        /// What the tokenizer said.
        what: String,
    },
}

/// The first characters of a text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS: usize = 80;
    match text.char_indices().nth(CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
