//! What a data source is like: lengths, turns, languages, duplicates, columns, and what of it is learned.

use crate::card::is_sampled;
use crate::clean::whole;
use crate::columns::Columns;
use crate::lengths::Lengths;
use crate::units::compared;
use crate::{
    Batching, Column, DataError, DuplicateKind, Duplicates, EncodedRow, Encoding, NEAR_THRESHOLD, Row, batches,
    fill_rate,
};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use temper_recipe::Shape;
use temper_text::{Completion, Prompt};

/// Rows that are looked at together, on all threads.
const BATCH: usize = 512;
/// Rows among which near duplicates are looked for; each takes about a kilobyte. Exact ones are looked for among all.
const NEAR: usize = 200_000;
/// Reasons of unreadable rows that are kept.
const REASONS: usize = 5;

/// What a data source is like. Everything is counted over all rows, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Rows that can be read.
    pub rows: usize,
    /// Rows that cannot.
    pub unreadable: usize,
    /// Why, of the first of them.
    pub reasons: Vec<String>,
    /// How the rows are understood, with counts.
    pub shapes: BTreeMap<Shape, usize>,
    /// Turns of prompt and completion, of the rows that are dialogues.
    pub turns: Lengths,
    /// Unicode characters.
    pub characters: Parts,
    /// Tokens, where there is a tokenizer.
    pub tokens: Option<Tokenised>,
    /// Texts whose language was identified: all of a small source, a sample of a large one.
    pub languages_of: usize,
    /// Languages of the completions (without one, of the requests), as ISO 639-1 codes, with counts.
    pub languages: BTreeMap<String, usize>,
    /// Rows that repeat an earlier one.
    pub duplicate_rows: Repeats,
    /// Rows whose prompt is that of an earlier one, where there are completions.
    pub duplicate_prompts: Option<Repeats>,
    /// The columns, in the order in which they came.
    pub columns: Vec<Column>,
    /// Whether there were more columns than are counted.
    pub more_columns: bool,
}

/// Lengths of the parts of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Parts {
    /// Prompts.
    pub prompt: Lengths,
    /// Completions, of the rows that have one.
    pub completion: Lengths,
    /// Both together.
    pub whole: Lengths,
}

/// Tokens of rows, before anything is cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tokenised {
    /// Before what is learned; of a row that only asks, the prompt. One number for each example.
    pub prompt: Lengths,
    /// That are learned, of the examples that are learned from.
    pub learned: Lengths,
    /// Of whole examples.
    pub whole: Lengths,
    /// Training examples; a row may make several.
    pub examples: usize,
    /// Their tokens.
    pub tokens: u64,
    /// Those that are learned.
    pub targets: u64,
    /// Rows that a check stops on; `temper data validate` says why.
    pub failed: usize,
    /// The longest length that was asked for, and how many examples are longer.
    pub longer: Option<(usize, usize)>,
    /// Tokens of a batch, and what share of it is filled in the order of a shuffle, and packed; longer examples are cut.
    pub fill: Option<(usize, f64, f64)>,
}

/// Rows that repeat an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repeats {
    /// Exactly, apart from case, white space and punctuation.
    pub exact: usize,
    /// Nearly, from a similarity of 0.8, among the rows that were compared so.
    pub near: usize,
    /// Rows that were compared for near duplicates.
    pub near_of: usize,
}

/// What is worked out about a row on any thread.
struct Measured {
    row: Row,
    prompt: String,
    whole: String,
    characters: (u32, u32),
    language: Option<String>,
    encoded: Option<EncodedRow>,
}

/// Looks for repeats.
struct Finder {
    exact: Duplicates,
    near: Duplicates,
    found: Repeats,
}

