//! What a recipe's gates can show, before anything is sampled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use temper_data::Row;
use temper_recipe::{Gate, GateCorrection, GateSlice, Rule, Suite};

use crate::gate::{number, percent};
use crate::stats::{CORRELATION, POWER, detectable, difference_sd, items_for_effect};

/// What is known of a suite's items.
#[derive(Debug, Clone, Default)]
pub struct SuiteItems {
    /// Of each item its values of the suite's slices.
    pub slices: Vec<BTreeMap<String, String>>,
    /// Of each item its cluster.
    pub clusters: Vec<Option<String>>,
}

impl SuiteItems {
    /// Of a suite's rows.
    pub fn of(suite: &Suite, rows: &[Row]) -> Self {
        let label = |row: &Row, field: &String| match row.fields.get(field)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let slices = |row: &Row| {
            suite.slices.iter().filter_map(|(name, field)| Some((name.clone(), label(row, field)?))).collect()
        };
        SuiteItems {
            slices: rows.iter().map(slices).collect(),
            clusters: rows.iter().map(|row| suite.cluster.as_ref().and_then(|field| label(row, field))).collect(),
        }
    }
}

/// What one test of a gate can show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateForesight {
    /// Name of the gate, with the slice.
    pub gate: String,
    /// Items.
    pub items: usize,
    /// Clusters that they form; `None` where every item stands for itself.
    pub clusters: Option<usize>,
    /// Whether two checkpoints are compared item by item.
    pub paired: bool,
    /// Level of the interval, that of Holm's first and strictest step.
    pub level: f64,
    /// Tests that are corrected for.
    pub tests: usize,
    /// Standard deviation that is assumed of an item, or of its difference; `None` for a metric without limits.
    pub sd: Option<f64>,
    /// The effect that is shown with a power of 80 %: the distance from the bound, or the difference.
    pub detectable: Option<f64>,
    /// The margin of a comparison.
    pub margin: Option<f64>,
    /// Items that show the margin when there is no difference.
    pub needed: Option<usize>,
    /// Whether numbers are shares, to be written as points.
    pub share: bool,
}

/// One line per test of the gates. `about` gives the items of a gate's suite and the limits of its metric.
pub fn foresee<'a>(
    gates: impl IntoIterator<Item = &'a Gate>,
    correction: GateCorrection,
    about: impl Fn(&Gate) -> (SuiteItems, Option<(f64, f64)>),
) -> Vec<GateForesight> {
    let mut lines = Vec::new();
    let mut alphas = Vec::new();
    for gate in gates {
        let (items, range) = about(gate);
        for (label, chosen) in slices(gate, &items) {
            lines.push(line(gate, label, &items, &chosen, range));
            alphas.push(1.0 - gate.confidence);
        }
    }
    let tests = if correction == GateCorrection::Holm { lines.len().max(1) } else { 1 };
    for (line, alpha) in lines.iter_mut().zip(alphas) {
        (line.tests, line.level) = (tests, 1.0 - alpha / tests as f64);
        line.detectable = line.sd.map(|sd| detectable(sd, line.items as f64, line.level, POWER));
        line.needed = line.sd.zip(line.margin).and_then(|(sd, m)| items_for_effect(sd, m, line.level, POWER));
    }
    lines
}

/// The tests of a gate: name and positions of the items.
fn slices(gate: &Gate, items: &SuiteItems) -> Vec<(String, Vec<usize>)> {
    let with = |keep: &dyn Fn(&BTreeMap<String, String>) -> bool| -> Vec<usize> {
        (0..items.slices.len()).filter(|at| keep(&items.slices[*at])).collect()
    };
    match &gate.slice {
        None => vec![(gate.label(), with(&|_| true))],
        Some(GateSlice::Where(values)) => {
            let keep =
                |item: &BTreeMap<String, String>| values.iter().all(|(name, value)| item.get(name) == Some(value));
            vec![(gate.label(), with(&keep))]
        }
        Some(GateSlice::Every(name)) => {
            let values: BTreeSet<&String> = items.slices.iter().filter_map(|item| item.get(name)).collect();
            let label = |value: &str| format!("{} [{name}={value}]", Gate { slice: None, ..gate.clone() }.label());
            values.into_iter().map(|value| (label(value), with(&|item| item.get(name) == Some(value)))).collect()
        }
    }
}

