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
    use crate::Score;
    use crate::testing::{row, score, scorer};
    use serde_json::json;
    use temper_text::thinking::prefill;

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

    #[test]
    fn thinking_that_the_prompt_has_opened() {
        // What the prompt has opened is put before the completion, as whoever samples does.
        let format = scorer("format", json!({}));
        let (r, written) = (row(json!({})), "hm\n</think>\n4");
        for (prompt, value) in [("<|assistant|><think>\n", 1.0), ("<|assistant|>", 0.0)] {
            assert_eq!(score(&format, &r, &format!("{}{written}", prefill(prompt))), Score::Value(value), "{prompt}");
        }
        let twice = format!("{}<think>{written}", prefill("<think>\n"));
        assert_eq!(score(&format, &r, &twice), Score::Value(0.0), "opened twice");
    }
}
