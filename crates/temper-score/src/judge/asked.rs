//! The way of every judge that writes text: render, ask, parse.

use std::sync::Arc;

use serde_json::Value;

use super::common::Bench;
use super::model::{Failure, Input, Reply};
use super::reply;
use super::seen::{Case, Seen};
use crate::family::{Family, Made};
use crate::{Judged, Sample, Score};

/// Tag of a sample whose text wrote delimiters of the judge's prompt.
const BROKEN: &str = "delimiters_in_text";

/// A scorer of a judge. `response`: whether the completion is part of what is judged; `render` makes the prompt, or says why
/// there is none; `parse` reads the reply, of which a thinking is cut off before.
pub(super) fn made(
    family: &Family,
    bench: Bench,
    response: bool,
    render: impl Fn(&Seen, &Sample, &Case) -> Result<Input, Judged> + Send + Sync + 'static,
    parse: impl Fn(&Reply) -> Judged + Send + Sync + 'static,
) -> Made {
    let Bench { model, how, guard, seen, identity } = bench;
    let asks = guard.then(|| model.name());
    let (part, seen) = (seen.part, Arc::new(seen));
    let shown = seen.clone();
    Made::batched(family, Value::Object(identity), move |samples| {
        let (mut inputs, mut broken) = (Vec::new(), Vec::new());
        let mut early: Vec<Option<Judged>> = Vec::with_capacity(samples.len());
        for sample in samples {
            let rendered =
                seen.case(sample, response).and_then(|case| Ok((render(&seen, sample, &case)?, case.broken)));
            match rendered {
                Ok((input, count)) => {
                    inputs.push(input);
                    broken.push(count);
                    early.push(None);
                }
                Err(judged) => early.push(Some(judged)),
            }
        }
        let mut replies = model.ask(&inputs, &how).into_iter().zip(broken);
        let next = |early: Option<Judged>| {
            early.unwrap_or_else(|| match replies.next() {
                None => Score::Error("the judge gave no reply".to_owned()).into(),
                Some((reply, broken)) => remark(judged(reply, how.max_tokens, &parse), broken),
            })
        };
        early.into_iter().map(next).collect()
    })
    .costly()
    .asking(asks)
    .reading(part)
    .tagged(move |sample| if response && shown.marks_in(sample) > 0 { vec![BROKEN] } else { Vec::new() })
}

fn judged(reply: Result<Reply, Failure>, limit: usize, parse: &impl Fn(&Reply) -> Judged) -> Judged {
    match reply {
        Err(Failure::Unscored(reason)) => Score::Unscored(reason).into(),
        Err(Failure::Error(reason)) => Score::Error(reason).into(),
        Ok(mut reply) => match reply::after_thinking(&reply.text) {
            None => Score::Unscored(format!(
                "the judge's thinking did not end within {limit} tokens; raise `max_tokens`, or switch its thinking off"
            ))
            .into(),
            Some(after) => {
                // Of what follows a thinking, the first token's probabilities are not known.
                if after.len() < reply.text.trim().len() {
                    reply.words = None;
                }
                reply.text = after.to_owned();
                parse(&reply)
            }
        },
    }
}

fn remark(judged: Judged, broken: usize) -> Judged {
    if broken == 0 {
        return judged;
    }
    let note = format!("delimiters in the judged text were broken up: {broken}");
    let explanation = match judged.explanation {
        Some(explanation) => format!("{explanation} ({note})"),
        None => note,
    };
    Judged { explanation: Some(explanation), ..judged }
}
