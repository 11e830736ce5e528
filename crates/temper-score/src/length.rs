//! Length of completions in tokens, and whether they were cut off.

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Sample, Score, ScoreError};

pub(crate) const LENGTH: Family = Family {
    info: ScorerInfo {
        r#type: "length",
        title: "Tokens",
        part: Part::Whole,
        better: Better::Neither,
        nature: Nature::Exact,
        needs: &[],
        summary: "Tokens of the completion, the stop token included",
    },
    version: 1,
    make: length,
};

pub(crate) const TRUNCATED: Family = Family {
    info: ScorerInfo {
        r#type: "truncated",
        title: "Truncated",
        part: Part::Whole,
        better: Better::Lower,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the completion ended because it reached its limit of tokens",
    },
    version: 1,
    make: truncated,
};

fn length(given: &Parameters) -> Result<Made, ScoreError> {
    let unknown = || Score::Unscored("the server does not say how many tokens the completion has".to_owned());
    let tokens = move |sample: &Sample| sample.length().map_or_else(unknown, |tokens| Score::of(tokens as f64));
    Ok(Made::new(&LENGTH, given.none()?, tokens).within(None))
}

fn truncated(given: &Parameters) -> Result<Made, ScoreError> {
    Ok(Made::new(&TRUNCATED, given.none()?, |sample| Score::flag(sample.truncated)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{row, scorer};
    use crate::{Sample, Score};
    use serde_json::json;

    #[test]
    fn counts() {
        let r = row(json!({}));
        let sample = Sample::new(&r, "abc", 7, true);
        assert_eq!(scorer("length", json!({})).score(&[sample]), [Score::Value(7.0)]);
        assert_eq!(scorer("truncated", json!({})).score(&[sample]), [Score::Value(1.0)]);
        assert_eq!(scorer("length", json!({})).range(), None);
        let unknown =
            scorer("length", json!({})).score(&[Sample::new(&r, "abc", 0, true), Sample::new(&r, "", 0, false)]);
        assert!(matches!(&unknown[0], Score::Unscored(_)) && unknown[1] == Score::Value(0.0));
    }
}
