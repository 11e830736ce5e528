//! Checks that no schema can express: names, references, budgets and combinations of settings.

use serde_json::Value;

use crate::check::{NO_MODEL, Problem, check};
use crate::load::invalid;
use crate::schema::schema;
use crate::suggest::unknown;
use crate::tree::{Node, Place};
use crate::{
    ALL_LINEAR, Arm, Bytes, Clean, DataSource, Gate, GateSlice, Grpo, HubKind, HubPath, LoraSpec, Mix, PROJECTIONS,
    Recipe, RecipeError, Reducer, Reject, Sft, Stage, StageData, Suite, Targets, firewall,
};

/// What a check finds: nothing or the first problem.
pub(crate) type Checked = Result<(), Problem>;

/// A problem at a path.
pub(crate) fn problem(path: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem { place: Place::Unknown, path: path.into(), message: message.into() }
}

fn fail(path: impl Into<String>, message: impl Into<String>) -> Checked {
    Err(problem(path, message))
}

impl Recipe {
    /// Checks ranges, names, references, budgets and the firewall. `known_scorers` are the built-in scorer types; with an
    /// empty list, scorers that are not entries of `scorers` are taken to be built in.
    pub fn validate(&self, known_scorers: &[&str]) -> Result<(), RecipeError> {
        let origin = format!("the recipe `{}`", self.name);
        let tree = Node::from_json(&self.to_json());
        check(schema(), schema(), &tree, "").map_err(|problem| invalid(&origin, problem))?;
        self.problem(known_scorers).map_or(Ok(()), |problem| Err(invalid(&origin, problem)))
    }

    /// The first problem that the schema does not see.
    pub(crate) fn problem(&self, known_scorers: &[&str]) -> Option<Problem> {
        let checks = Checks { recipe: self, known: known_scorers };
        checks.all().and_then(|()| firewall::check(self)).err()
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a recipe has text keys only, so it is always JSON")
    }
}

struct Checks<'a> {
    recipe: &'a Recipe,
    known: &'a [&'a str],
}

