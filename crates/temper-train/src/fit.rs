//! Whether a stage fits into memory: what it will take, foreseen before its first step, and what would make it fit.

use std::fmt;

use temper_data::{Row, Tokens};
use temper_engine::{Footprint, Frozen, LoraConfig, ModelConfig, Moments, Precision, Projection, sampling_bytes};
use temper_recipe::{AdamState, BaseStorage, Bytes, Checkpointing, Dtype, Grpo, LoraSpec, Optim, Recipe, Sft, Stage};
use temper_text::Tokenizer;

use crate::TrainError;
use crate::rollout::Prompts;
use crate::stages::{encode_rows, lengths, sft_encoding};
use crate::step::micro_batch_tokens;

/// Memory of the process beside the model: program, tokenizer, rows.
const PROCESS: usize = 64 << 20;
/// Tokens of a micro-batch that the hints do not go below.
const FEWEST_TOKENS: usize = 128;

/// What a run's stages may take, and how they compute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Bytes that the process may take; `None` where nobody says and the machine does not either.
    pub budget: Option<u64>,
    /// Whether activations are computed again.
    pub checkpointing: Checkpointing,
    /// Tokens of a micro-batch; `None` for [`micro_batch_tokens`].
    pub micro_tokens: Option<usize>,
}

impl Resources {
    /// What the recipe says; without a budget in it, `machine`.
    pub fn new(recipe: &Recipe, machine: Option<u64>) -> Self {
        let said = recipe.memory_budget.as_deref().and_then(|text| text.parse::<Bytes>().ok());
        Resources {
            budget: said.map(|bytes| bytes.0).or(machine),
            checkpointing: recipe.checkpointing,
            micro_tokens: recipe.micro_batch_tokens,
        }
    }

    /// Tokens of a micro-batch of this model.
    pub fn micro_tokens(&self, config: &ModelConfig) -> usize {
        self.micro_tokens.unwrap_or_else(|| micro_batch_tokens(config))
    }
}

/// The engine's word for a recipe's number format.
pub fn precision(dtype: Dtype) -> Precision {
    match dtype {
        Dtype::F32 => Precision::F32,
        Dtype::Bf16 => Precision::Bf16,
    }
}

/// The engine's words for a recipe's adapter.
pub(crate) fn lora_config(spec: &LoraSpec) -> LoraConfig {
    LoraConfig {
        r: spec.r,
        alpha: spec.alpha,
        rslora: spec.rslora,
        targets: spec.targets.names().into_iter().filter_map(Projection::from_name).collect(),
    }
}

/// How the base of an adapter is held.
pub(crate) fn frozen(storage: BaseStorage) -> Option<Frozen> {
    match storage {
        BaseStorage::F32 => None,
        BaseStorage::Bf16 => Some(Frozen::Bf16),
        BaseStorage::Int8 => Some(Frozen::Int8),
        BaseStorage::Nf4 => Some(Frozen::Nf4),
    }
}

/// The engine's word for how the moments are held.
pub(crate) fn moments(state: AdamState) -> Moments {
    match state {
        AdamState::F32 => Moments::F32,
        AdamState::EightBit => Moments::EightBit,
    }
}

/// What of a stage its memory depends on.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Number format of products.
    pub precision: Precision,
    /// How the moments are held.
    pub adam_state: AdamState,
    /// The adapter that is trained.
    pub lora: Option<LoraSpec>,
    /// Tokens of all sequences of a step, shared prompts once.
    pub step_tokens: usize,
    /// Targets among them.
    pub step_rows: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
    /// A full copy of the initial model, for a KL term.
    pub reference: bool,
    /// Longest prompt, most new tokens and completions of a round, for a stage that samples.
    pub sampling: Option<(usize, usize, usize)>,
}

/// Sum of the `n` largest.
fn largest(values: impl Iterator<Item = usize>, n: usize) -> usize {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.iter().take(n).sum()
}

impl Demand {
    /// Of a stage on these rows; `None` for one that does not train.
    ///
    /// # Errors
    /// As the stage itself, if its rows cannot be used.
    pub fn of(
        stage: &Stage,
        precision: Precision,
        config: &ModelConfig,
        tokenizer: &Tokenizer,
        rows: &[Row],
    ) -> Result<Option<Self>, TrainError> {
        Ok(match stage {
            Stage::Sft(spec) => {
                let encoding = sft_encoding(spec, config, tokenizer, &[]);
                let (tokens, _) = encode_rows(rows, &encoding, &std::env::temp_dir())?;
                Some(Self::sft_on(spec, precision, &tokens))
            }
            Stage::Grpo(spec) => {
                let (prompt, new) = (spec.max_prompt_length, spec.max_completion_length);
                let prompts = Prompts::prepare(config, tokenizer, rows, prompt, new)?;
                Some(Self::grpo(spec, precision, prompts.longest()))
            }
            Stage::Reject(_) => None,
        })
    }

