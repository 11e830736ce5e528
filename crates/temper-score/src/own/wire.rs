//! The JSON that goes to a scorer outside of Temper and comes back: TRL's reward-function contract, one object per batch.

use serde_json::{Map, Value, json};
use temper_text::Prompt;

use crate::{Judged, Part, Sample, Score};

/// Columns of a row that TRL keeps back, since the batch has them under its own names.
const KEPT_BACK: [&str; 3] = ["prompt", "completion", "completion_ids"];
/// Names of the batch's own members and of what the shim passes beside the columns.
const TAKEN: [&str; 5] = ["prompts", "completions", "trainer_state", "log_extra", "log_metric"];

/// A batch as one JSON object: `prompts`, `completions` (the part that the scorer reads), `completion_ids` (empty lists where
/// they are not known), and every column of the rows, `null` where a row lacks it. Rows with turns have turns for prompt and
/// completion, as TRL's conversational rows do.
///
/// # Errors
/// A column that has one of the batch's own names.
pub(crate) fn request(samples: &[Sample], part: Part) -> Result<Value, String> {
    let mut batch = Map::new();
    let prompts = samples.iter().map(|sample| match &sample.row.prompt {
        Prompt::Text(text) => json!(text),
        Prompt::Chat(dialogue) => json!(dialogue),
    });
    let completions = samples.iter().map(|sample| {
        let text = sample.part(part).unwrap_or_default();
        match &sample.row.prompt {
            Prompt::Text(_) => json!(text),
            Prompt::Chat(_) => json!([{"role": "assistant", "content": text}]),
        }
    });
    batch.insert("prompts".into(), prompts.collect());
    batch.insert("completions".into(), completions.collect());
    batch.insert("completion_ids".into(), samples.iter().map(|sample| json!(sample.ids)).collect());
    for (at, sample) in samples.iter().enumerate() {
        for (column, value) in &sample.row.fields {
            if KEPT_BACK.contains(&column.as_str()) {
                continue;
            }
            if TAKEN.contains(&column.as_str()) {
                return Err(format!(
                    "{}: the column `{column}` has a name that the scorer's input needs for itself; rename the column",
                    sample.row.place()
                ));
            }
            let values = batch.entry(column.as_str()).or_insert_with(|| Value::Array(vec![Value::Null; samples.len()]));
            if let Some(slot) = values.get_mut(at) {
                slot.clone_from(value);
            }
        }
    }
    Ok(Value::Object(batch))
}

/// Why an answer gives no scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A proper answer without scores: an error that the scorer tells of, or the wrong number of rewards.
    Told(String),
    /// No answer in the agreed form, so that whatever follows may belong to another batch.
    Garbled(String),
}

/// Reads `{"rewards": [...], "extra": {column: [...]}}` for a batch of `size`. A reward is a number, `null` for not
/// applicable, `{"unscored": reason}` or `{"error": reason}`; `extra` becomes the explanations.
pub(crate) fn answer(text: &str, size: usize, range: Option<(f64, f64)>) -> Result<Vec<Judged>, Refused> {
    let expected = "expected one line {\"rewards\": [...]} and nothing else";
    let Ok(Value::Object(answer)) = serde_json::from_str::<Value>(text.trim()) else {
        let hint = match ["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
            true => "; JSON has no NaN or Infinity: write null, or {\"error\": reason}",
            false => "; messages belong on standard error",
        };
        return Err(Refused::Garbled(format!("answered `{}`, which is no JSON object; {expected}{hint}", cut(text))));
    };
    if let Some(error) = answer.get("error") {
        return Err(Refused::Told(error.as_str().map_or_else(|| error.to_string(), str::to_owned)));
    }
    let Some(Value::Array(rewards)) = answer.get("rewards") else {
        return Err(Refused::Garbled(format!("answered `{}` without a list `rewards`; {expected}", cut(text))));
    };
    if rewards.len() != size {
        return Err(Refused::Told(format!(
            "answered {} rewards for {size} completions; give one for each, null where it does not apply",
            rewards.len()
        )));
    }
    let score = |reward: &Value| {
        let score = serde_json::from_value::<Score>(reward.clone());
        match (score.unwrap_or_else(|error| Score::Error(format!("the reward {reward}: {error}"))), range) {
            (Score::Value(value), Some((low, high))) if value < low || value > high => {
                Score::Error(format!("the score {value} is outside of the declared range of {low} to {high}"))
            }
            (score, _) => score,
        }
    };
    let extra = answer.get("extra").and_then(Value::as_object);
    Ok(rewards
        .iter()
        .enumerate()
        .map(|(at, reward)| Judged {
            score: score(reward),
            answer: None,
            explanation: extra.map(|extra| explanation(extra, at, size)).filter(|text| !text.is_empty()),
        })
        .collect())
}

