//! Rejection sampling: completions that meet every rule become training rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use temper_data::Row;
use temper_engine::{Key, SamplingParams, peak_memory_bytes};
use temper_recipe::{Reject, Shape};
use temper_score::Scorer;
use temper_text::{Completion, Prompt};

use super::Epochs;
use super::grpo_log::write_beside;
use crate::metrics::append_line;
use crate::rewards::{self, Column};
use crate::rollout::{PreparedPrompt, Prompts, Rollout, Sampler};
use crate::trainer::{digest, fingerprint};
use crate::{Cost, RejectOutcome, StageContext, StageStatus, Total, TrainError, state};

/// Completions that are sampled at a time.
const AT_A_TIME: usize = 256;
/// Folder of the kept rows in the stage's folder.
const DATASET: &str = "dataset";
/// File of the kept rows.
const KEPT: &str = "train.jsonl";

/// What rejection sampling did with its completions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectReport {
    /// Prompts sampled from.
    pub prompts: usize,
    /// Prompts of which at least one completion was kept.
    pub prompts_kept: usize,
    /// Completions sampled.
    pub total: usize,
    /// Completions kept.
    pub kept: usize,
    /// Completions not kept, by the first reason that applies: `truncated`, `empty`, `SCORER` (out of its bounds),
    /// `SCORER: no score`, `duplicate`, `per_prompt`.
    pub rejected: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Saved {
    fingerprint: String,
    /// Prompts done, in the stage's order.
    done: usize,
    /// Length of the dataset file.
    bytes: u64,
    cost: Cost,
    report: RejectReport,
    /// The first reason why a scorer had no score, by scorer.
    failures: BTreeMap<String, String>,
}

/// Samples `samples_per_prompt` completions of each prompt of `rows` and keeps those that meet every rule of `spec.keep`;
/// `scorers` are those of the rules, in order.
///
/// Truncated and empty completions are never kept: learning them would teach to stop anywhere. Of a prompt's completions different
/// ones are kept, in the order sampled, `per_prompt` at most. What is kept is written to `dataset/train.jsonl` as prompt
/// and completion, with a data card beside it, and returned as rows. The rows of `spec.mix` are not added here.
///
/// # Errors
/// See [`TrainError`].
pub fn run_reject(
    ctx: &mut StageContext,
    spec: &Reject,
    rows: &[Row],
    scorers: &[Arc<dyn Scorer>],
) -> Result<RejectOutcome, TrainError> {
    if scorers.len() != spec.keep.len() {
        return Err(TrainError::setting(
            format!("{} rules under `keep`, but {} scorers", spec.keep.len(), scorers.len()),
            "Name one scorer in each rule",
        ));
    }
    let share = match (spec.share, ctx.budget_flops) {
        (Some(share), Some(budget)) => Some(share * budget),
        (Some(_), None) => {
            return Err(TrainError::setting(
                "reject: `share` is a share of the arm's budget, but there is no budget",
                "Set budget.flops in the recipe, or use prompts",
            ));
        }
        (None, _) => None,
    };
    let prompts = Prompts::prepare(ctx.model.config(), ctx.tokenizer, rows, None, spec.max_completion_length)?;
    let mut stage = Stage::begin(ctx, spec, rows, scorers)?;
    let (started, earlier) = (Instant::now(), stage.at.cost.wall_seconds);
    let mut epochs = Epochs::new(prompts.items.len(), stage.ctx.seed);
    let wanted = spec.prompts.unwrap_or(usize::MAX).min(prompts.items.len());
    let chunk = (AT_A_TIME / spec.samples_per_prompt.max(1)).max(1);
    let label = spec.name.clone().unwrap_or_else(|| "reject".into());
    stage.ctx.progress.begin(&label, Total::Items(wanted));
    // A FLOP share ends where one more round of the average size would overshoot it by more than half.
    let over = |at: &Saved| {
        let half_round = 0.5 * chunk as f64 * at.cost.flops / at.done.max(1) as f64;
        at.done >= wanted || share.is_some_and(|share| at.cost.flops + half_round > share)
    };
    while !over(&stage.at) && !stage.ctx.stopped() {
        let end = wanted.min(stage.at.done + chunk);
        let chosen: Vec<&PreparedPrompt> = (stage.at.done..end).map(|i| &prompts.items[epochs.at(i as u64)]).collect();
        stage.sample(&chosen)?;
        stage.at.cost.wall_seconds = earlier + started.elapsed().as_secs_f64();
        stage.at.cost.peak_memory_bytes = stage.at.cost.peak_memory_bytes.max(peak_memory_bytes());
        state::save(stage.ctx.dir, &stage.at, |_| Ok(()))?;
        let report = &stage.at.report;
        let note = format!("kept {} of {}", report.kept, report.total);
        stage.ctx.progress.advance(end as f64 / wanted.max(1) as f64, &note);
    }
    stage.ctx.progress.end();
    let status = if over(&stage.at) { StageStatus::Finished } else { StageStatus::Stopped };
    let kept = read_kept(&stage.dataset)?;
    let mut notes = prompts.notes();
    notes.push(summary(&stage.at.report));
    notes.extend(stage.at.failures.iter().map(|(scorer, reason)| format!("{scorer} gave no score: {reason}")));
    if status == StageStatus::Finished && kept.is_empty() {
        stage.ctx.progress.warn(&summary(&stage.at.report));
    }
    if status == StageStatus::Finished {
        let card = card(spec, &stage.weights, &stage.at.report);
        write_beside(&stage.dataset.with_file_name("README.md"), &card)?;
    }
    Ok(RejectOutcome {
        status,
        rows: kept,
        report: stage.at.report,
        cost: stage.at.cost,
        notes,
        dataset: stage.dataset,
    })
}

