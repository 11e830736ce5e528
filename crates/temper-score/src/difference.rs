//! One scorer minus another on the same sample, for instance proxy reward minus gold score.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::registry::build_inner;
use crate::{Better, Nature, Part, Sample, Score, ScoreError, Scorer};

pub(crate) const DIFFERENCE: Family = Family {
    info: ScorerInfo {
        r#type: "difference",
        title: "Difference",
        part: Part::Whole,
        better: Better::Neither,
        nature: Nature::Exact,
        needs: &[],
        summary: "The score of `minuend` minus the score of `subtrahend`, two other scorers",
    },
    version: 1,
    make: difference,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DifferenceParameters {
    minuend: String,
    subtrahend: String,
}

fn difference(given: &Parameters) -> Result<Made, ScoreError> {
    let names: DifferenceParameters = given.read()?;
    let minuend = build_inner(&names.minuend, given.named, given.lab, given.path)?;
    let subtrahend = build_inner(&names.subtrahend, given.named, given.lab, given.path)?;
    let range = match (minuend.range(), subtrahend.range()) {
        (Some(a), Some(b)) => Some((a.0 - b.1, a.1 - b.0)),
        _ => None,
    };
    let part = if minuend.part() == subtrahend.part() { minuend.part() } else { Part::Whole };
    let title = format!("{} − {}", minuend.title(), subtrahend.title());
    let identity = json!({"minuend": minuend.digest(), "subtrahend": subtrahend.digest()});
    Ok(Made::new(&DIFFERENCE, identity, move |sample| {
        let (a, b) = (one(&minuend, sample), one(&subtrahend, sample));
        match (a, b) {
            (Score::Value(a), Score::Value(b)) => Score::of(a - b),
            (Score::Error(reason), _) => Score::Error(format!("{}: {reason}", minuend.name())),
            (_, Score::Error(reason)) => Score::Error(format!("{}: {reason}", subtrahend.name())),
            (Score::NotApplicable, _) | (_, Score::NotApplicable) => Score::NotApplicable,
            (Score::Unscored(reason), _) => Score::Unscored(format!("{}: {reason}", minuend.name())),
            (_, Score::Unscored(reason)) => Score::Unscored(format!("{}: {reason}", subtrahend.name())),
        }
    })
    .reading(part)
    .within(range)
    .titled(title))
}

fn one(scorer: &Arc<dyn Scorer>, sample: &Sample) -> Score {
    let missing = || Score::Error("gave no score for the sample".to_owned());
    scorer.score(std::slice::from_ref(sample)).pop().unwrap_or_else(missing)
}
