//! Shared by the tests of this crate.

use std::sync::Arc;

use serde_json::Value;
use temper_data::Row;
use temper_recipe::{Lab, ScorerSpec};
use temper_text::Prompt;

use crate::{Sample, Score, ScoreCache, Scorer, build_with};

pub(crate) fn row(fields: Value) -> Row {
    Row {
        file: "test.jsonl".into(),
        line: 1,
        id: "1".to_owned(),
        prompt: Prompt::user("How many?"),
        fields: fields.as_object().unwrap().clone(),
        ..Row::default()
    }
}

pub(crate) fn scorer(kind: &str, params: Value) -> Arc<dyn Scorer> {
    let spec = ScorerSpec { r#type: kind.to_owned(), params: params.as_object().unwrap().clone() };
    let named = [(kind.to_owned(), spec)].into_iter().collect();
    build_with(kind, &named, &Lab::default(), &ScoreCache::none()).unwrap()
}

pub(crate) fn score(scorer: &Arc<dyn Scorer>, row: &Row, text: &str) -> Score {
    scorer.score(&[Sample::new(row, text, 1, false)]).pop().unwrap()
}

/// A file of the folder that `TEMPER_DATA` names; `None`, with a line on standard error, where it is not set.
pub(crate) fn data_file(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set ({path})");
        return None;
    };
    Some(std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap())
}
