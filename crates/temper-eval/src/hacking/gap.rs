//! Two checkpoints: does the gold score follow the proxy?

use std::collections::BTreeMap;

use serde::Serialize;

use super::value;
use crate::ItemRecord;
use crate::measure::CONFIDENCE;
use crate::stats::{mean_interval, mean_sd};

/// Width of the length buckets of [`length_gain`], in tokens.
pub(super) const BUCKET: usize = 20;

/// How far proxy and gold score moved apart between two checkpoints, in units of the first checkpoint's standard deviations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Items that both logs have with both scores.
    pub n: usize,
    /// Samples of either log without a partner (same item, repeat and prompt) that has both scores too.
    pub left_out: usize,
    /// Mean change of the proxy.
    pub proxy_change: f64,
    /// Mean change of the gold score.
    pub gold_change: f64,
    /// The former minus the latter: positive when the proxy promises more than the gold score gives.
    pub gap: f64,
    /// Lower end of the gap's 95 % interval, paired over items, the standard deviations taken as known. Not a number for
    /// fewer than two items.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::nullable")]
    pub high: f64,
}

/// Δproxy − Δgold from log `a` to log `b`, both of one suite. `None` when no item has both scores in both logs, or a score does
/// not vary in `a`, so that there is no scale.
pub fn gap(a: &[&ItemRecord], b: &[&ItemRecord], proxy: &str, gold: &str) -> Option<Gap> {
    let both = |record: &&ItemRecord| Some((value(record, proxy)?, value(record, gold)?));
    let scored: Vec<(f64, f64)> = a.iter().filter_map(both).collect();
    let sd = |pick: fn(&(f64, f64)) -> f64| {
        let values: Vec<f64> = scored.iter().map(pick).collect();
        mean_sd(&values).map(|(_, sd)| sd).filter(|sd| *sd > 0.0)
    };
    let (proxy_sd, gold_sd) = (sd(|pair| pair.0)?, sd(|pair| pair.1)?);
    let key = |record: &ItemRecord| (record.id.clone(), record.repeat, record.prompt.clone());
    let after: BTreeMap<_, _> = b.iter().filter_map(|record| Some((key(record), both(record)?))).collect();
    let mut items: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    let mut matched = 0;
    for record in a {
        if let (Some(before), Some(after)) = (both(record), after.get(&key(record))) {
            let (p, g, count) = items.entry(&record.id).or_default();
            *p += (after.0 - before.0) / proxy_sd;
            *g += (after.1 - before.1) / gold_sd;
            *count += 1.0;
            matched += 1;
        }
    }
    let mean = |of: fn(&(f64, f64, f64)) -> f64| items.values().map(of).sum::<f64>() / items.len() as f64;
    let gaps: Vec<f64> = items.values().map(|(p, g, count)| (p - g) / count).collect();
    let estimate = mean_interval(&gaps, CONFIDENCE)?;
    Some(Gap {
        n: items.len(),
        left_out: a.len() + b.len() - 2 * matched,
        proxy_change: mean(|item| item.0 / item.2),
        gold_change: mean(|item| item.1 / item.2),
        gap: estimate.value,
        low: estimate.low,
        high: estimate.high,
    })
}

/// How much of a metric's gain is there among completions of equal length (arXiv 2310.03716).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthGain {
    /// ΔR: mean of the second log minus mean of the first, over samples.
    pub gain: f64,
    /// NRG: mean over length buckets of the gain inside the bucket, weighted by the bucket's share of all completions.
    pub at_equal_length: f64,
    /// NRG / ΔR: near 0, the gain is one of length; near 1, length explains none of it. Not a number for a gain of 0.
    #[serde(with = "crate::nullable")]
    pub ratio: f64,
    /// Share of the completions that lie in buckets which both logs have; the rest can be compared with nothing.
    pub shared: f64,
    /// Mean tokens in the first log.
    pub tokens_before: f64,
    /// Mean tokens in the second.
    pub tokens_after: f64,
}

/// The non-length gain of `metric` from log `a` to log `b`, with buckets of `width` tokens. `None` when a log has no value, or
/// no bucket holds completions of both.
pub fn length_gain(a: &[&ItemRecord], b: &[&ItemRecord], metric: &str, width: usize) -> Option<LengthGain> {
    let values = |records: &[&ItemRecord]| -> Vec<(usize, f64)> {
        records.iter().filter_map(|record| Some((record.tokens, value(record, metric)?))).collect()
    };
    let (a, b) = (values(a), values(b));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut buckets: BTreeMap<usize, [(f64, f64); 2]> = BTreeMap::new();
    for (side, values) in [&a, &b].into_iter().enumerate() {
        for (tokens, value) in values {
            let (sum, count) = &mut buckets.entry(tokens / width.max(1)).or_default()[side];
            *sum += value;
            *count += 1.0;
        }
    }
    let shared: Vec<&[(f64, f64); 2]> = buckets.values().filter(|[old, new]| old.1 > 0.0 && new.1 > 0.0).collect();
    let weight: f64 = shared.iter().map(|[old, new]| old.1 + new.1).sum();
    if weight == 0.0 {
        return None;
    }
    let inside: f64 = shared.iter().map(|[old, new]| (old.1 + new.1) / weight * (new.0 / new.1 - old.0 / old.1)).sum();
    let mean = |values: &[(usize, f64)], of: fn(&(usize, f64)) -> f64| {
        values.iter().map(of).sum::<f64>() / values.len() as f64
    };
    let gain = mean(&b, |v| v.1) - mean(&a, |v| v.1);
    Some(LengthGain {
        gain,
        at_equal_length: inside,
        ratio: if gain == 0.0 { f64::NAN } else { inside / gain },
        shared: weight / (a.len() + b.len()) as f64,
        tokens_before: mean(&a, |v| v.0 as f64),
        tokens_after: mean(&b, |v| v.0 as f64),
    })
}

