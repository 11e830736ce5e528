//! What a recipe will cost, before it runs: tokens, FLOPs, memory. Bounds from the rows as they are tokenised.

use std::fmt;

use serde::Serialize;
use temper_data::Row;
use temper_engine::ModelConfig;
use temper_eval::GateForesight;
use temper_recipe::{Bytes, Checkpointing, Recipe, Stage, StageData};
use temper_text::Tokenizer;
use temper_train::{Needs, Resources, TrainError};

use crate::error::RunError;
use crate::models;
use crate::prepare::{Encoded, Prepared, prepare};
use crate::sources::Sources;

/// The estimate of a whole recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Parameters of the base model.
    pub parameters: usize,
    /// Pre-training of the lab's base model, where the recipe uses one.
    pub pretraining: Option<Pretraining>,
    /// FLOPs that each arm may spend.
    pub budget_flops: Option<f64>,
    /// The arms.
    pub arms: Vec<ArmEstimate>,
    /// Samples that one evaluation of a checkpoint draws, at most that many tokens.
    pub evaluation: EvaluationEstimate,
    /// What each gate can show, before anything is sampled.
    pub gates: Vec<GateForesight>,
    /// Bytes that the run may take, if anybody says.
    pub memory_budget: Option<u64>,
    /// Largest expected resident memory in bytes.
    pub memory_bytes: u64,
}

/// Pre-training of the lab's base model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pretraining {
    /// Tokens.
    pub tokens: usize,
    /// FLOPs.
    pub flops: f64,
    /// Whether the cache already holds the result.
    pub cached: bool,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmEstimate {
    /// Name.
    pub name: String,
    /// Stages in order.
    pub stages: Vec<StageEstimate>,
}

/// One stage. Sampled tokens assume the longest completions, so they and the FLOPs are upper bounds; a stage that ends by
/// its share of the budget takes at least `steps` steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageEstimate {
    /// Folder, as in `02-grpo`.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Rows of its data; `None` when an earlier stage makes them.
    pub rows: Option<usize>,
    /// Optimiser steps; `None` for a stage that takes none, and when an earlier stage makes the rows.
    pub steps: Option<usize>,
    /// Tokens sampled at most.
    pub tokens_sampled: Option<f64>,
    /// Tokens trained on.
    pub tokens_trained: Option<f64>,
    /// FLOPs.
    pub flops: Option<f64>,
    /// Memory; `None` for a stage that does not train, and when an earlier stage makes the rows.
    pub memory: Option<MemoryEstimate>,
}

/// Memory of one stage at its peak.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryEstimate {
    /// Bytes by what they are for.
    pub needs: Needs,
    /// Bytes in all.
    pub total: u64,
    /// Whether activations are computed again in the backward.
    pub checkpointing: bool,
    /// Why the stage does not fit, and what would make it fit.
    pub problem: Option<String>,
}

/// One evaluation of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationEstimate {
    /// Completions.
    pub samples: usize,
    /// Tokens at most.
    pub tokens_sampled: f64,
    /// FLOPs at most.
    pub flops: f64,
    /// Checkpoints that are measured.
    pub checkpoints: usize,
}

