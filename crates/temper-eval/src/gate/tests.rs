//! Gates by hand.

use super::*;
use crate::testing::record;

/// One gate on its own.
fn judge(gate: &Gate, better: Better, now: &[ItemRecord], reference: Option<&[ItemRecord]>) -> GateVerdict {
    let case = GateCase { gate, better, judge: "", calibration: None, now, reference, parent: None };
    let [verdict] = &judge_all(&[case], GateCorrection::Holm)[..] else { panic!() };
    verdict.clone()
}

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
fn holm_over_the_tests_of_a_checkpoint() {
    // 7 of 10 against three bounds; p rises from the first to the last.
    let seven = log(7, 3);
    let gates = [at_most(0.8), at_most(0.95), Gate { at_least: Some(0.2), ..gate() }];
    let cases: Vec<GateCase> = gates
        .iter()
        .map(|gate| GateCase {
            gate,
            better: Better::Higher,
            judge: "",
            calibration: None,
            now: &seven,
            reference: None,
            parent: None,
        })
        .collect();
    let [open, near, far] = &judge_all(&cases, GateCorrection::Holm)[..] else { panic!() };
    assert!(far.p < near.p && near.p < open.p);
    assert_eq!(
        (far.tests, far.verdict, near.verdict, open.verdict),
        (3, Verdict::Pass, Verdict::Pass, Verdict::Undecided)
    );
    assert!((far.level - (1.0 - 0.05 / 3.0)).abs() < 1e-12 && (near.level - 0.975).abs() < 1e-12 && open.level == 0.95);
    assert!((far.p_adjusted - (3.0 * far.p).max(0.0)).abs() < 1e-12 && open.p_adjusted >= open.p - 1e-12);
    assert_eq!(far.reason, "the 98.3 % interval [0.3411, 0.9132] (Holm, 3 tests) meets the bound 0.2");
    let own = judge_all(&cases, GateCorrection::None);
    assert!(own.iter().all(|verdict| verdict.level == 0.95 && verdict.tests == 1 && verdict.p == verdict.p_adjusted));
    // The p of Wilson's interval is that of the score test: z = (0.7 − 0.8) / √(0.16 / 10) = −0.790569, p = 0.429195.
    assert!((open.p - 0.429195).abs() < 1e-5, "{}", open.p);
    // Twenty tests that only chance decides: at 95 % one of them would pass alone.
    let chance = Gate { at_least: Some(0.41), confidence: 0.9, ..gate() };
    assert_eq!(judge(&chance, Better::Higher, &seven, None).verdict, Verdict::Pass);
    let many: Vec<GateCase> = (0..20).map(|_| GateCase { gate: &chance, ..cases[0] }).collect();
    assert!(judge_all(&many, GateCorrection::Holm).iter().all(|verdict| verdict.verdict == Verdict::Undecided));
}

#[test]
fn slices_are_tests_of_their_own() {
    let mut now = log(60, 40);
    for (i, record) in now.iter_mut().enumerate() {
        let kind = if i < 50 { "easy" } else { "hard" };
        record.slices.insert("kind".to_owned(), kind.to_owned());
    }
    let every = Gate { slice: Some(GateSlice::Every("kind".to_owned())), at_least: Some(0.7), ..gate() };
    let case = GateCase {
        gate: &every,
        better: Better::Higher,
        judge: "",
        calibration: None,
        now: &now,
        reference: None,
        parent: None,
    };
    let [easy, hard] = &judge_all(&[case], GateCorrection::Holm)[..] else { panic!() };
    assert_eq!((easy.gate.as_str(), easy.n, easy.verdict), ("s/m [kind=easy]", 50, Verdict::Pass));
    assert_eq!((hard.slice.as_deref(), hard.value, hard.verdict), (Some("kind=hard"), 0.2, Verdict::Fail));
    let one = GateSlice::Where([("kind".to_owned(), "hard".to_owned())].into_iter().collect());
    let one = Gate { slice: Some(one), ..every.clone() };
    assert_eq!(judge(&one, Better::Higher, &now, None).n, 50);
    let none = Gate { slice: Some(GateSlice::Every("other".to_owned())), ..every };
    let verdict = judge(&none, Better::Higher, &now, None);
    assert_eq!((verdict.verdict, verdict.reason.as_str()), (Verdict::Undecided, "no item of other has a score"));
}

#[test]
fn clusters_and_reducers_are_respected() {
    // 60 of 100, in ten clusters that are all alike inside: no longer enough for "at least 0.4".
    let mut now = log(60, 40);
    for (i, record) in now.iter_mut().enumerate() {
        record.cluster = Some((i / 10).to_string());
    }
    let bound = Gate { at_least: Some(0.45), ..gate() };
    let verdict = judge(&bound, Better::Higher, &now, None);
    assert_eq!((verdict.verdict, verdict.clusters, verdict.n), (Verdict::Undecided, Some(10), 100));
    assert_eq!(judge(&bound, Better::Higher, &log(60, 40), None).verdict, Verdict::Pass);
    assert!(verdict.items_needed.unwrap() > 100 && verdict.detectable.unwrap() > 0.3);
    now.iter_mut().for_each(|record| record.cluster = Some("one".to_owned()));
    let verdict = judge(&bound, Better::Higher, &now, None);
    assert!(verdict.verdict == Verdict::Undecided && verdict.reason.contains("of one cluster"), "{}", verdict.reason);
    // Two repeats, one right: pass@2 is 1, the mean ½.
    let twice: Vec<ItemRecord> =
        (0..80).map(|i| record("s", &format!("{:03}", i / 2), i % 2, &[("m", Score::flag(i % 2 == 0))])).collect();
    let two = Gate { reducer: temper_recipe::Reducer::Pass(2), at_least: Some(0.9), ..gate() };
    let verdict = judge(&two, Better::Higher, &twice, Some(&twice));
    assert_eq!((verdict.verdict, verdict.value, verdict.n), (Verdict::Pass, 1.0, 40));
    assert_eq!(verdict.gate, "s/m pass@2");
    assert_eq!(judge(&Gate { at_least: Some(0.9), ..gate() }, Better::Higher, &twice, None).value, 0.5);
}

