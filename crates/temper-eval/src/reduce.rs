//! From the scores of an item's repeats to the item's value.

use temper_recipe::Reducer;
use temper_score::Better;

/// One scored repeat: its score, and the answer that the scorer took out of it, where it did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw<'a> {
    /// The score.
    pub value: f64,
    /// The extracted answer.
    pub answer: Option<&'a str>,
}

/// The value of an item from its scored repeats, in their order, of which there must be one; `Err` says why the reducer gives
/// none.
///
/// - `mean`: their mean.
/// - `majority` (maj@n): the score of the answer that most repeats give. Answers are the same when they are the same text but for
///   case and surrounding blanks, or the same number. Repeats without an extracted answer have no vote. Of answers with equally
///   many votes the one that came first wins. Where no repeat has an answer: 1 when more than half of the repeats score above one
///   half, else 0 (`measure` asks for scores of 0 and 1 then).
/// - `pass@k` = 1 − C(n−c, k)/C(n, k) and `pass^k` = C(c, k)/C(n, k), c of n repeats right; scores must be 0 or 1.
/// - `worst@k`: the expected worst of k repeats drawn without replacement: with the scores from best to worst as x_1 … x_n,
///   Σ_i x_i · C(i−1, k−1)/C(n, k).
pub fn reduce(draws: &[Draw], reducer: Reducer, better: Better) -> Result<f64, String> {
    let n = draws.len();
    if let Some(k) = reducer.draws().filter(|k| *k > n) {
        return Err(format!("fewer than {k} scored repeats"));
    }
    let right = || match draws.iter().all(|draw| draw.value == 0.0 || draw.value == 1.0) {
        true => Ok(draws.iter().filter(|draw| draw.value == 1.0).count()),
        false => Err("a score that is neither 0 nor 1".to_owned()),
    };
    match reducer {
        Reducer::Mean => Ok(draws.iter().map(|draw| draw.value).sum::<f64>() / n as f64),
        Reducer::Majority => Ok(majority(draws)),
        Reducer::Pass(k) => Ok(1.0 - share_without(n, right()?, k)),
        Reducer::All(k) => Ok(share_without(n, n - right()?, k)),
        Reducer::Worst(k) => {
            let mut values: Vec<f64> = draws.iter().map(|draw| draw.value).collect();
            match better {
                Better::Higher => values.sort_by(|a, b| b.total_cmp(a)),
                Better::Lower => values.sort_by(f64::total_cmp),
                Better::Neither => {
                    return Err("the metric has no good direction; set `better` on the scorer".to_owned());
                }
            }
            // Weights add up to 1 only but for rounding, and a share is a share only to the bit.
            if values.first() == values.last() {
                return Ok(values[0]);
            }
            // The weight of the i-th best: that it is drawn, and the others from those before it.
            let mut sum = 0.0;
            for (before, value) in values.iter().enumerate().skip(k - 1) {
                sum += value * choose_ratio(before, k - 1, n, k);
            }
            Ok(sum)
        }
    }
}

/// C(n−c, k)/C(n, k): the share of draws of k among n that hold none of c.
fn share_without(n: usize, c: usize, k: usize) -> f64 {
    (0..k).map(|i| (n - c).saturating_sub(i) as f64 / (n - i) as f64).product()
}

/// C(a, b)/C(n, k): exact numerator and denominator where they fit, else without large numbers in between.
fn choose_ratio(a: usize, b: usize, n: usize, k: usize) -> f64 {
    if n <= 50 {
        let exact = |n: usize, k: usize| (0..k).fold(1.0, |c, i| c * n.saturating_sub(i) as f64 / (i + 1) as f64);
        return exact(a, b) / exact(n, k);
    }
    let log = |n: usize, k: usize| (0..k).map(|i| ((n - i) as f64).ln() - ((i + 1) as f64).ln()).sum::<f64>();
    if b > a { 0.0 } else { (log(a, b) - log(n, k)).exp() }
}

fn majority(draws: &[Draw]) -> f64 {
    // Votes and score by answer, in the order in which the answers first came.
    let mut votes: Vec<(String, usize, f64)> = Vec::new();
    for draw in draws {
        let Some(answer) = draw.answer.map(canonical) else { continue };
        match votes.iter_mut().find(|(seen, _, _)| *seen == answer) {
            Some((_, count, _)) => *count += 1,
            None => votes.push((answer, 1, draw.value)),
        }
    }
    let most = votes.iter().map(|(_, count, _)| *count).max();
    match votes.iter().find(|(_, count, _)| Some(*count) == most) {
        Some((_, _, value)) => *value,
        None => {
            let above = draws.iter().filter(|draw| draw.value > 0.5).count();
            f64::from(u8::from(2 * above > draws.len()))
        }
    }
}

