//! Executes a recipe: the base model, then every arm stage by stage, each checkpoint measured and gated.
//!
//! After every stage `summary.json` says how far the run has come; a resumed run skips what is written there and goes on
//! with the first stage that is not, from that stage's own saved state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::json;
use temper_data::Row;
use temper_engine::{Model, Precision};
use temper_eval::{Action, GateVerdict, OnBlock, PairedComparison};
use temper_recipe::{DataSource, EvaluateWhen, Gate, GateSlice, Init, Recipe, Reject, Stage, StageData};
use temper_score::Scorer;
use temper_text::Tokenizer;
use temper_train::{Cost, Progress, Resources, StageContext, StageOutcome, StageStatus};

use crate::directory::RunDir;
use crate::error::RunError;
use crate::evaluate::{self, Evaluated, Until};
use crate::gates::{Checkpoints, Logs, early_stop, judge_gates};
use crate::ledger::Ledger;
use crate::models::{self, Loaded, Resolve};
use crate::prepare::{Encoded, Prepared, prepare};
use crate::sources::Sources;
use crate::summary::{ArmStatus, ArmSummary, BASE, RunSummary, StageSummary, SuiteInfo};

/// Folder of the adapter in a checkpoint.
const ADAPTER: &str = "adapter";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every arm ran to its end or was stopped by a gate.
    Finished,
    /// The user stopped it; everything done so far is saved.
    Interrupted,
}

/// What a run needs before its first step, read and checked; nothing is written meanwhile.
pub struct Inputs {
    sources: Sources,
    prepared: Prepared,
    /// The model, where the recipe names a directory or one of the Hub. The lab's base model may have to be made first.
    given: Option<Loaded>,
}

impl Inputs {
    /// Reads the model directory and every row, tokenises and checks the rows, and builds every scorer.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, row and field.
    pub fn read(recipe: &Recipe) -> Result<Self, RunError> {
        let sources = Sources::new(&recipe.lab);
        let given = models::given(&recipe.model)?;
        let chat = given.as_ref().is_none_or(|loaded| loaded.tokenizer.has_chat_template());
        let mut prepared = prepare(recipe, &sources, chat)?;
        if let Some(revision) = given.as_ref().and_then(|loaded| loaded.revision.as_ref()) {
            prepared.notes.push(format!("{}: commit {revision}", recipe.model.path));
        }
        match &given {
            Some(loaded) => prepared.encode(recipe, &loaded.tokenizer, loaded.model.config())?,
            None => {
                let tokenizer = models::lab_tokenizer(sources.world())?;
                prepared.encode(recipe, &tokenizer, &models::lab_config(&recipe.lab, &tokenizer))?;
            }
        }
        Ok(Self { sources, prepared, given })
    }
}

