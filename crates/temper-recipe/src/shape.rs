//! The shapes of rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a row's fields make up a prompt and what is to be learned. The first seven are TRL's types; each holds texts or lists
/// of turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `{text}`: a text to learn, or to continue (TRL: language modelling).
    Text,
    /// `{messages}`: a dialogue (TRL: language modelling, conversational).
    Messages,
    /// `{prompt}`: something to answer.
    #[default]
    PromptOnly,
    /// `{prompt, completion}`.
    PromptCompletion,
    /// `{prompt, chosen, rejected}`, or `{chosen, rejected}` with the prompt as their common beginning.
    Preference,
    /// `{prompt, completion, label}` with a label that is true or false.
    UnpairedPreference,
    /// `{prompt, completions, labels}`: steps of one completion and whether each is right.
    Stepwise,
    /// `{conversations}`: turns of `{from, value}`.
    Sharegpt,
    /// `{instruction, input, output, history, system}`.
    Alpaca,
    /// `{data_source, prompt, reward_model}` with the answer in `reward_model.ground_truth`.
    Verl,
    /// `{chosen, rejected}` as texts with `Human:` and `Assistant:` turns, as Anthropic's hh-rlhf has them.
    HhRlhf,
    /// `{prompt, response_0, response_1, …}` with the better response's number, as PKU-SafeRLHF has them.
    PkuSaferlhf,
}

impl Shape {
    /// All shapes, in the order in which they are described.
    pub const ALL: [Shape; 12] = [
        Shape::Text,
        Shape::Messages,
        Shape::PromptOnly,
        Shape::PromptCompletion,
        Shape::Preference,
        Shape::UnpairedPreference,
        Shape::Stepwise,
        Shape::Sharegpt,
        Shape::Alpaca,
        Shape::Verl,
        Shape::HhRlhf,
        Shape::PkuSaferlhf,
    ];

    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Text => "text",
            Shape::Messages => "messages",
            Shape::PromptOnly => "prompt_only",
            Shape::PromptCompletion => "prompt_completion",
            Shape::Preference => "preference",
            Shape::UnpairedPreference => "unpaired_preference",
            Shape::Stepwise => "stepwise",
            Shape::Sharegpt => "sharegpt",
            Shape::Alpaca => "alpaca",
            Shape::Verl => "verl",
            Shape::HhRlhf => "hh_rlhf",
            Shape::PkuSaferlhf => "pku_saferlhf",
        }
    }

    /// Whether the field of this name holds text of the row, under its usual name.
    pub fn holds(self, name: &str) -> bool {
        self.fields().contains(&name)
    }

    /// The fields that hold the row's text, by their usual names.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Shape::Text => &["text"],
            Shape::Messages => &["messages"],
            Shape::PromptOnly => &["prompt"],
            Shape::PromptCompletion => &["prompt", "completion"],
            Shape::Preference => &["prompt", "chosen", "rejected"],
            Shape::UnpairedPreference => &["prompt", "completion", "label"],
            Shape::Stepwise => &["prompt", "completions", "labels"],
            Shape::Sharegpt => &["conversations", "system", "chosen", "rejected"],
            Shape::Alpaca => &["instruction", "input", "output", "history", "system"],
            Shape::Verl => &["prompt"],
            Shape::HhRlhf => &["chosen", "rejected"],
            Shape::PkuSaferlhf => &["prompt", "response_0", "response_1"],
        }
    }
}
