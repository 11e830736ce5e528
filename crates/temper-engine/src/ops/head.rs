//! The head: logits, log-probabilities, entropy and their gradients, for chunks of rows. All logits, `[T, V]`, never exist:
//! the backward computes those again that are more than a fixed amount.

use super::linear::{self, WeightGrad};
use super::reduce::{fold, max};
use crate::Precision;
use crate::kernels::columns::{Columns, Side};
use crate::kernels::panels::Panels;
use crate::kernels::product::packed;
use crate::kernels::tile::LANES;
use crate::par::{self, Shared};
use crate::real::{Real, with_scratch};
use crate::simd::simd;

/// Elements of logits that a thread has at a time.
const LOGITS: usize = 1 << 18;
/// Elements of logits that the forward keeps for the backward; those of further rows are computed again.
const KEPT: usize = 1 << 24;
/// Elements of logits that the backward has at a time, over all threads.
const BLOCK: usize = 1 << 20;

/// Rows whose logits the forward keeps, of `rows`.
pub fn kept_rows(rows: usize, vocab: usize) -> usize {
    let chunk = chunk_rows(vocab);
    rows.min(KEPT / vocab / chunk * chunk)
}

/// Rows that the backward takes at a time.
pub fn block_rows(vocab: usize, threads: usize) -> usize {
    let chunk = chunk_rows(vocab);
    (BLOCK / vocab / chunk * chunk).max(chunk * 2 * threads)
}

/// Rows whose logits a thread computes at a time.
pub fn chunk_rows(vocab: usize) -> usize {
    (LOGITS / vocab).clamp(12, 96) / 12 * 12
}

/// Log-sum-exp of one row of logits divided by a temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSoftmax<F> {
    /// 1 / temperature.
    pub inv_temperature: F,
    /// Largest scaled logit.
    pub max: F,
    /// Logarithm of the sum of `exp(scaled logit - max)`.
    pub log_sum: F,
}

impl<F: Real> LogSoftmax<F> {
    /// Of one row of logits.
    pub fn new(logits: &[F], temperature: F) -> Self {
        Self::with_inverse(logits, F::ONE / temperature)
    }

    fn with_inverse(logits: &[F], inv_temperature: F) -> Self {
        let max = row_max(logits) * inv_temperature;
        LogSoftmax { inv_temperature, max, log_sum: sum_exp(logits, max, inv_temperature).ln() }
    }

    /// Log-probability of a token with this logit: the same bits as [`crate::Model::score`].
    pub fn logprob(&self, logit: F) -> F {
        logit * self.inv_temperature - self.max - self.log_sum
    }
}

/// What the head says about one row.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowStats<F> {
    pub logprob: F,
    pub entropy: F,
    pub correct: bool,
}

/// The head's weights and the temperature.
pub struct Head<'a, F> {
    /// `W^T`, `[hidden, vocab]`.
    pub weights: &'a Panels<F>,
    pub inv_temperature: F,
    /// Number format of the products.
    pub precision: Precision,
}

