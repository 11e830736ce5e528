//! `temper scorer score`: scores of completions that exist already.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use temper_eval::{ItemRecord, Metric, STOP, measure};
use temper_recipe::Reducer;
use temper_score::{Score, ScoreCache, Scorer};
use temper_train::{Progress, Total};

use crate::args::ScorerScoreArgs;
use crate::bars::Bars;
use crate::error::CliError;
use crate::{commands, interrupt};

use super::completions::Completions;
use super::named;

/// Completions that are judged at once, between two looks at whether to stop.
const CHUNK: usize = 1024;
/// The suite's name in the item log.
const SUITE: &str = "scored";
/// Different errors that are printed for each scorer.
const REASONS: usize = 3;

/// Scores every completion, prints the means with what could not be scored, and writes the item log.
pub fn score(args: &ScorerScoreArgs) -> Result<ExitCode, CliError> {
    commands::threads(args.threads)?;
    let named = named(args.recipe.as_deref(), &args.set)?;
    let cache = if args.no_cache { ScoreCache::none() } else { ScoreCache::usual() };
    let scorers = args
        .scorers
        .iter()
        .map(|name| temper_score::build_with(name, &named.scorers, &named.lab, &cache))
        .collect::<Result<Vec<Arc<dyn Scorer>>, _>>()?;
    let Some(completions) = Completions::read(&args.completions)? else {
        return Err(CliError::message("name the completions by --data SOURCE --completion COLUMN"));
    };
    let stop = interrupt::flag()?;
    let mut bars = Bars::new();
    let count = completions.rows.len();
    bars.begin("scoring", Total::Items(count));
    let mut records = Vec::with_capacity(count);
    let mut repeats: BTreeMap<&str, usize> = BTreeMap::new();
    for from in (0..count).step_by(CHUNK) {
        if stop.load(Ordering::Relaxed) {
            return Err(CliError::message("interrupted; nothing was written"));
        }
        let samples = completions.samples(from..(from + CHUNK).min(count));
        let mut judged = Vec::with_capacity(scorers.len());
        for scorer in &scorers {
            judged.push((scorer, scorer.judge(&samples).into_iter()));
        }
        for sample in &samples {
            let repeat = repeats.entry(&sample.row.id).or_default();
            let (mut scores, mut answers, mut explanations) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            let mut tags = if sample.closed() { Vec::new() } else { vec!["no_close_tag".to_owned()] };
            for (scorer, judged) in &mut judged {
                let name = || scorer.name().to_owned();
                let judged =
                    judged.next().unwrap_or_else(|| Score::Error("gave no score for the sample".to_owned()).into());
                scores.insert(name(), judged.score);
                answers.extend(judged.answer.map(|answer| (name(), answer)));
                explanations.extend(judged.explanation.map(|explanation| (name(), explanation)));
                tags.extend(scorer.tags(sample).into_iter().map(|tag| format!("{}:{tag}", scorer.name())));
            }
            records.push(ItemRecord {
                suite: SUITE.to_owned(),
                id: sample.row.id.clone(),
                repeat: *repeat,
                prompt: sample.row.prompt.display(),
                text: sample.text.to_owned(),
                thinking: sample.thinking.map(str::to_owned),
                answer: sample.answer.to_owned(),
                tokens: sample.tokens,
                finish: STOP.to_owned(),
                scores,
                answers,
                explanations,
                slices: BTreeMap::new(),
                cluster: None,
                tags,
                fields: serde_json::Map::new(),
            });
            *repeat += 1;
        }
        bars.advance(records.len() as f64 / count as f64, "");
    }
    bars.end();
    let metrics: Vec<Metric> = scorers.iter().map(|scorer| Metric::of(scorer.as_ref())).collect();
    let measurements = measure(SUITE, &[Reducer::Mean], &records, &metrics);
    if let Some(out) = &args.out {
        temper_eval::write_log(out, &records)?;
    }
    if args.json {
        let skipped = completions.empty;
        commands::print_json(&json!({"measurements": measurements, "without_completion": skipped, "out": args.out}))?;
        return Ok(ExitCode::SUCCESS);
    }
    commands::print(&temper_report::render_scored(&measurements))?;
    for scorer in &scorers {
        commands::print(&reasons(scorer.name(), &records))?;
    }
    if completions.empty > 0 {
        commands::print(&format!("Rows without a completion, left out: {}\n", completions.empty))?;
    }
    if completions.words {
        commands::print("Lengths are in words; name the column with the number of tokens by --tokens.\n")?;
    }
    if let Some(out) = &args.out {
        commands::print(&format!("Item log: {}\n", out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The most frequent reasons for which a scorer gave no value.
fn reasons(name: &str, records: &[ItemRecord]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in records {
        match record.scores.get(name) {
            Some(Score::Unscored(reason)) => *counts.entry(("unscored", reason)).or_default() += 1,
            Some(Score::Error(reason)) => *counts.entry(("error", reason)).or_default() += 1,
            _ => {}
        }
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = sorted.len().min(REASONS);
    let mut out = String::new();
    for ((state, reason), count) in &sorted[..shown] {
        out.push_str(&format!("{name}: {count} × {state}: {reason}\n"));
    }
    if sorted.len() > shown {
        out.push_str(&format!("{name}: {} more reasons\n", sorted.len() - shown));
    }
    out
}