/// Statistics over a stream of rows. What stays in memory is a few numbers for each row, and what [`Duplicates`] keeps of
/// the first rows. `seen` is told after each batch how many rows there were.
///
/// # Errors
/// What `seen` returns.
pub fn stats<E>(
    rows: impl Iterator<Item = Result<Row, DataError>>,
    encoding: Option<&Encoding>,
    batch_tokens: usize,
    mut seen: impl FnMut(usize) -> Result<(), E>,
) -> Result<Stats, E> {
    let limit = encoding.and_then(|encoding| encoding.max_length);
    let whole = encoding.map(|encoding| Encoding { max_length: None, ..encoding.clone() });
    let encoding = whole.as_ref();
    let mut rows = rows.peekable();
    let mut counts = Counts { tokenised: encoding.is_some(), ..Counts::default() };
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        let first = counts.stats.rows;
        let mut good = Vec::with_capacity(batch.len());
        for item in batch {
            match item {
                Ok(row) => good.push((first + good.len(), row)),
                Err(error) => counts.unreadable(&error),
            }
        }
        let measured: Vec<Measured> = good.into_par_iter().map(|(at, row)| measure(row, at, encoding)).collect();
        counts.add(measured);
        seen(counts.stats.rows + counts.stats.unreadable)?;
    }
    Ok(counts.finish(limit, batch_tokens))
}

fn measure(row: Row, at: usize, encoding: Option<&Encoding>) -> Measured {
    let said = row.said();
    let characters = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let language = is_sampled(at).then(|| {
        let text = if said.trim().is_empty() { row.prompt.request() } else { &said };
        temper_text::language::identify(text).map_or("none", |found| found.code).to_owned()
    });
    Measured {
        prompt: compared(&row),
        whole: whole(&row),
        characters: (characters(&row.prompt.display()), characters(&said)),
        language,
        encoded: encoding.map(|encoding| encoding.row_or_prompt(&row)),
        row,
    }
}

/// Everything while it is counted.
#[derive(Default)]
struct Counts {
    stats: Stats,
    turns: Vec<u32>,
    characters: [Vec<u32>; 3],
    tokens: [Vec<u32>; 3],
    examples: usize,
    targets: u64,
    failed: usize,
    tokenised: bool,
    rows: Finder,
    prompts: Finder,
    answered: usize,
    columns: Columns,
}

impl Counts {
    fn unreadable(&mut self, error: &DataError) {
        self.stats.unreadable += 1;
        if self.stats.reasons.len() < REASONS {
            self.stats.reasons.push(error.to_string());
        }
    }

    fn add(&mut self, batch: Vec<Measured>) {
        self.rows.add(&batch.iter().map(|row| row.whole.as_str()).collect::<Vec<_>>());
        self.prompts.add(&batch.iter().map(|row| row.prompt.as_str()).collect::<Vec<_>>());
        for measured in batch {
            let row = &measured.row;
            self.stats.rows += 1;
            *self.stats.shapes.entry(row.shape).or_default() += 1;
            self.columns.add(&row.fields);
            if let Prompt::Chat(dialogue) = &row.prompt {
                let said = match &row.completion {
                    None => 0,
                    Some(Completion::Text(_)) => 1,
                    Some(Completion::Turns(turns)) => turns.len(),
                };
                self.turns.push((dialogue.messages.len() + said) as u32);
            }
            let (prompt, said) = measured.characters;
            self.characters[0].push(prompt);
            if row.completion.is_some() {
                self.characters[1].push(said);
                self.answered += 1;
            }
            self.characters[2].push(prompt.saturating_add(said));
            if let Some(language) = measured.language {
                self.stats.languages_of += 1;
                *self.stats.languages.entry(language).or_default() += 1;
            }
            if let Some(encoded) = measured.encoded {
                self.encoded(&encoded);
            }
        }
    }

    fn encoded(&mut self, encoded: &EncodedRow) {
        self.failed += usize::from(!encoded.problems.is_empty());
        self.examples += encoded.examples.len();
        for example in &encoded.examples {
            let targets = example.targets();
            self.targets += targets as u64;
            self.tokens[0].push(example.prompt_len as u32);
            self.tokens[1].push(targets as u32);
            self.tokens[2].push(example.ids.len() as u32);
        }
        if encoded.examples.is_empty() && encoded.problems.is_empty() {
            self.tokens[0].push(encoded.tokens as u32);
        }
    }

