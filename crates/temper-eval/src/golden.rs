//! The golden numbers of the statistics, recomputed from the files they come from.

use std::collections::BTreeMap;

use serde_json::Value;

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