struct Stage<'s, 'c> {
    ctx: &'s mut StageContext<'c>,
    spec: &'s Reject,
    rows: &'s [Row],
    scorers: &'s [Arc<dyn Scorer>],
    sampler: Sampler<'s>,
    dataset: PathBuf,
    weights: String,
    at: Saved,
}

impl<'s, 'c> Stage<'s, 'c> {
    fn begin(
        ctx: &'s mut StageContext<'c>,
        spec: &'s Reject,
        rows: &'s [Row],
        scorers: &'s [Arc<dyn Scorer>],
    ) -> Result<Self, TrainError> {
        let weights = ctx.model.digest();
        let judges: Vec<String> = scorers.iter().map(|s| s.digest()).collect();
        let settings = fingerprint("reject", &(spec, judges), ctx, rows);
        let mut at = Saved { fingerprint: digest([&settings, &weights]), ..Saved::default() };
        let folder = ctx.dir.join(DATASET);
        fs::create_dir_all(&folder).map_err(TrainError::io(&folder, "create"))?;
        let dataset = folder.join(KEPT);
        if !ctx.resume {
            state::check_empty(ctx.dir)?;
        } else if let Some(folder) = state::complete(ctx.dir) {
            let saved: Saved = state::counters(&folder)?;
            state::check_fingerprint(&folder, &saved.fingerprint, &at.fingerprint)?;
            at = saved;
        }
        // What was appended after the state was saved is sampled again.
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&dataset)
            .map_err(TrainError::io(&dataset, "write"))?;
        file.set_len(at.bytes).map_err(TrainError::io(&dataset, "write"))?;
        let params = SamplingParams {
            temperature: spec.temperature as f32,
            top_p: spec.top_p as f32,
            top_k: spec.top_k,
            max_new_tokens: spec.max_completion_length,
            stop_ids: ctx.tokenizer.stop_ids(),
        };
        let key = Key::new(ctx.seed).fold_str("reject");
        let sampler = Sampler { rows, params, samples: spec.samples_per_prompt, key };
        Ok(Self { ctx, spec, rows, scorers, sampler, dataset, weights, at })
    }

    /// Samples and judges the completions of some prompts, and appends those that are kept.
    fn sample(&mut self, chosen: &[&PreparedPrompt]) -> Result<(), TrainError> {
        let (model, tokenizer) = (&*self.ctx.model, self.ctx.tokenizer);
        let batch = self.sampler.sample(model, tokenizer, chosen, self.at.done as u64, &mut |_| ())?;
        self.at.cost.tokens_sampled += batch.tokens;
        self.at.cost.flops += batch.flops;
        let columns = rewards::score(&batch.rollouts, self.rows, self.scorers);
        for (rule, column) in self.spec.keep.iter().zip(&columns) {
            if let Some(reason) = &column.reason {
                self.at.failures.entry(rule.scorer.clone()).or_insert_with(|| reason.clone());
            }
        }
        let size = self.spec.samples_per_prompt.max(1);
        for (g, group) in batch.rollouts.chunks(size).enumerate() {
            let (mut taken, mut kept) = (BTreeSet::new(), 0);
            for (i, rollout) in group.iter().enumerate() {
                self.at.report.total += 1;
                match self.verdict(&columns, g * size + i, rollout, &mut taken, kept) {
                    Some(reason) => *self.at.report.rejected.entry(reason).or_default() += 1,
                    None => {
                        kept += 1;
                        self.append(&columns, g * size + i, rollout)?;
                    }
                }
            }
            self.at.report.prompts += 1;
            self.at.report.prompts_kept += usize::from(kept > 0);
            self.at.report.kept += kept;
        }
        self.at.done += chosen.len();
        self.at.bytes = fs::metadata(&self.dataset).map_err(TrainError::io(&self.dataset, "read"))?.len();
        Ok(())
    }

    /// Why a completion is not kept.
    fn verdict<'r>(
        &self,
        columns: &[Column],
        at: usize,
        rollout: &'r Rollout,
        taken: &mut BTreeSet<&'r str>,
        kept: usize,
    ) -> Option<String> {
        if rollout.truncated() {
            return Some("truncated".into());
        }
        if rollout.text.trim().is_empty() {
            return Some("empty".into());
        }
        for (rule, column) in self.spec.keep.iter().zip(columns) {
            match column.values[at] {
                None => return Some(format!("{}: no score", rule.scorer)),
                Some(score) if !rule.accepts(score) => return Some(rule.scorer.clone()),
                Some(_) => {}
            }
        }
        if !taken.insert(&rollout.text) {
            return Some("duplicate".into());
        }
        self.spec.per_prompt.is_some_and(|most| kept >= most).then(|| "per_prompt".into())
    }

    fn append(&self, columns: &[Column], at: usize, rollout: &Rollout) -> Result<(), TrainError> {
        let row = &self.rows[rollout.row];
        let scores: Map<String, Value> = self
            .spec
            .keep
            .iter()
            .zip(columns)
            .map(|(rule, column)| (rule.scorer.clone(), json!(column.values[at])))
            .collect();
        let kept = Row {
            id: format!("{}#{}", row.id, rollout.sample),
            shape: Shape::PromptCompletion,
            completion: Some(rollout.text.as_str().into()),
            completion_ids: Some(rollout.ids[rollout.prompt_len..].to_vec()),
            ..row.clone()
        };
        let mut line = kept.to_json();
        line.insert("source".into(), row.place().into());
        line.insert("tokens".into(), rollout.tokens().into());
        line.insert("scores".into(), scores.into());
        append_line(&self.dataset, &Value::Object(line))
    }
}

