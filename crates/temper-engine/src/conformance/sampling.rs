//! From one row of logits to one token.

use super::approx::{Approx, ONE, Sum, exact, log_softmax, probabilities};
use super::case::Case;
use super::failure::Problem;
use crate::SamplingParams;
use crate::device::Device;

/// Tokens drawn from the logits of a case.
const DRAWS: usize = 8;

/// Tokens in the order in which they share [0, 1), and the sums of the probabilities of the first `0..=V` of them.
struct Line {
    order: Vec<usize>,
    sums: Vec<Approx>,
}

impl Line {
    fn new(order: Vec<usize>, log_p: &[Approx]) -> Self {
        let mut sum = Sum::default();
        let mut sums = vec![sum.total()];
        let p = probabilities(log_p);
        for id in &order {
            sum.add(p[*id]);
            sums.push(sum.total());
        }
        Line { order, sums }
    }

    /// How many of the first `most` tokens `top_p` may keep: as many as have less than `top_p` of their sum before them.
    fn kept(&self, most: usize, top_p: f64) -> Vec<usize> {
        let target = Approx { value: top_p, error: 0.0 } * self.sums[most];
        let mut kept = Vec::new();
        for count in 1..=most {
            let (above, doubt) = (self.sums[count].value, self.sums[count].error + target.error);
            if top_p >= 1.0 || above + doubt < target.value {
                continue;
            }
            kept.push(count);
            if above - doubt >= target.value {
                return kept;
            }
        }
        kept.push(most);
        kept
    }

    /// Whether `u` lies in the share of `id` when the first `count` tokens share [0, 1).
    fn holds(&self, count: usize, id: usize, u: f64) -> bool {
        let Some(rank) = self.order[..count].iter().position(|other| *other == id) else { return false };
        let all = self.sums[count];
        let (target, doubt) = (u * all.value, 2.0 * all.error);
        self.sums[rank].value - doubt <= target && target <= self.sums[rank + 1].value + doubt
    }
}

/// The first of the largest.
fn best(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

/// Logits that are far enough apart for one order, from the highest to `span` below it.
fn distinct(case: &mut Case, vocab: usize, span: f64) -> Vec<f32> {
    let order = crate::shuffle(vocab, case.key());
    order.iter().map(|rank| (-span * *rank as f64 / vocab as f64) as f32).collect()
}

pub fn draw(device: &dyn Device, case: &mut Case) {
    let vocab = if case.index % 16 == 15 { 3000 + case.below(2000) } else { case.size(200) };
    let apart = !case.once_in(3);
    let mut logits = if apart { distinct(case, vocab, 12.0) } else { case.values(vocab) };
    let key = case.key();
    if case.once_in(3) {
        let masked = (0..vocab).skip(1).filter(|i| key.fold(*i as u64).uniform() < 0.3);
        masked.enumerate().for_each(|(n, i)| logits[i] = -1e30 - 1e28 * n as f32);
    }
    let temperature = case.choose(&[1.0, 1.0, 0.6, 1.5, 0.0]);
    let top_k = if apart { case.choose(&[0, 1, 2, 5, 20, 70, 10_000]) } else { 0 };
    let top_p = if apart { case.choose(&[1.0, 1.0, 0.5, 0.9, 0.99, 1e-6]) } else { 1.0 };
    let params = SamplingParams { temperature, top_p, top_k, ..SamplingParams::default() };
    case.describe(format!("V={vocab} temperature={temperature} top_k={top_k} top_p={top_p}"));
    let inverse = if temperature == 0.0 { ONE } else { ONE / Approx::exact(temperature) };
    let scaled: Vec<Approx> = exact(&logits).into_iter().map(|l| l * inverse).collect();
    let log_p = log_softmax(&scaled);
    let mut order: Vec<usize> = (0..vocab).collect();
    if top_p < 1.0 || (1..vocab).contains(&top_k) {
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    }
    let line = Line::new(order, &log_p);
    let most = if top_k == 0 { vocab } else { top_k.min(vocab) };
    let kept = line.kept(most, f64::from(top_p));
    let right = |id: usize, u: f64| match temperature {
        0.0 => id == best(&logits),
        _ => kept.iter().any(|count| line.holds(*count, id, u)),
    };
    for index in 0..DRAWS {
        // The ends of the line, and numbers between.
        let u = [0.0, 1.0 - f64::EPSILON].get(index).copied().unwrap_or(case.key().uniform());
        let (found, logprob) = device.draw(&logits, &params, u);
        case.elements += 1;
        if (found as usize) < vocab && right(found as usize, u) {
            let id = found as usize;
            case.check("logprob", &[1], &[logprob], &log_p[id..=id]);
        } else {
            let expected = (0..vocab).find(|id| right(*id, u)).unwrap_or(vocab) as f64;
            let found = f64::from(found);
            case.fail("id", Problem::Value { element: vec![index], found, expected, tolerance: 0.0, outside: 1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_line() {
        let log_p: Vec<Approx> = [0.5f64, 0.2, 0.3].iter().map(|p| Approx { value: p.ln(), error: 0.0 }).collect();
        let line = Line::new(vec![0, 2, 1], &log_p);
        assert_eq!(line.kept(3, 0.4), [1]);
        assert_eq!(line.kept(3, 0.7), [2]);
        assert_eq!(line.kept(3, 0.8), [2, 3], "either, since 0.8 is a border");
        assert_eq!(line.kept(2, 1.0), [2]);
        assert!(line.holds(3, 2, 0.6) && !line.holds(3, 1, 0.6));
        assert!(line.holds(2, 0, 0.62) && !line.holds(2, 1, 0.9), "0.5 of 0.8 is 0.625");
        assert_eq!(best(&[1.0, 3.0, 3.0]), 1);
    }
}
