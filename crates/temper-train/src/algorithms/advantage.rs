//! Rewards to advantages.

/// What the centred rewards are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Standard deviation of the group (GRPO).
    Group,
    /// Standard deviation of all completions of the step.
    Batch,
    /// Nothing (Dr. GRPO, arXiv 2503.20783).
    None,
}

/// Added to the standard deviation before dividing, as in TRL.
const STD_FLOOR: f64 = 1e-4;

/// Weighted sum of one completion's rewards, `None` (not applicable, or not scored) left out.
///
/// A completion whose rewards are all `None` is unscorable and has no reward.
pub fn weighted_reward(rewards: &[Option<f64>], weights: &[f64]) -> Option<f64> {
    let mut known = rewards.iter().zip(weights).filter_map(|(r, w)| r.map(|r| r * w)).peekable();
    known.peek()?;
    Some(known.sum())
}

/// Mean and standard deviation with Bessel's correction of the known values.
///
/// Mean `None` without a value, standard deviation `None` with fewer than two.
pub fn mean_std<'a>(values: impl IntoIterator<Item = &'a Option<f64>>) -> (Option<f64>, Option<f64>) {
    let known: Vec<f64> = values.into_iter().flatten().copied().collect();
    let n = known.len() as f64;
    if known.is_empty() {
        return (None, None);
    }
    let mean = known.iter().sum::<f64>() / n;
    let squares: f64 = known.iter().map(|v| (v - mean) * (v - mean)).sum();
    (Some(mean), (known.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

/// Advantages of groups of `group_size` completions that answer the same prompt, in order.
///
/// A = R − mean of the group, divided by `scale`'s standard deviation + 1e-4. Unscorable completions (`None`) are left out
/// of mean and standard deviation and get advantage 0, as does the only scorable completion of a group. The formula of TRL's
/// `_generate_and_score_completions` with `sum_then_normalize`.
pub fn advantages(rewards: &[Option<f64>], group_size: usize, scale: Scale) -> Vec<f64> {
    let batch_std = match scale {
        Scale::Batch => mean_std(rewards).1,
        _ => None,
    };
    let mut out = Vec::with_capacity(rewards.len());
    for group in rewards.chunks(group_size.max(1)) {
        let (mean, group_std) = mean_std(group);
        let divisor = match scale {
            Scale::Group => group_std.map(|s| s + STD_FLOOR),
            Scale::Batch => batch_std.map(|s| s + STD_FLOOR),
            Scale::None => Some(1.0),
        };
        out.extend(group.iter().map(|reward| match (reward, mean, divisor) {
            (Some(r), Some(mean), Some(divisor)) => (r - mean) / divisor,
            _ => 0.0,
        }));
    }
    out
}

/// Whether the known rewards of a group do not differ, so that it teaches nothing. Also true with fewer than two of them.
pub fn zero_spread(group: &[Option<f64>]) -> bool {
    mean_std(group).1.is_none_or(|std| std < 1e-8)
}

#[cfg(test)]
mod tests {
    use super::super::testing::close;
    use super::*;

    fn known(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().map(|v| Some(*v)).collect()
    }

    #[test]
    fn match_the_hand_computed_values() {
        let r = known(&[1.0, 0.0, 0.0, 1.0]);
        close(mean_std(&r).1.unwrap(), 0.577_350, 1e-6);
        for (a, sign) in advantages(&r, 4, Scale::Group).iter().zip([1.0, -1.0, -1.0, 1.0]) {
            close(*a, sign * 0.865_875, 1e-6);
        }
        assert_eq!(advantages(&r, 4, Scale::None), vec![0.5, -0.5, -0.5, 0.5]);
        let winner = known(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        close(advantages(&winner, 8, Scale::Group)[0], 2.474_174, 1e-6);
        close(advantages(&winner, 8, Scale::None)[0], 0.875, 1e-12);
    }

    #[test]
    fn batch_scaling_uses_one_deviation() {
        let r = known(&[1.0, 0.0, 3.0, 1.0]);
        let std = mean_std(&r).1.unwrap() + 1e-4;
        let a = advantages(&r, 2, Scale::Batch);
        for (a, centred) in a.iter().zip([0.5, -0.5, 1.0, -1.0]) {
            close(*a, centred / std, 1e-12);
        }
    }

    #[test]
    fn missing_rewards_are_not_zero() {
        assert_eq!(weighted_reward(&[None, Some(2.0)], &[1.0, 0.5]), Some(1.0));
        assert_eq!(weighted_reward(&[None, None], &[1.0, 0.5]), None);
        let a = advantages(&[Some(1.0), None, Some(0.0)], 3, Scale::None);
        assert_eq!(a, vec![0.5, 0.0, -0.5]);
        // One scorable completion in a group: no baseline to differ from.
        assert_eq!(advantages(&[Some(1.0), None], 2, Scale::Group), vec![0.0, 0.0]);
        assert_eq!(advantages(&[None, None], 2, Scale::Batch), vec![0.0, 0.0]);
    }

    #[test]
    fn a_constant_added_to_a_group_changes_nothing() {
        let r = [0.25, 0.5, 1.0, 0.0, 2.0, 2.0, 0.5, 1.5];
        for scale in [Scale::Group, Scale::None] {
            let plain = advantages(&known(&r), 4, scale);
            let shifted: Vec<f64> = r.iter().enumerate().map(|(i, v)| v + if i < 4 { 3.0 } else { -1.0 }).collect();
            for (a, b) in plain.iter().zip(advantages(&known(&shifted), 4, scale)) {
                close(*a, b, 1e-12);
            }
        }
        // Scaling the rewards changes nothing under `Group`, up to the floor.
        let scaled: Vec<f64> = r.iter().map(|v| v * 10.0).collect();
        let plain = advantages(&known(&r), 4, Scale::Group);
        for (a, b) in plain.iter().zip(advantages(&known(&scaled), 4, Scale::Group)) {
            close(*a, b, 1e-3);
        }
    }

    #[test]
    fn groups_without_spread() {
        assert!(zero_spread(&known(&[0.3, 0.3])));
        assert!(zero_spread(&[Some(1.0), None]));
        assert!(!zero_spread(&known(&[0.3, 0.4])));
        assert_eq!(advantages(&known(&[0.5, 0.5]), 2, Scale::Group), vec![0.0, 0.0]);
    }
}
