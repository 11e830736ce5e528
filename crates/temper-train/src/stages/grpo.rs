//! Group-relative policy optimisation.

use std::sync::Arc;

use temper_data::Row;
use temper_engine::{Key, Model, SamplingParams};
use temper_recipe::{Grpo, LossType, ScaleRewards};
use temper_score::Scorer;

use super::Epochs;
use super::grpo_log::{self, StepLog};
use crate::algorithms::advantage::{Scale, advantages, weighted_reward};
use crate::algorithms::grpo::{Completion, Objective, Reduction, StepTotals, grpo};
use crate::rewards::{self, Column};
use crate::rollout::{PreparedPrompt, Prompts, RolloutBatch, Sampler};
use crate::step::{self, Policy, Sequence};
use crate::trainer::{Plan, Trainer, Update, fingerprint};
use crate::{Demand, StageContext, StageOutcome, TrainError};

/// Group-relative policy optimisation on the prompts of `rows`; `scorers` are those of `spec.rewards`, in order.
///
/// A round samples `completions_per_prompt` completions of `prompts_per_step` prompts with the current weights, scores
/// them, and makes `num_iterations` optimizer steps on them. The reference of the KL term is the model the stage began
/// with; of a stage that trains an adapter it is that
/// model itself, with the adapter off. A completion whose advantage is 0 is not run through the model when there is no KL term: its gradient is 0; it
/// counts in every normaliser.
///
/// # Errors
/// See [`TrainError`]; among them prompts that are all too long, rewards that all fail in the first step, a first step
/// that is not on-policy to the bit, and a loss or gradient that is not finite.
pub fn run_grpo(
    ctx: &mut StageContext,
    spec: &Grpo,
    rows: &[Row],
    scorers: &[Arc<dyn Scorer>],
) -> Result<StageOutcome, TrainError> {
    if scorers.len() != spec.rewards.len() || scorers.is_empty() {
        return Err(TrainError::setting(
            format!("{} rewards, but {} scorers", spec.rewards.len(), scorers.len()),
            "Name at least one scorer under `rewards`",
        ));
    }
    let prompts =
        Prompts::prepare(ctx.model.config(), ctx.tokenizer, rows, spec.max_prompt_length, spec.max_completion_length)?;
    let mut notes = prompts.notes();
    if spec.top_p < 1.0 || spec.top_k > 0 {
        notes.push("sampling is truncated (top_p, top_k): the ratios of the loss are biased".into());
    }
    let plan = Plan {
        label: spec.name.clone().unwrap_or_else(|| "grpo".into()),
        optim: spec.optim(),
        extent: spec.extent(),
        epoch_len: prompts.items.len(),
        save_steps: spec.save_steps,
        logging_steps: spec.logging_steps,
        demand: Demand::grpo(spec, ctx.model.precision(), prompts.longest()),
        fingerprint: fingerprint("grpo", &(spec, scorers.iter().map(|s| s.digest()).collect::<Vec<_>>()), ctx, rows),
    };
    let stage = Stage {
        spec,
        rows,
        scorers,
        objective: Objective {
            epsilon_low: spec.epsilon,
            epsilon_high: spec.epsilon_high.unwrap_or(spec.epsilon),
            beta: spec.beta,
            bias_correction: false,
        },
        reference: (spec.beta != 0.0 && spec.lora.is_none()).then(|| ctx.model.clone()),
        sampler: Sampler {
            rows,
            params: SamplingParams {
                temperature: spec.temperature as f32,
                top_p: spec.top_p as f32,
                top_k: spec.top_k,
                max_new_tokens: spec.max_completion_length,
                stop_ids: ctx.tokenizer.stop_ids(),
            },
            samples: spec.completions_per_prompt,
            key: Key::new(ctx.seed).fold_str("rollout"),
        },
    };
    let mut epochs = Epochs::new(prompts.items.len(), ctx.seed);
    let mut trainer = Trainer::begin(ctx, plan)?;
    if trainer.at.step == 0 {
        notes.iter().for_each(|note| trainer.ctx.progress.warn(note));
    }
    while trainer.goes_on() {
        let cursor = trainer.at.cursor;
        let chosen: Vec<&PreparedPrompt> =
            (0..spec.prompts_per_step as u64).map(|i| &prompts.items[epochs.at(cursor + i)]).collect();
        let round = stage.sample(&mut trainer, &chosen)?;
        trainer.at.cursor += chosen.len() as u64;
        for iteration in 0..spec.num_iterations.max(1) {
            let (update, log) = stage.train(&mut trainer, &round, iteration == 0)?;
            let tokens = trainer.counted(grpo_log::TOKENS);
            let record = trainer.log(&update, |record| {
                record.count(grpo_log::TOKENS, tokens);
                grpo_log::fill(record, spec, &stage.ranges(), &round, &log);
            })?;
            if iteration == 0 && trainer.logs() {
                grpo_log::write_completions(&mut trainer, spec, rows, &round)?;
            }
            let reward = record.get("reward").map_or("none".into(), |r| format!("{r:.3}"));
            let length = record.get("completions/mean_length").unwrap_or(0.0);
            trainer.note(&format!("reward {reward}, {length:.0} tokens"));
        }
        trainer.end_step()?;
    }
    notes.extend(grpo_log::notes(&trainer, spec));
    trainer.end(notes)
}

