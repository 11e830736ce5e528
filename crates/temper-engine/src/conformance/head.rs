//! The head: log-probabilities, entropies and their gradients.

use super::approx::{Approx, ONE, Sum, ZERO, dot, exact, log_softmax, probabilities};
use super::case::{Case, Kind};
use super::failure::Problem;
use super::format::operands;
use crate::Precision;
use crate::device::{Device, HeadRows, Matrix};

/// One row's logits and softmax.
struct Row {
    /// Before the temperature.
    logits: Vec<Approx>,
    /// Logarithms of probabilities.
    log_p: Vec<Approx>,
    /// Probabilities.
    p: Vec<Approx>,
    /// `-sum p log p`.
    entropy: Approx,
}

/// Hidden states and weights, as operands, and one over the temperature.
struct Inputs<'a> {
    hidden: &'a [Approx],
    weight: &'a [Approx],
    width: usize,
    inverse: Approx,
    precision: Precision,
}

impl Inputs<'_> {
    fn vocab(&self) -> usize {
        self.weight.len() / self.width
    }

    fn row(&self, index: usize) -> Row {
        let hidden = &self.hidden[index * self.width..(index + 1) * self.width];
        let logit = |weight: &[Approx]| dot(hidden.iter().copied().zip(weight.iter().copied()));
        let logits: Vec<Approx> = self.weight.chunks_exact(self.width).map(logit).collect();
        let scaled: Vec<Approx> = logits.iter().map(|l| *l * self.inverse).collect();
        let log_p = log_softmax(&scaled);
        let p = probabilities(&log_p);
        let entropy = -dot(p.iter().copied().zip(log_p.iter().copied()));
        Row { logits, log_p, p, entropy }
    }

    /// With `z` the logits over the temperature, `d logprob / d z_v = [v = target] - p_v` and
    /// `d entropy / d z_v = -p_v (log p_v + entropy)`.
    fn backward(&self, targets: &[u32], dlogprobs: &[Approx], dentropy: &[Approx]) -> [Vec<Approx>; 2] {
        let (width, vocab) = (self.width, self.vocab());
        let mut dhidden = Vec::new();
        let mut dweight = vec![Sum::default(); self.weight.len()];
        for (index, target) in targets.iter().enumerate() {
            let Row { log_p, p, entropy, .. } = self.row(index);
            let dlogit = |v: usize| {
                let own = if v == *target as usize { dlogprobs[index] } else { ZERO };
                let all = dlogprobs[index] + dentropy[index] * (log_p[v] + entropy);
                (own - p[v] * all) * self.inverse
            };
            let dlogits = operands(&(0..vocab).map(dlogit).collect::<Vec<_>>(), self.precision);
            for i in 0..width {
                dhidden.push(dot((0..vocab).map(|v| (dlogits[v], self.weight[v * width + i]))));
                for v in 0..vocab {
                    dweight[v * width + i].add(dlogits[v] * self.hidden[index * width + i]);
                }
            }
        }
        [dhidden, dweight.iter().map(Sum::total).collect()]
    }
}

/// Whether the target has the largest logit, of equal ones the first; `None` if rounding may decide. Logits that are sums of
/// products of small whole numbers are `exact`.
fn correct(logits: &[Approx], target: usize, exact: bool) -> Option<bool> {
    let own = logits[target];
    let mut sure = true;
    for (v, other) in logits.iter().enumerate().filter(|(v, _)| *v != target) {
        let doubt = if exact { 0.0 } else { own.error + other.error };
        let ahead = own.value - other.value;
        if ahead < -doubt || (exact && ahead == 0.0 && v < target) {
            return Some(false);
        }
        sure &= exact || ahead > doubt;
    }
    sure.then_some(true)
}

/// What a case owns.
struct Drawn {
    rows: usize,
    width: usize,
    vocab: usize,
    temperature: f32,
    precision: Precision,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    targets: Vec<u32>,
    /// Whether all values are whole and small.
    exact: bool,
}

impl Drawn {
    fn new(case: &mut Case, precision: Precision) -> Self {
        let (mut rows, mut width, mut vocab) = (case.rows(40), case.size(97), case.size(130));
        if case.index % 16 == 15 {
            // More logits than are computed at a time.
            (rows, width, vocab) = (250 + case.below(100), 1 + case.below(2), 3000 + case.below(1500));
        }
        let temperature = case.choose(&[1.0, 1.0, 0.25, 0.7, 2.0]);
        case.describe(format!("R={rows} D={width} V={vocab} temperature={temperature} products={precision}"));
        let kinds = [case.kind(), case.kind()];
        let exact = kinds.iter().all(|kind| matches!(kind, Kind::Integers | Kind::Sparse | Kind::Zero));
        let (hidden, mut weight) = (case.values_of(kinds[0], rows * width), case.values_of(kinds[1], vocab * width));
        // Tokens that a mask has excluded: with a positive last element of the row, their logits are far below all others.
        if kinds == [Kind::Normal; 2] && case.once_in(4) {
            let key = case.key();
            for v in (0..vocab).filter(|v| key.fold(*v as u64).uniform() < 0.3) {
                weight[v * width + width - 1] -= 30_000.0;
            }
        }
        let targets = case.ids(rows, vocab);
        Drawn { rows, width, vocab, temperature, precision, hidden, weight, targets, exact }
    }
}

