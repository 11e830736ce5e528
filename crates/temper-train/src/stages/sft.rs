//! Supervised fine-tuning.

use temper_data::{Batching, EncodeReport, Encoding, Row, Severity, TokenRow, Tokens, batches, fill_rate};
use temper_engine::ModelConfig;
use temper_recipe::{Check, Sft};
use temper_text::Tokenizer;

use crate::algorithms::sft::nll;
use crate::step::Sequence;
use crate::trainer::{Plan, Trainer, digest};
use crate::{Demand, StageContext, StageOutcome, TrainError};

/// How a stage encodes its rows for a model.
pub fn sft_encoding<'a>(
    spec: &Sft,
    config: &ModelConfig,
    tokenizer: &'a Tokenizer,
    allow: &'a [Check],
) -> Encoding<'a> {
    Encoding {
        tokenizer,
        loss_on: spec.loss_on,
        max_length: Some(spec.max_length.min(config.max_position_embeddings)),
        long_rows: spec.long_rows,
        vocab_size: Some(config.vocab_size),
        allow,
    }
}

/// Rows in memory as examples; a file for them, if they are many, is made in `folder`.
///
/// # Errors
/// What a check found that stops a run (see [`EncodeReport::stop`]).
pub fn encode_rows(
    rows: &[Row],
    encoding: &Encoding,
    folder: &std::path::Path,
) -> Result<(Tokens, EncodeReport), TrainError> {
    if rows.is_empty() {
        return Err(TrainError::setting(
            "there are no rows to train on",
            "Check `path`, `rows` and `filter` of the data source",
        ));
    }
    let (tokens, report) = temper_data::encode(rows.iter().cloned().map(Ok), encoding, folder)?;
    report.stop(&rows[0].file)?;
    Ok((tokens, report))
}

/// The warnings of a report as notes of the stage.
pub fn encode_notes(report: &EncodeReport) -> Vec<String> {
    let findings = report.findings();
    findings.iter().filter(|finding| finding.severity == Severity::Warning).map(ToString::to_string).collect()
}

/// Supervised fine-tuning on `rows`; see [`run_sft_on`].
///
/// # Errors
/// As [`encode_rows`] and [`run_sft_on`].
pub fn run_sft(ctx: &mut StageContext, spec: &Sft, rows: &[Row]) -> Result<StageOutcome, TrainError> {
    let encoding = sft_encoding(spec, ctx.model.config(), ctx.tokenizer, &[]);
    let (tokens, report) = encode_rows(rows, &encoding, ctx.dir)?;
    run_sft_on(ctx, spec, &tokens, encode_notes(&report))
}

/// Supervised fine-tuning on examples: the marked tokens of each are learned.
///
/// A step takes `gradient_accumulation_steps` batches of the shuffled epoch, and no step crosses the end of an epoch. The
/// loss is the negative log-likelihood of the learned tokens, divided by their number over the whole step. `notes` are what
/// the encoding had to say.
///
/// # Errors
/// See [`TrainError`]; among them a loss or gradient that is not finite.
pub fn run_sft_on(
    ctx: &mut StageContext,
    spec: &Sft,
    tokens: &Tokens,
    mut notes: Vec<String>,
) -> Result<StageOutcome, TrainError> {
    let mut epochs = Batches::new(tokens, spec, ctx.seed);
    notes.push(epochs.describe(spec));
    let spec_text = serde_json::to_string(spec).unwrap_or_default();
    let plan = Plan {
        label: spec.name.clone().unwrap_or_else(|| "sft".into()),
        optim: spec.optim(),
        extent: spec.extent(),
        epoch_len: tokens.len(),
        save_steps: spec.save_steps,
        logging_steps: spec.logging_steps,
        demand: Demand::sft(spec, ctx.model.precision(), &lengths(tokens)),
        fingerprint: digest(["sft", &spec_text, &ctx.seed.to_string(), &ctx.tokenizer.digest(), tokens.digest()]),
    };
    let mut trainer = Trainer::begin(ctx, plan)?;
    if trainer.at.step == 0 {
        notes.iter().for_each(|note| trainer.ctx.progress.warn(note));
    }
    while trainer.goes_on() {
        let batch = epochs.step(trainer.at.cursor, spec.gradient_accumulation_steps);
        let rows: Vec<TokenRow> = batch.iter().map(|i| tokens.get(*i)).collect();
        let sequences: Vec<Sequence> =
            rows.iter().map(|row| Sequence { ids: &row.ids, selected: &row.trainable, prompt: 0 }).collect();
        let targets: usize = sequences.iter().map(Sequence::selected_tokens).sum();
        let place = |i: usize| tokens.place(batch[i]);
        let update = trainer.update(&sequences, 1.0, &place, &mut |_, logprobs| {
            nll(logprobs, &vec![1.0; logprobs.len()], targets as f64)
        })?;
        trainer.at.cursor += batch.len() as u64;
        let trained = trainer.at.cost.tokens_trained;
        trainer.log(&update, |record| {
            record.put("mean_token_accuracy", update.stats.accuracy());
            record.count("num_tokens", trained);
        })?;
        trainer.note(&format!("loss {:.3}", update.stats.loss));
        trainer.end_step()?;
    }
    trainer.end(notes)
}