fn explanation(extra: &Map<String, Value>, at: usize, size: usize) -> String {
    let lines = extra.iter().filter_map(|(column, values)| match values.as_array() {
        Some(values) if values.len() == size => match &values[at] {
            Value::Null => None,
            Value::String(text) => Some(format!("{column}: {text}")),
            value => Some(format!("{column}: {value}")),
        },
        _ => Some(format!("{column}: not one value per completion, left out")),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The beginning of a text, for messages.
pub(crate) fn cut(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.trim();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::row;

    #[test]
    fn a_batch_has_the_columns_of_all_its_rows() {
        let a = row(json!({"answer": "4", "prompt": "left out"}));
        let mut b = row(json!({"level": 2}));
        b.prompt = Prompt::Text("2+2=".into());
        let samples =
            [Sample::new(&a, "<think>x</think>4", 1, false).with_tokens(&[7, 8], &[]), Sample::new(&b, "5", 1, false)];
        assert_eq!(
            request(&samples, Part::Answer).unwrap(),
            json!({
                "prompts": [[{"role": "user", "content": "How many?"}], "2+2="],
                "completions": [[{"role": "assistant", "content": "4"}], "5"],
                "completion_ids": [[7, 8], []],
                "answer": ["4", null],
                "level": [null, 2],
            })
        );
        let c = row(json!({"completions": 1}));
        assert!(request(&[Sample::new(&c, "", 0, false)], Part::Whole).unwrap_err().ends_with("rename the column"));
    }

    #[test]
    fn answers_keep_the_four_outcomes_apart() {
        let text = r#"{"rewards": [0.5, null, {"unscored": "unclear"}, {"error": "broke"}, true, 3],
            "extra": {"n": [1, null, "x", 2, 3, 4], "short": [1]}}"#;
        let judged = answer(text, 6, Some((0.0, 1.0))).unwrap();
        let scores: Vec<Score> = judged.iter().map(|judged| judged.score.clone()).collect();
        assert_eq!(scores[..3], [Score::Value(0.5), Score::NotApplicable, Score::Unscored("unclear".into())]);
        assert_eq!(scores[3], Score::Error("broke".into()));
        assert!(matches!(&scores[4], Score::Error(reason) if reason.starts_with("the reward true")));
        assert!(matches!(&scores[5], Score::Error(reason) if reason.contains("declared range of 0 to 1")));
        let said = judged[0].explanation.as_deref();
        assert_eq!(said, Some("n: 1\nshort: not one value per completion, left out"));
        assert_eq!(judged[1].explanation.as_deref(), Some("short: not one value per completion, left out"));
    }

    #[test]
    fn what_is_no_answer_says_why() {
        let refused = |text: &str| answer(text, 2, None).unwrap_err();
        assert!(matches!(refused(r#"{"rewards": [1]}"#), Refused::Told(why) if why.contains("1 rewards for 2")));
        assert!(matches!(refused(r#"{"error": "no model"}"#), Refused::Told(why) if why == "no model"));
        assert!(
            matches!(refused("hello"), Refused::Garbled(why) if why.contains("`hello`") && why.contains("standard error"))
        );
        assert!(matches!(refused(r#"{"rewards": [NaN, 1]}"#), Refused::Garbled(why) if why.contains("write null")));
        assert!(matches!(refused(r#"{"reward": [1]}"#), Refused::Garbled(_)));
        assert!(matches!(refused(""), Refused::Garbled(_)));
    }
}