impl Checks<'_> {
    fn all(&self) -> Checked {
        let recipe = self.recipe;
        name("name", &recipe.name)?;
        if recipe.model.path.trim().is_empty() {
            return fail("model.path", NO_MODEL);
        }
        hub_path("model.path", &recipe.model.path, HubKind::Model)?;
        self.lab()?;
        if let Some(Err(error)) = recipe.memory_budget.as_deref().map(str::parse::<Bytes>) {
            return fail("memory_budget", error.to_string());
        }
        for (key, source) in &recipe.data {
            let path = format!("data.{key}");
            name(&path, key)?;
            match &source.mix {
                None => data_source(&path, source)?,
                Some(mix) => self.mix(&path, source, mix)?,
            }
            self.clean(&path, source)?;
        }
        self.scorers()?;
        self.suites()?;
        for (key, arm) in &recipe.arms {
            let path = format!("arms.{key}");
            name(&path, key)?;
            self.arm(&path, arm)?;
        }
        for (i, gate) in recipe.gates.iter().enumerate() {
            self.gate(&format!("gates[{i}]"), gate)?;
        }
        self.axes()
    }

    fn lab(&self) -> Checked {
        let lab = &self.recipe.lab;
        if !lab.hidden_size.is_multiple_of(2 * lab.num_heads) {
            return fail(
                "lab.hidden_size",
                format!("{} is not a multiple of twice `num_heads` ({})", lab.hidden_size, lab.num_heads),
            );
        }
        if !lab.num_heads.is_multiple_of(lab.num_kv_heads) {
            return fail(
                "lab.num_kv_heads",
                format!("`num_heads` ({}) is not a multiple of {}", lab.num_heads, lab.num_kv_heads),
            );
        }
        let mix = &lab.corpus;
        if mix.reasoning + mix.requests + mix.ordinary <= 0.0 {
            return fail("lab.corpus", "`reasoning`, `requests` and `ordinary` are all 0; give at least one a share");
        }
        Ok(())
    }

    fn scorers(&self) -> Checked {
        for (key, spec) in &self.recipe.scorers {
            let path = format!("scorers.{key}");
            name(&path, key)?;
            if !self.known.is_empty() {
                if !self.known.contains(&spec.r#type.as_str()) {
                    let message = unknown("scorer type", &spec.r#type, self.known.iter().copied());
                    return fail(format!("{path}.type"), message);
                }
                if self.known.contains(&key.as_str()) && *key != spec.r#type {
                    return fail(
                        path,
                        format!(
                            "`{key}` is a built-in scorer type, but this entry is of type `{}`; choose another name",
                            spec.r#type
                        ),
                    );
                }
            }
            for part in ["minuend", "subtrahend"].iter().filter(|_| spec.r#type == "difference") {
                let inner = format!("{path}.{part}");
                match spec.params.get(*part) {
                    Some(Value::String(scorer)) => self.scorer(&inner, scorer)?,
                    Some(_) => return fail(inner, "expected the name of a scorer"),
                    None => {
                        return fail(inner, "missing; a difference needs a `minuend` and a `subtrahend`, both scorers");
                    }
                }
            }
            if spec.r#type == "expression" {
                self.expression(&path, spec)?;
            }
            if firewall::contains_itself(self.recipe, key) {
                let what = if spec.r#type == "expression" { "an expression" } else { "a difference" };
                return fail(path, format!("`{key}` is made of itself; {what} must be of other scorers"));
            }
        }
        Ok(())
    }

    /// The parts of an expression. Its formula is read when the scorer is built.
    fn expression(&self, path: &str, spec: &crate::ScorerSpec) -> Checked {
        let inner = format!("{path}.of");
        let Some(Value::Object(of)) =
            spec.params.get("of").filter(|of| of.as_object().is_some_and(|of| !of.is_empty()))
        else {
            return fail(inner, "expected the scorers of the formula by name, as in `of: {a: accuracy, f: format}`");
        };
        for (part, scorer) in of {
            match scorer {
                Value::String(scorer) => self.scorer(&format!("{inner}.{part}"), scorer)?,
                _ => return fail(format!("{inner}.{part}"), "expected the name of a scorer"),
            }
        }
        match spec.params.get("formula") {
            Some(Value::String(_)) => Ok(()),
            Some(_) => fail(format!("{path}.formula"), "expected a text, as in `a + 0.2 * f`"),
            None => fail(format!("{path}.formula"), "missing; write it over the names in `of`, as in `a + 0.2 * f`"),
        }
    }

    fn suites(&self) -> Checked {
        for (key, suite) in &self.recipe.suites {
            let path = format!("suites.{key}");
            name(&path, key)?;
            let inner = format!("{path}.data");
            if suite.data.mix.is_some() {
                return fail(format!("{inner}.mix"), "a suite's items are not mixed; write one suite per source");
            }
            data_source(&inner, &suite.data)?;
            self.clean(&inner, &suite.data)?;
            reducers(&path, suite)?;
            for slice in suite.slices.keys() {
                name(&format!("{path}.slices"), slice)?;
            }
            for (i, scorer) in suite.scorers.iter().enumerate() {
                let inner = format!("{path}.scorers[{i}]");
                self.scorer(&inner, scorer)?;
                if suite.scorers[..i].contains(scorer) {
                    return fail(inner, format!("`{scorer}` is listed twice; take one out"));
                }
            }
        }
        Ok(())
    }

    fn mix(&self, path: &str, source: &DataSource, mix: &Mix) -> Checked {
        let path = format!("{path}.mix");
        let shaped =
            DataSource { mix: None, rows: None, skip: 0, clean: Clean::default(), part: None, ..source.clone() };
        if shaped != (DataSource { allow: source.allow.clone(), ..DataSource::default() }) {
            return fail(
                path,
                "a mixture takes its rows as its entries give them; keep only `mix`, `rows`, `clean` and `allow` here, and put the other keys into the entries",
            );
        }
        if mix.of.is_empty() {
            return fail(format!("{path}.of"), "there is nothing to mix; name at least one entry of `data`");
        }
        for name in mix.of.keys() {
            let inner = format!("{path}.of.{name}");
            match self.recipe.data.get(name) {
                None => return fail(inner, unknown("data source", name, self.recipe.data.keys().map(String::as_str))),
                Some(part) if part.mix.is_some() => {
                    return fail(inner, format!("`{name}` is a mixture itself; name the entries that it is made of"));
                }
                Some(_) => {}
            }
        }
        let weights = mix.of.values().filter(|part| part.weight.is_some()).count();
        if weights != 0 && weights != mix.of.len() {
            return fail(format!("{path}.of"), "some entries have a `weight` and some have none; give all of them one");
        }
        Ok(())
    }

    fn clean(&self, path: &str, source: &DataSource) -> Checked {
        let clean = &source.clean;
        if let (Some(least), Some(most)) = (clean.min_chars, clean.max_chars)
            && least > most
        {
            return fail(format!("{path}.clean.min_chars"), format!("{least} is more than `max_chars` ({most})"));
        }
        for (i, code) in clean.languages.iter().enumerate() {
            if code.len() != 2 || !code.chars().all(|c| c.is_ascii_lowercase()) {
                return fail(
                    format!("{path}.clean.languages[{i}]"),
                    format!("`{code}` is not a language code; write two letters, such as `en` or `zh`"),
                );
            }
        }
        Ok(())
    }

    fn scorer(&self, path: &str, scorer: &str) -> Checked {
        let named = self.recipe.scorers.contains_key(scorer);
        if named || self.known.is_empty() || self.known.contains(&scorer) {
            return Ok(());
        }
        let known = self.recipe.scorers.keys().map(String::as_str).chain(self.known.iter().copied());
        fail(path, unknown("scorer", scorer, known))
    }

    fn arm(&self, path: &str, arm: &Arm) -> Checked {
        let mut shares = 0.0;
        for (i, stage) in arm.stages.iter().enumerate() {
            let path = format!("{path}.stages[{i}].{}", stage.kind());
            if let Some(label) = stage.name() {
                let inner = format!("{path}.name");
                name(&inner, label)?;
                if arm.stages[..i].iter().any(|before| before.label() == label) {
                    return fail(
                        inner,
                        format!("an earlier stage of this arm is called `{label}` too; choose another name"),
                    );
                }
                if ["sft", "grpo", "reject"].contains(&label) && label != stage.kind() {
                    return fail(inner, format!("`{label}` is a kind of stage; choose another name"));
                }
            }
            if let Some(share) = stage.extent().share {
                if self.recipe.budget.is_none() {
                    return fail(
                        format!("{path}.share"),
                        "a share of what? The recipe has no budget; add `budget: {flops: 1e14}` or use `max_steps` instead",
                    );
                }
                shares += share;
            }
            self.stage_data(&path, arm, i, stage)?;
            match stage {
                Stage::Sft(sft) => self.lora(&path, sft.lora.as_ref()).and_then(|()| self.sft(&path, sft))?,
                Stage::Grpo(grpo) => self.lora(&path, grpo.lora.as_ref()).and_then(|()| self.grpo(&path, grpo))?,
                Stage::Reject(reject) => self.reject(&path, reject)?,
            }
        }
        if shares > 1.0 + 1e-9 {
            return fail(
                path,
                format!(
                    "the shares of its stages add up to {}, more than the whole budget; lower them to 1 in total",
                    round(shares)
                ),
            );
        }
        Ok(())
    }

    fn stage_data(&self, path: &str, arm: &Arm, index: usize, stage: &Stage) -> Checked {
        let path = format!("{path}.data");
        match stage.data() {
            StageData::Source(source) => self.source(&path, source),
            StageData::Stage(wanted) if !matches!(stage, Stage::Sft(_)) => fail(
                path,
                format!(
                    "`stage:{wanted}` gives finished completions, which only an sft stage can use; name an entry of `data`"
                ),
            ),
            StageData::Stage(wanted) => {
                let is_it = |stage: &Stage| matches!(stage, Stage::Reject(_)) && stage.label() == wanted;
                if arm.stages[..index].iter().any(is_it) {
                    return Ok(());
                }
                let earlier = arm.stages[..index].iter().filter(|stage| matches!(stage, Stage::Reject(_)));
                let known: Vec<&str> = earlier.map(Stage::label).collect();
                let message = if arm.stages[index..].iter().any(is_it) {
                    format!("the reject stage `{wanted}` comes later in this arm; put it before this stage")
                } else if known.is_empty() {
                    format!("`stage:{wanted}` must be an earlier reject stage of this arm, and there is none")
                } else {
                    unknown("earlier reject stage", wanted, known)
                };
                fail(path, message)
            }
        }
    }

    fn source(&self, path: &str, source: &str) -> Checked {
        if self.recipe.data.contains_key(source) {
            return Ok(());
        }
        if source.starts_with("lab:") || source.contains(['/', '\\']) {
            return fail(
                path,
                format!(
                    "`{source}` is a path; give it a name under `data`, as in `data: {{train: {{path: \"{source}\"}}}}`, and use the name here"
                ),
            );
        }
        fail(path, unknown("data source", source, self.recipe.data.keys().map(String::as_str)))
    }

    fn lora(&self, path: &str, lora: Option<&LoraSpec>) -> Checked {
        let Some(Targets::Named(names)) = lora.map(|lora| &lora.targets) else { return Ok(()) };
        let path = format!("{path}.lora.targets");
        if names.is_empty() {
            let known = PROJECTIONS.join(", ");
            return fail(path, format!("the list is empty; name at least one of {known}, or write `{ALL_LINEAR}`"));
        }
        for (i, target) in names.iter().enumerate() {
            if !PROJECTIONS.contains(&target.as_str()) {
                return fail(format!("{path}[{i}]"), unknown("projection", target, PROJECTIONS));
            }
            if names[..i].contains(target) {
                return fail(format!("{path}[{i}]"), format!("`{target}` is listed twice; take one out"));
            }
        }
        Ok(())
    }

    fn sft(&self, path: &str, sft: &Sft) -> Checked {
        if sft.batch_size.is_some() && sft.batch_tokens.is_some() {
            return fail(
                format!("{path}.batch_tokens"),
                "`batch_size` is given too; a batch is counted in rows or in tokens, so keep one",
            );
        }
        if sft.packing && sft.batch_tokens.is_none() {
            return fail(
                format!("{path}.packing"),
                "rows are packed into a number of tokens; give `batch_tokens` instead of `batch_size`",
            );
        }
        if sft.packing && sft.group_by_length {
            return fail(
                format!("{path}.group_by_length"),
                "`packing` is set too, and puts long and short rows together; keep one of the two",
            );
        }
        Ok(())
    }

    fn grpo(&self, path: &str, grpo: &Grpo) -> Checked {
        for (i, reward) in grpo.rewards.iter().enumerate() {
            let inner = format!("{path}.rewards[{i}]");
            self.scorer(&inner, &reward.scorer)?;
            if grpo.rewards[..i].iter().any(|before| before.scorer == reward.scorer) {
                return fail(
                    inner,
                    format!("`{}` is listed twice; keep one entry with the weight you want", reward.scorer),
                );
            }
        }
        if grpo.rewards.iter().all(|reward| reward.weight == 0.0) {
            return fail(
                format!("{path}.rewards"),
                "every weight is 0, so there is nothing to learn; give at least one a weight",
            );
        }
        if grpo.max_steps.is_none() && grpo.share.is_none() && grpo.num_train_epochs.is_none() {
            return fail(path, "nothing says when the stage ends; give `max_steps`, `share` or `num_train_epochs`");
        }
        for (key, cut) in [("top_p", grpo.top_p < 1.0), ("top_k", grpo.top_k > 0)] {
            if cut && !grpo.allow_truncated_sampling {
                return fail(
                    format!("{path}.{key}"),
                    "truncated sampling draws from other probabilities than those in the loss, which biases the gradient; \
                     use `top_p: 1` and `top_k: 0`, or set `allow_truncated_sampling: true` to do it all the same",
                );
            }
        }
        Ok(())
    }

    fn reject(&self, path: &str, reject: &Reject) -> Checked {
        for (i, keep) in reject.keep.iter().enumerate() {
            let inner = format!("{path}.keep[{i}]");
            self.scorer(&format!("{inner}.scorer"), &keep.scorer)?;
            match (keep.at_least, keep.at_most) {
                (None, None) => return fail(inner, "the rule has no bound; give `at_least` or `at_most`"),
                (Some(least), Some(most)) if least > most => {
                    return fail(
                        inner,
                        format!("`at_least` ({least}) is above `at_most` ({most}), so nothing can be kept"),
                    );
                }
                _ => {}
            }
        }
        for (i, source) in reject.mix.iter().enumerate() {
            self.source(&format!("{path}.mix[{i}]"), source)?;
        }
        if reject.per_prompt.is_some_and(|most| most > reject.samples_per_prompt) {
            return fail(
                format!("{path}.per_prompt"),
                format!("more are to be kept than sampled (`samples_per_prompt` is {})", reject.samples_per_prompt),
            );
        }
        Ok(())
    }

    fn gate(&self, path: &str, gate: &Gate) -> Checked {
        let recipe = self.recipe;
        let Some(suite) = recipe.suites.get(&gate.suite) else {
            return fail(
                format!("{path}.suite"),
                unknown("suite", &gate.suite, recipe.suites.keys().map(String::as_str)),
            );
        };
        if !suite.scorers.contains(&gate.metric) {
            let scorers = suite.scorers.iter().map(String::as_str);
            let message = format!("in the suite `{}`: {}", gate.suite, unknown("scorer", &gate.metric, scorers));
            return fail(format!("{path}.metric"), message);
        }
        let rules = [gate.at_least.is_some(), gate.at_most.is_some(), gate.not_worse_than.is_some()];
        match rules.iter().filter(|given| **given).count() {
            1 => {}
            0 => return fail(path, "the gate has no rule; give `at_least`, `at_most` or `not_worse_than`"),
            _ => {
                return fail(
                    path,
                    "a gate has one rule: `at_least`, `at_most` or `not_worse_than`; write one gate for each",
                );
            }
        }
        if gate.margin != 0.0 && gate.not_worse_than.is_none() {
            return fail(format!("{path}.margin"), "a margin belongs to `not_worse_than`; change the bound instead");
        }
        if matches!(&gate.slice, Some(GateSlice::Where(values)) if values.is_empty()) {
            return fail(
                format!("{path}.slice"),
                "names no value; write `{NAME: VALUE}`, or leave it out for all items",
            );
        }
        for slice in gate.slice.iter().flat_map(GateSlice::names) {
            if !suite.slices.contains_key(slice) {
                let message = match suite.slices.is_empty() {
                    true => format!(
                        "the suite `{}` has no slices; name the field with `slices: {{{slice}: FIELD}}` there",
                        gate.suite
                    ),
                    false => unknown("slice", slice, suite.slices.keys().map(String::as_str)),
                };
                return fail(format!("{path}.slice"), message);
            }
        }
        if let Reducer::Pass(k) | Reducer::All(k) | Reducer::Worst(k) = gate.reducer
            && k > suite.repeats
        {
            return fail(
                format!("{path}.reducer"),
                format!(
                    "`{}` needs {k} completions per item, but the suite `{}` takes {}; raise its `repeats`",
                    gate.reducer, gate.suite, suite.repeats
                ),
            );
        }
        if gate.corrected && gate.reducer != Reducer::Mean {
            return fail(
                format!("{path}.corrected"),
                "only a mean can be corrected; leave `reducer` or `corrected` out",
            );
        }
        if gate.corrected && gate.uncalibrated {
            return fail(
                format!("{path}.uncalibrated"),
                "a rate is corrected by a calibration; leave `corrected` or `uncalibrated` out",
            );
        }
        if gate.early_stop && (gate.corrected || suite.cluster.is_some()) {
            let what = if gate.corrected { "a corrected rate" } else { "a suite with clusters" };
            return fail(
                format!("{path}.early_stop"),
                format!("there is no confidence sequence for {what}; leave `early_stop` out"),
            );
        }
        for (i, arm) in gate.arms.iter().flatten().enumerate() {
            if !recipe.arms.contains_key(arm) {
                let message = unknown("arm", arm, recipe.arms.keys().map(String::as_str));
                return fail(format!("{path}.arms[{i}]"), message);
            }
        }
        let stages = || {
            let arms = recipe.arms.iter().filter(|(name, _)| gate.applies_to_arm(name));
            arms.flat_map(|(_, arm)| &arm.stages).filter(|stage| stage.trains())
        };
        for (i, wanted) in gate.stages.iter().flatten().enumerate() {
            if !stages().any(|stage| stage.label() == wanted || stage.kind() == wanted) {
                let mut known: Vec<&str> = Vec::new();
                for stage in stages() {
                    if !known.contains(&stage.label()) {
                        known.push(stage.label());
                    }
                }
                return fail(format!("{path}.stages[{i}]"), unknown("stage with a checkpoint", wanted, known));
            }
        }
        Ok(())
    }
}

