//! All scorer types by name, and how a named scorer is built.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use temper_recipe::{Lab, ScorerSpec};

use crate::cache::ScoreCache;
use crate::family::{Family, Parameters, ScorerInfo};
use crate::{
    Better, ScoreError, Scorer, answers, bbq, choice, difference, form, format, gsm8k, impossible, judge, lab,
    language, length, number, own, refusal,
};

/// Every scorer type. A new family is a file of this crate and its line here.
const FAMILIES: &[&Family] = &[
    &answers::ACCURACY,
    &answers::BOXED,
    &gsm8k::STRICT,
    &gsm8k::FLEXIBLE,
    &choice::CHOICE,
    &number::NUMBER,
    &bbq::ACCURACY,
    &bbq::AMBIGUOUS,
    &bbq::DISAMBIGUATED,
    &format::FORMAT,
    &form::JSON,
    &form::JSON_SCHEMA,
    &form::REPETITION,
    &form::LOOP,
    &language::LANGUAGE,
    &language::LANGUAGE_MATCH,
    &language::LANGUAGE_SWITCHES,
    &language::LINE_PASS,
    &language::WORD_PASS,
    &refusal::REFUSAL,
    &refusal::XSTEST,
    &refusal::GCG,
    &length::LENGTH,
    &length::TRUNCATED,
    &form::OVERLONG,
    &lab::SOLVED,
    &lab::UNSAFE,
    &lab::REFUSAL,
    &lab::UNCLEAR,
    &lab::HARMLESS,
    &lab::HELPFUL,
    &lab::ANNOTATOR,
    &difference::DIFFERENCE,
    &impossible::IMPOSSIBLE,
    &own::EXPRESSION,
    &own::PYTHON,
    &own::PROCESS,
    &own::HTTP,
    &judge::LLAMA_GUARD,
    &judge::QWEN3GUARD,
    &judge::WILDGUARD,
    &judge::HARMBENCH,
    &judge::STRONGREJECT,
    &judge::JAILBREAKBENCH,
    &judge::RUBRIC,
    &judge::MONITOR,
    &judge::REWARD_MODEL,
];

/// What is known of every scorer type, in the order of the documentation.
pub fn registry() -> Vec<ScorerInfo> {
    FAMILIES.iter().map(|family| family.info).collect()
}

/// The names of all scorer types.
pub fn known_types() -> Vec<&'static str> {
    FAMILIES.iter().map(|family| family.info.r#type).collect()
}

/// The scorer `name`: an entry of a recipe's named scorers, or else the built-in type of that name without parameters.
///
/// # Errors
/// An unknown type (with the nearest known one), a parameter that the type does not take, or a scorer that is made of itself.
pub fn build(name: &str, named: &IndexMap<String, ScorerSpec>, lab: &Lab) -> Result<Arc<dyn Scorer>, ScoreError> {
    build_inner(name, named, lab, &[])
}

/// The same with judgements of costly scorers kept in `cache`, not in the usual place.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    name: &str,
    named: &IndexMap<String, ScorerSpec>,
    lab: &Lab,
    cache: &ScoreCache,
) -> Result<Arc<dyn Scorer>, ScoreError> {
    build_part(name, named, lab, &[], cache)
}

/// The digests of a scorer and of all that it is made of, and the guards and reward models that they ask. A gate whose metric
/// shares a digest with a reward or a keep rule is judged by what trained the model, however the two are called and however their
/// parameters are spelt.
/// shares a digest with a reward or a keep rule is judged by what trained the model, however the two are called and however
/// their parameters are spelt.
///
/// # Errors
/// As [`build`].
pub fn identities(name: &str, named: &IndexMap<String, ScorerSpec>, lab: &Lab) -> Result<BTreeSet<String>, ScoreError> {
    let mut digests = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        let scorer = build(&name, named, lab)?;
        if digests.insert(scorer.digest()) {
            digests.extend(scorer.asks());
            let spec = named.get(&name);
            open.extend(spec.iter().flat_map(|spec| spec.parts()).map(str::to_owned));
        }
    }
    Ok(digests)
}

pub(crate) fn build_inner(
    name: &str,
    named: &IndexMap<String, ScorerSpec>,
    lab: &Lab,
    path: &[&str],
) -> Result<Arc<dyn Scorer>, ScoreError> {
    build_part(name, named, lab, path, &ScoreCache::usual())
}

