//! From one row of logits to one token.

use super::SamplingParams;
use crate::LogSoftmax;
use crate::ops::reduce::fold;
use crate::simd::simd;

/// Tokens whose weights are summed up before the search for the one under `u` looks at each.
const BLOCK: usize = 64;

/// Working space of [`draw`], kept between calls.
#[derive(Default)]
pub(crate) struct Scratch {
    weights: Vec<f32>,
    sums: Vec<f32>,
    order: Vec<u32>,
}

/// Chooses a token with the uniform number `u` in [0, 1) and gives its log-probability under the full softmax.
///
/// Tokens are laid side by side on [0, 1) with their probabilities (by id, or from the most probable one down if some
/// are cut off) and the one under `u` is taken. `top_k`, then `top_p` cut off and the rest is scaled up, as in
/// transformers: of equally probable tokens the one with the lower id counts as the more probable.
pub(crate) fn draw(logits: &[f32], params: &SamplingParams, u: f64, scratch: &mut Scratch) -> (u32, f32) {
    if params.temperature == 0.0 {
        let softmax = LogSoftmax::new(logits, 1.0);
        let best = logits.iter().position(|&l| l == softmax.max).unwrap_or(0);
        return (best as u32, softmax.logprob(logits[best]));
    }
    let softmax = LogSoftmax::new(logits, params.temperature);
    let Scratch { weights, sums, order } = scratch;
    weights.resize(logits.len(), 0.0);
    exponentials(logits, softmax.max, softmax.inv_temperature, weights);
    let cut = params.top_p < 1.0 || (params.top_k > 0 && params.top_k < logits.len());
    let id = if cut {
        pick(
            keep(weights, params.top_k, f64::from(params.top_p), order).iter().map(|&id| (id, weights[id as usize])),
            u,
        )
    } else {
        sums.resize(weights.len().div_ceil(BLOCK), 0.0);
        block_sums(weights, sums);
        pick_in_blocks(weights, sums, u)
    };
    (id, softmax.logprob(logits[id as usize]))
}

simd! {
    /// `exp(x scale - max)`.
    fn exponentials(x: &[F], max: F, scale: F, out: &mut [F]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = (*x * scale - max).exp::<FMA>();
        }
    }

    /// Sums of the blocks of `BLOCK` elements.
    fn block_sums(x: &[F], sums: &mut [F]) {
        for (sum, block) in sums.iter_mut().zip(x.chunks(BLOCK)) {
            let mut lanes = [F::ZERO; 16];
            for part in block.chunks(16) {
                for (lane, x) in lanes.iter_mut().zip(part) {
                    *lane += *x;
                }
            }
            *sum = fold(lanes);
        }
    }
}

/// [`pick`] among all tokens, given the sums of their blocks.
fn pick_in_blocks(weights: &[f32], sums: &[f32], u: f64) -> u32 {
    let blocks = (0..).zip(sums.iter().copied());
    let target = u * blocks.clone().map(|(_, sum)| f64::from(sum)).sum::<f64>();
    let (block, before) = under(blocks, target);
    let start = block as usize * BLOCK;
    let inside = &weights[start..weights.len().min(start + BLOCK)];
    under((start as u32..).zip(inside.iter().copied()), target - before).0
}

/// The token under `u` where each has a share of [0, 1) in proportion to its weight.
fn pick(weighted: impl Iterator<Item = (u32, f32)> + Clone, u: f64) -> u32 {
    let total: f64 = weighted.clone().map(|(_, w)| f64::from(w)).sum();
    under(weighted, u * total).0
}

/// The first whose weight and those before it sum up to more than `target`, and the sum before it; if rounding leaves
/// none, the last with a weight.
fn under(weighted: impl Iterator<Item = (u32, f32)>, target: f64) -> (u32, f64) {
    let mut sum = 0.0;
    let mut last = (0, 0.0);
    for (id, weight) in weighted {
        if weight > 0.0 {
            last = (id, sum);
        }
        sum += f64::from(weight);
        if sum > target {
            break;
        }
    }
    last
}

