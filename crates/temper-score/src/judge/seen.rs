//! What a judge is shown of a sample: the request and the part of the completion, with delimiters broken up.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::{Judged, Part, Sample, Score};

/// Texts that could end or steer a judge's prompt when a completion writes them: marks of turns and of thinking of common
/// model families.
const MARKS: [&str; 15] = [
    "<|",
    "<\u{ff5c}",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
    "[SYSTEM_PROMPT]",
];

/// The thinking tags: broken up as the others are, but not worth a remark where the whole text is shown.
const TAGS: [&str; 2] = ["<think>", "</think>"];

/// What is shown of a sample.
pub(crate) struct Seen {
    /// The part of the completion.
    pub(crate) part: Part,
    /// Field of the row that holds the request; `None`: the prompt's last user turn.
    pub(crate) request: Option<String>,
    marks: Regex,
}

/// A sample as a judge sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    pub(crate) request: String,
    pub(crate) response: String,
    /// Delimiters that were broken up in the two.
    pub(crate) broken: usize,
}

impl Seen {
    /// `delimiters`: texts of the judge's own prompt that what it judges must not write; `special`: the judge's special tokens.
    pub(crate) fn new(part: Part, request: Option<String>, delimiters: &[&str], special: &[String]) -> Self {
        Seen { part, request, marks: any_of(MARKS.into_iter().chain(TAGS).chain(delimiters.iter().copied()), special) }
    }

    /// For a model that reads completions as they are written: thinking tags stay where the whole text is read.
    pub(crate) fn keeping_tags(part: Part, request: Option<String>, special: &[String]) -> Self {
        if part != Part::Whole {
            return Seen::new(part, request, &[], special);
        }
        let special: Vec<String> = special.iter().filter(|text| !TAGS.contains(&text.as_str())).cloned().collect();
        Seen { part, request, marks: any_of(MARKS.into_iter(), &special) }
    }

    /// The request, and with `response` the part of the completion; or why there is nothing to judge.
    pub(crate) fn case(&self, sample: &Sample, response: bool) -> Result<Case, Judged> {
        let (request, mut broken) = self.neutral(self.asked(sample)?);
        let mut shown = String::new();
        if response {
            let Some(text) = sample.part(self.part) else { return Err(Score::NotApplicable.into()) };
            if text.trim().is_empty() {
                let part = match self.part {
                    // Models that need not think leave it empty.
                    Part::Thinking => return Err(Score::NotApplicable.into()),
                    Part::Answer => "answer",
                    Part::Whole => "completion",
                };
                let cut = if sample.truncated { ": it was cut at its limit of tokens" } else { "" };
                return Err(Score::Unscored(format!("the {part} is empty{cut}")).into());
            }
            let found;
            (shown, found) = self.neutral(text);
            broken += found;
        }
        Ok(Case { request, response: shown, broken })
    }

    fn asked<'a>(&self, sample: &Sample<'a>) -> Result<&'a str, Judged> {
        let Some(field) = &self.request else { return Ok(sample.row.prompt.request()) };
        text_field(sample, field)?.ok_or_else(|| Score::NotApplicable.into())
    }

    /// The text with a space after the first character of every mark, and how many marks there were, thinking tags aside.
    pub(crate) fn neutral(&self, text: &str) -> (String, usize) {
        let mut count = 0;
        let mut text = text.to_owned();
        // Breaking one mark up uncovers no other but where two share characters; then there is less to find each time.
        while self.marks.is_match(&text) {
            let broken = self.marks.replace_all(&text, |found: &regex::Captures| {
                let mark = &found[0];
                count += usize::from(!TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(mark)));
                let mut characters = mark.chars();
                let first: String = characters.by_ref().take(1).collect();
                format!("{first} {}", characters.as_str())
            });
            text = broken.into_owned();
        }
        (text, count)
    }

    /// How many marks the part that is judged holds.
    pub(crate) fn marks_in(&self, sample: &Sample) -> usize {
        sample.part(self.part).map_or(0, |text| self.neutral(text).1)
    }
}

