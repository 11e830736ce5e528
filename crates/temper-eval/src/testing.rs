//! Shared by the tests of this crate.

use temper_score::Score;

use crate::ItemRecord;

pub(crate) fn record(suite: &str, id: &str, repeat: usize, scores: &[(&str, Score)]) -> ItemRecord {
    ItemRecord {
        suite: suite.to_owned(),
        id: id.to_owned(),
        repeat,
        prompt: format!("question {id}"),
        text: "text".to_owned(),
        thinking: None,
        answer: "text".to_owned(),
        tokens: 3,
        finish: crate::STOP.to_owned(),
        scores: scores.iter().map(|(name, score)| ((*name).to_owned(), score.clone())).collect(),
        answers: Default::default(),
        explanations: Default::default(),
        slices: Default::default(),
        cluster: None,
        tags: Vec::new(),
        fields: serde_json::Map::new(),
    }
}

/// A file of the folder that `TEMPER_DATA` names; `None`, with a line on standard error, where it is not set.
pub(crate) fn data_file(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set ({path})");
        return None;
    };
    Some(std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap())
}
