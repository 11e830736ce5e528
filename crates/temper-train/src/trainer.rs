//! What the training stages share: optimiser, pace, cost, metrics, saved state.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use sha2::{Digest, Sha256};
use temper_data::Row;
use temper_engine::{AdamW, AdamWConfig, EngineError, Grads, Packed, Precision, peak_memory_bytes};
use temper_recipe::{Bytes, Extent, Optim};

use crate::algorithms::TokenLoss;
use crate::fit;
use crate::metrics::{MetricsLog, Record};
use crate::schedule::learning_rate;
use crate::state::{self, Counters};
use crate::step::{self, Sequence, StepStats};
use crate::{Demand, StageContext, StageOutcome, StageStatus, Total, TrainError};

/// Rows named in an error about a whole batch.
const ROWS_NAMED: usize = 8;

/// What a stage asks of its [`Trainer`].
pub(crate) struct Plan {
    /// What progress is labelled with.
    pub label: String,
    /// Optimiser and learning rate.
    pub optim: Optim,
    /// How long.
    pub extent: Extent,
    /// Rows, prompts or documents in an epoch.
    pub epoch_len: usize,
    /// Steps between saved states; 0 for only at the end.
    pub save_steps: usize,
    /// Steps between logged steps.
    pub logging_steps: usize,
    /// What its memory depends on.
    pub demand: Demand,
    /// Digest of settings and data.
    pub fingerprint: String,
}

/// One optimizer step.
pub(crate) struct Update {
    /// What the sequences added up to.
    pub stats: StepStats,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
}

/// A training stage under way.
pub(crate) struct Trainer<'t, 'c> {
    /// What the stage was given.
    pub ctx: &'t mut StageContext<'c>,
    /// Where it stands.
    pub at: Counters,
    /// Tokens of a micro-batch.
    pub micro_tokens: usize,
    plan: Plan,
    share_flops: Option<f64>,
    adam: AdamW,
    grads: Grads,
    metrics: MetricsLog,
    saved_at: Option<usize>,
    saved: Option<PathBuf>,
    started: Instant,
    earlier_seconds: f64,
    step_started: Instant,
}

impl<'t, 'c> Trainer<'t, 'c> {
    /// Starts a stage, or goes on with a saved one.
    pub fn begin(ctx: &'t mut StageContext<'c>, plan: Plan) -> Result<Self, TrainError> {
        let share_flops = match (plan.extent.share, ctx.budget_flops) {
            (Some(share), Some(budget)) => Some(share * budget),
            (Some(_), None) => {
                return Err(TrainError::setting(
                    format!("{}: `share` is a share of the arm's budget, but there is no budget", plan.label),
                    "Set budget.flops in the recipe, or use max_steps",
                ));
            }
            (None, _) => None,
        };
        if share_flops.is_none() && plan.extent.max_steps.is_none() && plan.extent.epochs.is_none() {
            return Err(TrainError::setting(
                format!("{}: nothing says how long the stage runs", plan.label),
                "Set max_steps, share or num_train_epochs",
            ));
        }
        fs::create_dir_all(ctx.dir).map_err(TrainError::io(ctx.dir, "create"))?;
        let o = &plan.optim;
        let config = AdamWConfig {
            beta1: o.adam_beta1,
            beta2: o.adam_beta2,
            eps: o.adam_epsilon,
            weight_decay: o.weight_decay,
            moments: fit::moments(o.adam_state),
        };
        let micro_tokens = ctx.resources.micro_tokens(ctx.model.config());
        let fit = plan.demand.fit(ctx.model.config(), &ctx.resources, &plan.label)?;
        if let Some(without) = fit.without {
            ctx.progress.warn(&format!(
                "{}: activations are computed again in the backward (checkpointing), since the stage would take {} otherwise; with it, {}",
                plan.label,
                Bytes(without),
                Bytes(fit.needs.total())
            ));
        }
        let mut parts = vec![plan.fingerprint.clone(), ctx.model.digest()];
        if ctx.model.precision() != Precision::F32 || ctx.resources.micro_tokens.is_some() {
            parts.push(format!("{} {micro_tokens}", ctx.model.precision()));
        }
        let mut at = Counters { fingerprint: digest(&parts), ..Counters::default() };
        if let Some(lora) = &o.lora {
            ctx.model.add_adapter(fit::lora_config(lora), ctx.seed);
            if let Some(frozen) = fit::frozen(lora.base) {
                ctx.model.release_buffers();
                ctx.model.freeze(frozen);
            }
        }
        ctx.model.set_checkpointing(fit.checkpointing);
        let mut adam = AdamW::new(ctx.model, config);
        let mut saved = None;
        if !ctx.resume {
            state::check_empty(ctx.dir)?;
        } else if let Some(folder) = state::complete(ctx.dir) {
            let counters: Counters = state::counters(&folder)?;
            state::check_fingerprint(&folder, &counters.fingerprint, &at.fingerprint)?;
            state::read_weights(&folder, ctx.model, &mut adam)?;
            at = counters;
            saved = Some(folder);
        }
        let metrics = MetricsLog::open(ctx.dir, at.step)?;
        let total = match (share_flops, plan.extent.max_steps) {
            (Some(flops), _) => Total::Flops(flops),
            (None, Some(steps)) => Total::Steps(steps),
            (None, None) => Total::Items((plan.extent.epochs.unwrap_or(1.0) * plan.epoch_len as f64) as usize),
        };
        ctx.progress.begin(&plan.label, total);
        let grads = Grads::zeros(ctx.model);
        // The buffers of the largest batch are taken now, so that what does not fit shows before the first step.
        let (tokens, rows) = plan.demand.batch(micro_tokens);
        ctx.model.reserve(&Packed::new(&[vec![0; tokens]]), rows, true);
        Ok(Self {
            micro_tokens,
            grads,
            saved_at: saved.as_ref().map(|_| at.step),
            earlier_seconds: at.cost.wall_seconds,
            started: Instant::now(),
            step_started: Instant::now(),
            ctx,
            at,
            plan,
            share_flops,
            adam,
            metrics,
            saved,
        })
    }