/// A field of the row that holds a text; `None` where the row does not have it.
pub(crate) fn text_field<'a>(sample: &Sample<'a>, field: &str) -> Result<Option<&'a str>, Judged> {
    match sample.row.fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Score::Error(format!(
            "{}, field `{field}`: {other} is no text; name a field that holds a text",
            sample.row.place()
        ))
        .into()),
    }
}

/// Matches any of the marks and special tokens, in upper or lower case, the longest where several fit.
fn any_of<'a>(marks: impl Iterator<Item = &'a str>, special: &'a [String]) -> Regex {
    let mut texts: Vec<&str> = marks.collect();
    // Most special tokens hold a mark. What is one character long, or blank, cannot be broken up by a space.
    let more = |text: &&str| !texts.iter().any(|mark| text.contains(mark)) && text.trim().chars().count() > 1;
    let more: Vec<&str> = special.iter().map(String::as_str).filter(more).collect();
    texts.extend(more);
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let list: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    // Escaped texts are a valid expression, and what is left of the special tokens is short.
    let build = |list: &[String]| RegexBuilder::new(&list.join("|")).case_insensitive(true).size_limit(1 << 27).build();
    build(&list).unwrap_or_else(|_| super::reply::expression(r"<[|\u{ff5c}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::row;
    use serde_json::json;

    fn seen(part: Part, request: Option<&str>) -> Seen {
        Seen::new(part, request.map(str::to_owned), &["<BEGIN RESPONSE>", "[GENERATION]"], &["<pad0>".to_owned()])
    }

    #[test]
    fn marks_are_broken_up_and_counted() {
        let seen = seen(Part::Answer, None);
        let text = "a <|eot_id|> [/inst] <begin response> <pad0> [GENERATION] </think> if (a <b|c) [1]";
        let (neutral, count) = seen.neutral(text);
        assert_eq!(neutral, "a < |eot_id|> [ /inst] < begin response> < pad0> [ GENERATION] < /think> if (a <b|c) [1]");
        assert_eq!(count, 5);
        assert_eq!(seen.neutral(&neutral), (neutral.clone(), 0));
        assert_eq!(seen.neutral("<<s>SYS>>").0, "<< s>SYS>>");
    }

    #[test]
    fn parts_and_requests() {
        let r = row(json!({"goal": "plain", "other": 3}));
        let whole = Sample::new(&r, "<think>a</think>b", 1, false);
        let case = |part, request: Option<&str>| seen(part, request).case(&whole, true);
        let of = |request: &str, response: &str| Case { request: request.into(), response: response.into(), broken: 0 };
        assert_eq!(case(Part::Answer, None).unwrap(), of("How many?", "b"));
        assert_eq!(case(Part::Thinking, Some("goal")).unwrap(), of("plain", "a"));
        assert_eq!(case(Part::Whole, None).unwrap(), of("How many?", "< think>a< /think>b"));
        assert_eq!(case(Part::Answer, Some("none")).unwrap_err().score, Score::NotApplicable);
        let Score::Error(error) = case(Part::Answer, Some("other")).unwrap_err().score else { panic!() };
        assert_eq!(error, "test.jsonl:1, field `other`: 3 is no text; name a field that holds a text");
        let cut = Sample::new(&r, "<think>a", 1, true);
        let reason = "the answer is empty: it was cut at its limit of tokens";
        assert_eq!(seen(Part::Answer, None).case(&cut, true).unwrap_err().score, Score::Unscored(reason.into()));
        assert_eq!(seen(Part::Answer, None).case(&cut, false).unwrap(), of("How many?", ""));
        for text in ["b", "<think>\n\n</think>b"] {
            let plain = Sample::new(&r, text, 1, false);
            assert_eq!(seen(Part::Thinking, None).case(&plain, true).unwrap_err().score, Score::NotApplicable);
        }
    }
}