fn line(gate: &Gate, label: String, items: &SuiteItems, chosen: &[usize], range: Option<(f64, f64)>) -> GateForesight {
    let labels: Vec<Option<&String>> =
        chosen.iter().map(|at| items.clusters.get(*at).and_then(Option::as_ref)).collect();
    let named: BTreeSet<&String> = labels.iter().copied().flatten().collect();
    let alone = labels.iter().filter(|label| label.is_none()).count();
    let paired = matches!(gate.rule(), Rule::NotWorse { .. });
    let sd = range.map(|(low, high)| match gate.rule() {
        // The most that values in these limits can vary at a mean that is the bound.
        Rule::AtLeast(bound) | Rule::AtMost(bound) => ((bound - low) * (high - bound)).max(0.0).sqrt(),
        // And at a mean in the middle.
        Rule::NotWorse { .. } => difference_sd((high - low) / 2.0, (high - low) / 2.0, CORRELATION),
    });
    GateForesight {
        gate: label,
        items: chosen.len(),
        clusters: (!named.is_empty()).then_some(named.len() + alone),
        paired,
        level: gate.confidence,
        tests: 1,
        sd,
        detectable: None,
        margin: gate.not_worse_than.map(|_| gate.margin).filter(|margin| *margin > 0.0),
        needed: None,
        share: range == Some((0.0, 1.0)),
    }
}

impl GateForesight {
    fn effect(&self, value: f64) -> String {
        if self.share { format!("{:.1} points", 100.0 * value) } else { number(value) }
    }
}

impl fmt::Display for GateForesight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} item{}", self.gate, self.items, if self.items == 1 { "" } else { "s" })?;
        if let Some(clusters) = self.clusters {
            write!(f, " in {clusters} cluster{}", if clusters == 1 { "" } else { "s" })?;
        }
        let Some((detectable, sd)) = self.detectable.zip(self.sd) else {
            return write!(f, "; what they can detect is not known, as the metric has no limits");
        };
        if self.items == 0 {
            return write!(f, ", so nothing can be detected");
        }
        let how =
            if self.paired { format!("paired, correlation assumed {CORRELATION}") } else { "at the bound".to_owned() };
        let level = percent(self.level);
        let many = if self.tests > 1 { format!(" for Holm over {} tests", self.tests) } else { String::new() };
        write!(
            f,
            ", can detect {} at {:.0} % power ({how}; level {level}{many})",
            self.effect(detectable),
            100.0 * POWER
        )?;
        if let Some(clusters) = self.clusters {
            let worst = crate::stats::detectable(sd, clusters as f64, self.level, POWER);
            write!(f, "; {} if items of a cluster are all alike", self.effect(worst))?;
        }
        match (self.margin, self.needed) {
            (Some(margin), Some(needed)) if needed > self.items => {
                write!(f, "; its margin of {} needs {needed} items", self.effect(margin))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temper_recipe::Reference;

    fn items(n: usize) -> SuiteItems {
        let slices = (0..n).map(|i| [("kind".to_owned(), ["a", "b"][i % 2].to_owned())].into_iter().collect());
        SuiteItems { slices: slices.collect(), clusters: vec![None; n] }
    }

    fn gate() -> Gate {
        Gate { suite: "familiar".into(), metric: "lab_solved".into(), ..Gate::default() }
    }

    #[test]
    fn a_line_per_gate() {
        let paired = Gate { not_worse_than: Some(Reference::Parent), margin: 0.05, ..gate() };
        let alone =
            |gate: &Gate| foresee([gate], GateCorrection::Holm, |_| (items(300), Some((0.0, 1.0))))[0].to_string();
        assert_eq!(
            alone(&paired),
            "familiar/lab_solved: 300 items, can detect 8.1 points at 80 % power (paired, correlation assumed 0.5; level 95 %); \
             its margin of 5.0 points needs 785 items"
        );
        // √(0.2 · 0.8) · 2.8016 / √300
        assert!(
            alone(&Gate { at_most: Some(0.2), ..gate() })
                .contains("can detect 6.5 points at 80 % power (at the bound;")
        );
        let many = Gate { slice: Some(GateSlice::Every("kind".into())), ..paired.clone() };
        let lines = foresee([&paired, &many], GateCorrection::Holm, |_| (items(300), Some((0.0, 1.0))));
        assert_eq!((lines.len(), lines[1].gate.as_str(), lines[1].items), (3, "familiar/lab_solved [kind=a]", 150));
        assert!((lines[0].level - (1.0 - 0.05 / 3.0)).abs() < 1e-12 && lines[0].detectable > Some(0.081));
        let unbounded = foresee([&paired], GateCorrection::None, |_| (items(10), None))[0].to_string();
        assert!(unbounded.ends_with("as the metric has no limits"), "{unbounded}");
    }

    #[test]
    fn clusters_are_said() {
        let clustered = SuiteItems { clusters: (0..20).map(|i| Some((i / 4).to_string())).collect(), ..items(20) };
        let gate = Gate { at_most: Some(0.5), ..gate() };
        let line = foresee([&gate], GateCorrection::None, |_| (clustered.clone(), Some((0.0, 1.0))))[0].to_string();
        assert!(line.contains("20 items in 5 clusters, can detect 31.3 points"), "{line}");
        assert!(line.ends_with("62.6 points if items of a cluster are all alike"), "{line}");
    }
}
