//! Gates: rules on a metric, judged on item logs.

use temper_recipe::{Gate, OnFail, Reference, Rule};
use temper_score::{Better, Score};

use crate::measure::{item_values, usual_range};
use crate::pairs::join;
use crate::sampled::{Sampled, items_needed};
use crate::{Action, GateVerdict, ItemRecord, Verdict};

/// A rule in its simplest form: the value must lie on one side of a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    AtLeast,
    AtMost,
}

impl Side {
    fn meets(self, bound: f64, low: f64, high: f64) -> bool {
        match self {
            Side::AtLeast => low >= bound,
            Side::AtMost => high <= bound,
        }
    }

    fn breaks(self, bound: f64, low: f64, high: f64) -> bool {
        match self {
            Side::AtLeast => high < bound,
            Side::AtMost => low > bound,
        }
    }
}

/// What the rule is held against.
struct Evidence {
    sampled: Option<Sampled>,
    n: usize,
    now: f64,
    reference: Option<f64>,
    unscored: f64,
}

/// Judges a checkpoint by its item log of the gate's suite, and by the reference's log where the rule compares.
///
/// The two-sided interval at the gate's confidence decides: it passes when the whole interval meets the rule, fails when the
/// whole interval breaks it, and is undecided otherwise. `not_worse_than` looks at the paired difference now − reference, and
/// `better` says which direction is worse. Samples without a score, and samples without a partner in the reference's log,
/// count against `max_unscored`; above it the gate fails. Repeats of an item are averaged first. An undecided gate lets the
/// arm go on with a warning.
///
/// A gate that cannot be judged at all (the metric has no good direction, or there is no reference) fails and says why.
pub fn judge(gate: &Gate, better: Better, now: &[ItemRecord], reference: Option<&[ItemRecord]>) -> GateVerdict {
    let now: Vec<&ItemRecord> = now.iter().filter(|record| record.suite == gate.suite).collect();
    let rule = gate.rule();
    let (side, bound) = match (rule, better) {
        (Rule::AtLeast(bound), _) => (Side::AtLeast, bound),
        (Rule::AtMost(bound), _) => (Side::AtMost, bound),
        (Rule::NotWorse { margin, .. }, Better::Lower) => (Side::AtMost, margin),
        (Rule::NotWorse { margin, .. }, _) => (Side::AtLeast, -margin),
    };
    let (evidence, impossible) = match rule {
        Rule::NotWorse { .. } => match reference {
            Some(reference) => {
                let reference: Vec<&ItemRecord> =
                    reference.iter().filter(|record| record.suite == gate.suite).collect();
                let impossible = (better == Better::Neither).then(|| {
                    format!("`{}` has no good direction, so nothing is worse; set `better` on the scorer, or use at_least or at_most", gate.metric)
                });
                (compared(&reference, &now, &gate.metric), impossible)
            }
            None => (absolute(&now, &gate.metric), Some("there is no checkpoint to compare with".to_owned())),
        },
        _ => (absolute(&now, &gate.metric), None),
    };
    let (value, (low, high)) = match &evidence.sampled {
        Some(sampled) => (sampled.value(), sampled.interval(evidence.n, gate.confidence)),
        None => (f64::NAN, (f64::NAN, f64::NAN)),
    };
    let level = percent(gate.confidence);
    let interval = format!("the {level} interval [{}, {}]", number(low), number(high));
    let (verdict, reason) = if let Some(reason) = impossible {
        (Verdict::Fail, reason)
    } else if evidence.unscored > gate.max_unscored {
        let (share, most) = (percent(evidence.unscored), percent(gate.max_unscored));
        (Verdict::Fail, format!("{share} of the samples have no score, more than {most}"))
    } else if evidence.sampled.is_none() {
        (Verdict::Undecided, "no item has a score".to_owned())
    } else if side.meets(bound, low, high) {
        (Verdict::Pass, format!("{interval} meets the bound {}", number(bound)))
    } else if side.breaks(bound, low, high) {
        (Verdict::Fail, format!("{interval} is beyond the bound {}", number(bound)))
    } else {
        (Verdict::Undecided, format!("{interval} straddles the bound {}", number(bound)))
    };
    let items_needed = match (&evidence.sampled, verdict) {
        (Some(sampled), Verdict::Undecided) => items_needed(sampled, gate.confidence, |low, high| {
            side.meets(bound, low, high) || side.breaks(bound, low, high)
        }),
        _ => None,
    };
    GateVerdict {
        gate: gate.label(),
        suite: gate.suite.clone(),
        metric: gate.metric.clone(),
        rule: words(rule),
        verdict,
        value,
        low,
        high,
        bound,
        confidence: gate.confidence,
        n: evidence.n,
        now: evidence.now,
        reference: evidence.reference,
        unscored: evidence.unscored,
        items_needed,
        reason,
        action: match (verdict, gate.on_fail) {
            (Verdict::Pass, _) => Action::Continue,
            (Verdict::Undecided, _) | (Verdict::Fail, OnFail::Warn) => Action::Warn,
            (Verdict::Fail, OnFail::Stop) => Action::Stop,
            (Verdict::Fail, OnFail::Rollback) => Action::Rollback,
        },
    }
}