/// An answer as it is compared: a number by its value, anything else in lower case without surrounding blanks.
fn canonical(answer: &str) -> String {
    let plain = answer.trim().to_lowercase();
    let digits = plain.trim_start_matches('$').trim_end_matches('.').replace(',', "");
    match digits.parse::<f64>() {
        Ok(number)
            if number.is_finite() && digits.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') =>
        {
            format!("{}", if number == 0.0 { 0.0 } else { number })
        }
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(values: &[f64]) -> Vec<Draw<'static>> {
        values.iter().map(|value| Draw { value: *value, answer: None }).collect()
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn pass_at_k_and_pass_hat_k() {
        let mut values = vec![1.0; 3];
        values.extend([0.0; 7]);
        let value = |reducer| reduce(&draws(&values), reducer, Better::Higher).unwrap();
        // 1 − C(7,5)/C(10,5) = 1 − 21/252
        assert!((value(Reducer::Pass(5)) - 0.916667).abs() < 5e-7);
        near(value(Reducer::Pass(1)), 0.3);
        near(value(Reducer::Pass(8)), 1.0);
        near(value(Reducer::All(3)), 1.0 / 120.0);
        near(value(Reducer::All(1)), 0.3);
        near(value(Reducer::All(4)), 0.0);
        near(value(Reducer::Mean), 0.3);
        assert_eq!(
            reduce(&draws(&values), Reducer::Pass(11), Better::Higher),
            Err("fewer than 11 scored repeats".into())
        );
        let half = reduce(&draws(&[0.5, 1.0]), Reducer::Pass(1), Better::Higher);
        assert_eq!(half, Err("a score that is neither 0 nor 1".into()));
    }

    /// All subsets of k, without formulas.
    fn brute(values: &[f64], k: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        let subsets = (0u32..1 << values.len()).filter(|mask| mask.count_ones() as usize == k);
        let chosen = |mask: u32| -> Vec<f64> {
            values.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, value)| *value).collect()
        };
        let all: Vec<f64> = subsets.map(|mask| of(&chosen(mask))).collect();
        all.iter().sum::<f64>() / all.len() as f64
    }

    #[test]
    fn expectations_are_those_over_all_subsets() {
        let values = [0.25, 1.0, 0.0, 0.5, 0.5, 0.75, -1.0];
        let binary = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0];
        for k in 1..=values.len() {
            let worst = |better| reduce(&draws(&values), Reducer::Worst(k), better).unwrap();
            near(worst(Better::Higher), brute(&values, k, |of| of.iter().copied().fold(f64::INFINITY, f64::min)));
            near(worst(Better::Lower), brute(&values, k, |of| of.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
        }
        for k in 1..=binary.len() {
            let value = |reducer| reduce(&draws(&binary), reducer, Better::Higher).unwrap();
            near(value(Reducer::Pass(k)), brute(&binary, k, |of| of.iter().copied().fold(0.0, f64::max)));
            near(value(Reducer::All(k)), brute(&binary, k, |of| of.iter().copied().fold(1.0, f64::min)));
            near(value(Reducer::Worst(k)), value(Reducer::All(k)));
        }
        assert!(reduce(&draws(&values), Reducer::Worst(2), Better::Neither).unwrap_err().contains("no good direction"));
    }

    #[test]
    fn the_most_frequent_answer_counts() {
        let value = |answers: &[(Option<&str>, f64)]| {
            let draws: Vec<Draw> =
                answers.iter().map(|(answer, value)| Draw { value: *value, answer: *answer }).collect();
            reduce(&draws, Reducer::Majority, Better::Higher).unwrap()
        };
        assert_eq!(value(&[(Some("7"), 0.0), (Some("18"), 1.0), (Some("18.0"), 1.0)]), 1.0);
        assert_eq!(value(&[(Some("1,000"), 1.0), (Some("$1000."), 1.0), (Some("5"), 0.0)]), 1.0);
        // A tie goes to the answer that came first.
        assert_eq!(value(&[(Some("7"), 0.0), (Some("18"), 1.0)]), 0.0);
        assert_eq!(value(&[(Some("18"), 1.0), (Some("7"), 0.0), (Some("7"), 0.0), (Some(" 18 "), 1.0)]), 1.0);
        // No answer, no vote.
        assert_eq!(value(&[(None, 0.0), (None, 0.0), (Some("B"), 1.0), (Some("b"), 1.0)]), 1.0);
        // Without any answer the scores vote; half is not most.
        assert_eq!(value(&[(None, 1.0), (None, 1.0), (None, 0.0)]), 1.0);
        assert_eq!(value(&[(None, 1.0), (None, 0.0)]), 0.0);
        assert_eq!(value(&[(Some("nan"), 1.0), (Some("inf"), 0.0), (Some("INF"), 0.0)]), 0.0);
    }

    #[test]
    fn the_worst_of_equal_scores_is_that_score_to_the_bit() {
        for n in 1..40 {
            for k in 1..=n {
                for value in [0.0, 1.0, 0.3] {
                    assert_eq!(reduce(&draws(&vec![value; n]), Reducer::Worst(k), Better::Lower), Ok(value));
                }
            }
            let mut mixed = vec![1.0; n];
            mixed.push(0.0);
            assert_eq!(reduce(&draws(&mixed), Reducer::Worst(n + 1), Better::Lower), Ok(1.0));
            assert_eq!(reduce(&draws(&mixed), Reducer::Worst(n + 1), Better::Higher), Ok(0.0));
        }
    }

    #[test]
    fn many_repeats_do_not_overflow() {
        let values: Vec<f64> = (0..2000).map(|i| f64::from(u8::from(i % 2 == 0))).collect();
        let value = |reducer| reduce(&draws(&values), reducer, Better::Higher).unwrap();
        assert!((value(Reducer::Pass(1000)) - 1.0).abs() < 1e-12);
        let worst = value(Reducer::Worst(3));
        assert!((worst - value(Reducer::All(3))).abs() < 1e-9 && (worst - 0.125).abs() < 1e-3);
    }
}