/// Reads the recipe's rows and works out what the run will cost. Trains nothing.
///
/// # Errors
/// Whatever would stop the run before its first step.
pub fn estimate(recipe: &Recipe) -> Result<Estimate, RunError> {
    let sources = Sources::new(&recipe.lab);
    let given = models::given(&recipe.model)?;
    let (config, tokenizer, pretraining) = if let Some(loaded) = given {
        (loaded.model.config().clone(), loaded.tokenizer, None)
    } else {
        let world = sources.world();
        let tokenizer = models::lab_tokenizer(world)?;
        let config = models::lab_config(&recipe.lab, &tokenizer);
        let tokens = recipe.lab.pretrain.tokens;
        let flops = config.train_flops(tokens, 0);
        let cached = models::lab_base_dir(world).join(models::COST_FILE).exists();
        (config, tokenizer, Some(Pretraining { tokens, flops, cached }))
    };
    let mut prepared = prepare(recipe, &sources, tokenizer.has_chat_template())?;
    prepared.encode(recipe, &tokenizer, &config)?;
    let resources = Resources::new(recipe, crate::machine::available_memory());
    let plan = Planner { recipe, config: &config, tokenizer: &tokenizer, prepared: &prepared, resources };
    let arms = recipe
        .arms
        .iter()
        .map(|(name, arm)| {
            let stages =
                arm.stages.iter().enumerate().map(|(n, stage)| plan.stage(n, stage)).collect::<Result<_, _>>()?;
            Ok(ArmEstimate { name: name.clone(), stages })
        })
        .collect::<Result<Vec<_>, RunError>>()?;
    // A recipe may have no stage that is reckoned; its suites still need the model.
    let model = (8 * config.num_params()) as u64;
    let stages = arms.iter().flat_map(|arm: &ArmEstimate| &arm.stages);
    let memory_bytes = stages.filter_map(|stage| Some(stage.memory.as_ref()?.total)).fold(model, u64::max);
    Ok(Estimate {
        parameters: config.num_params(),
        pretraining,
        budget_flops: recipe.budget.as_ref().map(|budget| budget.flops),
        arms,
        evaluation: plan.evaluation()?,
        gates: crate::gates::foresee_gates(recipe, &prepared),
        memory_budget: resources.budget,
        memory_bytes,
    })
}

struct Planner<'a> {
    recipe: &'a Recipe,
    config: &'a ModelConfig,
    tokenizer: &'a Tokenizer,
    prepared: &'a Prepared,
    resources: Resources,
}