/// What stays the same over the rounds.
struct Stage<'a> {
    spec: &'a Grpo,
    rows: &'a [Row],
    scorers: &'a [Arc<dyn Scorer>],
    objective: Objective,
    reference: Option<Model>,
    sampler: Sampler<'a>,
}

/// The completions of one round, scored.
pub(super) struct Round {
    /// The completions, group after group.
    pub batch: RolloutBatch,
    /// Scores, one column per reward.
    pub columns: Vec<Column>,
    /// Weighted sum of each completion's rewards.
    pub rewards: Vec<Option<f64>>,
    /// Advantage of each completion.
    pub advantages: Vec<f64>,
    /// Counts for the normaliser.
    totals: StepTotals,
    /// Completions that take part in the loss.
    trained: Vec<usize>,
    /// For each of `trained`: which tokens are targets.
    selected: Vec<Vec<bool>>,
    /// For each of `trained`: log-probabilities when sampled.
    old: Vec<Vec<f64>>,
    /// For each of `trained`: log-probabilities under the reference.
    reference: Vec<Vec<f64>>,
}

impl Round {
    /// Completions that take part in the loss.
    pub fn trained(&self) -> usize {
        self.trained.len()
    }

    fn sequences(&self) -> Vec<Sequence<'_>> {
        self.trained
            .iter()
            .zip(&self.selected)
            .map(|(i, selected)| {
                let rollout = &self.batch.rollouts[*i];
                Sequence { ids: &rollout.ids, selected, prompt: rollout.prompt_len }
            })
            .collect()
    }
}