    /// Of supervised fine-tuning on examples.
    pub fn sft_on(spec: &Sft, precision: Precision, tokens: &Tokens) -> Self {
        Self::sft(spec, precision, &lengths(tokens))
    }

    /// Of supervised fine-tuning on examples of these lengths, each with its number of targets.
    pub fn sft(spec: &Sft, precision: Precision, lengths: &[(usize, usize)]) -> Self {
        let rows = match (spec.rows_per_batch(), spec.batch_tokens) {
            (Some(rows), _) => rows,
            // As many of the shortest as there are.
            (None, _) => lengths.len(),
        };
        let count = rows.saturating_mul(spec.gradient_accumulation_steps.max(1)).min(lengths.len());
        let all = lengths.iter().map(|l| l.0);
        let longest = all.clone().max().unwrap_or(0);
        let most = spec
            .batch_tokens
            .map_or(usize::MAX, |tokens| tokens.max(longest).saturating_mul(spec.gradient_accumulation_steps.max(1)));
        let targets = lengths.iter().map(|l| l.1);
        Demand {
            step_tokens: largest(all, count).min(most),
            step_rows: largest(targets, count).min(most),
            ..Self::new(&spec.optim(), precision, longest)
        }
    }

    /// Of GRPO with prompts of at most `prompt` tokens.
    pub fn grpo(spec: &Grpo, precision: Precision, prompt: usize) -> Self {
        let (new, group) = (spec.max_completion_length, spec.completions_per_prompt);
        let completions = spec.prompts_per_step * group;
        Demand {
            step_tokens: spec.prompts_per_step * prompt + completions * new,
            step_rows: completions * new,
            reference: spec.beta != 0.0 && spec.lora.is_none(),
            sampling: Some((prompt, new, completions)),
            ..Self::new(&spec.optim(), precision, prompt + new)
        }
    }

    /// Of language modelling in batches of `tokens`, pieces of at most `longest`.
    pub(crate) fn documents(optim: &Optim, precision: Precision, tokens: usize, longest: usize) -> Self {
        Demand { step_tokens: tokens, step_rows: tokens, ..Self::new(optim, precision, longest) }
    }

    fn new(optim: &Optim, precision: Precision, longest: usize) -> Self {
        Demand {
            precision,
            adam_state: optim.adam_state,
            lora: optim.lora.clone(),
            step_tokens: 0,
            step_rows: 0,
            longest,
            reference: false,
            sampling: None,
        }
    }

    /// Tokens and targets of the largest micro-batch of at most `limit` tokens, or of one longer sequence.
    pub(crate) fn batch(&self, limit: usize) -> (usize, usize) {
        let tokens = self.step_tokens.min(limit.max(self.longest));
        (tokens, self.step_rows.min(tokens))
    }

    /// Bytes that the stage takes at its peak.
    pub fn needs(&self, config: &ModelConfig, limit: usize, checkpointing: bool, threads: usize) -> Needs {
        let (tokens, rows) = self.batch(limit);
        let lora = self.lora.as_ref().map(lora_config);
        let policy = Footprint {
            config,
            precision: self.precision,
            frozen: self.lora.as_ref().and_then(|lora| frozen(lora.base)),
            lora: lora.as_ref(),
            trained: Some(moments(self.adam_state)),
            checkpointing,
            tokens,
            longest: self.longest,
            rows,
            threads,
        };
        let reference = Footprint { trained: None, frozen: None, lora: None, ..policy.clone() };
        let frozen = policy.frozen.is_some();
        let policy = policy.memory();
        let mut needs = Needs {
            weights: (policy.weights + policy.packed) as u64,
            gradients: policy.gradients as u64,
            optimizer: policy.optimizer as u64,
            activations: (policy.activations + policy.workspace) as u64,
            reference: if self.reference { reference.memory().total() as u64 } else { 0 },
            sampling: self.sampling.map_or(0, |(prompt, new, completions)| {
                sampling_bytes(config, self.precision, (prompt, new), completions, threads) as u64
            }),
            process: PROCESS as u64,
            merging: 0,
        };
        if frozen {
            // The weights packed for the forward, the merged model, and one matrix between the two; the embedding is the largest.
            let unpacked = config.num_params() + config.vocab_size * config.hidden_size;
            let merged = (policy.weights + policy.packed / 2) as u64 + needs.process + 4 * unpacked as u64;
            needs.merging = merged.saturating_sub(needs.total());
        }
        needs
    }

