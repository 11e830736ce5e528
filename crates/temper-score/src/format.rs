//! The form of a reasoning completion: one block of thinking, then an answer (the format reward of DeepSeek-R1).

use temper_text::thinking::{CLOSE, OPEN};

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, Score, ScoreError};

pub(crate) const FORMAT: Family = Family {
    info: ScorerInfo {
        r#type: "format",
        title: "Thinking format",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "1 if the completion has exactly one <think>…</think> followed by text",
    },
    version: 1,
    make: format,
};

fn format(given: &Parameters) -> Result<Made, ScoreError> {
    Ok(Made::new(&FORMAT, given.none()?, |sample| Score::flag(well_formed(sample.text))))
}

/// Whether a text has exactly one `<think>`, after it exactly one `</think>`, and text after that.
pub fn well_formed(text: &str) -> bool {
    let (Some(open), Some(close)) = (text.find(OPEN), text.find(CLOSE)) else {
        return false;
    };
    open < close
        && text.rfind(OPEN) == Some(open)
        && text.rfind(CLOSE) == Some(close)
        && !text[close + CLOSE.len()..].trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::well_formed;

    #[test]
    fn one_block_then_text() {
        assert!(well_formed("<think>\nhm\n</think>\n\\boxed{4}"));
        assert!(well_formed("<think></think>4"));
        for bad in [
            "",
            "4",
            "<think>hm",
            "hm</think>4",
            "<think>hm</think>",
            "<think>hm</think> \n",
            "</think><think>4",
            "<think><think>hm</think>4",
            "<think>hm</think>4</think>5",
            "<think>hm</think>4<think>hm</think>5",
        ] {
            assert!(!well_formed(bad), "{bad}");
        }
    }
}
