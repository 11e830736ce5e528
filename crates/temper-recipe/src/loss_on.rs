//! Which tokens of a row are learned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which tokens of a row are learned. Whatever is chosen, a turn that the data marks as not to be learned (`train: false`,
/// `loss: false` or `weight: 0`) is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossOn {
    /// The row's completion: its assistant turns, each with the token that ends it; of a dialogue in one list, the
    /// assistant's last turn; of a plain text, all of it.
    #[default]
    Completion,
    /// Every assistant turn, those of the prompt too.
    Assistant,
    /// The assistant's last turn alone.
    LastTurn,
    /// The assistant turns that the data marks as to be learned (`train: true`, `loss: true` or `weight: 1`).
    Flagged,
    /// Of the completion, the thinking up to and including `</think>`.
    Thinking,
    /// Of the completion, what follows the thinking, with the token that ends the turn; all of it where there is none.
    Answer,
}

impl LossOn {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            LossOn::Completion => "completion",
            LossOn::Assistant => "assistant",
            LossOn::LastTurn => "last_turn",
            LossOn::Flagged => "flagged",
            LossOn::Thinking => "thinking",
            LossOn::Answer => "answer",
        }
    }
}