/// Tokens and targets of each example.
pub(crate) fn lengths(tokens: &Tokens) -> Vec<(usize, usize)> {
    (0..tokens.len()).map(|i| (tokens.length(i), tokens.targets_of(i))).collect()
}

/// The batches of endless epochs; a place in them is the number of examples before it.
struct Batches<'a> {
    tokens: &'a Tokens,
    how: Batching,
    seed: u64,
    epoch: u64,
    batches: Vec<Vec<usize>>,
    /// Examples of the epoch before each batch.
    before: Vec<u64>,
}

impl<'a> Batches<'a> {
    fn new(tokens: &'a Tokens, spec: &Sft, seed: u64) -> Self {
        let how = match (spec.rows_per_batch(), spec.batch_tokens.unwrap_or(1)) {
            (Some(rows), _) if spec.group_by_length => Batching::RowsByLength(rows),
            (Some(rows), _) => Batching::Rows(rows),
            (None, limit) if spec.packing => Batching::Packed(limit),
            (None, limit) if spec.group_by_length => Batching::TokensByLength(limit),
            (None, limit) => Batching::Tokens(limit),
        };
        let mut made = Self { tokens, how, seed, epoch: 0, batches: Vec::new(), before: Vec::new() };
        made.make(0);
        made
    }

    fn make(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.batches = batches(|i| self.tokens.length(i), self.tokens.len(), self.how, self.seed, epoch);
        let mut before = 0;
        self.before = self
            .batches
            .iter()
            .map(|batch| {
                before += batch.len() as u64;
                before - batch.len() as u64
            })
            .collect();
    }

    /// The examples of the step that begins at `cursor`: so many batches, fewer at the end of an epoch.
    fn step(&mut self, cursor: u64, count: usize) -> Vec<usize> {
        let len = self.tokens.len() as u64;
        if cursor / len != self.epoch {
            self.make(cursor / len);
        }
        let first = self.before.partition_point(|before| *before < cursor % len);
        self.batches[first..].iter().take(count.max(1)).flatten().copied().collect()
    }

    /// What a batch is, in words and numbers.
    fn describe(&self, spec: &Sft) -> String {
        let (count, rows) = (self.batches.len().max(1) as f64, self.tokens.len());
        let mean = format!(
            "{:.1} examples and {:.0} tokens, {:.0} of them learned",
            rows as f64 / count,
            self.tokens.total() as f64 / count,
            self.tokens.targets() as f64 / count
        );
        let filled = spec.batch_tokens.map_or(String::new(), |limit| {
            let rate = fill_rate(&self.batches, |i| self.tokens.length(i), limit);
            let how = if spec.packing { "packed" } else { "in the order of the shuffle" };
            format!("; {:.1} % of `batch_tokens` ({limit}) filled, {how}", 100.0 * rate)
        });
        let steps = match spec.gradient_accumulation_steps {
            0 | 1 => String::new(),
            n => format!("; a step takes {n} batches"),
        };
        format!("{rows} examples in {count} batches of {mean} on average{filled}{steps}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_data::TokenWriter;

    fn tokens(count: usize, length: usize) -> Tokens {
        let folder = std::env::temp_dir();
        let mut writer = TokenWriter::new(&folder);
        for line in 1..=count {
            let row = TokenRow { ids: vec![1; length], trainable: vec![true; length], prompt_len: 0 };
            writer.push(&row, "t", line).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn batches_by_rows_and_by_tokens_stop_at_the_end_of_an_epoch() {
        let count = |length: usize, spec: &Sft, cursor: u64| {
            let tokens = tokens(10, length);
            let mut epochs = Batches::new(&tokens, spec, 1);
            epochs.step(cursor, spec.gradient_accumulation_steps).len()
        };
        let rows = |batch_size, steps| Sft {
            batch_size: Some(batch_size),
            gradient_accumulation_steps: steps,
            ..Sft::default()
        };
        assert_eq!(count(1, &rows(4, 1), 0), 4);
        assert_eq!(count(1, &rows(4, 2), 0), 8);
        assert_eq!(count(1, &rows(4, 1), 8), 2);
        assert_eq!(count(1, &rows(4, 1), 18), 2);
        let tokens = |batch_tokens, steps| Sft {
            batch_tokens: Some(batch_tokens),
            gradient_accumulation_steps: steps,
            ..Sft::default()
        };
        assert_eq!(count(4, &tokens(10, 1), 0), 2);
        assert_eq!(count(4, &tokens(10, 3), 0), 6);
        assert_eq!(count(4, &tokens(3, 1), 0), 1);
        assert_eq!(count(4, &tokens(100, 1), 10), 10);
    }

    #[test]
    fn every_epoch_holds_every_example_once_however_it_is_batched() {
        let tokens = tokens(10, 4);
        for spec in [
            Sft { batch_tokens: Some(10), packing: true, ..Sft::default() },
            Sft { batch_size: Some(3), group_by_length: true, ..Sft::default() },
        ] {
            let mut epochs = Batches::new(&tokens, &spec, 1);
            for epoch in 0..3 {
                let (mut cursor, mut seen) = (10 * epoch, Vec::new());
                while cursor < 10 * (epoch + 1) {
                    let step = epochs.step(cursor, 1);
                    cursor += step.len() as u64;
                    seen.extend(step);
                }
                seen.sort_unstable();
                assert_eq!(seen, (0..10).collect::<Vec<_>>());
            }
        }
    }
}