    /// Decides on checkpointing and whether the stage fits into the budget.
    ///
    /// # Errors
    /// [`TrainError::Memory`] with the numbers and the first setting that would make it fit.
    pub fn fit(&self, config: &ModelConfig, resources: &Resources, stage: &str) -> Result<Fit, TrainError> {
        let threads = threads();
        let limit = resources.micro_tokens(config);
        let needs = |demand: &Demand, limit, on| demand.needs(config, limit, on, threads);
        let plain = needs(self, limit, false);
        let budget = resources.budget;
        let fits = |needs: &Needs| budget.is_none_or(|budget| needs.total() <= budget);
        let checkpointing = match resources.checkpointing {
            Checkpointing::On => true,
            Checkpointing::Off => false,
            Checkpointing::Auto => !fits(&plain),
        };
        let chosen = needs(self, limit, checkpointing);
        if fits(&chosen) {
            let auto = checkpointing && resources.checkpointing == Checkpointing::Auto;
            return Ok(Fit { needs: chosen, without: auto.then(|| plain.total()), checkpointing });
        }
        Err(TrainError::Memory {
            stage: stage.to_owned(),
            needs: Box::new(chosen),
            budget: budget.unwrap_or(u64::MAX),
            remedy: self.remedy(limit, &|demand, limit| needs(demand, limit, true), &fits),
        })
    }

    /// The first setting, each taken on top of the ones before it, with which the stage fits.
    fn remedy(&self, limit: usize, needs: &dyn Fn(&Demand, usize) -> Needs, fits: &dyn Fn(&Needs) -> bool) -> String {
        let mut demand = self.clone();
        let mut limit = limit.min(self.batch(limit).0);
        let mut settings: Vec<String> = vec!["checkpointing: on".into()];
        let say = |settings: &[String], needs: &Needs| {
            format!("It would fit with {}: {}", join(settings), Bytes(needs.total()))
        };
        let found = needs(&demand, limit);
        if fits(&found) {
            return say(&settings, &found);
        }
        while limit / 2 >= FEWEST_TOKENS && limit > self.longest {
            limit = (limit / 2).max(self.longest);
            settings.truncate(1);
            settings.push(format!("micro_batch_tokens: {limit}"));
            let found = needs(&demand, limit);
            if fits(&found) {
                return say(&settings, &found);
            }
        }
        if demand.adam_state == AdamState::F32 {
            demand.adam_state = AdamState::EightBit;
            settings.push("adam_state: 8bit".into());
            let found = needs(&demand, limit);
            if fits(&found) {
                return say(&settings, &found);
            }
        }
        // An adapter's optimiser state is small in either format.
        settings.retain(|setting| !setting.starts_with("adam_state"));
        let bases = [(BaseStorage::F32, "f32"), (BaseStorage::Bf16, "bf16"), (BaseStorage::Nf4, "nf4")];
        for (base, name) in bases {
            demand.lora = Some(LoraSpec { base, ..demand.lora.clone().unwrap_or_default() });
            demand.reference = false;
            let what = if base == BaseStorage::F32 { "lora: {}".into() } else { format!("lora: {{base: {name}}}") };
            let found = needs(&demand, limit);
            if fits(&found) {
                settings.push(what);
                return say(&settings, &found);
            }
        }
        let least = needs(&demand, limit);
        format!(
            "No setting makes it fit: with {} and lora: {{base: nf4}} it still takes {}. Raise memory_budget, or take a smaller model or shorter rows (max_length, max_completion_length)",
            join(&settings),
            Bytes(least.total())
        )
    }
}

/// Threads that a stage runs on.
pub(crate) fn threads() -> usize {
    temper_engine::threads()
}

fn join(settings: &[String]) -> String {
    settings.iter().map(|setting| format!("`{setting}`")).collect::<Vec<_>>().join(", ")
}

/// Bytes by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Needs {
    /// Weights and their packed copies.
    pub weights: u64,
    /// Gradients.
    pub gradients: u64,
    /// The optimiser's moments.
    pub optimizer: u64,
    /// Activations and other buffers of the largest micro-batch.
    pub activations: u64,
    /// The reference policy, where it is a model of its own.
    pub reference: u64,
    /// Key-value caches of sampling.
    pub sampling: u64,
    /// Program, tokenizer and rows.
    pub process: u64,
    /// What reading the base in f32, and merging the adapter into it at the end, takes beyond the rest.
    pub merging: u64,
}