    /// Share of the stage that is done, in [0, 1]: the largest of steps, FLOPs and epochs.
    pub fn progress(&self) -> f64 {
        let steps = self.plan.extent.max_steps.map(|max| self.at.step as f64 / max as f64);
        let flops = self.share_flops.map(|share| self.at.cost.flops / share);
        let epochs = self.plan.extent.epochs.map(|epochs| self.epoch() / epochs);
        [steps, flops, epochs].into_iter().flatten().fold(0.0, f64::max).min(1.0)
    }

    /// Passes over the data so far.
    pub fn epoch(&self) -> f64 {
        self.at.cursor as f64 / self.plan.epoch_len.max(1) as f64
    }

    /// Whether the stage is over. A FLOP share ends where one more step of the average size would overshoot it by more
    /// than half.
    fn done(&self) -> bool {
        let half_step = match self.at.step {
            0 => 0.0,
            steps => 0.5 * self.at.cost.flops / steps as f64,
        };
        self.progress() >= 1.0 || self.share_flops.is_some_and(|share| self.at.cost.flops + half_step > share)
    }

    /// Whether to make another step.
    pub fn goes_on(&mut self) -> bool {
        self.step_started = Instant::now();
        !self.done() && !self.ctx.stopped()
    }

    /// Adds `by` to a count that the notes are made of.
    pub fn count(&mut self, name: &str, by: u64) {
        if by > 0 {
            *self.at.counts.entry(name.to_owned()).or_default() += by;
        }
    }

    /// A count so far.
    pub fn counted(&self, name: &str) -> u64 {
        self.at.counts.get(name).copied().unwrap_or(0)
    }

    /// Gradient of `loss` over the sequences and one step of the optimiser.
    ///
    /// `place` names the row of a sequence for errors.
    pub fn update(
        &mut self,
        sequences: &[Sequence],
        temperature: f32,
        place: &dyn Fn(usize) -> String,
        loss: &mut dyn FnMut(usize, &[f64]) -> TokenLoss,
    ) -> Result<Update, TrainError> {
        let lr = learning_rate(&self.plan.optim, self.progress());
        self.grads.zero();
        let model = &*self.ctx.model;
        let stats = step::accumulate(model, sequences, temperature, self.micro_tokens, &mut self.grads, loss);
        self.at.cost.tokens_trained += stats.tokens as u64;
        self.at.cost.flops += stats.flops;
        let step = self.at.step + 1;
        if !stats.not_finite.is_empty() {
            return Err(self.not_finite("the loss", stats.not_finite.iter().map(|i| place(*i)).collect()));
        }
        let clip = (self.plan.optim.max_grad_norm > 0.0).then_some(self.plan.optim.max_grad_norm);
        let grad_norm = match self.adam.step(self.ctx.model, &self.grads, lr, clip) {
            Ok(norm) => norm,
            Err(EngineError::NotFinite { tensor }) => {
                let rows = (0..sequences.len().min(ROWS_NAMED)).map(place).collect();
                return Err(self.not_finite(&format!("the gradient of `{tensor}`"), rows));
            }
            Err(other) => return Err(other.into()),
        };
        self.at.step = step;
        Ok(Update { stats, grad_norm, learning_rate: lr })
    }

