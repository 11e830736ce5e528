//! Shapes with judgements: pairs, single completions with a label, steps.

use super::{Fields, Parts, turns, turns::marked_turns};
use crate::error::kind;
use crate::{DataError, Step};
use serde_json::Value;
use temper_text::{Completion, Message, Prompt};

/// `{prompt, chosen, rejected}`, or two whole dialogues whose common beginning is the prompt.
pub(super) fn preference(row: Fields) -> Result<Parts, DataError> {
    let (chosen, rejected) = names(row);
    let prompt = row.name(&row.columns.prompt, "prompt");
    if row.columns.prompt.is_some() || row.fields.get(prompt).is_some_and(|value| !value.is_null()) {
        let prompt = row.asked()?;
        let said = |name: &str| {
            let value = row.required(name)?;
            // Some datasets repeat the prompt in both dialogues.
            match (&prompt, value) {
                (Prompt::Text(text), Value::Array(_)) => {
                    let mut turns = turns(name, value, row.place)?;
                    if turns.len() > 1 && turns[0].role == "user" && turns[0].content == *text {
                        turns.remove(0);
                    }
                    row.answer(name, turns)
                }
                _ => row.said(name, value),
            }
        };
        let (completion, rejected) = (said(chosen)?, said(rejected)?);
        return finished(row, prompt, completion, rejected);
    }
    match (row.required(chosen)?, row.required(rejected)?) {
        (Value::String(a), Value::String(b)) => {
            let at = common_text(a, b);
            if at == 0 {
                return Err(row.place.field(
                    chosen,
                    format!("there is no `{prompt}`, and `{chosen}` and `{rejected}` do not begin alike"),
                    "Give the prompt a column of its own",
                ));
            }
            finished(row, Prompt::Text(a[..at].to_owned()), a[at..].into(), b[at..].into())
        }
        (a @ Value::Array(_), b @ Value::Array(_)) => {
            common_turns(row, chosen, turns(chosen, a, row.place)?, turns(rejected, b, row.place)?)
        }
        (a, b) => Err(row.place.field(
            chosen,
            format!("`{chosen}` is {} and `{rejected}` is {}", kind(a), kind(b)),
            "Give two texts or two lists of turns",
        )),
    }
}

/// `{chosen, rejected}` as texts with `Human:` and `Assistant:`.
pub(super) fn hh_rlhf(row: Fields) -> Result<Parts, DataError> {
    let (chosen, rejected) = names(row);
    let a = marked_turns(chosen, row.text(chosen)?, row.place)?;
    let b = marked_turns(rejected, row.text(rejected)?, row.place)?;
    common_turns(row, chosen, a, b)
}

/// `{prompt, response_0, response_1}` with the number of the better one: the column `better` that `columns.label` names, or
/// else `better_response_id`.
pub(super) fn pku_saferlhf(row: Fields) -> Result<Parts, DataError> {
    let name = row.name(&row.columns.label, "better_response_id");
    let better = match row.required(name)? {
        Value::Number(n) => n.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let (chosen, rejected) = match better {
        Some(0) => ("response_0", "response_1"),
        Some(1) => ("response_1", "response_0"),
        _ => {
            let found = &row.fields[name];
            return Err(row.place.wrong_type(name, found, "0 or 1", "Correct the row"));
        }
    };
    finished(row, row.asked()?, row.text(chosen)?.into(), row.text(rejected)?.into())
}

/// `{prompt, completion, label}`.
pub(super) fn unpaired(row: Fields) -> Result<Parts, DataError> {
    let name = row.name(&row.columns.label, "label");
    let label = truth(row.required(name)?)
        .ok_or_else(|| row.place.wrong_type(name, &row.fields[name], "true or false", "Correct the row"))?;
    Ok(Parts { prompt: row.asked()?, completion: row.completion(true)?, label: Some(label), ..Parts::default() })
}

/// `{prompt, completions, labels}`; the completion is the steps joined by line breaks, as TRL joins them.
pub(super) fn stepwise(row: Fields) -> Result<Parts, DataError> {
    let completions = row.name(&row.columns.completions, "completions");
    let labels = row.name(&row.columns.labels, "labels");
    let list = |name: &str| match row.required(name)? {
        Value::Array(items) => Ok(items),
        other => Err(row.place.wrong_type(name, other, "a list", "Correct the row")),
    };
    let (texts, judged) = (list(completions)?, list(labels)?);
    if texts.is_empty() || texts.len() != judged.len() {
        let what = format!("{} steps and {} labels", texts.len(), judged.len());
        return Err(row.place.field(labels, what, "Give one label for each step, and at least one step"));
    }
    let mut steps = Vec::with_capacity(texts.len());
    for (i, (text, label)) in texts.iter().zip(judged).enumerate() {
        let Value::String(text) = text else {
            return Err(row.place.wrong_type(&format!("{completions}[{i}]"), text, "a text", "Correct the row"));
        };
        let wrong = || row.place.wrong_type(&format!("{labels}[{i}]"), label, "true or false", "Correct the row");
        steps.push(Step { text: text.clone(), label: truth(label).ok_or_else(wrong)? });
    }
    let whole: Vec<&str> = steps.iter().map(|step| step.text.as_str()).collect();
    let completion = Some(whole.join("\n").into());
    Ok(Parts { prompt: row.asked()?, completion, steps, ..Parts::default() })
}

fn names<'a>(row: Fields<'a>) -> (&'a str, &'a str) {
    (row.name(&row.columns.chosen, "chosen"), row.name(&row.columns.rejected, "rejected"))
}

/// A pair; two completions that are the same teach nothing.
fn finished(row: Fields, prompt: Prompt, chosen: Completion, rejected: Completion) -> Result<Parts, DataError> {
    if chosen == rejected {
        let (name, _) = names(row);
        let what = "the chosen and the rejected completion are the same";
        return Err(row.place.field(name, what, "Leave the row out (`filter`), or correct it"));
    }
    Ok(Parts { prompt, completion: Some(chosen), rejected: Some(rejected), ..Parts::default() })
}

fn common_turns(row: Fields, name: &str, a: Vec<Message>, b: Vec<Message>) -> Result<Parts, DataError> {
    let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    if at == 0 {
        let what = "the two dialogues do not begin alike, so there is no prompt";
        return Err(row.place.field(name, what, "Give the prompt a column of its own"));
    }
    if at == a.len() || at == b.len() {
        let what = "one of the two dialogues is the beginning of the other";
        return Err(row.place.field(name, what, "Leave the row out (`filter`), or correct it"));
    }
    let (chosen, rejected) = names(row);
    let chosen = row.answer(chosen, a[at..].to_vec())?;
    let rejected = row.answer(rejected, b[at..].to_vec())?;
    finished(row, Prompt::chat(a[..at].to_vec()), chosen, rejected)
}

/// Length of the common beginning of two texts, without a space at its end, as TRL takes the prompt out of a pair.
fn common_text(a: &str, b: &str) -> usize {
    let at: usize = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    if a[..at].ends_with(' ') { at - 1 } else { at }
}

/// A boolean, or what spells one.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(n) => match n.as_f64()? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