    fn finish(self, limit: Option<usize>, batch_tokens: usize) -> Stats {
        let mut stats = self.stats;
        let [prompt, completion, whole] = self.characters.map(Lengths::of);
        stats.characters = Parts { prompt, completion, whole };
        stats.turns = Lengths::of(self.turns);
        if self.tokenised {
            let lengths = &self.tokens[2];
            let longer = |limit: usize| lengths.iter().filter(|length| **length as usize > limit).count();
            let fill = (!lengths.is_empty()).then(|| {
                let length = |i: usize| (lengths[i] as usize).min(limit.unwrap_or(usize::MAX));
                let rate = |how| fill_rate(&batches(length, lengths.len(), how, 0, 0), length, batch_tokens);
                (batch_tokens, rate(Batching::Tokens(batch_tokens)), rate(Batching::Packed(batch_tokens)))
            });
            let longer = limit.map(|limit| (limit, longer(limit)));
            let [prompt, learned, whole] = self.tokens.map(Lengths::of);
            stats.tokens = Some(Tokenised {
                examples: self.examples,
                tokens: whole.total,
                targets: self.targets,
                failed: self.failed,
                longer,
                fill,
                prompt,
                learned,
                whole,
            });
        }
        stats.duplicate_rows = self.rows.found;
        stats.duplicate_prompts = (self.answered > 0).then_some(self.prompts.found);
        stats.more_columns = self.columns.more;
        stats.columns = self.columns.finish();
        stats
    }
}

impl Default for Finder {
    fn default() -> Self {
        Self { exact: Duplicates::new(1.0), near: Duplicates::new(NEAR_THRESHOLD), found: Repeats::default() }
    }
}

impl Finder {
    fn add(&mut self, texts: &[&str]) {
        let room = NEAR.saturating_sub(self.near.added()).min(texts.len());
        let near = self.near.add_all(&texts[..room]);
        self.found.near_of += room;
        self.found.near += near.iter().flatten().filter(|found| found.kind != DuplicateKind::Exact).count();
        self.found.exact += self.exact.add_all(texts).iter().flatten().count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn row(line: usize, prompt: &str, said: &str) -> Result<Row, DataError> {
        Ok(Row {
            file: "f".into(),
            line,
            id: line.to_string(),
            shape: Shape::PromptCompletion,
            prompt: Prompt::user(prompt),
            completion: Some(said.into()),
            ..Row::default()
        })
    }

    const LONG: &str = "A farmer has twelve hens and every hen lays two eggs a day, so how many eggs are there after a week of \
                        seven days, and how many after two weeks of them?";

    #[test]
    fn rows_are_counted_with_lengths_languages_and_repeats() {
        let other = LONG.replace("twelve", "eleven");
        let rows = [
            row(1, LONG, "It is 168."),
            row(2, LONG, "It is 168!"),
            row(3, &other, "It is 154."),
            row(4, LONG, "No idea."),
        ];
        let error = DataError { file: "f".into(), line: Some(5), field: None, what: "x".into(), remedy: "y".into() };
        let mut told = 0;
        let stats = stats(rows.into_iter().chain([Err(error)]), None, 100, |rows| {
            told = rows;
            Ok::<(), Infallible>(())
        });
        let Ok(stats) = stats;
        assert_eq!((stats.rows, stats.unreadable, told, stats.reasons.len()), (4, 1, 5, 1));
        assert_eq!((stats.turns.min, stats.turns.max, stats.characters.completion.max), (2, 2, 10));
        assert_eq!(stats.duplicate_rows.exact, 1);
        assert_eq!(stats.duplicate_prompts.map(|found| found.exact), Some(2));
        // Of so few words the language is a guess; that each text has one is not.
        assert_eq!((stats.languages_of, stats.languages.values().sum::<usize>()), (4, 4));
        assert!(stats.tokens.is_none());
    }

    #[test]
    fn nothing_is_counted_as_nothing() {
        let Ok(stats) = stats(std::iter::empty(), None, 100, |_| Ok::<(), Infallible>(()));
        assert_eq!(stats, Stats::default());
    }
}
