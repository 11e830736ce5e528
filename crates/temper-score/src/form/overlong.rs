//! Soft overlong punishment (DAPO, arXiv 2503.14476, equation 13): 0 up to L − C tokens, (L − C − n)/C up to L, −1 beyond.

use serde::{Deserialize, Serialize};

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Score, ScoreError};

pub(crate) const OVERLONG: Family = Family {
    info: ScorerInfo {
        r#type: "overlong",
        title: "Overlong",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "DAPO's soft punishment of long completions: 0 up to `max_length` − `cache` tokens, falling to −1 at `max_length`",
    },
    version: 1,
    make: overlong,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlongParameters {
    /// L: tokens at which the punishment is full.
    max_length: usize,
    /// C: tokens over which it grows.
    cache: usize,
}

fn overlong(given: &Parameters) -> Result<Made, ScoreError> {
    let parameters: OverlongParameters = given.read()?;
    let (most, cache) = (parameters.max_length, parameters.cache);
    if cache == 0 || cache > most {
        return Err(given.error(
            format!("`cache` is {cache} and `max_length` {most}"),
            "set `cache` between 1 and `max_length`, such as a fifth of it".into(),
        ));
    }
    Ok(Made::new(&OVERLONG, given.write(&parameters)?, move |sample| Score::of(punishment(sample.tokens, most, cache)))
        .within(Some((-1.0, 0.0))))
}

fn punishment(tokens: usize, most: usize, cache: usize) -> f64 {
    let soft = most - cache;
    if tokens <= soft {
        0.0
    } else if tokens <= most {
        -((tokens - soft) as f64) / cache as f64
    } else {
        -1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let at = |tokens| punishment(tokens, 100, 20);
        assert_eq!((at(0), at(80), at(85), at(100), at(101)), (0.0, 0.0, -0.25, -1.0, -1.0));
    }
}