/// A scorer, or part of one: `path` holds the names of the scorers that it is part of.
pub(crate) fn build_part(
    name: &str,
    named: &IndexMap<String, ScorerSpec>,
    lab: &Lab,
    path: &[&str],
    cache: &ScoreCache,
) -> Result<Arc<dyn Scorer>, ScoreError> {
    let way: Vec<&str> = path.iter().copied().chain([name]).collect();
    if path.contains(&name) {
        return Err(ScoreError::Circular { name: name.to_owned(), path: way.join(" → ") });
    }
    let plain;
    let spec = match named.get(name) {
        Some(spec) => spec,
        None => {
            plain = ScorerSpec::plain(name);
            &plain
        }
    };
    let family =
        FAMILIES.iter().find(|family| family.info.r#type == spec.r#type).ok_or_else(|| ScoreError::Unknown {
            name: name.to_owned(),
            kind: spec.r#type.clone(),
            nearest: nearest(&spec.r#type, named),
            known: known_types().join(", "),
        })?;
    let mut spec = spec.clone();
    let shown = Shown::take(name, &mut spec)?;
    let mut made = (family.make)(&Parameters { name, spec: &spec, named, lab, path: &way, cache })?;
    if let Some(title) = shown.title {
        made.title = title;
    }
    if let Some(better) = shown.better {
        made.better = better;
    }
    Ok(cache.around(Arc::new(made.named(name, family))))
}

/// Parameters that every type takes and that change no score: how the metric is shown and which direction is good. Refusals
/// are bad on benign requests and no matter of rank on harmful ones, so only the recipe can know.
struct Shown {
    title: Option<String>,
    better: Option<Better>,
}

impl Shown {
    /// Takes them out of the spec, so that they stay out of the scorer's identity.
    fn take(name: &str, spec: &mut ScorerSpec) -> Result<Self, ScoreError> {
        let wrong = |spec: &ScorerSpec, what: &str, remedy: &str| ScoreError::Parameter {
            name: name.to_owned(),
            kind: spec.r#type.clone(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        };
        let title = match spec.params.shift_remove("title") {
            None | Some(Value::Null) => None,
            Some(Value::String(title)) => Some(title),
            Some(_) => return Err(wrong(spec, "`title` is not a text", "write the metric's name for tables")),
        };
        let better = match spec.params.shift_remove("better") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                serde_json::from_value(value)
                    .map_err(|_| wrong(spec, "`better` is unknown", "expected `higher`, `lower` or `neither`"))?,
            ),
        };
        Ok(Shown { title, better })
    }
}