/// Runs `recipe` in `dir`, or goes on with what an earlier call left there.
///
/// # Errors
/// A failed stage, a full disk, a model that changed since the run began. What was saved stays usable.
pub fn execute(
    recipe: &Recipe,
    inputs: Inputs,
    dir: &RunDir,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<(Ending, RunSummary), RunError> {
    let Inputs { sources, mut prepared, given } = inputs;
    let ledger = Ledger::open(&dir.join("ledger.sqlite"))?;
    let mut summary = match RunSummary::read(&dir.path) {
        Ok(summary) => summary,
        Err(_) => new_summary(recipe, dir),
    };
    ledger.append(
        "run",
        &json!({"name": recipe.name, "recipe": summary.recipe_digest, "seed": recipe.seed, "version": summary.temper_version}),
    )?;
    let loaded = match given {
        Some(loaded) => loaded,
        None => match models::lab_base(&sources, &recipe.lab, progress, stop)? {
            Resolve::Ready(loaded) => *loaded,
            Resolve::Interrupted => return Ok((Ending::Interrupted, summary)),
        },
    };
    if let (Some(template), Ok(started)) =
        (loaded.tokenizer.chat_template(), dir.identity.started.parse::<jiff::Timestamp>())
    {
        template.pin_clock(started.as_second());
    }
    // What a template prints of the date is what it printed when the run began.
    if loaded.tokenizer.chat_template().is_some_and(|template| template.reads_clock()) {
        prepared.encode(recipe, &loaded.tokenizer, loaded.model.config())?;
    }
    prepared.write_cards(&dir.path)?;
    if summary.data.is_empty() {
        summary.data = prepared.summaries();
        for card in prepared.cards() {
            ledger.append(
                "data",
                &json!({"name": card.name, "files": card.files, "rows": card.rows, "encodings": card.encodings}),
            )?;
        }
    }
    let digest = loaded.model.digest();
    if !summary.base.digest.is_empty() && summary.base.digest != digest {
        return Err(changed(&loaded.dir));
    }
    let base = Base::new(loaded, digest, temper_train::precision(recipe.dtype));
    let resources = Resources::new(recipe, crate::machine::available_memory());
    let mut run = Run { recipe, dir, ledger, prepared, base, resources, summary: &mut summary };
    for note in run.prepared.notes.clone() {
        if !run.summary.notes.contains(&note) {
            progress.warn(&note);
            run.summary.notes.push(note);
        }
    }
    run.check_memory()?;
    let ending = run.all(progress, stop)?;
    Ok((ending, summary))
}

fn new_summary(recipe: &Recipe, dir: &RunDir) -> RunSummary {
    let title = |name: &String, suite: &temper_recipe::Suite| suite.title.clone().unwrap_or_else(|| name.clone());
    RunSummary {
        name: recipe.name.clone(),
        description: recipe.description.clone(),
        seed: recipe.seed,
        budget_flops: recipe.budget.as_ref().map(|budget| budget.flops),
        recipe_digest: recipe.digest(),
        started: dir.identity.started.clone(),
        finished: None,
        temper_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: crate::machine::describe(),
        base: stage_summary(BASE, BASE, String::new()),
        arms: recipe
            .arms
            .iter()
            .map(|(name, arm)| ArmSummary {
                name: name.clone(),
                description: arm.description.clone(),
                status: ArmStatus::Running,
                stages: Vec::new(),
                cost: Cost::default(),
            })
            .collect(),
        data: Vec::new(),
        axes: recipe.axes.clone(),
        suites: recipe
            .suites
            .iter()
            .map(|(name, suite)| SuiteInfo { name: name.clone(), title: title(name, suite) })
            .collect(),
        cost: Cost::default(),
        notes: Vec::new(),
    }
}

fn stage_summary(name: &str, kind: &str, digest: String) -> StageSummary {
    StageSummary {
        name: name.to_owned(),
        kind: kind.to_owned(),
        checkpoint: None,
        digest,
        parent: None,
        cost: Cost::default(),
        evaluation_cost: Cost::default(),
        metrics: None,
        dataset: None,
        measurements: Vec::new(),
        gates: Vec::new(),
        changes: Vec::new(),
        since_base: Vec::new(),
        samples: Vec::new(),
        logs: BTreeMap::new(),
        notes: Vec::new(),
    }
}

struct Run<'a> {
    recipe: &'a Recipe,
    dir: &'a RunDir,
    ledger: Ledger,
    prepared: Prepared,
    base: Base,
    resources: Resources,
    summary: &'a mut RunSummary,
}

/// The base model. Its weights are in memory until somebody takes them, and are read again when they are needed once more.
struct Base {
    model: Option<Model>,
    precision: Precision,
    digest: String,
    tokenizer: Tokenizer,
    dir: PathBuf,
    pretraining: Cost,
    cached: bool,
}

impl Base {
    fn new(loaded: Loaded, digest: String, precision: Precision) -> Self {
        let Loaded { mut model, tokenizer, dir, pretraining, cached, revision: _ } = loaded;
        model.set_precision(precision);
        Base { model: Some(model), precision, digest, tokenizer, dir, pretraining, cached }
    }

    fn take(&mut self) -> Result<Model, RunError> {
        if let Some(model) = self.model.take() {
            return Ok(model);
        }
        let mut model = Model::load(&self.dir)?;
        if model.digest() != self.digest {
            return Err(changed(&self.dir));
        }
        model.set_precision(self.precision);
        Ok(model)
    }
}

fn changed(dir: &Path) -> RunError {
    RunError::Other(format!(
        "{}: the base model's weights have changed since this run began. Start a new run",
        dir.display()
    ))
}

/// What a stage left behind, whatever its kind.
struct Trained {
    cost: Cost,
    notes: Vec<String>,
    /// Rows of a `reject` stage, and their file.
    kept: Option<(Vec<Row>, PathBuf)>,
}

