//! Transforms: the same items in another guise, to see whether what was learned carries over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows in other guises. Every family has numbered variants, of which a fixed set is `seen` and the rest `held_out`: training
/// uses the one, suites that ask whether it carries over use the other.
///
/// Each row gives variants with the fields `transform` (the family; `none` for the original), `variant`, `side`, `original` (the
/// original's id) and `original_prompt`. Which variants a row gets is told by the seed and the row's id alone. A row that a
/// family cannot change safely is left out of that family and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["families"]))]
pub struct Transform {
    /// The families.
    #[schemars(length(min = 1))]
    pub families: Vec<Family>,
    /// Which variants of each family.
    pub side: Variants,
    /// Variants of each family that a row gets, chosen by the seed; where one cannot be made, another of the side takes its place.
    /// `null` for all of the side.
    #[schemars(range(min = 1))]
    pub per_item: Option<usize>,
    /// Keep each row as it was beside its variants.
    pub keep_original: bool,
    /// Of a suite: it measures on purpose what was trained on, so that training rows may have the same variants.
    pub allow_trained: bool,
    /// Seed of the choice, and of the numbers that are drawn.
    pub seed: u64,
}

impl Default for Transform {
    fn default() -> Self {
        Transform {
            families: Vec::new(),
            side: Variants::Seen,
            per_item: None,
            keep_original: false,
            allow_trained: false,
            seed: 0,
        }
    }
}

/// Which variants of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variants {
    /// Those that training may use.
    #[default]
    Seen,
    /// Those that only suites may use.
    HeldOut,
    /// Both.
    All,
}

impl Variants {
    /// Whether the two have variants in common.
    pub fn overlaps(self, other: Variants) -> bool {
        self == other || self == Variants::All || other == Variants::All
    }

    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Variants::Seen => "seen",
            Variants::HeldOut => "held_out",
            Variants::All => "all",
        }
    }
}

/// A family of transforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A sentence around the request that asks for the same.
    Paraphrase,
    /// The request with the wish to be answered in another language, which becomes the row's `language`.
    Language,
    /// The request in base64 (UTF-8), with the instruction to decode it.
    Base64,
    /// The request with letters replaced by digits or signs, with the table to undo it.
    Leetspeak,
    /// The request with letters moved on by 13, with the instruction to decode it.
    Rot13,
    /// The request in a wrapper that presses for an answer.
    Jailbreak,
    /// A word problem with other numbers: GSM8K's `<<a*b=c>>` annotations are computed anew, and the answer with them.
    Numbers,
    /// A sentence put in that changes nothing; the answer stays.
    Distractor,
}

impl Family {
    /// All families, in the order in which they are described.
    pub const ALL: [Family; 8] = [
        Family::Paraphrase,
        Family::Language,
        Family::Base64,
        Family::Leetspeak,
        Family::Rot13,
        Family::Jailbreak,
        Family::Numbers,
        Family::Distractor,
    ];

    /// The name in a recipe, and the value of the field `transform`.
    pub fn name(self) -> &'static str {
        match self {
            Family::Paraphrase => "paraphrase",
            Family::Language => "language",
            Family::Base64 => "base64",
            Family::Leetspeak => "leetspeak",
            Family::Rot13 => "rot13",
            Family::Jailbreak => "jailbreak",
            Family::Numbers => "numbers",
            Family::Distractor => "distractor",
        }
    }
}