fn with_rows<R>(drawn: &Drawn, f: impl FnOnce(&HeadRows, &Inputs) -> R) -> R {
    let weight = Matrix { out: drawn.vocab, inputs: drawn.width, values: &drawn.weight, frozen: None };
    let rows = HeadRows {
        hidden: &drawn.hidden,
        weight: &weight,
        targets: &drawn.targets,
        temperature: drawn.temperature,
        precision: drawn.precision,
    };
    let precision = drawn.precision;
    let [hidden, weight] = [&drawn.hidden, &drawn.weight].map(|values| operands(&exact(values), precision));
    let inverse = ONE / Approx::exact(drawn.temperature);
    f(&rows, &Inputs { hidden: &hidden, weight: &weight, width: drawn.width, inverse, precision })
}

pub fn forward(device: &dyn Device, case: &mut Case, precision: Precision) {
    let drawn = Drawn::new(case, precision);
    with_rows(&drawn, |rows, inputs| {
        let found = device.head(rows);
        let (mut logprobs, mut entropy) = (Vec::new(), Vec::new());
        for (index, target) in drawn.targets.iter().map(|target| *target as usize).enumerate() {
            let row = inputs.row(index);
            logprobs.push(row.log_p[target]);
            entropy.push(row.entropy);
            let (expected, found) = (correct(&row.logits, target, drawn.exact), found.correct.get(index).copied());
            if let (Some(expected), Some(found)) = (expected, found)
                && expected != found
            {
                let (found, expected) = (f64::from(u8::from(found)), f64::from(u8::from(expected)));
                let element = vec![index];
                case.fail("correct", Problem::Value { element, found, expected, tolerance: 0.0, outside: 1 });
            }
        }
        if found.correct.len() != drawn.rows {
            case.fail("correct", Problem::Length { found: found.correct.len(), expected: drawn.rows });
        }
        case.check("logprobs", &[drawn.rows], &found.logprobs, &logprobs);
        case.check("entropy", &[drawn.rows], &found.entropy, &entropy);
    });
}

pub fn backward(device: &dyn Device, case: &mut Case, precision: Precision) {
    let drawn = Drawn::new(case, precision);
    let Drawn { rows: count, width, vocab, .. } = drawn;
    let kind = case.choose(&[Kind::Normal, Kind::Normal, Kind::Sparse, Kind::Zero, Kind::Scales]);
    let dlogprobs = case.values_of(kind, count);
    let dentropy = case.once_in(2).then(|| case.values_of(kind, count));
    with_rows(&drawn, |rows, inputs| {
        let zeros = vec![ZERO; count];
        let dentropy_expected = dentropy.as_deref().map_or(zeros, exact);
        let [dhidden, dweight] = inputs.backward(&drawn.targets, &exact(&dlogprobs), &dentropy_expected);
        let found = device.head_backward(rows, &dlogprobs, dentropy.as_deref());
        case.check("dhidden", &[count, width], &found.dhidden, &dhidden);
        case.check("dweight", &[vocab, width], &found.dweight, &dweight);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let (hidden, weight) = (random(6, 1), random(10, 2));
        let (targets, a, b) = ([4, 0, 2], random(3, 3), random(3, 4));
        let inverse = Approx { value: 1.4, error: 0.0 };
        let run = |hidden: &[Approx], weight: &[Approx]| {
            let inputs = Inputs { hidden, weight, width: 2, inverse, precision: Precision::F32 };
            let rows: Vec<Row> = (0..3).map(|i| inputs.row(i)).collect();
            let logprobs: Vec<Approx> = rows.iter().zip(targets).map(|(row, t)| row.log_p[t as usize]).collect();
            let entropy: Vec<Approx> = rows.iter().map(|row| row.entropy).collect();
            dot(&logprobs, &a) + dot(&entropy, &b)
        };
        let inputs = Inputs { hidden: &hidden, weight: &weight, width: 2, inverse, precision: Precision::F32 };
        let [dhidden, dweight] = inputs.backward(&targets, &a, &b);
        check("dhidden", &hidden, &dhidden, |hidden| run(hidden, &weight));
        check("dweight", &weight, &dweight, |weight| run(&hidden, weight));
    }

    #[test]
    fn ties_and_doubts() {
        let logits = |values: &[f64]| -> Vec<Approx> {
            values.iter().map(|value| Approx { value: *value, error: 0.1 }).collect()
        };
        assert_eq!(correct(&logits(&[1.0, 1.0, 0.0]), 0, true), Some(true));
        assert_eq!(correct(&logits(&[1.0, 1.0, 0.0]), 1, true), Some(false));
        assert_eq!(correct(&logits(&[1.0, 1.0, 0.0]), 1, false), None);
        assert_eq!(correct(&logits(&[1.0, 0.5]), 0, false), Some(true));
        assert_eq!(correct(&logits(&[1.0, 0.5]), 1, false), Some(false));
    }
}