impl Trained {
    fn from(outcome: StageOutcome) -> (StageStatus, Self) {
        (outcome.status, Self { cost: outcome.cost, notes: outcome.notes, kept: None })
    }
}

/// The checkpoint that the next stage starts from.
#[derive(Clone)]
struct Current {
    /// Stage name, or `base`.
    stage: String,
    /// Label of its evaluation; that of the nearest measured ancestor.
    measured: String,
    digest: String,
}

impl Run<'_> {
    /// Refuses a stage that will not fit into the memory, before anything is trained. Stages whose rows are not there yet
    /// are looked at when they begin.
    fn check_memory(&self) -> Result<(), RunError> {
        let Some(config) = self.base.model.as_ref().map(Model::config) else { return Ok(()) };
        for (name, arm) in &self.recipe.arms {
            let done = self.summary.arm(name).map_or(0, |arm| arm.stages.len());
            for (number, stage) in arm.stages.iter().enumerate().skip(done) {
                let StageData::Source(source) = stage.data() else { continue };
                let demand = self.prepared.demand(source, stage, self.base.precision, config, &self.base.tokenizer)?;
                if let Some(demand) = demand {
                    demand.fit(config, &self.resources, &format!("{name}/{}", stage.folder(number)))?;
                }
            }
        }
        Ok(())
    }

    fn all(&mut self, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Ending, RunError> {
        if self.summary.base.measurements.is_empty() {
            let model = self.base.take()?;
            let Some(done) = self.evaluate(BASE, &model, &|_| None, progress, stop)? else {
                return Ok(Ending::Interrupted);
            };
            self.base.model = Some(model);
            let mut base = stage_summary(BASE, BASE, self.base.digest.clone());
            self.record_evaluation(&mut base, done);
            self.summary.cost = self.base.pretraining + base.evaluation_cost;
            if self.base.cached {
                self.summary.notes.push(
                    "The base model was already in the cache; the cost of its pre-training is that of the run that made it.".into(),
                );
            }
            self.ledger.append("base", &base)?;
            self.summary.base = base;
            self.save()?;
        }
        for index in 0..self.summary.arms.len() {
            if self.arm(index, progress, stop)? == Ending::Interrupted {
                return Ok(Ending::Interrupted);
            }
        }
        self.summary.finished = Some(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        self.ledger.append("finished", &json!({"arms": self.summary.arms.len()}))?;
        self.save()?;
        Ok(Ending::Finished)
    }

    fn arm(&mut self, index: usize, progress: &mut dyn Progress, stop: &AtomicBool) -> Result<Ending, RunError> {
        let name = self.summary.arms[index].name.clone();
        let Some(arm) = self.recipe.arms.get(&name).cloned() else { return Ok(Ending::Finished) };
        let mut current = Current { stage: BASE.into(), measured: BASE.into(), digest: self.base.digest.clone() };
        // Weights stay in memory from one stage to the next; after a resume they are read when first needed.
        let mut weights: Option<Model> = None;
        let mut kept: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (number, stage) in arm.stages.iter().enumerate() {
            if self.summary.arms[index].status != ArmStatus::Running {
                break;
            }
            let folder = stage.folder(number);
            let relative = format!("arms/{name}/{folder}");
            let place = self.dir.join(&relative);
            if let Some(done) = self.summary.arms[index].stages.get(number) {
                if let (Stage::Reject(reject), Some(dataset)) = (stage, &done.dataset) {
                    let path = self.dir.join(dataset).display().to_string();
                    let rows = temper_data::read(&DataSource { path, ..DataSource::default() }, true)?;
                    kept.insert(stage.label().to_owned(), self.mixed(reject, rows));
                }
                if done.checkpoint.is_some() {
                    current = self.current(&name, done);
                    weights = None;
                }
                continue;
            }
            let parent = if stage.init() == Init::Base {
                Current { stage: BASE.into(), measured: BASE.into(), digest: self.base.digest.clone() }
            } else {
                current.clone()
            };
            let mut model = match weights.take() {
                Some(model) if parent.stage == current.stage => model,
                _ => self.weights(&name, &parent.stage)?,
            };
            fs::create_dir_all(&place).map_err(|e| RunError::io(&place, e))?;
            progress.warn(&format!("{name}: {} ({})", folder, stage.kind()));
            crate::machine::reset_peak_memory();
            let outcome = self.train(stage, number, &mut model, &place, &kept, progress, stop)?;
            let Some(outcome) = outcome else { return Ok(Ending::Interrupted) };
            let mut done = stage_summary(&folder, stage.kind(), String::new());
            done.parent = Some(parent.stage.clone());
            done.cost = outcome.cost;
            done.notes = outcome.notes;
            if let (Stage::Reject(reject), Some((rows, file))) = (stage, outcome.kept) {
                done.dataset = file.strip_prefix(&self.dir.path).ok().map(|path| path.display().to_string());
                kept.insert(stage.label().to_owned(), self.mixed(reject, rows));
            }
            if place.join("metrics.jsonl").exists() {
                done.metrics = Some(format!("{relative}/metrics.jsonl"));
            }
            if stage.trains() {
                let adapter = self.merge(&mut model, &place, &name, &parent.stage)?;
                done.digest = model.digest();
                done.checkpoint = Some(format!("{relative}/checkpoint"));
                self.save_checkpoint(&model, adapter.as_deref(), &place.join("checkpoint"), &name, &done)?;
                let last = arm.stages.iter().rposition(Stage::trains) == Some(number);
                if last || self.recipe.evaluate == EvaluateWhen::EachStage {
                    let label = format!("{name}-{folder}");
                    let (before, base) = (self.logs(&parent.measured)?, self.logs(BASE)?);
                    let gates = self.applying(&name, stage);
                    let tests = gates.iter().map(|gate| self.tests(gate)).sum();
                    let until = |suite| {
                        let on_block =
                            early_stop(suite, &gates, tests, |gate| self.judged_by(gate), Some(&before), Some(&base))?;
                        Some(Box::new(on_block) as Box<OnBlock>)
                    };
                    let Some(evaluated) = self.evaluate(&label, &model, &until, progress, stop)? else {
                        return Ok(Ending::Interrupted);
                    };
                    let now = self.logs(&label)?;
                    self.record_evaluation(&mut done, evaluated);
                    let logs = Checkpoints { now: &now, parent: Some(&before), base: Some(&base) };
                    done.gates = self.gates(&name, stage, logs);
                    done.changes = self.changes(&before, &now);
                    done.since_base = self.changes(&base, &now);
                }
                current = self.current(&name, &done);
            } else {
                done.digest = parent.digest.clone();
            }
            self.ledger.append("stage", &json!({"arm": name, "stage": done}))?;
            self.finish_stage(index, &arm.stages, number, done, progress)?;
            let _ = fs::remove_dir_all(place.join("state"));
            weights = Some(model);
        }
        if self.summary.arms[index].status == ArmStatus::Running {
            self.summary.arms[index].status = ArmStatus::Completed;
            self.save()?;
        }
        Ok(Ending::Finished)
    }

    /// Adds a finished stage to its arm and does what its gates say.
    fn finish_stage(
        &mut self,
        index: usize,
        stages: &[Stage],
        number: usize,
        done: StageSummary,
        progress: &mut dyn Progress,
    ) -> Result<(), RunError> {
        let arm = &mut self.summary.arms[index];
        // The verdicts themselves are in the summary; what is said here is for who watches the run.
        for verdict in &done.gates {
            let heading = format!("{}: {}: gate {}: {}", arm.name, done.name, verdict.gate, verdict.reason);
            let (stage, gate) = (done.name.clone(), verdict.gate.clone());
            match verdict.action {
                Action::Continue => {}
                Action::Warn => progress.warn(&heading),
                Action::Stop => {
                    progress.warn(&format!("{heading}; the arm stops"));
                    arm.status = ArmStatus::Stopped { stage, gate };
                    break;
                }
                Action::Rollback => {
                    let to = done.parent.clone().unwrap_or_else(|| BASE.into());
                    progress.warn(&format!("{heading}; the arm goes back to {to}"));
                    arm.status = ArmStatus::RolledBack { stage, gate, to };
                    break;
                }
            }
        }
        arm.cost += done.cost;
        arm.stages.push(done);
        if arm.status == ArmStatus::Running && number + 1 == stages.len() {
            arm.status = ArmStatus::Completed;
        }
        self.save()
    }

    #[allow(clippy::too_many_arguments)]
    fn train(
        &self,
        stage: &Stage,
        number: usize,
        model: &mut Model,
        place: &Path,
        kept: &BTreeMap<String, Vec<Row>>,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<Option<Trained>, RunError> {
        let rows: &[Row] = match stage.data() {
            StageData::Source(name) => self.prepared.rows(name),
            StageData::Stage(name) => kept.get(name).map(Vec::as_slice).unwrap_or_default(),
        };
        let encoded = match (stage.data(), stage) {
            (StageData::Source(name), Stage::Sft(spec)) => self.prepared.encoded(name, spec),
            _ => None,
        };
        let scorers: Vec<Arc<dyn Scorer>> =
            stage.scorers().into_iter().filter_map(|name| self.prepared.scorers.get(name).cloned()).collect();
        let mut context = StageContext {
            model,
            tokenizer: &self.base.tokenizer,
            // The same for every arm at the same place, so that arms see the same draws.
            seed: self.recipe.seed.wrapping_mul(1000).wrapping_add(number as u64),
            dir: place,
            resources: self.resources,
            budget_flops: self.recipe.budget.as_ref().map(|budget| budget.flops),
            progress,
            stop,
            resume: true,
        };
        let (status, trained) = match stage {
            Stage::Sft(spec) => Trained::from(match encoded {
                Some(Encoded { tokens, notes }) => temper_train::run_sft_on(&mut context, spec, tokens, notes.clone())?,
                None => temper_train::run_sft(&mut context, spec, rows)?,
            }),
            Stage::Grpo(spec) => Trained::from(temper_train::run_grpo(&mut context, spec, rows, &scorers)?),
            Stage::Reject(spec) => {
                let outcome = temper_train::run_reject(&mut context, spec, rows, &scorers)?;
                let kept = Some((outcome.rows, outcome.dataset));
                (outcome.status, Trained { cost: outcome.cost, notes: outcome.notes, kept })
            }
        };
        Ok((status == StageStatus::Finished).then_some(trained))
    }

    /// Kept rows with those that the recipe mixes in.
    fn mixed(&self, reject: &Reject, mut rows: Vec<Row>) -> Vec<Row> {
        for name in &reject.mix {
            rows.extend(self.prepared.rows(name).iter().cloned());
        }
        rows
    }

    fn evaluate<'a>(
        &'a self,
        label: &str,
        model: &Model,
        until: &Until<'a>,
        progress: &mut dyn Progress,
        stop: &AtomicBool,
    ) -> Result<Option<Evaluated>, RunError> {
        let (seed, show) = (self.recipe.seed, self.recipe.show_samples);
        evaluate::evaluate(
            self.dir,
            &self.prepared,
            seed,
            show,
            label,
            model,
            &self.base.tokenizer,
            until,
            progress,
            stop,
        )
    }

    fn record_evaluation(&self, stage: &mut StageSummary, evaluated: Evaluated) {
        stage.measurements = evaluated.measurements;
        stage.samples = evaluated.samples;
        stage.logs = evaluated.logs;
        stage.evaluation_cost = evaluated.cost;
    }

    /// The gates that apply to a stage, judged together on its item logs and those of its parent and the base model.
    fn gates(&self, arm: &str, stage: &Stage, logs: Checkpoints) -> Vec<GateVerdict> {
        let gates = self.applying(arm, stage);
        judge_gates(&gates, self.recipe.gate_correction, |gate| self.judged_by(gate), &self.prepared.calibrations, logs)
    }

    fn applying(&self, arm: &str, stage: &Stage) -> Vec<&Gate> {
        self.recipe.gates.iter().filter(|gate| gate.applies_to(arm, stage)).collect()
    }

    /// The scorer behind a gate's metric.
    fn judged_by(&self, gate: &Gate) -> Option<Arc<dyn Scorer>> {
        let suite = self.prepared.suites.get(&gate.suite)?;
        suite.scorers.iter().find(|scorer| scorer.name() == gate.metric).cloned()
    }

    /// How many tests a gate makes: one, or one for every value of its slice.
    fn tests(&self, gate: &Gate) -> usize {
        let (Some(GateSlice::Every(name)), Some(suite)) = (&gate.slice, self.prepared.suites.get(&gate.suite)) else {
            return 1;
        };
        let field = suite.suite.slices.get(name);
        let values: BTreeSet<String> =
            suite.rows.iter().filter_map(|row| Some(row.fields.get(field?)?.to_string())).collect();
        values.len().max(1)
    }

    /// The item records of every suite on a checkpoint.
    fn logs(&self, label: &str) -> Result<Logs, RunError> {
        let read = |name: &String| Ok((name.clone(), evaluate::read_log(self.dir, name, label)?));
        self.prepared.suites.keys().map(read).collect()
    }

    /// Paired changes of every metric from one checkpoint to another.
    fn changes(&self, before: &Logs, now: &Logs) -> Vec<PairedComparison> {
        let mut changes: Vec<PairedComparison> = now
            .iter()
            .filter_map(|(suite, records)| Some(temper_eval::compare(before.get(suite)?, records)))
            .flatten()
            .collect();
        let ranks = |one: &PairedComparison| {
            let suite = self.prepared.suites.get(&one.suite);
            let scorer = suite.and_then(|suite| suite.scorers.iter().find(|scorer| scorer.name() == one.metric));
            scorer.is_some_and(|scorer| scorer.better() != temper_score::Better::Neither)
        };
        temper_eval::adjust(&mut changes, ranks);
        changes
    }

    fn current(&self, arm: &str, done: &StageSummary) -> Current {
        let measured = if done.measurements.is_empty() {
            done.parent.as_deref().filter(|p| *p != BASE).map_or(BASE.into(), |p| format!("{arm}-{p}"))
        } else {
            format!("{arm}-{}", done.name)
        };
        Current { stage: done.name.clone(), measured, digest: done.digest.clone() }
    }

    fn weights(&mut self, arm: &str, stage: &str) -> Result<Model, RunError> {
        if stage == BASE {
            return self.base.take();
        }
        let mut model = Model::load(&self.dir.join(format!("arms/{arm}/{stage}/checkpoint")))?;
        model.set_precision(self.base.precision);
        Ok(model)
    }

    /// Writes the adapter that a stage has trained into the stage's checkpoint, merges it into the weights, and gives the
    /// digest of its file; `None` for a stage that trained all parameters.
    fn merge(&self, model: &mut Model, place: &Path, arm: &str, parent: &str) -> Result<Option<String>, RunError> {
        if model.adapter().is_none() {
            return Ok(None);
        }
        let base = match parent {
            BASE => self.base.dir.clone(),
            stage => self.dir.join(format!("arms/{arm}/{stage}/checkpoint")),
        };
        let dir = place.join("checkpoint").join(ADAPTER);
        fs::create_dir_all(&dir).map_err(|e| RunError::io(&dir, e))?;
        let base = fs::canonicalize(&base).unwrap_or(base);
        model.save_adapter(&dir, &base.display().to_string())?;
        let file = dir.join("adapter_model.safetensors");
        let bytes = fs::read(&file).map_err(|e| RunError::io(&file, e))?;
        model.merge_adapter();
        model.set_checkpointing(false);
        Ok(Some(crate::directory::sha256(&bytes)))
    }

    fn save_checkpoint(
        &self,
        model: &Model,
        adapter: Option<&str>,
        place: &Path,
        arm: &str,
        done: &StageSummary,
    ) -> Result<(), RunError> {
        let start = Instant::now();
        model.save(place)?;
        self.base.tokenizer.save(place)?;
        let card = format!(
            "---\nlibrary_name: transformers\nbase_model: {base}\ntags: [temper, {kind}]\n---\n\n# {run}: {arm}, {stage}\n\n\
             Made by Temper {version} with the recipe `{run}` (digest `{recipe}`), seed {seed}, from `{parent}`.\n\
             What was measured on it, with intervals and item logs, stands in the run's `summary.json` and `report.html`.\n",
            base = self.recipe.model.path,
            kind = done.kind,
            run = self.recipe.name,
            stage = done.name,
            version = self.summary.temper_version,
            recipe = self.summary.recipe_digest,
            seed = self.recipe.seed,
            parent = done.parent.as_deref().unwrap_or(BASE),
        );
        crate::directory::write(&place.join("README.md"), card.as_bytes())?;
        self.ledger.append(
            "checkpoint",
            &json!({
                "arm": arm,
                "stage": done.name,
                "digest": done.digest,
                "adapter": adapter,
                "seconds": start.elapsed().as_secs_f64(),
            }),
        )?;
        Ok(())
    }

    fn save(&self) -> Result<(), RunError> {
        self.summary.write(&self.dir.path).map_err(|e| RunError::io(&self.dir.join(crate::summary::SUMMARY_FILE), e))
    }
}