    fn not_finite(&self, what: &str, mut rows: Vec<String>) -> TrainError {
        rows.dedup();
        if rows.len() > ROWS_NAMED {
            let more = rows.len() - ROWS_NAMED;
            rows.truncate(ROWS_NAMED);
            rows.push(format!("and {more} more"));
        }
        TrainError::NotFinite { step: self.at.step + 1, what: what.into(), rows, checkpoint: self.saved.clone() }
    }

    /// Whether the metrics of the step that was just made are logged.
    pub fn logs(&self) -> bool {
        self.at.step == 1 || self.at.step.is_multiple_of(self.plan.logging_steps.max(1))
    }

    /// Logs a step: the metrics every stage has, then the stage's own.
    pub fn log(&mut self, update: &Update, fill: impl FnOnce(&mut Record)) -> Result<Record, TrainError> {
        let mut record = Record::default();
        record.count("step", self.at.step as u64);
        record.put("loss", update.stats.loss);
        record.put("grad_norm", update.grad_norm);
        record.put("learning_rate", update.learning_rate);
        record.put("epoch", self.epoch());
        record.put("entropy", update.stats.entropy());
        fill(&mut record);
        record.put("step_time", self.step_started.elapsed().as_secs_f64());
        record.put("flops", self.at.cost.flops);
        if self.logs() {
            self.metrics.write(&record)?;
        }
        Ok(record)
    }

    /// Shows progress.
    pub fn note(&mut self, note: &str) {
        let done = self.progress();
        self.ctx.progress.advance(done, note);
    }

    /// Saves the state where it is time to.
    pub fn end_step(&mut self) -> Result<(), TrainError> {
        let every = self.plan.save_steps;
        if every > 0 && self.at.step / every > self.saved_at.unwrap_or(0) / every {
            self.save()?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.tally();
        let (model, adam) = (&*self.ctx.model, &self.adam);
        let folder = state::save(self.ctx.dir, &self.at, |folder| state::write_weights(folder, model, adam))?;
        self.saved_at = Some(self.at.step);
        self.saved = Some(folder);
        Ok(())
    }

    fn tally(&mut self) {
        self.at.cost.wall_seconds = self.earlier_seconds + self.started.elapsed().as_secs_f64();
        self.at.cost.peak_memory_bytes = self.at.cost.peak_memory_bytes.max(peak_memory_bytes());
    }

    /// Ends the stage: finished, or stopped with its state saved.
    pub fn end(mut self, notes: Vec<String>) -> Result<StageOutcome, TrainError> {
        let status = if self.done() { StageStatus::Finished } else { StageStatus::Stopped };
        if self.saved_at != Some(self.at.step) {
            self.save()?;
        }
        self.tally();
        self.ctx.model.release_buffers();
        self.ctx.progress.end();
        Ok(StageOutcome {
            status,
            steps: self.at.step,
            cost: self.at.cost,
            notes,
            metrics: self.metrics.path().to_owned(),
        })
    }
}

/// SHA-256 of parts, in hexadecimal.
pub(crate) fn digest<S: AsRef<[u8]>>(parts: impl IntoIterator<Item = S>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.as_ref().len() as u64).to_le_bytes());
        hash.update(part.as_ref());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of a stage's kind, settings, seed, tokenizer and rows.
pub(crate) fn fingerprint(kind: &str, spec: &impl serde::Serialize, ctx: &StageContext, rows: &[Row]) -> String {
    let spec = serde_json::to_string(spec).unwrap_or_default();
    let mut parts = vec![kind.to_owned(), spec, ctx.seed.to_string(), ctx.tokenizer.digest()];
    for row in rows {
        parts.push(row.id.clone());
        parts.push(serde_json::to_string(&row.prompt).unwrap_or_default());
        parts.push(serde_json::to_string(&(&row.completion, &row.completion_ids)).unwrap_or_default());
    }
    digest(parts)
}
