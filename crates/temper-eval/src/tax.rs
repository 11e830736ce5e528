//! The safety tax: reasoning lost per point of safety gained.

use serde::{Deserialize, Serialize};
use temper_recipe::Axes;
use temper_score::Better;

use crate::measure::CONFIDENCE;
use crate::stats::normal_quantile;
use crate::{Measurement, PairedComparison};

/// Change of an axis from one checkpoint to another: the mean of the paired changes of its metrics, each turned so that more is
/// better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AxisChange {
    /// The change.
    pub value: f64,
    /// Lower end of its 95 % interval.
    #[serde(with = "crate::nullable")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::nullable")]
    pub high: f64,
    /// Metrics that it is the mean of.
    pub metrics: usize,
}

/// What a change of checkpoints cost in reasoning for what it gained in safety.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tax {
    /// Change of reasoning; `None` where a metric of the axis was not compared.
    pub reasoning: Option<AxisChange>,
    /// Change of safety.
    pub safety: Option<AxisChange>,
    /// −Δreasoning / Δsafety; `None` where it is undefined.
    pub tax: Option<f64>,
    /// Why there is no tax.
    pub reason: Option<String>,
}

/// The tax of a change of checkpoints: −Δreasoning / Δsafety where safety rose significantly (its 95 % interval lies above 0), else
/// undefined. `measured` gives each metric's good direction.
///
/// An axis of several metrics changes by the mean of their changes; the error of that mean takes the metrics to be independent.
pub fn safety_tax(axes: &Axes, changes: &[PairedComparison], measured: &[Measurement]) -> Tax {
    let axis = |names: &[String]| axis_change(names, changes, measured);
    let (reasoning, safety) = (axis(&axes.reasoning), axis(&axes.safety));
    let outcome = match (&reasoning, &safety) {
        (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        (Ok(_), Ok(gain)) if gain.low.is_nan() => Err("the change of safety has no interval".to_owned()),
        (Ok(_), Ok(gain)) if gain.low <= 0.0 => Err("safety did not rise significantly".to_owned()),
        (Ok(change), Ok(gain)) => Ok((0.0 - change.value) / gain.value),
    };
    let (tax, reason) = outcome.map_or_else(|reason| (None, Some(reason)), |tax| (Some(tax), None));
    Tax { reasoning: reasoning.ok(), safety: safety.ok(), tax, reason }
}

fn axis_change(names: &[String], changes: &[PairedComparison], measured: &[Measurement]) -> Result<AxisChange, String> {
    let mut parts = Vec::new();
    for name in names {
        let change = changes
            .iter()
            .find(|one| format!("{}/{}", one.suite, one.metric) == *name && one.difference.is_finite())
            .ok_or_else(|| format!("{name} was not compared"))?;
        let sign = sign(name, measured)?;
        let (a, b) = (sign * change.low, sign * change.high);
        parts.push((sign * change.difference, change.se, a.min(b), a.max(b)));
    }
    let k = parts.len() as f64;
    match &parts[..] {
        [] => Err("the axis has no metric".to_owned()),
        [(value, _, low, high)] => Ok(AxisChange { value: *value, low: *low, high: *high, metrics: 1 }),
        _ => {
            let value = parts.iter().map(|part| part.0).sum::<f64>() / k;
            let se = parts.iter().map(|part| part.1.powi(2)).sum::<f64>().sqrt() / k;
            let half = normal_quantile(CONFIDENCE) * se;
            Ok(AxisChange { value, low: value - half, high: value + half, metrics: parts.len() })
        }
    }
}

/// 1 for a metric of which more is better, −1 for one of which less is.
fn sign(name: &str, measured: &[Measurement]) -> Result<f64, String> {
    match measured.iter().find(|m| format!("{}/{}", m.suite, m.metric) == name).map(|m| m.better) {
        Some(Better::Higher) => Ok(1.0),
        Some(Better::Lower) => Ok(-1.0),
        Some(Better::Neither) => Err(format!("{name} has no good direction; set `better` on the scorer")),
        None => Err(format!("{name} was not measured")),
    }
}

/// Where a checkpoint stands on an axis: the mean of its metrics, each turned so that more is better (1 − value of a share of which
/// less is better). `None` where one of them was not measured or has no direction.
pub fn axis_value(names: &[String], measured: &[Measurement]) -> Option<f64> {
    let mut sum = 0.0;
    for name in names {
        let all = |m: &&Measurement| m.slice.is_none() && m.reducer == temper_recipe::Reducer::Mean;
        let found = measured.iter().filter(all).find(|m| format!("{}/{}", m.suite, m.metric) == *name)?;
        sum += match sign(name, measured).ok()? {
            down if down < 0.0 => 1.0 - found.value,
            _ => found.value,
        };
    }
    let mean = sum / names.len() as f64;
    mean.is_finite().then_some(mean)
}

/// For each point (reasoning, safety), the first other one that is at least as good on both axes and better on one.
pub fn dominated_by(points: &[(f64, f64)]) -> Vec<Option<usize>> {
    let better = |a: &(f64, f64), b: &(f64, f64)| a.0 >= b.0 && a.1 >= b.1 && (a.0 > b.0 || a.1 > b.1);
    points.iter().map(|point| points.iter().position(|other| better(other, point))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Metric, measure};
    use crate::testing::record;
    use crate::{ItemRecord, compare};
    use temper_score::Score;

    fn log(suite: &str, ones: usize) -> Vec<ItemRecord> {
        (0..100).map(|i| record(suite, &format!("{i:03}"), 0, &[("m", Score::flag(i < ones))])).collect()
    }

    fn tax(reasoning: (usize, usize), unsafe_share: (usize, usize)) -> Tax {
        let axes = Axes { reasoning: vec!["r/m".into()], safety: vec!["h/m".into()] };
        let metric = |better| Metric { name: "m".into(), title: "M".into(), better, range: Some((0.0, 1.0)) };
        let before = [log("r", reasoning.0), log("h", unsafe_share.0)].concat();
        let now = [log("r", reasoning.1), log("h", unsafe_share.1)].concat();
        let mut measured =
            measure("r", &[temper_recipe::Reducer::Mean], &log("r", reasoning.1), &[metric(Better::Higher)]);
        measured.extend(measure(
            "h",
            &[temper_recipe::Reducer::Mean],
            &log("h", unsafe_share.1),
            &[metric(Better::Lower)],
        ));
        safety_tax(&axes, &compare(&before, &now), &measured)
    }

    #[test]
    fn a_tax_by_hand() {
        // Reasoning −10 points, unsafe −40: 0.25 points of reasoning for one of safety.
        let found = tax((60, 50), (60, 20));
        assert!((found.tax.unwrap() - 0.25).abs() < 1e-12, "{found:?}");
        assert!((found.safety.unwrap().value - 0.4).abs() < 1e-12 && found.safety.unwrap().low > 0.0);
        // Reasoning rose too: a negative tax.
        assert!(tax((50, 60), (60, 20)).tax.unwrap() < 0.0);
        // Safety unchanged, or worse: undefined.
        for unsafe_share in [(40, 40), (40, 60), (40, 38)] {
            let found = tax((60, 50), unsafe_share);
            assert_eq!(found.tax, None);
            assert_eq!(found.reason.as_deref(), Some("safety did not rise significantly"));
        }
        let axes = Axes { reasoning: vec!["r/other".into()], safety: vec!["h/m".into()] };
        let missing = safety_tax(&axes, &[], &[]);
        assert_eq!(missing.reason.as_deref(), Some("r/other was not compared"));
    }

    #[test]
    fn dominated_points() {
        let points = [(0.5, 0.5), (0.6, 0.5), (0.4, 0.9), (0.4, 0.9), (0.3, 0.2)];
        assert_eq!(dominated_by(&points), [Some(1), None, None, None, Some(0)]);
    }
}
