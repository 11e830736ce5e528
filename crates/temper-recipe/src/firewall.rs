//! The firewall: what trained a model cannot be what passes it.
//!
//! Two rules. A gate may not judge an arm by a scorer that the arm is rewarded by or keeps rows by: the resolved type and
//! parameters count, not the name, and a difference counts as both of its parts. And a suite may not take its items
//! from rows that a stage trains on. (Near duplicates between different files are looked for when the rows are read.)

use serde_json::Value;

use crate::validate::{Checked, problem};
use crate::{DataSource, Gate, Part, Recipe, ScorerSpec, Stage, StageData};

pub(crate) fn check(recipe: &Recipe) -> Checked {
    for (i, gate) in recipe.gates.iter().enumerate() {
        judge(recipe, i, gate)?;
    }
    held_out(recipe)?;
    guises(recipe)
}

impl Recipe {
    /// What the scorer of this name is: the entry of `scorers`, or the built-in type without parameters.
    pub fn scorer(&self, name: &str) -> ScorerSpec {
        self.scorers.get(name).cloned().unwrap_or_else(|| ScorerSpec::plain(name))
    }
}

/// Parameters that only say how a score is shown. They make no other scorer of it.
const SHOWN: [&str; 2] = ["title", "better"];

/// A scorer and all that it is made of, as (name, resolved type and parameters).
fn closure(recipe: &Recipe, name: &str) -> Vec<(String, ScorerSpec)> {
    let mut found: Vec<(String, ScorerSpec)> = Vec::new();
    let mut open = vec![name.to_string()];
    while let Some(name) = open.pop() {
        if found.iter().any(|(seen, _)| *seen == name) {
            continue;
        }
        let mut spec = recipe.scorer(&name);
        spec.params.retain(|key, value| !SHOWN.contains(&key.as_str()) && !value.is_null());
        open.extend(spec.parts().into_iter().map(String::from));
        found.push((name, spec));
    }
    found
}

/// Whether a difference refers to itself, directly or through others.
pub(crate) fn contains_itself(recipe: &Recipe, name: &str) -> bool {
    recipe.scorer(name).parts().iter().any(|part| closure(recipe, part).iter().any(|(inner, _)| inner == name))
}

