//! Judges as a recipe has them: against a scripted server, and with small models of the engine.

#![allow(clippy::unwrap_used, reason = "tests")]

mod building;
mod engine;
mod reward;
mod served;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use temper_data::Row;
use temper_recipe::{Lab, ScorerSpec};
use temper_score::{Judged, Sample, ScoreCache, Scorer};
use temper_text::Prompt;

fn try_scorer(kind: &str, params: Value) -> Result<Arc<dyn Scorer>, String> {
    let spec = ScorerSpec { r#type: kind.to_owned(), params: params.as_object().unwrap().clone() };
    let named = [("judge".to_owned(), spec)].into_iter().collect();
    temper_score::build_with("judge", &named, &Lab::default(), &ScoreCache::none()).map_err(|error| error.to_string())
}

fn scorer(kind: &str, params: Value) -> Arc<dyn Scorer> {
    try_scorer(kind, params).unwrap()
}

fn row(prompt: &str, fields: Value) -> Row {
    Row {
        file: "test.jsonl".into(),
        line: 3,
        id: "3".to_owned(),
        prompt: Prompt::user(prompt),
        fields: fields.as_object().unwrap().clone(),
        ..Row::default()
    }
}

fn judge(scorer: &Arc<dyn Scorer>, row: &Row, text: &str) -> Judged {
    scorer.judge(&[Sample::new(row, text, 1, false)]).pop().unwrap()
}

/// A small sequence classifier with tokenizer and chat template, made by `tools/fixtures/reward_text.py`.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reward-model")
}