#[test]
fn corrected_for_the_scorers_errors() {
    let now = log(30, 70);
    let calibration = |n: usize, right: f64| Calibration {
        scorer: String::new(),
        name: "m".to_owned(),
        positive: vec!["yes".to_owned()],
        threshold: 0.5,
        graded: false,
        all: crate::Confusion {
            true_positives: (n as f64 * right) as usize,
            false_negatives: n - (n as f64 * right) as usize,
            true_negatives: (n as f64 * right) as usize,
            false_positives: n - (n as f64 * right) as usize,
            ..Default::default()
        },
        slice: None,
        slices: Default::default(),
        data: "labels.csv".to_owned(),
        data_digest: String::new(),
        label: "label".to_owned(),
        created: String::new(),
        notes: Vec::new(),
    };
    let gate = Gate { corrected: true, ..at_most(0.4) };
    let verdict = |gate: &Gate, calibration: Option<&Calibration>, reference: Option<&[ItemRecord]>| {
        let case = GateCase { gate, better: Better::Lower, judge: "", calibration, now: &now, reference, parent: None };
        judge_all(&[case], GateCorrection::Holm).remove(0)
    };
    let good = calibration(1000, 0.9);
    let corrected = verdict(&gate, Some(&good), None);
    // (0.3 + 0.9 − 1) / 0.8 = 0.25
    assert!((corrected.value - 0.25).abs() < 1e-12 && corrected.raw == Some(0.3));
    assert_eq!(corrected.verdict, Verdict::Pass);
    // A small calibration leaves more doubt.
    let few = calibration(20, 0.9);
    let doubtful = verdict(&gate, Some(&few), None);
    assert!(doubtful.high > corrected.high + 0.05 && doubtful.verdict == Verdict::Undecided);
    assert!(verdict(&gate, None, None).reason.contains("has no calibration"));
    let coin = verdict(&gate, Some(&calibration(1000, 0.5)), None);
    assert!(coin.verdict == Verdict::Fail && coin.reason.contains("next to nothing"), "{}", coin.reason);
    // A paired difference is divided by Se + Sp − 1.
    let reference = log(20, 80);
    let paired = Gate { corrected: true, ..not_worse(0.3) };
    let difference = verdict(&paired, Some(&good), Some(&reference));
    assert!((difference.value - 0.125).abs() < 1e-12 && difference.rule.ends_with("corrected for the scorer's errors"));
}

#[test]
fn a_clear_case_stops_early() {
    let early = Gate { early_stop: true, ..at_most(0.5) };
    let all: Vec<ItemRecord> =
        (0..300).map(|i| record("s", &format!("{i:04}"), 0, &[("m", Score::flag(i % 10 == 0))])).collect();
    let look_at = |gate: &Gate, n: usize, tests: usize| {
        let case = GateCase {
            gate,
            better: Better::Lower,
            judge: "",
            calibration: None,
            now: &all[..n],
            reference: None,
            parent: None,
        };
        crate::look(&[case], tests)
    };
    let stopped = (1..300).find(|n| look_at(&early, *n, 1) == crate::Look::Decided).unwrap();
    assert!((10..40).contains(&stopped), "{stopped}");
    assert!((1..300).find(|n| look_at(&early, *n, 10) == crate::Look::Decided).unwrap() > stopped);
    // What was decided on the way is decided by the verdict over the same items.
    let verdict = judge(&early, Better::Lower, &all[..stopped], None);
    assert_eq!((verdict.verdict, verdict.n), (Verdict::Pass, stopped));
    assert_eq!(
        look_at(&Gate { early_stop: false, ..early.clone() }, 300, 1),
        crate::Look::Continue { open: vec!["s/m".into()] }
    );
    // A comparison stops too, and passes over what its shorter log lacks.
    let paired = Gate { early_stop: true, ..not_worse(0.2) };
    let verdict = judge(&paired, Better::Lower, &all[..200], Some(&all));
    assert_eq!((verdict.verdict, verdict.n, verdict.unscored), (Verdict::Pass, 200, 0.0));
}

#[test]
fn numbers_in_sentences() {
    assert_eq!((number(0.5), number(-0.00001), number(12.0)), ("0.5".into(), "0".into(), "12".into()));
    assert_eq!((percent(0.95), percent(0.995)), ("95 %".to_owned(), "99.5 %".to_owned()));
}