/// Reducers that the suite's repeats can serve, each once.
fn reducers(path: &str, suite: &Suite) -> Checked {
    for (i, reducer) in suite.reducers.iter().enumerate() {
        let inner = format!("{path}.reducers[{i}]");
        if suite.reducers[..i].contains(reducer) {
            return fail(inner, format!("`{reducer}` is listed twice; take one out"));
        }
        if let Some(k) = reducer.draws()
            && k > suite.repeats
        {
            return fail(
                inner,
                format!(
                    "`{reducer}` needs {k} completions of an item, and `repeats` is {}; set `{path}.repeats` to {k} or more",
                    suite.repeats
                ),
            );
        }
    }
    Ok(())
}

impl Checks<'_> {
    /// Every metric of an axis is one that a suite measures, and stands on one axis only.
    fn axes(&self) -> Checked {
        let axes = &self.recipe.axes;
        for (axis, metrics) in [("reasoning", &axes.reasoning), ("safety", &axes.safety)] {
            for (i, metric) in metrics.iter().enumerate() {
                let path = format!("axes.{axis}[{i}]");
                let known: Vec<String> = self
                    .recipe
                    .suites
                    .iter()
                    .flat_map(|(name, suite)| suite.scorers.iter().map(move |scorer| format!("{name}/{scorer}")))
                    .collect();
                if !known.contains(metric) {
                    return fail(path, unknown("metric", metric, known.iter().map(String::as_str)));
                }
                if metrics[..i].contains(metric) || (axis == "safety" && axes.reasoning.contains(metric)) {
                    return fail(path, format!("`{metric}` is listed twice; take one out"));
                }
            }
        }
        if axes.reasoning.is_empty() != axes.safety.is_empty() {
            let missing = if axes.reasoning.is_empty() { "reasoning" } else { "safety" };
            return fail(format!("axes.{missing}"), "missing; the safety tax needs both `reasoning` and `safety`");
        }
        Ok(())
    }
}

