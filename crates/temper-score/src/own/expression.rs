//! A formula over other scorers.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, value::ValueKind};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Judged, Nature, Part, Score, ScoreError, Scorer};

pub(crate) const EXPRESSION: Family = Family {
    info: ScorerInfo {
        r#type: "expression",
        title: "Formula",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Exact,
        needs: &[],
        summary: "The value of `formula` over the scores of other scorers, `of: {a: accuracy, f: format}`",
    },
    version: 1,
    make: expression,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpressionParameters {
    /// Scorer of each name in the formula.
    of: IndexMap<String, String>,
    formula: String,
    #[serde(default)]
    range: Option<(f64, f64)>,
}

/// Functions of formulas.
const FUNCTIONS: [&str; 7] = ["min", "max", "abs", "sqrt", "exp", "log", "clip"];

fn environment() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    fn fold(values: &[f64], with: fn(f64, f64) -> f64) -> Result<f64, Error> {
        let none = || Error::new(ErrorKind::MissingArgument, "min and max need at least one value");
        values.iter().copied().reduce(with).ok_or_else(none)
    }
    use minijinja::value::Rest;
    env.add_function("min", |values: Rest<f64>| fold(&values, f64::min));
    env.add_function("max", |values: Rest<f64>| fold(&values, f64::max));
    env.add_function("abs", f64::abs as fn(f64) -> f64);
    env.add_function("sqrt", f64::sqrt as fn(f64) -> f64);
    env.add_function("exp", f64::exp as fn(f64) -> f64);
    env.add_function("log", f64::ln as fn(f64) -> f64);
    env.add_function("clip", |value: f64, low: f64, high: f64| value.max(low).min(high));
    env
}

fn expression(given: &Parameters) -> Result<Made, ScoreError> {
    let own: ExpressionParameters = given.read()?;
    let env = environment();
    let wrong = |what: String, remedy: &str| given.error(what, remedy.to_owned());
    let compiled = env.compile_expression(&own.formula).map_err(|error| {
        wrong(
            format!("`formula` cannot be read: {}", error.detail().unwrap_or("it is no expression")),
            "write it as in `a + 0.2 * f` or `a if f > 0 else -1`",
        )
    })?;
    let mut used = compiled.undeclared_variables(false);
    used.retain(|name| own.of.contains_key(name) || !FUNCTIONS.contains(&name.as_str()));
    check_names(&own.of, &used).map_err(|(what, remedy)| wrong(what, &remedy))?;
    let parts: Vec<(String, Arc<dyn Scorer>)> = own
        .of
        .iter()
        .map(|(name, scorer)| Ok((name.clone(), given.build(scorer)?)))
        .collect::<Result<_, ScoreError>>()?;
    let read: HashSet<Part> = parts.iter().map(|(_, scorer)| scorer.part()).collect();
    let part = if read.len() == 1 { parts[0].1.part() } else { Part::Whole };
    let exact = parts.iter().all(|(_, scorer)| scorer.nature() == Nature::Exact);
    let digests: IndexMap<&String, String> = parts.iter().map(|(name, scorer)| (name, scorer.digest())).collect();
    let identity = json!({"formula": own.formula, "of": digests, "range": own.range});
    let (formula, range) = (own.formula, own.range);
    let env = Arc::new(env);
    let made = Made::batched(&EXPRESSION, identity, move |samples| {
        let scores: Vec<Vec<Score>> = parts.iter().map(|(_, scorer)| scorer.score(samples)).collect();
        let compiled = match env.compile_expression(&formula) {
            Ok(compiled) => compiled,
            Err(error) => return samples.iter().map(|_| Score::Error(error.to_string()).into()).collect(),
        };
        (0..samples.len())
            .map(|at| {
                let row: Vec<(&str, &Score)> = parts
                    .iter()
                    .zip(&scores)
                    .map(|((name, _), scores)| (name.as_str(), scores.get(at).unwrap_or(&Score::NotApplicable)))
                    .collect();
                let names: Vec<&str> = parts.iter().map(|(_, scorer)| scorer.name()).collect();
                judge(&row, &names, range, |context| compiled.eval(context))
            })
            .collect()
    });
    let nature = if exact { Nature::Exact } else { Nature::Estimate };
    Ok(made.natured(nature).reading(part).within(range))
}

/// Every name of the formula is a part, every part stands in the formula, and no part is called like a function.
fn check_names(of: &IndexMap<String, String>, used: &HashSet<String>) -> Result<(), (String, String)> {
    if let Some(name) = of.keys().find(|name| FUNCTIONS.contains(&name.as_str())) {
        return Err((format!("`of.{name}` has the name of a function"), "choose another name".into()));
    }
    let mut unknown: Vec<&String> = used.iter().filter(|name| !of.contains_key(*name)).collect();
    unknown.sort();
    if let Some(name) = unknown.first() {
        let names: Vec<&str> = of.keys().map(String::as_str).collect();
        return Err((
            format!("`formula` has `{name}`, which is neither in `of` ({}) nor a function", names.join(", ")),
            format!("add it to `of`, or use one of the functions {}", FUNCTIONS.join(", ")),
        ));
    }
    if let Some(name) = of.keys().find(|name| !used.contains(*name)) {
        return Err((format!("`formula` does not use `{name}`"), "use it, or remove it from `of`".into()));
    }
    Ok(())
}