/// Ids of the tokens that `top_k` (0: all) and then `top_p` leave, from the most probable one down.
fn keep<'a>(weights: &[f32], top_k: usize, top_p: f64, order: &'a mut Vec<u32>) -> &'a [u32] {
    let by_weight = |a: &u32, b: &u32| weights[*b as usize].total_cmp(&weights[*a as usize]).then(a.cmp(b));
    let weight = |id: &u32| f64::from(weights[*id as usize]);
    order.clear();
    order.extend(0..weights.len() as u32);
    let mut sorted = 0;
    let mut total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    if (1..order.len()).contains(&top_k) {
        order.select_nth_unstable_by(top_k - 1, by_weight);
        order.truncate(top_k);
        order.sort_unstable_by(by_weight);
        sorted = top_k;
        total = order.iter().map(weight).sum();
    }
    let (mut kept, mut above) = (0, 0.0);
    while kept < order.len() && (kept == 0 || above < top_p * total) {
        if kept == sorted {
            // Sort ever longer heads: mostly a few tokens hold the probability that is wanted.
            let end = (8 * sorted).max(64).min(order.len());
            if end < order.len() {
                order[sorted..].select_nth_unstable_by(end - sorted - 1, by_weight);
            }
            order[sorted..end].sort_unstable_by(by_weight);
            sorted = end;
        }
        above += weight(&order[kept]);
        kept += 1;
    }
    &order[..kept]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    const WEIGHTS: [f32; 6] = [0.1, 0.3, 0.05, 0.3, 0.2, 0.05];

    fn kept(top_k: usize, top_p: f64) -> Vec<u32> {
        keep(&WEIGHTS, top_k, top_p, &mut Vec::new()).to_vec()
    }

    #[test]
    fn cuts_as_transformers_does() {
        assert_eq!(kept(0, 1.0), [1, 3, 4, 0, 2, 5]);
        assert_eq!(kept(3, 1.0), [1, 3, 4]);
        assert_eq!(kept(0, 0.3), [1]);
        assert_eq!(kept(0, 0.31), [1, 3]);
        assert_eq!(kept(0, 0.95), [1, 3, 4, 0, 2]);
        // After top_k the weights are 3/8, 3/8, 2/8.
        assert_eq!(kept(3, 0.74), [1, 3]);
        assert_eq!(kept(3, 0.76), [1, 3, 4]);
        assert_eq!(kept(1, 1e-9), [1]);
    }

    #[test]
    fn long_tails_are_sorted_in_pieces() {
        let weights: Vec<f32> = (0..5000).map(|i| Key::new(1).fold(i).uniform() as f32).collect();
        let mut all: Vec<u32> = (0..5000).collect();
        all.sort_by(|a, b| weights[*b as usize].total_cmp(&weights[*a as usize]));
        let kept = keep(&weights, 0, 0.9, &mut Vec::new()).to_vec();
        assert!(kept.len() > 1000 && kept.len() < 4000);
        assert_eq!(kept, all[..kept.len()]);
        let total: f32 = weights.iter().sum();
        let sum = |n: usize| all[..n].iter().map(|&i| weights[i as usize]).sum::<f32>() / total;
        assert!(sum(kept.len()) > 0.8999 && sum(kept.len() - 1) < 0.9001);
    }

    #[test]
    fn blocks_pick_the_same() {
        let weights: Vec<f32> = (0..500).map(|i| (8.0 * Key::new(2).fold(i).uniform()).exp2() as f32).collect();
        let mut sums = vec![0.0; 8];
        block_sums(&weights, &mut sums);
        for i in 0..1000 {
            let u = Key::new(3).fold(i).uniform();
            assert_eq!(pick_in_blocks(&weights, &sums, u), pick((0..).zip(weights.iter().copied()), u));
        }
        assert_eq!(pick_in_blocks(&weights, &sums, 0.0), 0);
        assert_eq!(pick_in_blocks(&weights, &sums, 1.0), 499);
    }

    #[test]
    fn picks_what_lies_under_u() {
        let pick = |u| pick((0..).zip([0.0, 1.0, 2.0, 0.0, 1.0, 0.0]), u);
        assert_eq!([0.0, 0.2499, 0.25, 0.7499, 0.75, 0.99999].map(pick), [1, 1, 2, 2, 4, 4]);
        assert_eq!(pick(1.0), 4);
    }
}