fn nearest(kind: &str, named: &IndexMap<String, ScorerSpec>) -> Option<String> {
    FAMILIES
        .iter()
        .map(|family| family.info.r#type)
        .chain(named.keys().map(String::as_str).filter(|name| *name != kind))
        .map(|known| (strsim::damerau_levenshtein(kind, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(kind.len()) / 2)
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score};
    use crate::{Part, Score};
    use serde_json::json;

    fn spec(kind: &str, params: serde_json::Value) -> ScorerSpec {
        ScorerSpec { r#type: kind.to_owned(), params: params.as_object().unwrap().clone() }
    }

    /// A scorer with its spec, beside nothing else.
    fn build(name: &str, spec: Option<&ScorerSpec>, lab: &Lab) -> Result<Arc<dyn Scorer>, ScoreError> {
        let named = spec.map(|spec| (name.to_owned(), spec.clone())).into_iter().collect();
        super::build(name, &named, lab)
    }

    #[test]
    fn an_unknown_type_names_the_nearest() {
        let error = build("acuracy", None, &Lab::default()).err().unwrap().to_string();
        assert!(
            error.starts_with(
                "scorer `acuracy`: no scorer type `acuracy` (nearest: `accuracy`); the types are accuracy, boxed,"
            ),
            "{error}"
        );
        let error = build("mine", Some(&spec("zzzzzzzzzzzz", json!({}))), &Lab::default()).err().unwrap().to_string();
        assert!(error.starts_with("scorer `mine`: no scorer type `zzzzzzzzzzzz`; the types are"), "{error}");
    }

    #[test]
    fn unknown_parameters_are_named() {
        let error =
            build("format", Some(&spec("format", json!({"prt": 1}))), &Lab::default()).err().unwrap().to_string();
        assert_eq!(
            error,
            "scorer `format` of type `format`: unknown parameter `prt`; this type takes no parameters; remove it"
        );
        let error = build("l", Some(&spec("language", json!({"prt": 1}))), &Lab::default()).err().unwrap().to_string();
        assert!(error.contains("unknown field `prt`, expected `part` or `target`"), "{error}");
    }

    #[test]
    fn identity_is_type_and_parameters_not_the_name() {
        let lab = Lab::default();
        let digest = |name: &str, s: Option<ScorerSpec>| build(name, s.as_ref(), &lab).unwrap().digest();
        assert_eq!(digest("language", None), digest("x", Some(spec("language", json!({"part": "thinking"})))));
        assert_ne!(digest("language", None), digest("x", Some(spec("language", json!({"part": "answer"})))));
        assert_ne!(digest("accuracy", None), digest("format", None));
        assert_eq!(digest("accuracy", None).len(), 64);
    }

    #[test]
    fn the_annotator_is_another_scorer_with_other_faults() {
        let mut other = Lab::default();
        other.annotator.caution_bias += 1.0;
        let digest = |name: &str, lab: &Lab| build(name, None, lab).unwrap().digest();
        assert_ne!(digest("lab_annotator", &Lab::default()), digest("lab_annotator", &other));
        assert_eq!(digest("lab_unsafe", &Lab::default()), digest("lab_unsafe", &other));
    }

    #[test]
    fn a_difference_is_made_of_two_scorers() {
        let named: IndexMap<String, ScorerSpec> = [
            ("gap".to_owned(), spec("difference", json!({"minuend": "form", "subtrahend": "accuracy"}))),
            ("form".to_owned(), spec("format", json!({}))),
            ("loop".to_owned(), spec("difference", json!({"minuend": "loop", "subtrahend": "accuracy"}))),
            ("lost".to_owned(), spec("difference", json!({"minuend": "fom", "subtrahend": "accuracy"}))),
        ]
        .into_iter()
        .collect();
        let lab = Lab::default();
        let identities = |name| super::identities(name, &named, &lab).unwrap();
        assert_eq!(identities("gap").len(), 3);
        assert!(identities("gap").is_superset(&identities("format")));
        assert!(identities("gap").is_disjoint(&identities("boxed")));
        let gap = super::build("gap", &named, &lab).unwrap();
        assert_eq!((gap.name(), gap.part(), gap.range()), ("gap", Part::Whole, Some((-1.0, 1.0))));
        let right = row(json!({"answer": "4"}));
        assert_eq!(score(&gap, &right, "<think>2+2</think>5"), Score::Value(1.0));
        assert_eq!(score(&gap, &right, "\\boxed{4}"), Score::Value(-1.0));
        assert_eq!(score(&gap, &row(json!({})), "\\boxed{4}"), Score::NotApplicable);
        let error = super::build("loop", &named, &lab).err().unwrap().to_string();
        assert!(error.starts_with("scorer `loop` is made of itself (loop → loop)"), "{error}");
        let error = super::build("lost", &named, &lab).err().unwrap().to_string();
        assert!(error.contains("(nearest: `form`)"), "{error}");
        let error = build("gap", Some(&spec("difference", json!({"minuend": "format"}))), &lab).err().unwrap();
        assert!(error.to_string().contains("missing field `subtrahend`"), "{error}");
    }

    #[test]
    fn scorers_of_one_guard_or_reward_model_are_related() {
        let served = |model: &str| json!({"url": "http://localhost:1/v1", "model": model});
        let classifier = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reward-model");
        let named: IndexMap<String, ScorerSpec> = [
            ("harm".to_owned(), spec("llama_guard", json!({"endpoint": served("guard")}))),
            ("thought".to_owned(), spec("llama_guard", json!({"endpoint": served("guard"), "part": "thinking"}))),
            ("other".to_owned(), spec("llama_guard", json!({"endpoint": served("guard-2")}))),
            ("kind".to_owned(), spec("rubric", json!({"endpoint": served("big"), "rubric": "Kind?"}))),
            ("clear".to_owned(), spec("rubric", json!({"endpoint": served("big"), "rubric": "Clear?"}))),
            ("reward".to_owned(), spec("reward_model", json!({"model": classifier, "label": 0}))),
            ("cost".to_owned(), spec("reward_model", json!({"model": classifier, "label": 2, "as": "probability"}))),
            ("gap".to_owned(), spec("difference", json!({"minuend": "reward", "subtrahend": "accuracy"}))),
        ]
        .into_iter()
        .collect();
        let lab = Lab::default();
        let related = |a: &str, b: &str| {
            let of = |name: &str| super::identities(name, &named, &lab).unwrap();
            !of(a).is_disjoint(&of(b))
        };
        assert!(related("harm", "thought") && related("reward", "cost") && related("gap", "cost"));
        assert!(!related("harm", "other") && !related("kind", "clear") && !related("harm", "reward"));
    }

    #[test]
    fn title_and_direction_are_the_recipes_and_no_part_of_the_identity() {
        let lab = Lab::default();
        let shown = spec("lab_refusal", json!({"title": "Refused look-alikes", "better": "lower"}));
        let scorer = build("over_refusal", Some(&shown), &lab).unwrap();
        assert_eq!((scorer.title().as_str(), scorer.better()), ("Refused look-alikes", Better::Lower));
        assert_eq!(scorer.digest(), build("lab_refusal", None, &lab).unwrap().digest());
        let error = build("x", Some(&spec("format", json!({"better": "up"}))), &lab).err().unwrap().to_string();
        assert_eq!(error, "scorer `x` of type `format`: `better` is unknown; expected `higher`, `lower` or `neither`");
    }

    #[test]
    fn every_type_builds_without_surprises() {
        for info in registry() {
            if ["difference", "expression", "json_schema", "overlong", "python", "process", "http"]
                .contains(&info.r#type)
            {
                continue;
            }
            let scorer = match build(info.r#type, None, &Lab::default()) {
                Ok(scorer) => scorer,
                // A judge says that it needs a model.
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("needs"), "{error}");
                    continue;
                }
            };
            assert_eq!((scorer.name(), scorer.better()), (info.r#type, info.better));
            assert!(!info.summary.is_empty() && !scorer.title().is_empty());
        }
    }
}