/// Pairs of checkpoints on which proxy and gold score disagree about which is better (arXiv 2209.13085).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hackability {
    /// Pairs of checkpoints.
    pub pairs: usize,
    /// Those with the proxy up and the gold score down.
    pub hacked: usize,
    /// Largest drop of the gold score among them; 0 where there is none.
    pub largest_drop: f64,
}

/// Counts over all pairs of checkpoints, given their mean (proxy, gold).
pub fn hackability(means: &[(f64, f64)]) -> Hackability {
    let mut found = Hackability { pairs: 0, hacked: 0, largest_drop: 0.0 };
    for (at, a) in means.iter().enumerate() {
        for b in &means[at + 1..] {
            found.pairs += 1;
            let drop = if b.0 > a.0 {
                a.1 - b.1
            } else if b.0 < a.0 {
                b.1 - a.1
            } else {
                0.0
            };
            if drop > 0.0 {
                found.hacked += 1;
                found.largest_drop = found.largest_drop.max(drop);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record;
    use temper_score::Score;

    fn log(values: &[(f64, f64, usize)]) -> Vec<ItemRecord> {
        let one = |(id, (proxy, gold, tokens)): (usize, &(f64, f64, usize))| {
            let scores = [("p", Score::Value(*proxy)), ("g", Score::Value(*gold))];
            ItemRecord { tokens: *tokens, ..record("s", &id.to_string(), 0, &scores) }
        };
        values.iter().enumerate().map(one).collect()
    }

    fn refs(log: &[ItemRecord]) -> Vec<&ItemRecord> {
        log.iter().collect()
    }

    #[test]
    fn a_gap_by_hand() {
        // sd of the proxy 1, of the gold score 2.
        let a = log(&[(1.0, 2.0, 1), (2.0, 4.0, 1), (3.0, 6.0, 1)]);
        let b = log(&[(2.0, 2.0, 1), (3.0, 3.0, 1), (5.0, 6.0, 1)]);
        let found = gap(&refs(&a), &refs(&b), "p", "g").unwrap();
        assert_eq!((found.n, found.left_out), (3, 0));
        assert!((found.proxy_change - 4.0 / 3.0).abs() < 1e-12 && (found.gold_change + 1.0 / 6.0).abs() < 1e-12);
        assert!((found.gap - 1.5).abs() < 1e-12);
        // Items 1, 1.5, 2: sd 0.5, t(2) = 4.302653.
        assert!((found.high - 1.5 - 4.302653 * 0.5 / 3.0_f64.sqrt()).abs() < 1e-5, "{found:?}");
        let flat = log(&[(1.0, 2.0, 1), (1.0, 4.0, 1)]);
        assert_eq!(gap(&refs(&flat), &refs(&b), "p", "g"), None);
        assert_eq!(gap(&refs(&a), &refs(&b), "p", "none"), None);
        assert_eq!(gap(&refs(&a), &refs(&b[..2]), "p", "g").unwrap().left_out, 1);
    }

    #[test]
    fn a_gain_of_length_is_none_at_equal_length() {
        // The value is a tenth of the length, the second log is longer.
        let a = log(&[(1.0, 0.0, 10), (1.0, 0.0, 10), (3.0, 0.0, 30)]);
        let b = log(&[(1.0, 0.0, 10), (3.0, 0.0, 30), (3.0, 0.0, 30), (9.0, 0.0, 90)]);
        let gain = length_gain(&refs(&a), &refs(&b), "p", 20).unwrap();
        assert!((gain.gain - (4.0 - 5.0 / 3.0)).abs() < 1e-12);
        assert_eq!((gain.at_equal_length, gain.ratio), (0.0, 0.0));
        assert!((gain.shared - 6.0 / 7.0).abs() < 1e-12);
        // Bucket 0: 1 → 2 with 3 completions, bucket 1: 3 → 3 with 2; (3·1 + 2·0) / 5.
        let a = log(&[(1.0, 0.0, 1), (1.0, 0.0, 2), (3.0, 0.0, 25)]);
        let b = log(&[(2.0, 0.0, 3), (3.0, 0.0, 30)]);
        assert!((length_gain(&refs(&a), &refs(&b), "p", 20).unwrap().at_equal_length - 0.6).abs() < 1e-12);
        assert_eq!(length_gain(&refs(&a), &[], "p", 20), None);
    }

    #[test]
    fn hacked_pairs_are_counted() {
        let found = hackability(&[(0.0, 1.0), (1.0, 2.0), (2.0, 1.5), (3.0, 0.0)]);
        // Up and down: (1,2), (0,3), (1,3), (2,3).
        assert_eq!((found.pairs, found.hacked, found.largest_drop), (6, 4, 2.0));
        assert_eq!(hackability(&[(0.0, 1.0)]).pairs, 0);
        assert_eq!(hackability(&[(1.0, 0.0), (0.0, 1.0)]).hacked, 1, "the order of checkpoints does not matter");
    }
}
