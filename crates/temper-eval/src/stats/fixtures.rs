//! The statistics against SciPy, statsmodels and krippendorff; `tools/fixtures/statistics.py` wrote what they say.

use serde_json::Value;

use super::*;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/statistics.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let entries = value.as_array().unwrap();
    assert!(!entries.is_empty());
    entries.iter()
}

fn close(found: f64, expected: f64, relative: f64) {
    let slack = relative * expected.abs() + 1e-12;
    assert!((found - expected).abs() <= slack, "{found} and {expected}");
}

#[test]
fn intervals_of_shares() {
    for case in each(&fixture()["intervals"]) {
        let (k, n, confidence) = (count(&case["k"]), count(&case["n"]), number(&case["confidence"]));
        let (low, high) = wilson(k as f64, n as f64, confidence);
        let expected = numbers(&case["wilson"]);
        assert!((low - expected[0]).abs() < 1e-9 && (high - expected[1]).abs() < 1e-9, "{case} {low} {high}");
        let (low, high) = clopper_pearson(k, n, confidence);
        let expected = numbers(&case["exact"]);
        assert!((low - expected[0]).abs() < 1e-9 && (high - expected[1]).abs() < 1e-9, "{case} {low} {high}");
    }
}

#[test]
fn cluster_robust_means() {
    for case in each(&fixture()["clustered"]) {
        let labels: Vec<usize> = each(&case["clusters"]).map(count).collect();
        let found = clustered(&numbers(&case["values"]), &labels, 0.95).unwrap();
        close(found.value, number(&case["mean"]), 1e-9);
        close(found.se, number(&case["se"]), 1e-9);
        close(found.low, number(&case["low"]), 1e-7);
        close(found.high, number(&case["high"]), 1e-7);
    }
}

#[test]
fn exact_tests() {
    let exact = &fixture()["exact"];
    for case in each(&exact["binomial"]) {
        close(binomial_test(count(&case["k"]), count(&case["n"]), number(&case["rate"])), number(&case["p"]), 1e-8);
    }
    for case in each(&exact["fisher"]) {
        let p = fisher_exact(count(&case["a"]), count(&case["n"]), count(&case["b"]), count(&case["m"]));
        close(p, number(&case["p"]), 1e-8);
    }
    for case in each(&exact["mcnemar"]) {
        close(mcnemar_exact(count(&case["b"]), count(&case["c"])), number(&case["p"]), 1e-8);
    }
    for case in each(&exact["sign_flips"]) {
        close(sign_flip_test(&numbers(&case["differences"]), 10_000, 0), number(&case["p"]), 1e-9);
    }
}

#[test]
fn agreement_of_raters() {
    let agreement = &fixture()["agreement"];
    for case in each(&agreement["kappa"]) {
        let table: Vec<Vec<f64>> = each(&case["table"]).map(numbers).collect();
        let kappa = cohen_kappa(&table, 0.95).unwrap();
        close(kappa.value, number(&case["kappa"]), 1e-9);
        close(kappa.se, number(&case["se"]), 1e-9);
    }
    for case in each(&agreement["alpha"]) {
        let units: Vec<Vec<usize>> =
            each(&case["units"]).map(|unit| unit.as_array().unwrap().iter().map(count).collect()).collect();
        close(krippendorff_alpha(&units).unwrap(), number(&case["alpha"]), 1e-9);
    }
}

#[test]
fn many_tests() {
    for case in each(&fixture()["multiple"]) {
        let p = numbers(&case["p"]);
        for (found, expected) in holm(&p).iter().zip(numbers(&case["holm"])) {
            close(*found, expected, 1e-9);
        }
        for (found, expected) in benjamini_hochberg(&p).iter().zip(numbers(&case["fdr_bh"])) {
            close(*found, expected, 1e-9);
        }
    }
}

#[test]
fn detectable_effects() {
    for case in each(&fixture()["power"]) {
        let (sd, n) = (number(&case["sd"]), number(&case["n"]));
        let effect = detectable(sd, n, number(&case["confidence"]), number(&case["power"]));
        // statsmodels also counts the power of the wrong direction, which is next to none at these sizes, and
        // searches for the effect to about six digits.
        close(effect, number(&case["effect"]), 1e-5);
    }
}