impl<F: Real> Head<'_, F> {
    /// Statistics of each row of `hidden` with its target. The logits of the first `kept.len() / vocab` rows are kept.
    pub fn stats(&self, hidden: &[F], targets: &[u32], kept: &mut [F]) -> Vec<RowStats<F>> {
        let (width, vocab) = (self.weights.k, self.weights.n);
        let mut stats = vec![RowStats::default(); targets.len()];
        let results = SharedStats(stats.as_mut_ptr());
        let kept = Shared::new(kept);
        par::chunks(targets.len(), chunk_rows(vocab), |rows| {
            let run = |logits: &mut [F]| {
                packed(rows.len(), par::rows(hidden, &rows, width), width, self.weights, logits, vocab, false);
                for (row, logits) in rows.clone().zip(logits.chunks_exact(vocab)) {
                    // SAFETY: each row belongs to one task.
                    unsafe { results.write(row, self.row_stats(logits, targets[row] as usize)) };
                }
            };
            if rows.end * vocab <= kept.len() {
                // SAFETY: as above.
                run(unsafe { kept.rows(&rows, vocab) });
            } else {
                with_scratch(rows.len() * vocab, run);
            }
        });
        stats
    }

    fn row_stats(&self, logits: &[F], target: usize) -> RowStats<F> {
        let soft = LogSoftmax::with_inverse(logits, self.inv_temperature);
        let logit = logits[target];
        RowStats {
            logprob: soft.logprob(logit),
            entropy: entropy(logits, soft.max, self.inv_temperature, soft.log_sum),
            correct: logit * self.inv_temperature == soft.max && logits[..target].iter().all(|x| *x < logit),
        }
    }

    /// Writes the gradient of `hidden` and adds that of the weights, if they are trained. `transposed` holds `W`,
    /// `[vocab, hidden]`.
    pub fn backward(
        &self,
        transposed: &Panels<F>,
        rows: &Rows<F>,
        dhidden: &mut [F],
        dweights: Option<&mut [F]>,
        work: &mut Work<F>,
    ) {
        let (width, vocab) = (self.weights.k, self.weights.n);
        let chunk = chunk_rows(vocab);
        let block = block_rows(vocab, rayon::current_num_threads());
        let dweights = dweights.map(|dweights| Shared::new(dweights));
        let dhidden = Shared::new(dhidden);
        let kept = Shared::new(&mut work.kept);
        for start in (0..rows.targets.len()).step_by(block) {
            let count = block.min(rows.targets.len() - start);
            let dy = work.dy.prepare(Side::Left, vocab, count, self.precision);
            let x = work.x.prepare(Side::Right, width, count, self.precision);
            par::chunks(count, chunk, |local| {
                let all = start + local.start..start + local.end;
                let hidden = par::rows(rows.hidden, &all, width);
                let run = |dlogits: &mut [F]| {
                    for (row, logits) in all.clone().zip(dlogits.chunks_exact_mut(vocab)) {
                        self.row_gradient(logits, row, rows);
                    }
                    // SAFETY: these rows belong to this task.
                    unsafe {
                        if dweights.is_some() {
                            dy.write(local.start, dlogits);
                            x.write(local.start, hidden);
                        }
                        packed(local.len(), dlogits, vocab, transposed, dhidden.rows(&all, width), width, false);
                    }
                };
                if all.end * vocab <= kept.len() {
                    // SAFETY: as above.
                    run(unsafe { kept.rows(&all, vocab) });
                } else {
                    with_scratch(local.len() * vocab, |logits| {
                        packed(local.len(), hidden, width, self.weights, logits, vocab, false);
                        run(logits);
                    });
                }
            });
            if let Some(dw) = dweights {
                linear::add_weight_grads(&[WeightGrad { dy: &work.dy, x: &work.x, dw, db: None }]);
            }
        }
    }

    /// Turns the logits of `row` into the gradient of the loss with respect to them.
    fn row_gradient(&self, logits: &mut [F], row: usize, rows: &Rows<F>) {
        let soft = LogSoftmax::with_inverse(logits, self.inv_temperature);
        let dlogprob = rows.dlogprob[row];
        let dentropy = rows.dentropy.map_or(F::ZERO, |d| d[row]);
        let entropy =
            if dentropy == F::ZERO { F::ZERO } else { entropy(logits, soft.max, self.inv_temperature, soft.log_sum) };
        gradient(logits, soft, dlogprob, dentropy, entropy);
        logits[rows.targets[row] as usize] += dlogprob * self.inv_temperature;
    }
}

/// The head's rows and the gradients of their results.
pub struct Rows<'a, F> {
    /// `[R, hidden]`.
    pub hidden: &'a [F],
    /// Ids of the tokens.
    pub targets: &'a [u32],
    /// Gradients of log-probabilities.
    pub dlogprob: &'a [F],
    /// Gradients of entropies.
    pub dentropy: Option<&'a [F]>,
}

/// Buffers of the backward, and the logits that [`Head::stats`] has kept for it.
#[derive(Debug, Default)]
pub struct Work<F> {
    dy: Columns<F>,
    x: Columns<F>,
    kept: Vec<F>,
}

impl<F: Real> Work<F> {
    /// Room for the logits that [`Head::stats`] keeps, given the number of rows.
    pub fn kept(&mut self, rows: usize, vocab: usize) -> &mut [F] {
        self.kept.resize(kept_rows(rows, vocab) * vocab, F::ZERO);
        &mut self.kept
    }
}

/// Results of rows, written by the tasks that own them.
struct SharedStats<F>(*mut RowStats<F>);

// SAFETY: each row is written by one task.
unsafe impl<F: Send> Sync for SharedStats<F> {}

impl<F> SharedStats<F> {
    /// # Safety
    /// `row` is inside the vector, and nobody else writes it.
    unsafe fn write(&self, row: usize, stats: RowStats<F>) {
        // SAFETY: the caller's.
        unsafe { self.0.add(row).write(stats) }
    }
}

