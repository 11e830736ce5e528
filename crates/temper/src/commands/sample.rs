//! `temper sample`: completions for the rows of a file.

use std::process::ExitCode;

use serde_json::json;
use temper_engine::{Finish, Key, Request, SamplingParams};
use temper_recipe::Lab;
use temper_train::{Progress, Total};

use crate::args::SampleArgs;
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

/// Writes one line per completion: `row` (from 1), `sample` (from 0), `prompt`, `prompt_ids`, `completion`, `ids` (the stop
/// token included), `logprobs` (of the full softmax at the sampling temperature; at 1 if greedy) and `finish_reason`.
pub fn sample(args: &SampleArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    let rows = temper_data::read_inputs(&args.input, false)?;
    let stop = interrupt::flag()?;
    let mut loaded = commands::load(&args.model, &Lab::default(), stop)?;
    loaded.model.set_precision(args.dtype);
    let params = SamplingParams {
        temperature: if args.greedy { 0.0 } else { args.temperature as f32 },
        top_p: args.top_p as f32,
        top_k: args.top_k,
        max_new_tokens: args.max_tokens,
        stop_ids: loaded.stop_ids(),
    };
    let key = Key::new(args.seed).fold_str("sample");
    let mut requests = Vec::with_capacity(rows.len());
    let mut prompts = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let encoded = loaded.tokenizer.encode_prompt(&row.prompt).map_err(|e| commands::at(&row.place(), &e))?;
        let key = key.fold(index as u64);
        let keys = (0..u64::from(args.n)).map(|k| key.fold(k)).collect();
        requests.push(Request { prompt: encoded.ids.clone(), keys });
        prompts.push(encoded);
    }
    let most = rows.len() * usize::from(args.n) * args.max_tokens;
    let mut bars = Bars::new();
    bars.begin("sampling", Total::Tokens(most));
    let mut on = |tokens: usize| {
        bars.advance(tokens as f64 / most.max(1) as f64, "");
        !stop.load(std::sync::atomic::Ordering::Relaxed)
    };
    let completions = temper_engine::generate(&loaded.model, &requests, &params, &mut on)?;
    bars.end();
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(CliError::message("interrupted; nothing was written"));
    }
    let mut tokens = 0;
    commands::write_file(&args.out, |out| {
        for (index, (encoded, group)) in prompts.iter().zip(&completions).enumerate() {
            for (k, completion) in group.iter().enumerate() {
                tokens += completion.ids.len();
                let line = json!({
                    "row": index + 1,
                    "sample": k,
                    "prompt": encoded.text,
                    "prompt_ids": encoded.ids,
                    "completion": loaded.tokenizer.decode(&completion.ids, true),
                    "ids": completion.ids,
                    "logprobs": completion.logprobs,
                    "finish_reason": if completion.finish == Finish::Stop { "stop" } else { "length" },
                });
                writeln!(out, "{line}").map_err(|e| CliError::io(&args.out, e))?;
            }
        }
        Ok(())
    })?;
    let count: usize = completions.iter().map(Vec::len).sum();
    if args.json {
        commands::print_json(&json!({"rows": rows.len(), "completions": count, "tokens": tokens, "out": args.out}))?;
    } else {
        commands::print(&format!("{count} completions, {tokens} tokens: {}\n", args.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