/// The formula's value where every part has one; else the state of the part that has none, errors first.
fn judge(
    parts: &[(&str, &Score)],
    names: &[&str],
    range: Option<(f64, f64)>,
    eval: impl Fn(Value) -> Result<Value, Error>,
) -> Judged {
    let state = |pick: fn(&Score) -> bool| parts.iter().position(|(_, score)| pick(score));
    let at = state(|score| matches!(score, Score::Error(_)))
        .or_else(|| state(|score| matches!(score, Score::NotApplicable)))
        .or_else(|| state(|score| matches!(score, Score::Unscored(_))));
    if let Some(at) = at {
        return match parts[at].1 {
            Score::Error(reason) => Score::Error(format!("{}: {reason}", names[at])),
            Score::Unscored(reason) => Score::Unscored(format!("{}: {reason}", names[at])),
            other => other.clone(),
        }
        .into();
    }
    let values: Vec<(&str, f64)> =
        parts.iter().map(|(name, score)| (*name, score.value().unwrap_or(f64::NAN))).collect();
    let context = Value::from_pairs(values.iter().copied());
    let score = match eval(context) {
        Err(error) => Score::Error(format!("the formula failed: {}", error.detail().unwrap_or("no reason given"))),
        Ok(value) if value.kind() == ValueKind::Bool => Score::flag(value.is_true()),
        Ok(value) => match f64::try_from(value.clone()) {
            Ok(number) => Score::of(number),
            Err(_) => Score::Error(format!("the formula gave `{value}`, expected a number")),
        },
    };
    let score = match (score, range) {
        (Score::Value(value), Some((low, high))) if value < low || value > high => {
            Score::Error(format!("the score {value} is outside of the declared range of {low} to {high}"))
        }
        (score, _) => score,
    };
    let said: Vec<String> = values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    Judged::from(score).because(said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{row, score};
    use temper_recipe::{Lab, ScorerSpec};

    fn build(params: serde_json::Value) -> Result<Arc<dyn Scorer>, ScoreError> {
        let named =
            [("e".to_owned(), ScorerSpec { r#type: "expression".into(), params: params.as_object().unwrap().clone() })];
        crate::build("e", &named.into_iter().collect(), &Lab::default())
    }

    fn of(formula: &str) -> serde_json::Value {
        json!({"of": {"a": "accuracy", "f": "format", "n": "length"}, "formula": format!("({formula}) + 0 * (a + f + n)")})
    }

    #[test]
    fn formulas_compute() {
        let row = row(json!({"answer": "4"}));
        // accuracy 1, format 0, length 1 token.
        for (formula, expected) in [
            ("a + 0.2 * f", 1.0),
            ("a - 3 / 2", -0.5),
            ("2 ** 3", 8.0),
            ("a if f > 0 else -1", -1.0),
            ("min(a, f, 7) - max(3, n)", -3.0),
            ("abs(-2) + sqrt(9) + exp(0) + log(1)", 6.0),
            ("clip(5, 0, 1) + clip(-5, 0, 1)", 1.0),
            ("1 if a == 1 and not f == 1 else 0", 1.0),
        ] {
            assert_eq!(score(&build(of(formula)).unwrap(), &row, "\\boxed{4}"), Score::Value(expected), "{formula}");
        }
        let flag = build(json!({"of": {"a": "accuracy"}, "formula": "a > 0.5"})).unwrap();
        assert_eq!(score(&flag, &row, "\\boxed{4}"), Score::Value(1.0));
        assert!(matches!(score(&build(of("log(0 - a)")).unwrap(), &row, "\\boxed{4}"), Score::Error(_)));
        assert!(matches!(score(&build(of("1 / f")).unwrap(), &row, "\\boxed{4}"), Score::Error(_)));
    }

    #[test]
    fn a_part_without_a_value_makes_the_whole_so() {
        let scorer = build(json!({"of": {"a": "accuracy", "f": "format"}, "formula": "a + 0.2 * f"})).unwrap();
        assert_eq!(score(&scorer, &row(json!({})), "4"), Score::NotApplicable);
        let judged = scorer.judge(&[crate::Sample::new(&row(json!({"answer": "4"})), "\\boxed{4}", 1, false)]);
        assert_eq!(judged[0].score, Score::Value(1.0));
        assert_eq!(judged[0].explanation.as_deref(), Some("a = 1, f = 0"));
        assert_eq!(score(&scorer, &row(json!({"answer": "x^2+2x"})), "\\boxed{\\int x}").value(), None);
    }

    #[test]
    fn wrong_formulas_are_named() {
        let error = |params| build(params).err().unwrap().to_string();
        let text = error(json!({"of": {"a": "accuracy"}, "formula": "a + b"}));
        assert!(text.contains("`formula` has `b`, which is neither in `of` (a) nor a function"), "{text}");
        let text = error(json!({"of": {"a": "accuracy"}, "formula": "a +"}));
        assert!(text.contains("cannot be read"), "{text}");
        let text = error(json!({"of": {"a": "accuracy", "b": "boxed"}, "formula": "a"}));
        assert!(text.contains("does not use `b`"), "{text}");
        let text = error(json!({"of": {"min": "accuracy"}, "formula": "min"}));
        assert!(text.contains("name of a function"), "{text}");
        let text = error(json!({"of": {"a": "e"}, "formula": "a"}));
        assert!(text.contains("made of itself (e → e)"), "{text}");
        assert!(error(json!({"of": {"a": "acuracy"}, "formula": "a"})).contains("nearest: `accuracy`"));
    }

    #[test]
    fn identity_is_the_formula_and_its_parts() {
        let digest =
            |formula: &str, part: &str| build(json!({"of": {"a": part}, "formula": formula})).unwrap().digest();
        assert_eq!(digest("a", "accuracy"), digest("a", "accuracy"));
        assert_ne!(digest("a", "accuracy"), digest("a", "boxed"));
        assert_ne!(digest("a", "accuracy"), digest("2 * a", "accuracy"));
    }
}