impl Stage<'_> {
    fn temperature(&self) -> f32 {
        self.sampler.params.temperature
    }

    /// The smallest and largest value of each reward, where the scorer names them.
    fn ranges(&self) -> Vec<Option<(f64, f64)>> {
        self.scorers.iter().map(|s| s.range()).collect()
    }

    /// Samples, scores and prepares one round.
    fn sample(&self, trainer: &mut Trainer, chosen: &[&PreparedPrompt]) -> Result<Round, TrainError> {
        let (spec, cursor, done) = (self.spec, trainer.at.cursor, trainer.progress());
        let ctx = &mut *trainer.ctx;
        let progress = &mut *ctx.progress;
        let batch = self.sampler.sample(ctx.model, ctx.tokenizer, chosen, cursor, &mut |tokens| {
            progress.advance(done, &format!("sampling, {tokens} tokens"));
        })?;
        trainer.at.cost.tokens_sampled += batch.tokens;
        trainer.at.cost.flops += batch.flops;
        trainer.count(grpo_log::TOKENS, batch.rollouts.iter().map(|r| r.ids.len() as u64).sum());

        let columns = rewards::score(&batch.rollouts, self.rows, self.scorers);
        self.count_failures(trainer, &columns)?;
        let weight: Vec<f64> = spec.rewards.iter().map(|r| r.weight).collect();
        let rewards: Vec<Option<f64>> = rewards::by_completion(&columns, batch.rollouts.len())
            .iter()
            .map(|values| weighted_reward(values, &weight))
            .collect();
        let scale = match spec.scale_rewards {
            ScaleRewards::Group => Scale::Group,
            ScaleRewards::Batch => Scale::Batch,
            ScaleRewards::None => Scale::None,
        };
        let advantages = advantages(&rewards, spec.completions_per_prompt, scale);

        let counts = |i: usize| !(spec.mask_truncated_completions && batch.rollouts[i].truncated());
        let all = 0..batch.rollouts.len();
        let totals = StepTotals {
            completions: batch.rollouts.len(),
            tokens: all.clone().filter(|i| counts(*i)).map(|i| batch.rollouts[i].tokens()).sum(),
            max_completion_length: spec.max_completion_length,
        };
        let trained: Vec<usize> = all.filter(|i| counts(*i) && (spec.beta != 0.0 || advantages[*i] != 0.0)).collect();
        let rollouts = trained.iter().map(|i| &batch.rollouts[*i]);
        let selected = rollouts.clone().map(|r| (0..r.ids.len()).map(|t| t >= r.prompt_len).collect()).collect();
        let old = rollouts.map(|r| r.logprobs.iter().map(|l| f64::from(*l)).collect()).collect();
        let mut round =
            Round { batch, columns, rewards, advantages, totals, trained, selected, old, reference: Vec::new() };
        if spec.beta != 0.0 {
            // With an adapter the reference is the policy with the adapter off, else a copy of the initial model.
            let (model, policy) = match &self.reference {
                Some(reference) => (reference, Policy::Current),
                None => (&*trainer.ctx.model, Policy::Base),
            };
            let limit = trainer.micro_tokens;
            let (scores, flops) = step::score(model, policy, &round.sequences(), self.temperature(), limit);
            round.reference = scores;
            trainer.at.cost.flops += flops;
        }
        Ok(round)
    }

    /// Counts rewards that could not be had; an error where the first round has none at all.
    fn count_failures(&self, trainer: &mut Trainer, columns: &[Column]) -> Result<(), TrainError> {
        for (column, reward) in columns.iter().zip(&self.spec.rewards) {
            let name = &reward.scorer;
            if let (Some(reason), 0) =
                (&column.reason, trainer.counted(&grpo_log::unscored(name)) + trainer.counted(&grpo_log::errors(name)))
            {
                trainer.ctx.progress.warn(&format!("reward {name} is missing for some completions: {reason}"));
            }
            trainer.count(&grpo_log::unscored(name), column.unscored as u64);
            trainer.count(&grpo_log::errors(name), column.errors as u64);
        }
        let reason = columns.iter().find_map(|c| c.reason.as_ref());
        match (trainer.at.step, reason) {
            (0, Some(reason)) if columns.iter().all(|c| c.values.iter().all(Option::is_none)) => {
                Err(TrainError::setting(
                    format!("no completion of the first step could be scored: {reason}"),
                    "Correct the scorer or the fields it needs",
                ))
            }
            _ => Ok(()),
        }
    }

    /// One optimizer step on a round. On the first one after sampling the policy is the one that sampled.
    fn train(&self, trainer: &mut Trainer, round: &Round, on_policy: bool) -> Result<(Update, StepLog), TrainError> {
        let reduction = match self.spec.loss_type {
            LossType::Grpo => Reduction::Grpo,
            LossType::DrGrpo => Reduction::DrGrpo,
            LossType::Dapo => Reduction::Dapo,
        };
        let first = trainer.at.step == 0;
        let mut log = StepLog::new(round.totals.tokens, self.objective.beta != 0.0);
        let place = |i: usize| self.rows[round.batch.rollouts[round.trained[i]].row].place();
        let sequences = round.sequences();
        let update = trainer.update(&sequences, self.temperature(), &place, &mut |i, logprobs| {
            let completion = Completion {
                logprobs,
                old_logprobs: &round.old[i],
                ref_logprobs: round.reference.get(i).map(Vec::as_slice),
                mask: &vec![true; logprobs.len()],
                advantage: round.advantages[round.trained[i]],
            };
            let out = grpo(&completion, &self.objective, reduction.weight(&round.totals, logprobs.len()));
            log.add(logprobs, &round.old[i], &out);
            out.token_loss
        })?;
        if on_policy && log.difference_max > 0.0 {
            trainer.count(grpo_log::MISMATCHES, 1);
        }
        if first && on_policy {
            if log.difference_max > 0.0 {
                let what = "sampled and trained tokens";
                return Err(TrainError::Mismatch { step: 1, what, max: log.difference_max });
            }
            if log.kl_sum != 0.0 {
                let what = "policy and reference";
                return Err(TrainError::Mismatch { step: 1, what, max: log.kl_sum });
            }
        }
        Ok((update, log))
    }
}