simd! {
    fn row_max(x: &[F]) -> F {
        max(x)
    }

    fn sum_exp(x: &[F], max: F, scale: F) -> F {
        let mut lanes = [F::ZERO; LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for i in 0..LANES {
                lanes[i] += (block[i] * scale - max).exp::<FMA>();
            }
        }
        for (i, x) in rest.iter().enumerate() {
            lanes[i] += (*x * scale - max).exp::<FMA>();
        }
        fold(lanes)
    }

    /// `-sum_v p_v log p_v`.
    fn entropy(x: &[F], max: F, scale: F, log_sum: F) -> F {
        let mut lanes = [F::ZERO; LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for i in 0..LANES {
                let log_p = block[i] * scale - max - log_sum;
                lanes[i] = log_p.exp::<FMA>().fma::<FMA>(-log_p, lanes[i]);
            }
        }
        for (i, x) in rest.iter().enumerate() {
            let log_p = *x * scale - max - log_sum;
            lanes[i] = log_p.exp::<FMA>().fma::<FMA>(-log_p, lanes[i]);
        }
        fold(lanes)
    }

    /// Turns logits into `d loss / d logit`, but for the target's own term: with `z = logit / temperature`,
    /// `d logprob / d z_v = [v = target] - p_v` and `d entropy / d z_v = -p_v (log p_v + entropy)`.
    fn gradient(x: &mut [F], soft: LogSoftmax<F>, dlogprob: F, dentropy: F, entropy: F) {
        let scale = soft.inv_temperature;
        for x in x {
            let log_p = *x * scale - soft.max - soft.log_sum;
            let p = log_p.exp::<FMA>();
            *x = -(p * scale) * dentropy.fma::<FMA>(log_p + entropy, dlogprob);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::{Direction, Format};
    use crate::ops::finite::{check, dot, random};

    fn panels(k: usize, n: usize, direction: Direction, w: &[f64]) -> Panels<f64> {
        let mut panels = Panels::new(k, n, direction, Format::Full, Precision::F32);
        panels.fill(w);
        panels
    }

    fn head(weights: &Panels<f64>, inv_temperature: f64) -> Head<'_, f64> {
        Head { weights, inv_temperature, precision: Precision::F32 }
    }

    #[test]
    fn gradient() {
        let (rows, width, vocab, inv_temperature) = (4, 5, 37, 1.3);
        let (x, w) = (random(rows * width, 1), random(vocab * width, 2));
        let targets = [3, 0, 36, 20];
        let (a, b) = (random(rows, 3), [0.7, 0.0, -0.4, 1.1]);
        let forward_panels = |w: &[f64]| panels(width, vocab, Direction::Forward, w);
        let run = |x: &[f64], w: &[f64]| {
            let stats = head(&forward_panels(w), inv_temperature).stats(x, &targets, &mut []);
            let logprobs: Vec<f64> = stats.iter().map(|s| s.logprob).collect();
            let entropy: Vec<f64> = stats.iter().map(|s| s.entropy).collect();
            dot(&logprobs, &a) + dot(&entropy, &b)
        };
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        let plain = panels(vocab, width, Direction::Backward, &w);
        let weights = forward_panels(&w);
        let head = head(&weights, inv_temperature);
        let rows = Rows { hidden: &x, targets: &targets, dlogprob: &a, dentropy: Some(&b) };
        head.backward(&plain, &rows, &mut dx, Some(&mut dw), &mut Work::default());
        let mut work = Work::default();
        head.stats(&x, &targets, work.kept(rows.targets.len(), vocab));
        let (mut dx_kept, mut dw_kept) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        head.backward(&plain, &rows, &mut dx_kept, Some(&mut dw_kept), &mut work);
        assert!(dx == dx_kept && dw == dw_kept, "kept logits give the same bits");
        check("dhidden", &x, &dx, |x| run(x, &w));
        check("dweights", &w, &dw, |w| run(&x, w));
    }

    #[test]
    fn hand_computed() {
        let soft = LogSoftmax::new(&[2.0f64.ln() * 2.0, 0.0, 0.0], 2.0);
        assert!((soft.logprob(2.0f64.ln() * 2.0) - 0.5f64.ln()).abs() < 1e-15);
        assert!((soft.logprob(0.0) - 0.25f64.ln()).abs() < 1e-15);
        let weights = panels(1, 3, Direction::Forward, &[2.0f64.ln(), 0.0, 0.0]);
        let head = head(&weights, 1.0);
        let stats = head.stats(&[1.0, 1.0, 0.0], &[0, 1, 1], &mut []);
        assert!((stats[0].entropy - 1.5 * 2.0f64.ln()).abs() < 1e-15);
        assert!(stats[0].correct && !stats[1].correct);
        assert!(!stats[2].correct, "of equal logits the first is the most probable one");
    }

    /// Of a large vocabulary in f32 against f64.
    #[test]
    fn large_logits_keep_their_precision() {
        let logits: Vec<f64> = random(5000, 7).iter().map(|x| 30.0 * x + 200.0).collect();
        let single: Vec<f32> = logits.iter().map(|x| *x as f32).collect();
        let exact = LogSoftmax::new(&single.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), 0.9);
        let found = LogSoftmax::new(&single, 0.9);
        for (x, y) in single.iter().zip(&logits).step_by(97) {
            let expected = exact.logprob(f64::from(*x));
            assert!((f64::from(found.logprob(*x)) - expected).abs() < 1e-4, "{y}");
        }
    }
}
