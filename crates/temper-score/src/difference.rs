//! One scorer minus another on the same sample, for instance proxy reward minus gold score.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Score, ScoreError};

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
    let minuend = given.build(&names.minuend)?;
    let subtrahend = given.build(&names.subtrahend)?;
    let range = match (minuend.range(), subtrahend.range()) {
        (Some(a), Some(b)) => Some((a.0 - b.1, a.1 - b.0)),
        _ => None,
    };
    let part = if minuend.part() == subtrahend.part() { minuend.part() } else { Part::Whole };
    let title = format!("{} − {}", minuend.title(), subtrahend.title());
    let identity = json!({"minuend": minuend.digest(), "subtrahend": subtrahend.digest()});
    let exact = minuend.nature() == Nature::Exact && subtrahend.nature() == Nature::Exact;
    let nature = if exact { Nature::Exact } else { Nature::Estimate };
    let made = Made::batched(&DIFFERENCE, identity, move |samples| {
        let (a, b) = (minuend.score(samples), subtrahend.score(samples));
        let names = (minuend.name(), subtrahend.name());
        a.into_iter().zip(b).map(|(a, b)| minus(a, b, names).into()).collect()
    });
    Ok(made.natured(nature).reading(part).within(range).titled(title))
}

fn minus(a: Score, b: Score, names: (&str, &str)) -> Score {
    match (a, b) {
        (Score::Value(a), Score::Value(b)) => Score::of(a - b),
        (Score::Error(reason), _) => Score::Error(format!("{}: {reason}", names.0)),
        (_, Score::Error(reason)) => Score::Error(format!("{}: {reason}", names.1)),
        (Score::NotApplicable, _) | (_, Score::NotApplicable) => Score::NotApplicable,
        (Score::Unscored(reason), _) => Score::Unscored(format!("{}: {reason}", names.0)),
        (_, Score::Unscored(reason)) => Score::Unscored(format!("{}: {reason}", names.1)),
    }
}
