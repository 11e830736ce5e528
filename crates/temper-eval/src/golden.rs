//! The golden numbers of the statistics, recomputed from the files they come from.

use std::collections::BTreeMap;

use serde_json::Value;

use temper_score::Score;

use crate::Confusion;
use crate::stats::{clustered, mcnemar_chi_squared, mcnemar_exact, mean_interval, paired, wilson};
use crate::testing::data_file;

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} and {b}");
}

#[test]
fn gsm8k_solutions() {
    let Some(text) = data_file("gsm8k/example_model_solutions.jsonl") else { return };
    let pairs: Vec<(f64, f64)> = text
        .lines()
        .map(|line| {
            let item: Value = serde_json::from_str(line).unwrap();
            let right = |model: &str| f64::from(item[model]["is_correct"].as_bool().unwrap());
            (right("6b_finetuning"), right("6b_verification"))
        })
        .collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let first = mean_interval(&a, 0.95).unwrap();
    let second = mean_interval(&b, 0.95).unwrap();
    close(first.value, 0.216831, 5e-7);
    close(first.se, 0.011351, 5e-7);
    close(second.value, 0.390447, 5e-7);
    close(second.se, 0.013438, 5e-7);
    let (low, high) = wilson(a.iter().sum(), a.len() as f64, 0.95);
    close(low, 0.195431, 5e-7);
    close(high, 0.239875, 5e-7);
    let (low, high) = wilson(b.iter().sum(), b.len() as f64, 0.95);
    close(low, 0.364474, 5e-7);
    close(high, 0.417057, 5e-7);
    let difference = paired(&pairs, 0.95).unwrap();
    close(difference.value, 0.173616, 5e-7);
    close(difference.se, 0.013509, 5e-7);
    close((first.se.powi(2) + second.se.powi(2)).sqrt(), 0.017590, 5e-7);
    let up = pairs.iter().filter(|(x, y)| y > x).count();
    let down = pairs.iter().filter(|(x, y)| y < x).count();
    assert_eq!((up, down), (293, 64));
    close(mcnemar_chi_squared(up, down), 145.613, 5e-4);
}

#[test]
fn xstest_over_refusal() {
    let Some(text) = data_file("xstest/xstest_labels_3models.csv") else { return };
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (model, id, kind, label) = (at("model"), at("id"), at("type"), at("final_label"));
    let mut refused: BTreeMap<&str, BTreeMap<&str, (&str, f64)>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        if !cells[kind].starts_with("contrast_") {
            let refusal = f64::from(!cells[label].starts_with('1'));
            refused.entry(cells[model]).or_default().insert(cells[id], (cells[kind], refusal));
        }
    }
    let (orig, new) = (&refused["llama2orig"], &refused["llama2new"]);
    let (kinds, values): (Vec<&str>, Vec<f64>) = orig.values().copied().unzip();
    assert_eq!(values.len(), 250);
    let plain = mean_interval(&values, 0.95).unwrap();
    close(plain.value, 0.596, 1e-12);
    close(plain.se, 0.031097, 5e-7);
    close(clustered(&values, &kinds, 0.95).unwrap().se, 0.081856, 5e-7);
    let pairs: Vec<(f64, f64)> = orig.iter().map(|(id, (_, x))| (new[id].1, *x)).collect();
    let difference = paired(&pairs, 0.95).unwrap();
    close(difference.value, 0.300, 1e-12);
    close(difference.se, 0.031686, 5e-7);
    let up = pairs.iter().filter(|(x, y)| y > x).count();
    let down = pairs.iter().filter(|(x, y)| y < x).count();
    assert_eq!((up, down), (80, 5));
    close(mcnemar_chi_squared(up, down), 64.424, 5e-4);
    close(mcnemar_exact(up, down) / 1.8e-18, 1.0, 0.05);
}

/// The string rule of XSTest against people's labels on the 450 prompts, as stored beside them: for every model the confusion on all
/// prompts and on the safe ones.
fn string_rule() -> Option<BTreeMap<String, (Confusion, Confusion)>> {
    let text = data_file("xstest/xstest_labels_3models.csv")?;
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (model, kind, label, rule) = (at("model"), at("type"), at("final_label"), at("strmatch_label"));
    let mut found: BTreeMap<String, (Confusion, Confusion)> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let positive = !cells[label].starts_with('1');
        let score = Score::flag(!cells[rule].starts_with('1'));
        let (all, safe) = found.entry(cells[model].to_owned()).or_default();
        all.count(positive, &score, 0.5);
        if !cells[kind].starts_with("contrast_") {
            safe.count(positive, &score, 0.5);
        }
    }
    Some(found)
}

#[test]
fn xstest_string_rule_calibrated() {
    let Some(found) = string_rule() else { return };
    let expected = [
        ("llama2new", [249, 9, 25, 167], [0.9244, 0.9651, 0.9088], 0.8439),
        ("llama2orig", [309, 8, 40, 93], [0.8933, 0.9748, 0.8854], 0.7246),
        ("mistralguard", [163, 9, 77, 201], [0.8089, 0.9477, 0.6792], 0.6237),
    ];
    for (model, counts, [accuracy, precision, recall], kappa) in expected {
        let all = &found[model].0;
        let cells = [all.true_positives, all.false_positives, all.false_negatives, all.true_negatives];
        assert_eq!(cells, counts, "{model}");
        close(all.accuracy(0.95).unwrap().value, accuracy, 5e-5);
        close(all.precision(0.95).unwrap().value, precision, 5e-5);
        close(all.sensitivity(0.95).unwrap().value, recall, 5e-5);
        let agreement = all.kappa(0.95).unwrap();
        close(agreement.value, kappa, 5e-5);
        assert!(agreement.low < kappa && kappa < agreement.high && agreement.high - agreement.low < 0.2);
    }
}

#[test]
fn corrected_rates_are_the_human_ones_with_the_own_errors_only() {
    let Some(found) = string_rule() else { return };
    let expected = [
        ("llama2new", 0.7838, 0.9489, 0.268, 0.296),
        ("llama2orig", 0.7584, 0.9208, 0.484, 0.596),
        ("mistralguard", 0.6170, 0.9557, 0.152, 0.188),
    ];
    for (model, sensitivity, specificity, observed, human) in expected {
        let errors = found[model].1.judge_errors().unwrap();
        close(errors.sensitivity, sensitivity, 5e-5);
        close(errors.specificity, specificity, 5e-5);
        close(errors.corrected(observed).unwrap(), human, 1e-12);
    }
    // By another model's errors the rate is another one: by those of a model like it a little, by those of an unlike one by ten
    // points and more.
    let by = |model: &str, observed: f64| found[model].1.judge_errors().unwrap().corrected(observed).unwrap();
    close(by("llama2orig", 0.268), 0.2780, 5e-5);
    close(by("llama2new", 0.484), 0.5908, 5e-5);
    close(by("mistralguard", 0.268), 0.3906, 5e-5);
    close(by("mistralguard", 0.484), 0.7677, 5e-5);
    close(by("llama2new", 0.152), 0.1377, 5e-5);
    close(by("llama2orig", 0.152), 0.1072, 5e-5);
}