impl Planner<'_> {
    /// Mean tokens of a prompt, and of a row with its completion.
    fn lengths(&self, rows: &[Row]) -> Result<(f64, f64), RunError> {
        let (mut prompt, mut whole) = (0, 0);
        for row in rows {
            let ids = self.tokenizer.encode_prompt(&row.prompt)?.ids.len();
            prompt += ids;
            whole += ids
                + match &row.completion {
                    Some(text) => self.tokenizer.encode(&text.text(), false)?.len() + 1,
                    None => 0,
                };
        }
        let n = rows.len().max(1) as f64;
        Ok((prompt as f64 / n, whole as f64 / n))
    }

    fn stage(&self, number: usize, stage: &Stage) -> Result<StageEstimate, RunError> {
        let mut estimate = StageEstimate {
            name: stage.folder(number),
            kind: stage.kind().to_owned(),
            rows: None,
            steps: None,
            tokens_sampled: None,
            tokens_trained: None,
            flops: None,
            memory: None,
        };
        let extent = stage.extent();
        let share = extent.share.zip(self.recipe.budget.as_ref()).map(|(share, budget)| share * budget.flops);
        let StageData::Source(name) = stage.data() else {
            // How many rows an earlier stage keeps is not known; what the stage may spend is.
            estimate.flops = share;
            return Ok(estimate);
        };
        // Examples of a stage that learns rows as they are; rows of one that samples from their prompts.
        let (count, prompt, whole) = match stage {
            Stage::Sft(spec) => match self.prepared.encoded(name, spec) {
                Some(Encoded { tokens, .. }) => {
                    let count = tokens.len().max(1) as f64;
                    let prompts: usize = (0..tokens.len()).map(|i| tokens.prompt_len(i)).sum();
                    (tokens.len(), prompts as f64 / count, tokens.total() as f64 / count)
                }
                None => return Ok(estimate),
            },
            _ => {
                let rows = self.prepared.rows(name);
                let (prompt, whole) = self.lengths(rows)?;
                (rows.len(), prompt, whole)
            }
        };
        estimate.memory = self.memory(name, stage)?;
        let flops = |tokens: f64, length: f64, train: bool| {
            let (tokens, attended) = (tokens as usize, (tokens * length / 2.0) as u64);
            // The frozen weights of a stage with an adapter have no gradients.
            let passes = if !train {
                1.0
            } else if stage.lora().is_some() {
                2.0
            } else {
                3.0
            };
            passes * self.config.forward_flops(tokens, attended)
        };
        // Tokens and FLOPs of one step, and how many steps the data give.
        let (sampled, trained, cost, passes) = match stage {
            Stage::Sft(sft) => {
                let rows_per_step = match sft.batch_tokens {
                    Some(tokens) => (tokens as f64 / whole).max(1.0),
                    None => sft.batch_size.unwrap_or(16) as f64,
                } * sft.gradient_accumulation_steps as f64;
                let trained = rows_per_step * whole;
                let epochs = stage.extent().epochs.map(|epochs| epochs * count as f64 / rows_per_step);
                (0.0, trained, flops(trained, whole, true), epochs)
            }
            Stage::Grpo(grpo) => {
                let completions = (grpo.prompts_per_step * grpo.completions_per_prompt) as f64;
                let length = prompt + grpo.max_completion_length as f64;
                let sampled = completions * grpo.max_completion_length as f64;
                // A group's prompt is computed once.
                let tokens = grpo.prompts_per_step as f64 * prompt + sampled;
                let trained = tokens * grpo.num_iterations as f64;
                let reference = if grpo.beta > 0.0 { flops(tokens, length, false) } else { 0.0 };
                let cost = flops(tokens, length, false) + flops(trained, length, true) + reference;
                (sampled, trained, cost, stage.extent().epochs.map(|e| e * count as f64 / grpo.prompts_per_step as f64))
            }
            Stage::Reject(reject) => {
                let prompts = reject.prompts.unwrap_or(count).min(count) as f64;
                let completions = prompts * reject.samples_per_prompt as f64;
                let length = prompt + reject.max_completion_length as f64;
                let sampled = completions * reject.max_completion_length as f64;
                (sampled, 0.0, flops(prompts * prompt + sampled, length, false), Some(1.0))
            }
        };
        let by_budget = share.map(|flops| flops / cost);
        let steps =
            [extent.max_steps.map(|n| n as f64), by_budget, passes].into_iter().flatten().fold(f64::INFINITY, f64::min);
        // Rejection sampling is one pass, or the part of one that its share allows.
        let steps = if stage.trains() { steps.max(1.0).ceil() } else { steps };
        let steps = if steps.is_finite() { steps } else { 1.0 };
        estimate.rows = Some(count);
        estimate.steps = stage.trains().then_some(steps as usize);
        estimate.tokens_sampled = Some(steps * sampled);
        estimate.tokens_trained = Some(steps * trained);
        estimate.flops = Some(steps * cost);
        Ok(estimate)
    }

    fn evaluation(&self) -> Result<EvaluationEstimate, RunError> {
        let mut estimate = EvaluationEstimate { samples: 0, tokens_sampled: 0.0, flops: 0.0, checkpoints: 1 };
        for suite in self.prepared.suites.values() {
            let samples = suite.rows.len() * suite.suite.repeats;
            let (prompt, _) = self.lengths(&suite.rows)?;
            let length = prompt + suite.suite.sampling.max_tokens as f64;
            estimate.samples += samples;
            estimate.tokens_sampled += (samples * suite.suite.sampling.max_tokens) as f64;
            let tokens = samples as f64 * length;
            estimate.flops += self.config.forward_flops(tokens as usize, (tokens * length / 2.0) as u64);
        }
        let plan = self.recipe.plan();
        estimate.checkpoints +=
            plan.arms.iter().flat_map(|arm| &arm.stages).filter(|stage| !stage.suites.is_empty()).count();
        Ok(estimate)
    }

    /// What the stage takes, by the same reckoning that it makes before its first step.
    fn memory(&self, name: &str, stage: &Stage) -> Result<Option<MemoryEstimate>, RunError> {
        let precision = temper_train::precision(self.recipe.dtype);
        let demand = self.prepared.demand(name, stage, precision, self.config, self.tokenizer)?;
        let Some(demand) = demand else { return Ok(None) };
        Ok(Some(match demand.fit(self.config, &self.resources, stage.label()) {
            Ok(fit) => MemoryEstimate {
                needs: fit.needs,
                total: fit.needs.total(),
                checkpointing: fit.checkpointing,
                problem: None,
            },
            Err(TrainError::Memory { needs, remedy, .. }) => MemoryEstimate {
                needs: *needs,
                total: needs.total(),
                checkpointing: self.recipe.checkpointing != Checkpointing::Off,
                problem: Some(remedy),
            },
            Err(other) => return Err(other.into()),
        }))
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "Plan: {} parameters", self.parameters)?;
        if let Some(pretraining) = &self.pretraining {
            let cached = if pretraining.cached { ", already in the cache" } else { "" };
            writeln!(
                f,
                "  pre-training: {} tokens, {} FLOPs{cached}",
                si(pretraining.tokens as f64),
                si(pretraining.flops)
            )?;
        }
        if let Some(budget) = self.budget_flops {
            writeln!(f, "  budget per arm: {} FLOPs", si(budget))?;
        }
        let count = |value: Option<f64>| value.map_or("?".into(), si);
        writeln!(
            f,
            "  {:<34} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9}",
            "stage", "rows", "steps", "sampled", "trained", "FLOPs", "memory"
        )?;
        for arm in &self.arms {
            for stage in &arm.stages {
                writeln!(
                    f,
                    "  {:<34} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9}",
                    format!("{}/{}", arm.name, stage.name),
                    stage.rows.map_or("?".into(), |n| n.to_string()),
                    stage.steps.map_or("–".into(), |n| n.to_string()),
                    count(stage.tokens_sampled),
                    count(stage.tokens_trained),
                    count(stage.flops),
                    match &stage.memory {
                        Some(memory) => Bytes(memory.total).to_string(),
                        None if stage.kind == "reject" => "–".into(),
                        None => "?".into(),
                    }
                )?;
            }
        }
        writeln!(
            f,
            "  evaluation: {} checkpoints, each {} samples, up to {} tokens and {} FLOPs",
            self.evaluation.checkpoints,
            self.evaluation.samples,
            si(self.evaluation.tokens_sampled),
            si(self.evaluation.flops)
        )?;
        for (i, gate) in self.gates.iter().enumerate() {
            writeln!(f, "  {} {gate}", if i == 0 { "gates:" } else { "      " })?;
        }
        let of = self.memory_budget.map_or(String::new(), |budget| format!(" of {}", Bytes(budget)));
        writeln!(f, "  memory: up to about {}{of}", Bytes(self.memory_bytes))?;
        for arm in &self.arms {
            for stage in &arm.stages {
                let Some(memory) = &stage.memory else { continue };
                let name = format!("{}/{}", arm.name, stage.name);
                let how = if memory.checkpointing { " (activations computed again in the backward)" } else { "" };
                writeln!(f, "    {name} takes {}{how}", memory.needs)?;
                if let Some(problem) = &memory.problem {
                    writeln!(f, "    {name} does not fit. {problem}")?;
                }
            }
        }
        writeln!(
            f,
            "  Sampled tokens assume the longest completions: they and the FLOPs of sampling stages are upper bounds,"
        )?;
        writeln!(f, "  and a stage that ends by its share of the budget takes at least the steps shown.")
    }
}

/// A count with an SI prefix and three significant digits.
fn si(value: f64) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{:.3} {unit}", value / size),
        None => format!("{value:.0} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        assert_eq!((si(1234.0), si(2.5e14), si(7.0)), ("1.234 k".into(), "250.000 T".into(), "7 ".into()));
    }
}
