//! `temper logprobs`: log-probabilities of given tokens.

use std::process::ExitCode;

use serde_json::json;
use temper_engine::Packed;
use temper_recipe::Lab;
use temper_text::Prompt;
use temper_train::{Progress, Total};

use crate::args::LogprobsArgs;
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Tokens per forward pass, at least one row.
const BATCH_TOKENS: usize = 4096;

/// Writes `{"ids": […], "logprobs": [null, …]}` per row: entry `t` is the log-probability, in nats and at temperature 1, of
/// token `t` given the tokens before it; the first token has none.
pub fn logprobs(args: &LogprobsArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    let rows = temper_data::read_inputs(&args.input, false)?;
    let stop = interrupt::flag()?;
    let mut loaded = commands::load(&args.model, &Lab::default(), stop)?;
    loaded.model.set_precision(args.dtype);
    let mut sequences = Vec::with_capacity(rows.len());
    for row in &rows {
        let ids = match &row.prompt {
            Prompt::Text(text) => loaded.tokenizer.encode(text, true),
            Prompt::Chat(dialogue) => loaded.tokenizer.encode_dialogue(dialogue),
        }
        .map_err(|e| commands::at(&row.place(), &e))?;
        sequences.push(ids);
    }
    let total: usize = sequences.iter().map(Vec::len).sum();
    let mut bars = Bars::new();
    bars.begin("log-probabilities", Total::Tokens(total));
    let (mut start, mut done) = (0, 0);
    let mut sum = 0.0f64;
    commands::write_file(&args.out, |out| {
        while start < sequences.len() {
            let mut end = start + 1;
            let mut size = sequences[start].len();
            while end < sequences.len() && size + sequences[end].len() <= BATCH_TOKENS {
                size += sequences[end].len();
                end += 1;
            }
            let batch = Packed::new(&sequences[start..end]);
            let stats = loaded.model.score(&batch, 1.0, &vec![true; batch.len()]);
            for (segment, ids) in sequences[start..end].iter().enumerate() {
                let at = batch.offsets[segment];
                let values: Vec<Option<f32>> =
                    (0..ids.len()).map(|t| (t > 0).then(|| stats.logprobs[at + t])).collect();
                sum += values.iter().flatten().map(|&v| f64::from(v)).sum::<f64>();
                let line = json!({"ids": ids, "logprobs": values});
                writeln!(out, "{line}").map_err(|e| CliError::io(&args.out, e))?;
            }
            done += size;
            bars.advance(done as f64 / total.max(1) as f64, "");
            if stop.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(CliError::message("interrupted; nothing was written"));
            }
            start = end;
        }
        Ok(())
    })?;
    bars.end();
    let scored = total - sequences.iter().filter(|ids| !ids.is_empty()).count();
    let mean = if scored > 0 { sum / scored as f64 } else { f64::NAN };
    if args.json {
        commands::print_json(&json!({"rows": rows.len(), "tokens": total, "mean_logprob": mean, "out": args.out}))?;
    } else {
        commands::print(&format!(
            "{} rows, {total} tokens, mean log-probability {mean:.4} nats: {}\n",
            rows.len(),
            args.out.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