impl Needs {
    /// All together.
    pub fn total(&self) -> u64 {
        let Needs { weights, gradients, optimizer, activations, reference, sampling, process, merging } = *self;
        weights + gradients + optimizer + activations + reference + sampling + process + merging
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: weights {}", Bytes(self.total()), Bytes(self.weights))?;
        for (name, bytes) in [
            ("gradients", self.gradients),
            ("optimiser", self.optimizer),
            ("activations", self.activations),
            ("reference", self.reference),
            ("sampling", self.sampling),
            ("program and data", self.process),
            ("merging", self.merging),
        ] {
            if bytes > 0 {
                write!(f, ", {name} {}", Bytes(bytes))?;
            }
        }
        Ok(())
    }
}

/// A stage that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// What it takes.
    pub needs: Needs,
    /// Whether activations are computed again.
    pub checkpointing: bool,
    /// Where that was decided because of the memory: what the stage would take without it.
    pub without: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> ModelConfig {
        ModelConfig::small(2000, 256, 8, 4, 2, 768)
    }

    fn fit(demand: &Demand, budget: u64, checkpointing: Checkpointing) -> Result<Fit, TrainError> {
        let resources = Resources { budget: Some(budget), checkpointing, micro_tokens: None };
        demand.fit(&small(), &resources, "sft")
    }

    fn demand() -> Demand {
        let spec = Sft { batch_size: Some(16), ..Sft::default() };
        Demand::sft(&spec, Precision::F32, &vec![(512, 400); 64])
    }

    #[test]
    fn the_largest_batch_is_found() {
        let lengths: Vec<(usize, usize)> = (1..=10).map(|n| (10 * n, n)).collect();
        let rows = |rows, steps| Sft { batch_size: Some(rows), gradient_accumulation_steps: steps, ..Sft::default() };
        let of = |spec: &Sft| Demand::sft(spec, Precision::F32, &lengths);
        let two = of(&rows(2, 1));
        assert_eq!((two.step_tokens, two.step_rows, two.longest), (190, 19, 100));
        assert_eq!(of(&rows(2, 2)).step_tokens, 340);
        assert_eq!(of(&rows(99, 1)).step_tokens, 550);
        let tokens = of(&Sft { batch_tokens: Some(120), ..Sft::default() });
        assert_eq!((tokens.step_tokens, tokens.batch(50)), (120, (100, 55)));
        let grpo = Grpo { beta: 0.1, prompts_per_step: 2, completions_per_prompt: 3, ..Grpo::default() };
        let grpo = Demand::grpo(&Grpo { max_completion_length: 10, ..grpo }, Precision::F32, 40);
        assert_eq!((grpo.step_tokens, grpo.step_rows, grpo.longest, grpo.reference), (140, 60, 50, true));
    }

    #[test]
    fn checkpointing_is_chosen_where_it_is_needed() {
        let plain = fit(&demand(), 1 << 40, Checkpointing::Auto).unwrap();
        assert_eq!((plain.checkpointing, plain.without), (false, None));
        let total = plain.needs.total();
        let less = fit(&demand(), total - 1, Checkpointing::Auto).unwrap();
        assert_eq!((less.checkpointing, less.without), (true, Some(total)));
        assert!(less.needs.total() < total);
        assert!(fit(&demand(), 1 << 40, Checkpointing::On).unwrap().checkpointing);
        let refused = fit(&demand(), total - 1, Checkpointing::Off).unwrap_err().to_string();
        assert!(refused.contains("It would fit with `checkpointing: on`:"), "{refused}");
    }

    #[test]
    fn hints_name_the_first_setting_that_fits() {
        let (config, demand) = (small(), demand());
        let threads = threads();
        let least = demand.needs(&config, micro_batch_tokens(&config), true, threads).total();
        let hint = |budget| fit(&demand, budget, Checkpointing::Auto).unwrap_err().to_string();
        let text = hint(least - 1);
        assert!(text.contains("`checkpointing: on`, `micro_batch_tokens: "), "{text}");
        assert!(text.contains("optimiser") && text.contains("gradients"), "{text}");
        let narrow = demand.needs(&config, 512, true, threads).total();
        let text = hint(narrow - 1);
        assert!(text.contains("`adam_state: 8bit`"), "{text}");
        let text = hint(narrow - demand.needs(&config, 512, true, threads).optimizer);
        assert!(text.contains("lora"), "{text}");
        assert!(hint(1 << 20).contains("No setting makes it fit"), "{}", hint(1 << 20));
    }
}
