//! What is left out of a data source, how it is split and mixed, and which checks its rows must pass.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows to leave out. Every rule counts what it removes; the data card keeps the counts and the first examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clean {
    /// Rows whose text came before.
    pub duplicates: Duplicates,
    /// Jaccard similarity of word 5-grams from which `duplicates: near` takes two texts for the same.
    #[schemars(range(min = 0.3, max = 1))]
    pub similarity: f64,
    /// Length in words of an n-gram that, shared with an item of a suite, removes a row (DeepSeek-R1 used 10); `null` for
    /// none. What is shared is reported either way.
    #[schemars(range(min = 3, max = 50))]
    pub decontaminate: Option<usize>,
    /// Keep rows whose completion (without one, whose prompt) is in one of these languages, as ISO 639-1 codes; empty for all.
    pub languages: Vec<String>,
    /// Least characters of prompt and completion together.
    pub min_chars: Option<usize>,
    /// Most characters of prompt and completion together.
    pub max_chars: Option<usize>,
}

impl Default for Clean {
    fn default() -> Self {
        Self {
            duplicates: Duplicates::Keep,
            similarity: 0.8,
            decontaminate: None,
            languages: Vec::new(),
            min_chars: None,
            max_chars: None,
        }
    }
}

/// What becomes of rows whose text came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// They stay.
    #[default]
    Keep,
    /// A row with the same text as an earlier one, apart from case, white space and punctuation, is left out.
    Exact,
    /// A row whose text is similar to an earlier one's is left out too.
    Near,
}

/// One side of a split. The split depends on the rows' ids and the seed alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["take", "held_out"]))]
pub struct Part {
    /// Which side.
    pub take: Side,
    /// Share of the rows that are held out.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub held_out: f64,
    /// Column whose values are each held out in that share; `null` for no strata.
    pub stratify: Option<String>,
    /// Keep rows that are near duplicates of each other on one side.
    pub clusters: bool,
    /// Seed of the split.
    pub seed: u64,
}

impl Default for Part {
    fn default() -> Self {
        Self { take: Side::Train, held_out: 0.1, stratify: None, clusters: false, seed: 0 }
    }
}

/// A side of a split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is not held out.
    #[default]
    Train,
    /// What is held out.
    HeldOut,
}

/// A mixture of other entries of `data`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["of"]))]
pub struct Mix {
    /// The entries of `data`, by name.
    pub of: IndexMap<String, MixPart>,
    /// What the weights are shares of.
    pub by: MixBy,
    /// When the mixture ends.
    pub until: MixUntil,
}

/// One entry of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MixPart {
    /// Its share, relative to the other entries' weights; `null` for its size.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: Option<f64>,
    /// Different rows to use at most.
    #[schemars(range(min = 1))]
    pub max_rows: Option<usize>,
    /// How often a row may come at most.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_epochs: f64,
}

impl Default for MixPart {
    fn default() -> Self {
        Self { weight: None, max_rows: None, max_epochs: 1.0 }
    }
}

/// What the weights of a mixture are shares of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixBy {
    /// Rows.
    #[default]
    Rows,
    /// Tokens of prompt and completion.
    Tokens,
}

/// When a mixture ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixUntil {
    /// When an entry has given all it may (`max_rows`, `max_epochs`), so that the shares hold to the end.
    #[default]
    First,
    /// When all have; an entry that is used up drops out, and the shares shift.
    Last,
}

/// A check of tokenised rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Every row has a token to learn.
    NoTarget,
    /// A sequence begins with the beginning-of-sequence token once.
    DoubleBos,
    /// The token that ends a turn is learned.
    StopNotLearned,
    /// Cutting at the longest length leaves something to learn.
    TargetCut,
    /// The ids of a sampled completion are its text.
    Retokenised,
    /// No special token is written out in what a user says.
    SpecialInText,
    /// The tokenizer has the tokens that its chat template prints.
    TemplateTokens,
    /// The chat template can render the row, and the tokenizer encode it.
    Unencodable,
}

impl Check {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Check::NoTarget => "no_target",
            Check::DoubleBos => "double_bos",
            Check::StopNotLearned => "stop_not_learned",
            Check::TargetCut => "target_cut",
            Check::Retokenised => "retokenised",
            Check::SpecialInText => "special_in_text",
            Check::TemplateTokens => "template_tokens",
            Check::Unencodable => "unencodable",
        }
    }
}