fn absolute(records: &[&ItemRecord], metric: &str) -> Evidence {
    let values: Vec<f64> = item_values(records.iter().copied(), metric, temper_recipe::Reducer::Mean, Better::Neither)
        .into_values()
        .collect();
    let sampled = Sampled::of(&values, usual_range(values.iter().copied()));
    let score = |record: &&&ItemRecord| !matches!(record.scores.get(metric), Some(Score::NotApplicable));
    let applicable = records.iter().filter(score).count();
    let scored = records.iter().filter(|r| r.scores.get(metric).and_then(Score::value).is_some()).count();
    Evidence {
        sampled,
        n: values.len(),
        now: sampled.map_or(f64::NAN, |sampled| sampled.value()),
        reference: None,
        unscored: share(applicable - scored, applicable),
    }
}

fn compared(reference: &[&ItemRecord], now: &[&ItemRecord], metric: &str) -> Evidence {
    let pairs = join(reference, now, metric);
    let range = usual_range(pairs.values.iter().flat_map(|(x, y)| [*x, *y]));
    let n = pairs.values.len();
    let mean = |pick: fn(&(f64, f64)) -> f64| pairs.values.iter().map(pick).sum::<f64>() / n as f64;
    let missing = pairs.unscored + pairs.unmatched;
    let all = pairs.matched - pairs.not_applicable + pairs.unmatched;
    Evidence {
        sampled: Sampled::of_pairs(&pairs.values, range),
        n,
        now: mean(|pair| pair.1),
        reference: (n > 0).then(|| mean(|pair| pair.0)),
        unscored: share(missing, all),
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn words(rule: Rule) -> String {
    match rule {
        Rule::AtLeast(bound) => format!("at least {}", number(bound)),
        Rule::AtMost(bound) => format!("at most {}", number(bound)),
        Rule::NotWorse { reference, margin } => {
            let name = match reference {
                Reference::Parent => "its parent",
                Reference::Base => "the base model",
            };
            if margin == 0.0 {
                format!("not worse than {name}")
            } else {
                format!("not worse than {name} by more than {}", number(margin))
            }
        }
    }
}

/// A number with at most four decimals, without trailing zeros.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;

    fn log(ones: usize, zeros: usize) -> Vec<ItemRecord> {
        (0..ones + zeros).map(|i| record("s", &format!("{i:04}"), 0, &[("m", Score::flag(i < ones))])).collect()
    }

    fn gate() -> Gate {
        Gate { suite: "s".to_owned(), metric: "m".to_owned(), ..Gate::default() }
    }

    fn at_most(bound: f64) -> Gate {
        Gate { at_most: Some(bound), ..gate() }
    }

    fn not_worse(margin: f64) -> Gate {
        Gate { not_worse_than: Some(Reference::Parent), margin, ..gate() }
    }

    #[test]
    fn the_whole_interval_decides() {
        // Wilson's interval of 7 of 10 is [0.3968, 0.8922].
        let seven = log(7, 3);
        let verdict = |gate: &Gate| judge(gate, Better::Higher, &seven, None);
        let pass = verdict(&at_most(0.9));
        assert_eq!((pass.verdict, pass.action, pass.items_needed), (Verdict::Pass, Action::Continue, None));
        assert_eq!(pass.reason, "the 95 % interval [0.3968, 0.8922] meets the bound 0.9");
        assert_eq!((pass.gate.as_str(), pass.rule.as_str(), pass.n), ("s/m", "at most 0.9", 10));
        let fail = verdict(&at_most(0.39));
        assert_eq!((fail.verdict, fail.action), (Verdict::Fail, Action::Stop));
        let open = verdict(&at_most(0.8));
        assert_eq!((open.verdict, open.action), (Verdict::Undecided, Action::Warn));
        // n > z² · 0.8 · 0.2 / 0.1² = 61.46
        assert_eq!(open.items_needed, Some(62));
        assert_eq!(verdict(&at_most(0.7)).items_needed, None);
        assert_eq!(verdict(&Gate { at_least: Some(0.39), ..gate() }).verdict, Verdict::Pass);
        assert_eq!(verdict(&Gate { at_least: Some(0.9), ..gate() }).verdict, Verdict::Fail);
        // A wider interval straddles what the narrower one met.
        assert_eq!(verdict(&Gate { confidence: 0.99, ..at_most(0.9) }).verdict, Verdict::Undecided);
        assert_eq!(verdict(&Gate { on_fail: OnFail::Rollback, ..at_most(0.1) }).action, Action::Rollback);
        assert_eq!(verdict(&Gate { on_fail: OnFail::Warn, ..at_most(0.1) }).action, Action::Warn);
    }

    #[test]
    fn not_worse_is_paired_and_knows_the_direction() {
        // 100 items, 5 lost and 1 won: Agresti and Min give (1.5 − 5.5) / 102 ± z √((7 − 16/102) / 102²).
        let reference = log(50, 50);
        let mut now = reference.clone();
        for i in [0, 1, 2, 3, 4] {
            now[i].scores.insert("m".to_owned(), Score::Value(0.0));
        }
        now[99].scores.insert("m".to_owned(), Score::Value(1.0));
        let half = 1.959963985 * (7.0 - 16.0 / 102.0f64).sqrt() / 102.0;
        let verdict = |margin, better| judge(&not_worse(margin), better, &now, Some(&reference));
        let open = verdict(0.05, Better::Higher);
        assert_eq!((open.verdict, open.bound, open.n), (Verdict::Undecided, -0.05, 100));
        assert!((open.value + 0.04).abs() < 1e-12 && (open.now - 0.46).abs() < 1e-12 && open.reference == Some(0.5));
        assert!((open.low - (-4.0 / 102.0 - half)).abs() < 1e-8 && (open.high - (-4.0 / 102.0 + half)).abs() < 1e-8);
        assert!(open.items_needed.unwrap() > 100);
        assert_eq!(open.rule, "not worse than its parent by more than 0.05");
        assert_eq!(verdict(0.1, Better::Higher).verdict, Verdict::Pass);
        // Lower is better: the same change is an improvement.
        let lower = verdict(0.02, Better::Lower);
        assert_eq!((lower.verdict, lower.bound), (Verdict::Pass, 0.02));
        let neither = verdict(0.02, Better::Neither);
        assert_eq!(neither.verdict, Verdict::Fail);
        assert!(neither.reason.contains("no good direction"));
        assert_eq!(judge(&not_worse(0.1), Better::Higher, &now, None).verdict, Verdict::Fail);
    }

    #[test]
    fn a_large_loss_fails() {
        let (now, reference) = (log(20, 80), log(60, 40));
        let verdict = judge(&not_worse(0.1), Better::Higher, &now, Some(&reference));
        assert_eq!((verdict.verdict, verdict.action), (Verdict::Fail, Action::Stop));
    }

    #[test]
    fn no_change_on_few_items_is_no_proof() {
        let five = log(5, 0);
        let verdict = judge(&not_worse(0.05), Better::Higher, &five, Some(&five));
        assert_eq!(verdict.verdict, Verdict::Undecided);
        let many = log(100, 0);
        assert_eq!(judge(&not_worse(0.05), Better::Higher, &many, Some(&many)).verdict, Verdict::Pass);
    }

    #[test]
    fn unscored_and_unmatched_samples_fail_the_gate() {
        let mut now = log(100, 0);
        for record in &mut now[..3] {
            record.scores.insert("m".to_owned(), Score::Unscored("judge was silent".into()));
        }
        let gate = Gate { at_least: Some(0.5), ..gate() };
        let verdict = judge(&gate, Better::Higher, &now, None);
        assert_eq!((verdict.verdict, verdict.unscored), (Verdict::Fail, 0.03));
        assert_eq!(verdict.reason, "3 % of the samples have no score, more than 2 %");
        let lenient = Gate { max_unscored: 0.03, ..gate.clone() };
        assert_eq!(judge(&lenient, Better::Higher, &now, None).verdict, Verdict::Pass);
        // What the scorer does not apply to does not count.
        for record in &mut now[..3] {
            record.scores.insert("m".to_owned(), Score::NotApplicable);
        }
        assert_eq!(judge(&gate, Better::Higher, &now, None).verdict, Verdict::Pass);
        let half = log(50, 0);
        let verdict = judge(&not_worse(0.5), Better::Higher, &log(100, 0), Some(&half));
        assert_eq!((verdict.verdict, verdict.unscored, verdict.n), (Verdict::Fail, 0.5, 50));
    }

    #[test]
    fn nothing_scored_is_undecided() {
        let verdict = judge(&at_most(0.5), Better::Lower, &[], None);
        assert_eq!((verdict.verdict, verdict.n, verdict.action), (Verdict::Undecided, 0, Action::Warn));
        let json = serde_json::to_string(&verdict).unwrap();
        let back: GateVerdict = serde_json::from_str(&json).unwrap();
        assert!(back.value.is_nan() && back.bound == 0.5);
    }

    #[test]
    fn numbers_in_sentences() {
        assert_eq!((number(0.5), number(-0.00001), number(12.0)), ("0.5".into(), "0".into(), "12".into()));
        assert_eq!((percent(0.95), percent(0.995)), ("95 %".to_owned(), "99.5 %".to_owned()));
    }
}
