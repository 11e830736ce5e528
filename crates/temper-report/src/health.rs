//! Checks of training curves against ranges known to go with trouble.
//!
//! The limits are those of axolotl's guide to the stability of GRPO training and hold for mid-size reasoning runs; a flag is a
//! reason to look, not a verdict.

use crate::curves::{Metrics, Points};
use crate::number::short;

/// One curve that left its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Name of the metric.
    pub metric: String,
    /// What was seen, what is expected and what it may mean.
    pub text: String,
}

/// What makes a curve suspicious.
enum Rule {
    /// The last fifth of the curve lies above on average.
    EndsAbove(f64),
    /// The last fifth of the curve lies below on average.
    EndsBelow(f64),
    /// Some value lies above.
    Exceeds(f64),
    /// Every value equals this one.
    Always(f64),
}

const RULES: [(&str, Rule, &str); 9] = [
    (
        "reward_std",
        Rule::Always(0.0),
        "no completion of a group was better than another: there is nothing to learn from",
    ),
    ("frac_reward_zero_std", Rule::EndsAbove(0.8), "most groups agree: prompts are too easy or too hard"),
    ("grad_norm", Rule::Exceeds(10.0), "a gradient this large is a spike; look at the batch"),
    (
        "entropy",
        Rule::EndsBelow(0.01),
        "the policy has collapsed; raise the temperature, lower the learning rate or add KL",
    ),
    ("entropy", Rule::EndsAbove(1.0), "the policy is not settling"),
    ("kl", Rule::EndsAbove(2.0), "the policy is far from its reference"),
    ("sampling/sampling_logp_difference/mean", Rule::EndsAbove(1.0), "sampling and training disagree"),
    ("clip_ratio/region_mean", Rule::EndsAbove(0.3), "updates are mostly clipped"),
    ("completions/clipped_ratio", Rule::EndsAbove(0.8), "most completions are cut off: the token limit is too low"),
];

/// The flags of one reinforcement-learning stage.
pub fn flags(metrics: &Metrics) -> Vec<Flag> {
    let mut found = Vec::new();
    for (metric, rule, meaning) in &RULES {
        let Some(curve) = metrics.curves.get(*metric) else { continue };
        if let Some(seen) = broken(rule, curve) {
            found.push(Flag { metric: (*metric).to_owned(), text: format!("{seen}: {meaning}") });
        }
    }
    for (metric, curve) in &metrics.curves {
        let component = metric.starts_with("rewards/") && metric.ends_with("/mean");
        if component && broken(&Rule::Always(0.0), curve).is_some() {
            let text = "0 at every step: this reward is broken or the task is too hard".to_owned();
            found.push(Flag { metric: metric.clone(), text });
        }
    }
    found
}

fn broken(rule: &Rule, curve: &Points) -> Option<String> {
    // A handful of steps says nothing about a trend.
    if curve.len() < 5 {
        return None;
    }
    let tail = &curve[curve.len() - curve.len().div_ceil(5)..];
    let end = tail.iter().map(|p| p.1).sum::<f64>() / tail.len() as f64;
    match *rule {
        Rule::EndsAbove(limit) => (end > limit).then(|| format!("ends at {}, above {}", short(end), short(limit))),
        Rule::EndsBelow(limit) => (end < limit).then(|| format!("ends at {}, below {}", short(end), short(limit))),
        Rule::Exceeds(limit) => {
            let above: Vec<&(f64, f64)> = curve.iter().filter(|p| p.1 > limit).collect();
            let (step, value) = above.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let steps = above.len();
            let at = format!("{} at step {}", short(*value), short(*step));
            Some(format!("above {} at {steps} of {} steps, most {at}", short(limit), curve.len()))
        }
        Rule::Always(value) => curve.iter().all(|p| p.1 == value).then(|| format!("{} at every step", short(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(name: &str, values: impl Iterator<Item = f64>) -> Metrics {
        let curve: Points = values.enumerate().map(|(i, v)| (i as f64 + 1.0, v)).collect();
        Metrics { curves: [(name.to_owned(), curve)].into(), ..Metrics::default() }
    }

    #[test]
    fn curves_in_range_are_not_flagged() {
        assert_eq!(flags(&metrics("entropy", (0..50).map(|_| 0.3))), []);
        assert_eq!(flags(&metrics("kl", (0..3).map(|_| 9.0))), [], "too few steps to say");
        assert_eq!(flags(&metrics("rewards/accuracy/mean", (0..50).map(|i| i as f64))), []);
    }

    #[test]
    fn curves_out_of_range_are_flagged() {
        for (name, value) in
            [("entropy", 0.001), ("entropy", 1.4), ("kl", 3.0), ("reward_std", 0.0), ("grad_norm", 11.0)]
        {
            let found = flags(&metrics(name, (0..50).map(|_| value)));
            assert_eq!(found.len(), 1, "{name} {value}: {found:?}");
        }
        let found = flags(&metrics("rewards/format/mean", (0..50).map(|_| 0.0)));
        assert!(found[0].text.contains("every step"), "{found:?}");
    }
}