fn judge(recipe: &Recipe, index: usize, gate: &Gate) -> Checked {
    let judged = closure(recipe, &gate.metric);
    for (arm_name, arm) in recipe.arms.iter().filter(|(name, _)| gate.applies_to_arm(name)) {
        for (i, stage) in arm.stages.iter().enumerate() {
            let role = if matches!(stage, Stage::Reject(_)) { "selects rows by" } else { "is rewarded by" };
            for scorer in stage.scorers() {
                let trained = closure(recipe, scorer);
                let same = judged.iter().find(|(_, spec)| trained.iter().any(|(_, other)| other == spec));
                let Some((part, spec)) = same else { continue };
                let metric = &gate.metric;
                let mut what = format!("the metric `{metric}`");
                if part != metric {
                    what.push_str(&format!(", which contains `{part}`"));
                }
                if scorer != part {
                    what.push_str(&format!(" (the same scorer as `{scorer}`: {})", spell(spec)));
                }
                return Err(problem(
                    format!("gates[{index}].metric"),
                    format!(
                        "the gate `{}` judges arm `{arm_name}` by {what}, but the arm's stage `{}` {role} `{scorer}`. \
                         What trained a model cannot be what passes it: gate on another scorer{}, or leave the arm out with \
                         `arms: [...]`, or take `{scorer}` out of the stage",
                        gate.label(),
                        stage.folder(i),
                        others(recipe, gate, arm_name),
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// The suite's scorers that the arm does not train on.
fn others(recipe: &Recipe, gate: &Gate, arm: &str) -> String {
    let stages = recipe.arms.get(arm).into_iter().flat_map(|arm| &arm.stages);
    let trained: Vec<ScorerSpec> =
        stages.flat_map(Stage::scorers).flat_map(|name| closure(recipe, name)).map(|(_, spec)| spec).collect();
    let suite = recipe.suites.get(&gate.suite);
    let free: Vec<String> = suite
        .into_iter()
        .flat_map(|suite| &suite.scorers)
        .filter(|name| closure(recipe, name).iter().all(|(_, spec)| !trained.contains(spec)))
        .map(|name| format!("`{name}`"))
        .collect();
    if free.is_empty() { String::new() } else { format!(" of the suite ({})", free.join(", ")) }
}

fn spell(spec: &ScorerSpec) -> String {
    let params = spec.params.iter().map(|(key, value)| format!(" {key}={value}")).collect::<String>();
    format!("{}{params}", spec.r#type)
}

/// No suite may take items from rows that a stage trains on.
fn held_out(recipe: &Recipe) -> Checked {
    for (suite_name, suite) in &recipe.suites {
        for (arm_name, arm) in &recipe.arms {
            for (i, stage) in arm.stages.iter().enumerate() {
                for source_name in recipe.training_sources(stage) {
                    let Some(source) = recipe.data.get(source_name) else { continue };
                    if overlap(source, &suite.data) {
                        return Err(problem(
                            format!("suites.{suite_name}.data"),
                            format!(
                                "the items overlap with the rows of `data.{source_name}` ({}), which stage `{}` of arm `{arm_name}` \
                                 trains on. What trained a model cannot be what passes it: use another file or part, or keep the \
                                 rows apart with `skip` and `rows`, or with `filter`",
                                source.path,
                                stage.folder(i)
                            ),
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// No suite may use variants of a family that a stage trains on, unless it says that it does so on purpose.
fn guises(recipe: &Recipe) -> Checked {
    let suites = recipe.suites.iter().filter_map(|(name, suite)| Some((name, suite.data.transform.as_ref()?)));
    for (suite, held_out) in suites.filter(|(_, transform)| !transform.allow_trained) {
        for (arm_name, arm) in &recipe.arms {
            for (i, stage) in arm.stages.iter().enumerate() {
                for source in recipe.training_sources(stage) {
                    let Some(trained) = recipe.data.get(source).and_then(|source| source.transform.as_ref()) else {
                        continue;
                    };
                    let both = held_out.families.iter().find(|family| trained.families.contains(family));
                    let Some(family) = both.filter(|_| held_out.side.overlaps(trained.side)) else { continue };
                    return Err(problem(
                        format!("suites.{suite}.data.transform.side"),
                        format!(
                            "the suite has the {} variants of `{}`, and the rows of `data.{source}`, which stage `{}` of arm \
                             `{arm_name}` trains on, have the {} ones. Whether it carries over is told by the others: use `side: \
                             seen` for training and `side: held_out` for the suite, or, to measure what was trained on, set \
                             `allow_trained: true` on the suite's transform",
                            held_out.side.name(),
                            family.name(),
                            stage.folder(i),
                            trained.side.name(),
                        ),
                    ));
                }
            }
        }
    }
    Ok(())
}

impl Recipe {
    /// The entries of `data` whose rows a stage trains on; of a mixture those that it is made of.
    fn training_sources<'a>(&'a self, stage: &'a Stage) -> Vec<&'a str> {
        let mut named = Vec::new();
        if let StageData::Source(name) = stage.data() {
            named.push(name);
        }
        if let Stage::Reject(reject) = stage {
            named.extend(reject.mix.iter().map(String::as_str));
        }
        let mut sources = Vec::new();
        for name in named {
            match self.data.get(name).and_then(|source| source.mix.as_ref()) {
                Some(mix) => sources.extend(mix.of.keys().map(String::as_str)),
                None => sources.push(name),
            }
        }
        sources
    }
}

/// Whether two sources may hold the same row: same path, subset and split, filters that do not exclude each other, row ranges
/// that meet, and not the two sides of one split.
fn overlap(a: &DataSource, b: &DataSource) -> bool {
    if plain_path(&a.path) != plain_path(&b.path) {
        return false;
    }
    // Which splits there are is not known here; `train` is read where none is named.
    let split = |source: &DataSource| source.split.clone().unwrap_or_else(|| "train".into());
    if a.subset != b.subset || split(a) != split(b) {
        return false;
    }
    let before = |source: &DataSource| DataSource { part: None, ..source.clone() };
    if let (Some(one), Some(other)) = (&a.part, &b.part)
        && one.take != other.take
        && one.clone() == (Part { take: one.take, ..other.clone() })
        && before(a) == before(b)
    {
        return false;
    }
    if a.filter != b.filter {
        // Row numbers count what each filter lets through, so only filters that exclude each other keep rows apart.
        return !a.filter.iter().any(|(key, one)| b.filter.get(key).is_some_and(|other| disjoint(one, other)));
    }
    let end = |source: &DataSource| source.rows.map_or(usize::MAX, |rows| source.skip.saturating_add(rows));
    a.skip < end(b) && b.skip < end(a)
}

fn plain_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether two filter values (one value, or a list of which one must match) have no value in common.
fn disjoint(a: &Value, b: &Value) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let b = list(b);
    list(a).iter().all(|value| !b.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;
    use serde_json::json;

    fn source(path: &str, skip: usize, rows: Option<usize>, filter: &[(&str, Value)]) -> DataSource {
        let filter: IndexMap<String, Value> = filter.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        DataSource { path: path.into(), skip, rows, filter, ..DataSource::default() }
    }

    #[test]
    fn rows_overlap_or_not() {
        let all = source("a/b.jsonl", 0, None, &[]);
        assert!(overlap(&all, &source("./a//b.jsonl", 10, Some(5), &[])));
        assert!(!overlap(&all, &source("a/c.jsonl", 0, None, &[])));
        assert!(!overlap(&source("x", 0, Some(10), &[]), &source("x", 10, None, &[])));
        assert!(overlap(&source("x", 0, Some(11), &[]), &source("x", 10, None, &[])));
        let safe = source("x", 0, None, &[("label", json!("safe"))]);
        let not = source("x", 0, None, &[("label", json!(["unsafe", "odd"]))]);
        let both = source("x", 0, None, &[("label", json!(["safe", "unsafe"]))]);
        assert!(!overlap(&safe, &not));
        assert!(overlap(&safe, &both));
        // Different filters renumber the rows, so ranges prove nothing.
        let other = source("x", 100, Some(5), &[("kind", json!("a"))]);
        assert!(overlap(&source("x", 0, Some(5), &[]), &other));
        let split = |split: Option<&str>| DataSource {
            split: split.map(str::to_owned),
            ..source("hf://datasets/a/b", 0, None, &[])
        };
        assert!(overlap(&split(None), &split(Some("train"))));
        assert!(!overlap(&split(None), &split(Some("test"))));
    }
}