/// A line of the dataset: TRL's prompt-completion type, where it came from, and the fields of the prompt's row.
#[derive(Deserialize)]
struct Kept {
    id: String,
    prompt: Prompt,
    completion: Completion,
    #[serde(default)]
    completion_ids: Option<Vec<u32>>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

fn read_kept(dataset: &Path) -> Result<Vec<Row>, TrainError> {
    let text = fs::read_to_string(dataset).map_err(TrainError::io(dataset, "read"))?;
    let file: Arc<str> = dataset.to_string_lossy().into();
    text.lines()
        .enumerate()
        .map(|(i, line)| {
            let kept: Kept = serde_json::from_str(line).map_err(|e| TrainError::Row {
                place: format!("{file}:{}", i + 1),
                what: format!("not a row that rejection sampling wrote: {e}"),
                remedy: "Remove the stage's folder and run it again".into(),
            })?;
            Ok(Row {
                shape: Shape::PromptCompletion,
                file: file.clone(),
                line: i + 1,
                id: kept.id,
                prompt: kept.prompt,
                completion: Some(kept.completion),
                completion_ids: kept.completion_ids,
                fields: kept.fields,
                ..Row::default()
            })
        })
        .collect()
}

fn summary(report: &RejectReport) -> String {
    let reasons: Vec<String> = report.rejected.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
    format!(
        "kept {} of {} completions, for {} of {} prompts; not kept: {}",
        report.kept,
        report.total,
        report.prompts_kept,
        report.prompts,
        if reasons.is_empty() { "none".into() } else { reasons.join(", ") }
    )
}

/// The data card: what the rows are, where they came from, how they were chosen.
fn card(spec: &Reject, weights: &str, report: &RejectReport) -> String {
    let mut rules = String::new();
    for rule in &spec.keep {
        let bounds: Vec<String> =
            [rule.at_least.map(|b| format!("at least {b}")), rule.at_most.map(|b| format!("at most {b}"))]
                .into_iter()
                .flatten()
                .collect();
        rules.push_str(&format!("- `{}` {}\n", rule.scorer, bounds.join(" and ")));
    }
    let per_prompt = spec.per_prompt.map_or("all".into(), |n| n.to_string());
    format!(
        "---\nconfigs:\n- config_name: default\n  data_files: {KEPT}\ntags:\n- synthetic\n- rejection-sampling\n---\n\n\
         # Rows kept by rejection sampling\n\n\
         Completions sampled by a model and kept where they meet every rule. Prompt-completion type, one JSON object per \
         line; `source` names the row of the prompt.\n\n\
         | | |\n|---|---|\n| prompts | `{}` |\n| model, SHA-256 of the weights | `{weights}` |\n\
         | completions per prompt | {}, of which {per_prompt} kept at most |\n| temperature, top_p, top_k | {}, {}, {} |\n\
         | longest completion | {} tokens |\n\n## Rules\n\n{rules}\n## Counts\n\n{}\n",
        spec.data,
        spec.samples_per_prompt,
        spec.temperature,
        spec.top_p,
        spec.top_k,
        spec.max_completion_length,
        summary(report),
    )
}