/// Names become folders and parts of paths.
fn name(path: &str, name: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed) {
        return Ok(());
    }
    fail(path, format!("`{name}` is not a name; use letters, digits, `.`, `_` and `-`, a letter or digit first"))
}

fn data_source(path: &str, source: &DataSource) -> Checked {
    if source.path.trim().is_empty() {
        return fail(
            format!("{path}.path"),
            "the path is empty; give `lab:NAME`, a file, a folder, a glob or `hf://datasets/ORG/NAME`",
        );
    }
    for (i, family) in source.transform.iter().flat_map(|transform| transform.families.iter().enumerate()) {
        if source.transform.as_ref().is_some_and(|transform| transform.families[..i].contains(family)) {
            let name = family.name();
            return fail(format!("{path}.transform.families[{i}]"), format!("`{name}` is listed twice; take one out"));
        }
    }
    let keys = [("subset", &source.subset), ("split", &source.split)];
    if let Some((key, _)) = keys.iter().find(|(_, value)| value.is_some())
        && !HubPath::is(&source.path)
        && !source.path.starts_with("${")
    {
        return fail(
            format!("{path}.{key}"),
            format!("`{}` is not an `hf://` data set and has no {key}s; remove `{key}`", source.path),
        );
    }
    hub_path(&format!("{path}.path"), &source.path, HubKind::Dataset)
}

/// An `hf://` path is well-formed and of the right kind, unless it depends on an environment variable.
fn hub_path(path: &str, value: &str, kind: HubKind) -> Checked {
    if !HubPath::is(value) || value.contains("${") {
        return Ok(());
    }
    match HubPath::parse(value) {
        Err(error) => fail(path, error.to_string()),
        Ok(hub) if hub.kind != kind => fail(
            path,
            match kind {
                HubKind::Model => format!("`{value}` names a data set, not a model; write `hf://ORG/MODEL`"),
                HubKind::Dataset => format!("`{value}` names a model, not a data set; write `hf://datasets/ORG/NAME`"),
            },
        ),
        Ok(_) => Ok(()),
    }
}

/// A sum of shares without the last digits' noise.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
